"""The metrics of validation: any registered ones, checked before the training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inpaintkit.core.config.nodes import raise_problems
from inpaintkit.core.errors import RecipeError
from inpaintkit.pipeline import begin
from inpaintkit.recipe import load_recipe
from inpaintkit.training import check_steps, train

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("metrics", "labels"),
    [
        (None, ["validation/psnr[hole,255]", "validation/l1[hole,-1..1]"]),
        (
            [{"use": "psnr", "region": "whole"}, "l2"],
            ["validation/psnr[whole,255]", "validation/l2[hole,-1..1]"],
        ),
    ],
    ids=["default", "named"],
)
def test_metrics_by_name(write_recipe: Write, tmp_path: Path, metrics: list[object] | None, labels: list[str]) -> None:
    validate = {"every": 1} if metrics is None else {"every": 1, "metrics": metrics}
    changes = {
        "validate": validate,
        "method": {"stages": [{"name": "s", "steps": 2, "weights": {"reconstruction": 1}}]},
    }
    recipe = load_recipe(write_recipe(changes))
    run = begin(recipe, tmp_path / "run", tmp_path, resume=False)
    train(recipe, run, show=False)
    lines = [line for line in run.log() if "stage" not in line]
    assert [list(line) for line in lines] == [["step", *labels]] * 2


def test_what_cannot_be_measured_is_reported_with_its_place(write_recipe: Write) -> None:
    with pytest.raises(RecipeError, match=r"validate\.metrics\[0\]: unknown metric 'psnrr', did you mean 'psnr'"):
        load_recipe(write_recipe({"validate": {"metrics": ["psnrr"]}}))
    with pytest.raises(RecipeError, match=r"validate\.metrics: "):
        load_recipe(write_recipe({"validate": {"metrics": []}}))
    for metrics, said in ((["fid"], "needs at least .* images"), (["psnr", "psnr"], "a second metric is labelled")):
        with pytest.raises(RecipeError, match=rf"validate\.metrics\[\d\]: .*{said}"):
            raise_problems(check_steps(load_recipe(write_recipe({"validate": {"metrics": metrics}}))))
