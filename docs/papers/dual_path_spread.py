"""How far apart a run's answers to one hole are: ``python dual_path_spread.py IMAGES[,IMAGES ...] RUN [RUN ...]``.

Each picture's center hole (``places_center_64``) is filled from four draws of z ~ N(0, I), from the z of the default
and from z = 0. Printed are mean absolute differences over the pixels of the hole, in levels of 255: between the answers
to two draws, and between the three kinds of answers and the truth.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor

from inpaintkit import Method, load
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.evaluation.testset import TestSet, completions

DRAWS = 4


def levels(method: Method, test_set: TestSet, draw: int = 0) -> Tensor:
    """The test set's completed pictures (N, 3, S, S), in 0..255."""
    return torch.cat([(part.sample.completed + 1) * 127.5 for part in completions(method, test_set, sample=draw)])


def spread(method: Method, test_set: TestSet) -> tuple[float, ...]:
    """Between two draws; from the truth: of a draw, of the default answer, of z = 0."""
    given = test_set.batch(range(len(test_set)))
    hole, truth = given.mask.bool().expand_as(given.image), (given.image + 1) * 127.5

    def apart(one: Tensor, other: Tensor) -> float:
        return (one - other)[hole].abs().mean().item()

    default = levels(method, test_set)
    method.randomness = "always"
    drawn = [levels(method, test_set, draw) for draw in range(DRAWS)]
    method.randomness = "on request"
    (method.averaged or method.generator).one_noise = torch.zeros_like  # type: ignore[union-attr]
    pairs = [apart(one, other) for one, other in combinations(drawn, 2)]
    errors = [apart(one, truth) for one in drawn]
    return sum(pairs) / len(pairs), sum(errors) / DRAWS, apart(default, truth), apart(levels(method, test_set), truth)


if __name__ == "__main__":
    images, *runs = sys.argv[1:]
    test_set = TestSet.open(load_protocol("places_center_64"), [Path(each) for each in images.split(",")])
    print("| run | between two draws | draw to truth | default to truth | z = 0 to truth |")
    print("| --- | --- | --- | --- | --- |")
    for run in runs:
        print(f"| {Path(run).name} | {' | '.join(f'{value:.2f}' for value in spread(load(run), test_set))} |")
