"""The list of kornia's augmentations is what kornia has."""

from __future__ import annotations

import inspect

import kornia.augmentation as kornia
import pytest

from inpaintkit.components.kornia_names import KORNIA
from inpaintkit.core.config.schema import signature_of
from inpaintkit.core.plugins import installed

LEFT_OUT = {"Normalize", "Denormalize", "RandomDissolving"}


def test_every_augmentation_of_single_pictures_is_registered() -> None:
    classes = {name: value for name, value in vars(kornia).items() if inspect.isclass(value)}
    fitting = {name for name, value in classes.items() if issubclass(value, kornia.AugmentationBase2D)}
    assert set(KORNIA) == {name for name in fitting & set(kornia.__all__) if "Base2D" not in name} - LEFT_OUT
    assert set(KORNIA) == {entry.name for entry in installed().registry.entries("augmentation")}


@pytest.mark.parametrize("name", KORNIA)
def test_they_load_and_have_a_signature(name: str) -> None:
    factory = installed().registry.get("augmentation", name).load()
    assert factory is getattr(kornia, name)
    assert signature_of(factory)
