"""What methods are given, what is made of their output, and the hash of a test set."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from toy_methods import Noise

from inpaintkit import DataError, Method, OptionError
from inpaintkit.components.mean_color import MeanColor
from inpaintkit.core.plugins import Plugins
from inpaintkit.data.image_set import load_images
from inpaintkit.evaluation.evaluator import evaluate
from inpaintkit.evaluation.protocol import Protocol, load_protocol
from inpaintkit.evaluation.testset import TestSet, completions
from inpaintkit.runtime import Execution

from .toys import COUNT, SIDE, Drawn, read, tree


def test_masks_and_pictures_depend_on_the_index_alone(test_set: TestSet, folder: Path) -> None:
    whole = test_set.batch(range(COUNT))
    assert len({tuple(mask.flatten().tolist()) for mask in whole.mask}) > COUNT // 2  # each its own
    for index in (0, 5, 16):
        alone = test_set.batch([index])
        assert torch.equal(alone.mask[0], whole.mask[index])
        pixels = read(folder / f"{index:02d}.png").transpose(2, 0, 1)
        assert torch.allclose(alone.image[0], torch.from_numpy(pixels) / 127.5 - 1, atol=1e-6)


def test_methods_see_padded_pictures_without_the_hidden_pixels(test_set: TestSet) -> None:
    method = Drawn().train()
    parts = list(completions(method, test_set, Execution(batch=6)))
    assert method.shapes == [(6, 3, 32, 32)] * 2 + [(5, 3, 32, 32)]
    assert method.training  # as it was
    assert [part.sample.output.shape[-1] for part in parts] == [SIDE] * 3
    assert [name for part in parts for name in part.names] == [f"{index:02d}.png" for index in range(COUNT)]
    for part in parts:
        sample, hole = part.sample, part.sample.mask.bool().expand_as(part.sample.image)
        assert torch.equal(sample.completed[~hole], sample.image[~hole])
        assert torch.equal(sample.completed[hole], sample.output[hole])
        assert part.finite.all()


def test_a_method_of_another_size_is_refused(test_set: TestSet) -> None:
    class Tied(Drawn):
        size = 32  # type: ignore[assignment]

    with pytest.raises(OptionError, match="32 x 32"):
        list(completions(Tied(), test_set))


def test_numbers_that_are_none_are_named_and_count_as_black(plugins: Plugins, protocol: Protocol, folder: Path) -> None:
    class Broken(Method):
        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            output = torch.where(mask.bool(), masked, masked.new_tensor(math.nan))  # irrelevant: not in the hole
            output[3] = math.inf if len(output) > 3 else 0.0
            return output

    results = evaluate(Broken(), protocol, folder, execution=Execution(batch=COUNT), plugins=plugins)
    assert results.row.non_finite == ("03.png",)
    values = results.row.metrics["psnr[hole,toy]"].per_image
    assert values is not None
    assert np.isfinite(values).all()


def test_random_methods_repeat_and_leave_the_global_generator_alone(test_set: TestSet) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = [part.sample.output for part in completions(Noise(), test_set, Execution(batch=8))]
    assert torch.equal(torch.rand(3), expected)
    second = [part.sample.output for part in completions(Noise(), test_set, Execution(batch=8))]
    assert all(map(torch.equal, first, second))
    assert not torch.equal(first[0], first[1])


def test_limit_spreads_over_all_pictures(plugins: Plugins, folder: Path) -> None:
    test_set = TestSet.open(load_protocol(tree(limit=4), plugins), folder)
    assert test_set.images.names == ("00.png", "04.png", "08.png", "12.png")
    assert len(TestSet.open(load_protocol(tree(limit=99), plugins), folder)) == COUNT


def test_what_cannot_be_measured_is_said(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names no pictures"):
        TestSet.open(load_protocol(tree(), plugins))
    with pytest.raises(DataError, match="nowhere"):
        TestSet.open(load_protocol(tree(), plugins), tmp_path / "nowhere")
    with pytest.raises(DataError, match="nothing is enlarged"):
        TestSet.open(load_protocol(tree(size=25), plugins), folder)
    with pytest.raises(OptionError, match="another metric is called"):
        evaluate(MeanColor(), load_protocol(tree(metrics=["toy-psnr", "toy-psnr"]), plugins), folder, plugins=plugins)


RECTANGLE: dict[str, Any] = {"landscape": True, "rectangle": [14, 20]}


@pytest.fixture
def lying_and_upright(tmp_path: Path) -> Path:
    """Pictures of 24x16 (width x height), 16x24 and 20x14."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in {"lying": (16, 24), "upright": (24, 16), "small": (14, 20)}.items():
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    return folder


