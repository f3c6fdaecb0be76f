"""Publishing weights: of a recipe as they are, and mixed with those of another."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
import torch
from inpaintkit_photo.publish import publish
from safetensors.torch import load_file, save_file

from inpaintkit import InpaintkitError


@pytest.fixture
def shipped() -> dict[str, torch.Tensor]:
    return load_file(str(files("inpaintkit_photo") / "photo.safetensors"))


@pytest.fixture
def triple(shipped: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    """A recipe with three times the weights of photo."""
    save_file({key: 3 * value for key, value in shipped.items()}, tmp_path / "triple.safetensors")
    recipe = tmp_path / "triple.yaml"
    recipe.write_text(f"extends: photo\nweights: {tmp_path / 'triple.safetensors'}\n")
    return recipe


def test_what_is_published_is_what_fills(shipped: dict[str, torch.Tensor], tmp_path: Path) -> None:
    size = publish("photo", tmp_path / "again.safetensors")
    again = load_file(tmp_path / "again.safetensors")
    assert size == (tmp_path / "again.safetensors").stat().st_size < 5_000_000
    assert set(again) == set(shipped)
    assert all(torch.equal(again[key], value) for key, value in shipped.items())


def test_a_share_lies_between_base_and_run(shipped: dict[str, torch.Tensor], triple: Path, tmp_path: Path) -> None:
    file = tmp_path / "mixed.safetensors"
    for share, factor in ((0.0, 1.0), (0.25, 1.5), (1.0, 3.0)):
        publish(triple, file, base="photo", share=share)
        for key, value in load_file(file).items():
            torch.testing.assert_close(value.float(), factor * shipped[key].float(), rtol=2e-3, atol=1e-6)


def test_other_generators_cannot_be_mixed(tmp_path: Path) -> None:
    with pytest.raises(InpaintkitError, match="only the weights of the method adversarial are published"):
        publish("photo", tmp_path / "f.safetensors", base="classical/mean_color")
