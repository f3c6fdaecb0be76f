"""Mistakes are found before anything is computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from toy_methods import Level

from inpaintkit import InpaintkitError, RecipeError

from .toys import (
    COUNT,
    Compared,
    tree,
)


def test_everything_wrong_is_told_at_once(compared: Compared, folder: Path, tmp_path: Path) -> None:
    method = Level()

    def told(*sources: Any, **options: Any) -> str:
        with pytest.raises(RecipeError) as error:
            compared({"a": method}, *sources, **options)
        return str(error.value)

    both = told("runs/none", "classical/nothing", protocol="faces_center_46", limit=0)
    for part in ("runs/none", "classical/nothing", "did you mean 'faces_center_64'", "limit 0"):
        assert part in both
    assert "nowhere" in told(images=tmp_path / "nowhere")
    assert "names no pictures, and no run here" in told(images=None)

    class Tied(Level):
        size = 16  # type: ignore[assignment]

    assert "tied works at 16 x 16 only, and toy is at 12" in told({"tied": Tied()})
    wide = tree(prepare={"rectangle": [8, 12]})
    assert "tied works at 16 x 16 only, and toy is at 8 x 12" in told({"tied": Tied()}, protocol=wide)
    assert "metrics[1]" in told(protocol=tree(metrics=["error", "error"]))
    fid = {"use": "fid", "backbone": "squeezenet1_0", "layer": "fire2", "pretrained": "random", "size": 32}
    assert "2,000 images" in told(protocol=tree(metrics=[fid]))
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "something").touch()
    with pytest.raises(InpaintkitError, match="is not empty: nothing is overwritten"):
        compared({"a": method}, out=tmp_path / "held")
    with pytest.raises(InpaintkitError, match="cannot be made"):
        compared({"a": method}, out=tmp_path / "held" / "something" / "in")
    assert method.batches == []


def test_pictures_come_from_the_first_run_that_names_some(compared: Compared, folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    data = {"train": "gone", "test": str(folder), "batch": 1, "size": 8}
    (run / "recipe.yaml").write_text(json.dumps({"method": "mean-color", "data": data}))
    assert len(compared({"a": Level()}, run, images=None).names) == COUNT


def test_blendings_that_are_not_there_are_told_first(compared: Compared) -> None:
    method = Level()
    with pytest.raises(RecipeError, match="there is no blending 'posson', did you mean 'poisson'"):
        compared({"a": method}, blend="posson")
    assert method.batches == []