def test_rectangles_are_measured_whole(plugins: Plugins, lying_and_upright: Path) -> None:
    metrics = ["toy-psnr", "psnr", {"use": "ssim", "region": "whole"}, {"use": "l1", "region": "hole"}, "counted"]
    protocol = load_protocol(tree(prepare=RECTANGLE, metrics=metrics), plugins)
    test_set = TestSet.open(protocol, lying_and_upright)
    assert test_set.frame == (14, 20)
    batch = test_set.batch(range(3))
    assert batch.image.shape == (3, 3, 14, 20)
    assert batch.mask.shape == (3, 1, 14, 20)
    turned = np.rot90(read(lying_and_upright / "upright.png"))[1:15, 2:22].transpose(2, 0, 1).copy()
    assert torch.allclose(batch.image[2], torch.from_numpy(turned) / 127.5 - 1, atol=1e-6)  # sorted by name
    row = evaluate(Drawn(), protocol, lying_and_upright, execution=Execution(batch=2), plugins=plugins).row
    assert all(np.isfinite(result.interval.mean) for result in row.metrics.values())
    hole = batch.mask[2].bool().expand(3, -1, -1)
    levels = (batch.image[2][hole] + 1) * 127.5
    values = row.metrics["psnr[hole,toy]"].per_image
    assert values is not None
    assert math.isclose(values[2], 10 * math.log10(255**2 / float(((levels - 128) ** 2).mean())), rel_tol=1e-5)


def test_rectangles_need_pictures_of_one_size_and_methods_of_any(plugins: Plugins, lying_and_upright: Path) -> None:
    class Tied(Drawn):
        size = 20  # type: ignore[assignment]

    test_set = TestSet.open(load_protocol(tree(prepare=RECTANGLE), plugins), lying_and_upright)
    with pytest.raises(OptionError, match="tied to 20 x 20 and the pictures are 14 x 20"):
        list(completions(Tied(), test_set))
    unprepared = load_images(str(lying_and_upright), progress=False)
    with pytest.raises(DataError, match="heights and widths differ"):
        TestSet.open(test_set.protocol, unprepared)


def test_the_hash_is_of_what_numbers_depend_on(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    def hash_of(images: Path = folder, **changes: Any) -> str:
        return TestSet.open(load_protocol(tree(**changes), plugins), images).hash

    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    original = hash_of()
    assert original == hash_of(elsewhere) == hash_of(name="other", description="words", limit=COUNT)
    touched = tmp_path / "touched"
    shutil.copytree(folder, touched)
    with Image.open(touched / "03.png") as image:
        image.putpixel((0, 0), (1, 2, 3))
        image.save(touched / "03.png")
    changed = [
        hash_of(touched),
        hash_of(seed=1),
        hash_of(limit=4),
        hash_of(size=20),
        hash_of(transform={"rotate": 1}),
        hash_of(masks={"use": "random-square", "min": 4, "max": 8}),
        hash_of(metrics=["toy-psnr"]),
        hash_of(prepare={"rectangle": [SIDE, SIDE]}),
        hash_of(prepare={"rectangle": [20, SIDE]}),
        hash_of(prepare={"rectangle": [SIDE, 20]}),
    ]
    assert len({original, *changed}) == len(changed) + 1
