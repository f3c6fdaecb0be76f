"""JSON that may be damaged or hostile is refused in words, and every change of what was sealed is noticed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from inpaintkit.runtime import parse_json, read_limited, read_sealed, sealed

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('ab"\\é\n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(st.text("abc", min_size=1, max_size=3), plain, min_size=1, max_size=4)


@given(mappings)
def test_what_is_sealed_comes_back(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]) -> None:
    file = tmp_path_factory.mktemp("sealed") / "f.json"
    file.write_text(sealed(tree))
    assert read_sealed(file) == tree
    assert parse_json(file.read_bytes()) == {**tree, "checksum": parse_json(file.read_bytes())["checksum"]}


@given(mappings, st.integers(0), st.integers(1, 255))
def test_every_changed_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any], at: int, change: int
) -> None:
    file = tmp_path_factory.mktemp("changed") / "f.json"
    content = bytearray(sealed(tree).encode())
    content[at % len(content)] ^= change
    file.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        read_sealed(file)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 200_000, b'{"a":' * 200_000, b"[" * 60 + b"]" * 60, b'{"a":' * 60 + b"1" + b"}" * 60,
        b"\x80", b'"\\ud800"', b'{"\\udfff": 1}', b"", b"{", b"1" * 5000, b"\xff\xfe[\x00]\x00",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_fifty_levels_are_read() -> None:
    assert parse_json(b"[" * 50 + b"]" * 50)
    assert parse_json('["é", "\\ud83d\\ude00"]'.encode()) == ["é", "\U0001f600"]


def test_only_regular_files_of_a_size_are_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    assert read_limited(tmp_path / "f", 5) == b"12345"
    with pytest.raises(ValueError, match="larger than 0 MiB"):
        read_limited(tmp_path / "f", 4)
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            read_limited(place)
