"""Locks between processes."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.runtime import file_lock, files, sole_use

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
    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    with file_lock(tmp_path / "lock") as locked:
        assert not locked


def test_a_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "fcntl", None)
    with file_lock(tmp_path / "lock") as locked:
        assert not locked


HOLDER = """
import sys, time
from pathlib import Path
from inpaintkit.runtime import sole_use
with sole_use(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("locks", [True, False], ids=["locks", "no locks"])
def test_a_folder_in_use_names_its_process_until_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    """Killed, so that nothing of it can clean up; also on a file system without locks."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        if not locks:
            monkeypatch.setattr(files.fcntl, "flock", no_locks)
        used = rf"{tmp_path} is in use by process {other.pid} on \S+ since 2\d\d\d-"
        with pytest.raises(InpaintkitError, match=used), sole_use(tmp_path):
            pass
        other.kill()
    for _ in range(2):
        with sole_use(tmp_path):
            assert (tmp_path / files.LOCK).read_text().startswith(f"process {os.getpid()} on ")
    assert (tmp_path / files.LOCK).read_text() == ""


@pytest.mark.parametrize(
    "said", [b"", b"\x80", b"process x on y since z", b"process 99999999999999999999 on here since", b"x" * 9999]
)
@pytest.mark.parametrize("locks", [True, False], ids=["locks", "no locks"])
def test_a_lock_that_says_nothing_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, locks: bool
) -> None:
    (tmp_path / files.LOCK).write_bytes(said.replace(b"here", platform.node().encode()))
    if not locks:
        monkeypatch.setattr(files.fcntl, "flock", no_locks)
    with sole_use(tmp_path):
        pass


def test_a_lock_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / files.LOCK)
    with pytest.raises(OSError, match="not a regular file"), sole_use(tmp_path):
        pass


def no_locks(*_: Any) -> None:
    raise OSError(errno.ENOLCK, "no locks available")
