"""Recipes and protocols by path and by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from inpaintkit.core.config.bundled import bundled, find
from inpaintkit.core.errors import RecipeError
from inpaintkit.core.plugins import Plugins


def test_bundled_recipes_and_protocols_go_by_name(tmp_path: Path) -> None:
    assert find("recipe", "iccv_perceptual") == bundled()["iccv_perceptual"]
    assert find("protocol", "demo") == bundled("protocol")["demo"]
    own = tmp_path / "recipe.yaml"
    own.write_text("method: mean-color\n")
    assert find("recipe", str(own)) == own
    for source, message in {
        "icv_perceptual": "no file and no bundled recipe is named 'icv_perceptual', did you mean 'iccv_perceptual'?",
        str(tmp_path / "recip.yaml"): f"did you mean {str(own)!r}?",
        "nowhere/x.yaml": "there is no file 'nowhere/x.yaml'",
        "old/iccv_perceptual.yaml": "'old/iccv_perceptual.yaml', did you mean 'iccv_perceptual'?",
        "xyzzy": "and those in classical/, ",
        str(tmp_path): f"there is no file {str(tmp_path)!r}",
    }.items():
        with pytest.raises(RecipeError) as caught:
            find("recipe", source)
        assert message in str(caught.value)


def test_every_file_is_bundled_under_one_name() -> None:
    folder = Path(__file__).parents[2] / "recipes"
    recipes, protocols = bundled("recipe", Plugins()), bundled("protocol", Plugins())
    assert sorted([*recipes.values(), *protocols.values()]) == sorted(folder.rglob("*.yaml"))
    assert recipes["classical/telea"] == folder / "classical" / "telea.yaml"
    assert protocols["demo"] == folder / "protocols" / "demo.yaml"


def test_paths_are_relative_to_a_folder(tmp_path: Path) -> None:
    for name in ("demo", "iccv_perceptual"):  # a file wins over a bundled name
        (tmp_path / name).write_text("name: other\n")
    assert find("recipe", "iccv_perceptual", folder=tmp_path) == tmp_path / "iccv_perceptual"
    assert find("protocol", "demo", folder=tmp_path) == tmp_path / "demo"
    assert find("protocol", "demo") == bundled("protocol")["demo"]


def test_without_any_bundled_recipe() -> None:
    plugins = Plugins()
    plugins.registry = type(plugins.registry)()
    with pytest.raises(RecipeError, match=r"^no file and no bundled recipe is named 'telea'$"):
        find("recipe", "telea", plugins)
