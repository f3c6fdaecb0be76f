"""The files of a comparison: Markdown, CSV and the picture grid."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from inpaintkit_compare.comparison import Comparison
from inpaintkit_compare.files import CSV, GRID, MARKDOWN, to_markdown, write_comparison
from PIL import Image, ImageFont
from toy_methods import Level

from inpaintkit import InpaintkitError
from inpaintkit.core.plugins import Plugins
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.evaluation.testset import TestSet
from inpaintkit.runtime.sheets import picture_grid, wrap_text

from .toys import (
    COUNT,
    L1,
    NAMES,
    SET,
    SIDE,
    Compared,
    tree,
)


def cells(line: str) -> list[str]:
    """Of a line of a Markdown table, with the escapes of its cells taken back."""
    parts, at = [""], 1
    while at < len(line):
        if line[at] == "\\":
            parts[-1] += line[at + 1]
            at += 1
        elif line[at] == "|":
            parts.append("")
        else:
            parts[-1] += line[at]
        at += 1
    return [part.strip() for part in parts[:-1]]


def test_markdown_has_every_metric_and_whole_tables(odd_names: tuple[Comparison, Path]) -> None:
    found, out = odd_names
    text = (out / MARKDOWN).read_text(encoding="utf-8")
    assert text == to_markdown(found)
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 1 + len(found.labels)
    for table in tables:
        assert {len(cells(line)) for line in table} == {len(cells(table[0]))}
        assert [cells(line)[0] for line in table[2:]] == list(NAMES)
    assert cells(tables[0][0])[2:-2] == [f"`{L1}` ↓", "`brightness`", f"`{SET}` ↑", "`undefined` ↓"]
    assert found.hash[:12] in text
    assert f"{COUNT} images under toy" in text
    assert f"![Original, masked input, and the result of each method]({GRID})" in text
    assert "nan" not in text


def test_csv_has_a_line_for_each_row_and_metric(odd_names: tuple[Comparison, Path]) -> None:
    found, out = odd_names
    lines = list(csv.DictReader(io.StringIO((out / CSV).read_text(encoding="utf-8"))))
    assert [(line["row"], line["metric"]) for line in lines] == [
        (row, label) for row in NAMES for label in found.labels
    ]
    by_key = {(line["row"], line["metric"]): line for line in lines}
    line, row = by_key[NAMES[1], L1], found.rows[1]
    for key, value in {
        "mean": row.metrics[L1].interval.mean, "low": row.metrics[L1].interval.low, "p": row.p_values[L1],
        "difference": row.differences[L1].mean, "difference_high": row.differences[L1].high,
        "p_holm": row.p_holm[L1], "seconds_per_image": row.seconds_per_image,
    }.items():  # fmt: skip
        assert float(line[key]) == value
    assert (line["n"], line["training_seeds"], line["hash"]) == (str(COUNT), "0", found.hash)
    undefined = by_key[NAMES[1], "undefined"]
    assert [undefined[key] for key in ("mean", "low", "difference", "p_holm")] == [""] * 4


def test_the_grid_shows_truth_masked_and_each_method(
    odd_names: tuple[Comparison, Path], plugins: Plugins, folder: Path
) -> None:
    found, out = odd_names
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    chosen = (0, 6, 12)
    assert found.pictures == tuple(f"{index:02d}.png" for index in chosen)
    with Image.open(out / GRID) as picture:
        page = np.asarray(picture.convert("RGB"))
    side = 8 * SIDE  # 96
    top = page.shape[0] - len(chosen) * (side + 4)
    assert page.shape[1] == 4 + (2 + len(NAMES)) * (side + 4)
    for y, index in enumerate(chosen):
        with Image.open(folder / f"{index:02d}.png") as image:
            truth = np.asarray(image)
        hole = test_set.mask(index)[0, 0].bool().numpy()
        for x in range(2 + len(NAMES)):
            left, upper = 4 + x * (side + 4), top + y * (side + 4)
            tile = page[upper : upper + side, left : left + side].reshape(SIDE, 8, SIDE, 8, 3)
            assert (tile == tile[:, :1, :, :1]).all()  # each pixel is a square
            small = tile[:, 0, :, 0]
            assert np.array_equal(small[~hole], truth[~hole])
            if x == 0:
                assert np.array_equal(small, truth)
            else:
                assert len(np.unique(small[hole])) == 1
    assert (page[:top] < 128).any()  # the names
    assert (page[top - 4 : top] == 255).all()


def test_names_are_broken_where_they_are_too_long() -> None:
    for font in (ImageFont.load_default(), ImageFont.load_default_imagefont()):
        for name in ("short", "a much longer name for a method_with_underscores, best of 8", "x" * 60, "µ→x"):
            lines = wrap_text(name, 96, font)
            assert all(font.getlength(line) <= 96 for line in lines)
            if isinstance(font, ImageFont.FreeTypeFont):
                assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    large = np.zeros((3, 200, 200), np.uint8)
    assert picture_grid([("a", [large, large])]).width == 208


def test_no_grid_when_none_is_asked_for(compared: Compared, tmp_path: Path) -> None:
    found = compared({"a": Level()}, out=tmp_path, pictures=0)
    assert not (tmp_path / GRID).exists()
    assert found.pictures == ()
    assert GRID not in (tmp_path / MARKDOWN).read_text()
    assert compared({"a": Level()}, pictures=1).pictures == ("00.png",)
    assert len(compared({"a": Level()}, pictures=99).pictures) == COUNT


def test_a_full_disk_is_told(odd_names: tuple[Comparison, Path], tmp_path: Path) -> None:
    with pytest.raises(InpaintkitError, match="cannot be written"):
        write_comparison(tmp_path / "none", odd_names[0])
