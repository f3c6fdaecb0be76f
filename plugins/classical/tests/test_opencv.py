"""OpenCV's methods against OpenCV called directly."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from inpaintkit_classical.opencv import NavierStokes, OpenCV, Telea
from skimage.data import astronaut
from torch import Tensor

import inpaintkit
from inpaintkit import InpaintkitError, OptionError, fill

METHODS = (Telea, NavierStokes)
FLAGS = {Telea: "INPAINT_TELEA", NavierStokes: "INPAINT_NS"}


@pytest.fixture
def cv2() -> Any:
    return pytest.importorskip("cv2")


def face() -> Any:
    """(48, 60, 3) uint8, RGB, and (48, 60) of bool: a photograph whose channels differ and a hole to one side."""
    picture = np.ascontiguousarray(astronaut()[60:252:4, 130:370:4])
    hole = np.zeros(picture.shape[:2], bool)
    hole[5:22, 9:24] = True
    hole[40:, 50:] = True  # into the picture's corner
    return picture, hole


def tensors(picture: Any, hole: Any) -> tuple[Tensor, Tensor]:
    image = torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1
    mask = torch.from_numpy(hole)[None, None].float()
    return image * (1 - mask), mask


@pytest.mark.parametrize("radius", [1, 3, 7])
@pytest.mark.parametrize("method", METHODS)
def test_is_what_opencv_draws(cv2: Any, method: type[OpenCV], radius: int) -> None:
    picture, hole = face()
    blanked = np.ascontiguousarray(np.where(hole[..., None], 0, picture)[..., ::-1])  # as cv2.imread would give it
    expected = cv2.inpaint(blanked, hole.astype(np.uint8), radius, getattr(cv2, FLAGS[method]))[..., ::-1]
    found = method(radius=radius).inpaint(*tensors(picture, hole))
    levels = ((found[0] + 1) * 127.5).permute(1, 2, 0)
    np.testing.assert_allclose(levels, expected, atol=1e-3)
    assert np.abs(expected[hole].astype(float) - expected[hole][:, ::-1]).mean() > 5  # red is not blue here


@pytest.mark.parametrize("method", METHODS)
def test_the_hole_is_filled_and_not_its_surroundings(cv2: Any, method: type[OpenCV]) -> None:
    picture, hole = face()
    filled = fill(method(), picture, hole)
    assert np.array_equal(filled[~hole], picture[~hole])
    blanked = np.where(hole[..., None], 0, picture)
    error, before = (np.abs(other[hole].astype(float) - picture[hole]).mean() for other in (filled, blanked))
    assert error < before / 2


@pytest.mark.parametrize("method", METHODS)
def test_the_radius_and_the_method_matter(cv2: Any, method: type[OpenCV]) -> None:
    shown = tensors(*face())
    drawn = [method(radius=1).inpaint(*shown), method(radius=9).inpaint(*shown)]
    drawn += [other().inpaint(*shown) for other in METHODS]
    for at, one in enumerate(drawn):
        for other in drawn[at + 1 :]:
            assert one.equal(other) == (one is other)


def test_a_batch_is_its_pictures(cv2: Any) -> None:
    masked, mask = tensors(*face())
    turned, turned_mask = masked.flip(2), mask.flip(2)
    both = Telea().inpaint(torch.cat([masked, turned]), torch.cat([mask, turned_mask]))
    assert both[:1].equal(Telea().inpaint(masked, mask))
    assert both[1:].equal(Telea().inpaint(turned, turned_mask))


@pytest.mark.parametrize("method", METHODS)
def test_without_opencv_setup_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, method: type[OpenCV]
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InpaintkitError, match=r'pip install "inpaintkit-classical\[opencv\]"'):
        method().setup()
    recipe = tmp_path / "recipe.yaml"
    name = {Telea: "telea", NavierStokes: "navier-stokes"}[method]
    recipe.write_text(f"method: {{use: {name}}}\n")
    with pytest.raises(InpaintkitError, match=r'pip install "inpaintkit-classical\[opencv\]"'):
        inpaintkit.load(recipe)


def test_opencv_is_imported_when_it_is_used() -> None:
    module = importlib.import_module("inpaintkit_classical.opencv")
    assert not hasattr(module, "cv2")
    methods: Mapping[str, Any] = vars(module)
    assert methods["Telea"]().radius == 3


@pytest.mark.parametrize("radius", [0, 101])
def test_a_radius_that_opencv_would_cut_is_refused(radius: int, tmp_path: Any) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"method: {{use: telea, radius: {radius}}}\n")
    with pytest.raises((OptionError, inpaintkit.RecipeError), match="radius"):
        inpaintkit.load(recipe)


@pytest.mark.parametrize("method", [Telea, NavierStokes])
@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (1, 1), (1, 2)])
def test_one_row_of_pixels_is_drawn_the_same_at_each_call(
    cv2: Any, method: type[OpenCV], shape: tuple[int, int]
) -> None:
    """OpenCV reads beyond such a picture: what it draws would depend on what the memory held before."""
    rng = np.random.default_rng(0)
    image = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mask = torch.zeros(1, 1, *shape)
    mask.view(-1)[: mask.numel() // 2] = 1
    if mask.numel() == 1:
        assert torch.equal(method().inpaint(image, mask), image)
        return
    drawn = []
    for _ in range(30):
        memory = [np.full(rng.integers(10, 5000), rng.integers(256), np.uint8) for _ in range(10)]
        drawn.append(method().inpaint(image * (1 - mask), mask))
        del memory
    assert all(torch.equal(each, drawn[0]) for each in drawn)
    assert drawn[0].shape == image.shape
