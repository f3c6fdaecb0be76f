"""Locks between processes."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from inpaintkit.runtime import file_lock, files

pytest.importorskip("fcntl")


def test_a_second_process_says_that_it_waits_and_gets_the_lock_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[str] = []
    first_holds, release = threading.Event(), threading.Event()

    def first() -> None:
        with file_lock(tmp_path / "lock") as locked:
            assert locked
            first_holds.set()
            release.wait(10)
            events.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert first_holds.wait(10)
    threading.Timer(0.2, release.set).start()
    with file_lock(tmp_path / "lock", "waiting for the other") as locked:
        assert locked
        events.append("second")
    thread.join()
    assert events == ["first", "second"]
    assert "waiting for the other" in capsys.readouterr().err


def test_a_free_lock_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with file_lock(tmp_path / "lock", "waiting") as locked:
            assert locked
    assert capsys.readouterr().err == ""


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with file_lock(tmp_path / "lock") as locked:
        assert not locked


def test_a_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "fcntl", None)
    with file_lock(tmp_path / "lock") as locked:
        assert not locked
