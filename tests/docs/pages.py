"""The pages of the documentation and their blocks of code."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("plugins/*/*.md")], key=lambda page: page.relative_to(ROOT)
)
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]  # by hand, with examples


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def loaded(path: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # attrs looks it up
    spec.loader.exec_module(module)
    return module


@attrs.frozen
class Block:
    """A fenced block of code."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The path that its first line names in a comment, as in ``# photos.yaml``."""
        found = re.match(r"# ([\w./-]+\.\w+)\b", self.text)
        return found[1] if found else ""


def read(file: str) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture)


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    every = [Block(one[1], one[2], text[: one.start()].count("\n") + 2) for one in found]
    return [block for block in every if block.language in languages]


def with_blocks(*languages: str) -> list[Any]:
    return [pytest.param(page, id=name_of(page)) for page in WRITTEN if blocks(page, *languages)]
