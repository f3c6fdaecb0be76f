"""Blended twins of rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaintkit_compare.comparison import FILE, read_comparison
from inpaintkit_compare.files import CSV, MARKDOWN
from torch import Tensor
from toy_methods import Level

from inpaintkit import Batch, Sample, composite
from inpaintkit.components.blending import PoissonBlended, poisson_blend
from inpaintkit.core.plugins import Plugins
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.evaluation.testset import TestSet, completions
from inpaintkit.runtime import Execution
from inpaintkit.runtime.pixels import to_float, to_uint8

from .toys import (
    COUNT,
    L1,
    Compared,
    Error,
    Noise,
    printed,
    tree,
    values,
)


def test_blending_gives_each_row_a_twin(compared: Compared, plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    found = compared({"gray": Level(), "noise": Noise()}, best_of=3, blend="poisson", batch=5, out=tmp_path)
    best = "best of 3 (chosen by the truth)"
    assert [row.name for row in found.rows] == [
        "gray", "gray + Poisson", "noise", f"noise, {best}", "noise + Poisson", f"noise + Poisson, {best}"
    ]  # fmt: skip
    blends = ["", "poisson", "", "", "poisson", "poisson"]
    assert [row.blend for row in found.rows] == blends
    without = compared({"gray": Level(), "noise": Noise()}, best_of=3, batch=5)
    assert [values(row) for row in found.rows if not row.blend] == [values(row) for row in without.rows]
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    given = test_set.batch(range(COUNT))
    blended = poisson_blend(torch.zeros_like(given.image), given.masked, given.mask)
    rounded = to_float(to_uint8(blended))
    sample = Sample(given.image, given.mask, {"completed": composite(rounded, given.image, given.mask)})
    assert values(found.rows[1]) == pytest.approx(Error().update(sample).tolist(), abs=2e-3)
    # One level has no gradients: all samples are blended into the same, up to rounding.
    for row in found.rows[4], found.rows[5]:
        assert values(row) == pytest.approx(values(found.rows[1]), abs=2e-3)
    twin = found.rows[1]
    assert twin.differences[L1].mean == pytest.approx(np.mean(np.subtract(values(twin), values(found.rows[0]))))
    assert twin.p_values
    assert not found.rows[5].p_values
    kept = json.loads((tmp_path / FILE).read_text())
    assert [row["blend"] for row in kept["rows"]] == blends
    assert repr(read_comparison(tmp_path)) == repr(found)
    lines = list(csv.DictReader(io.StringIO((tmp_path / CSV).read_text())))
    assert {(line["row"], line["blend"]) for line in lines} == {(row.name, row.blend) for row in found.rows}
    assert "gray + Poisson" in (tmp_path / MARKDOWN).read_text()
    assert "+ Poisson: the same outputs, blended" in " ".join(printed(found).split())
    assert "Poisson" not in printed(without)


def test_the_twin_costs_what_is_drawn_and_blended(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Level):
        now = 0.0

        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            Slow.now += 2.0
            return super().inpaint(masked, mask)

    def slow(output: Tensor, masked: Tensor, mask: Tensor) -> Tensor:
        Slow.now += 0.5
        return poisson_blend(output, masked, mask)

    monkeypatch.setattr("inpaintkit.evaluation.testset.time.perf_counter", lambda: Slow.now)
    monkeypatch.setattr("inpaintkit.components.blending.poisson_blend", slow)
    plain, twin = compared({"a": Slow()}, batch=COUNT, blend="poisson").rows
    assert (plain.seconds_per_image, twin.seconds_per_image) == pytest.approx((2 / COUNT, 2.5 / COUNT))
    assert (twin.memory_per_image is None) == (plain.memory_per_image is None)


def test_hidden_pixels_of_the_truth_do_not_reach_a_blended_completion(plugins: Plugins, folder: Path) -> None:
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    found = []
    for seed in (None, 1, 2):
        if seed is not None:

            def changed(indices: Sequence[int], seed: int = seed) -> Batch:
                given = TestSet.batch(test_set, indices)
                noise = torch.rand(given.image.shape, generator=torch.Generator().manual_seed(seed))
                return Batch(torch.where(given.mask.bool(), noise, given.image), given.mask)

            test_set.batch = changed  # type: ignore[method-assign]
        part = next(completions(PoissonBlended(Level(0.3)), test_set, Execution(batch=COUNT)))
        found.append(part.sample.completed)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
