"""Protocols: read strictly, checked in full, bundled ones all good."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from annotated_types import Ge

from inpaintkit import Metric, RecipeError, Sample, hookimpl
from inpaintkit.core.config.bundled import bundled
from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.data.decoding import Prepare
from inpaintkit.data.sources import PackageFiles
from inpaintkit.evaluation.protocol import Protocol, load_protocol
from inpaintkit.evaluation.transform import Transform


class Level(Metric):
    """The mean level of the hole."""

    label = "level[hole]"

    def __init__(self, power: Annotated[int, Ge(1)] = 1, weights: Path | None = None) -> None:
        self.power = power

    def update(self, sample: Sample) -> torch.Tensor:
        return (sample.completed * sample.mask).mean((1, 2, 3)) ** self.power


class Brings:
    inpaintkit_api = 1

    @hookimpl
    def register_metrics(self, register: Any) -> None:
        register("level", Level)


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    found = load_plugins([])
    assert not found.add("brings", Brings()).error
    return found


def tree(**changes: Any) -> dict[str, Any]:
    return {"name": "p", "masks": {"use": "center-square", "side": 4}, "metrics": ["level"], **changes}


FULL = """\
description: for people
images: {package: skimage, files: [data/astronaut.png]}
prepare: {short_side: 32, crop: 24}
transform: {shift: [3, -2], rotate: 20}
size: 16
masks: {use: random-square, min: 4, max: 8}
seed: 5
limit: 10
metrics:
  - level
  - {use: level, power: 2}
"""


def test_every_key_is_read(tmp_path: Path, plugins: Plugins) -> None:
    file = tmp_path / "full.yaml"
    file.write_text(FULL)
    protocol = load_protocol(file, plugins)
    assert protocol.name == "full"
    assert protocol.description == "for people"
    assert protocol.images == PackageFiles("skimage", ["data/astronaut.png"])
    assert protocol.prepare == Prepare(short_side=32, crop=24)
    assert protocol.transform == Transform(shift=(3, -2), rotate=20.0)
    assert (protocol.size, protocol.seed, protocol.limit) == (16, 5, 10)
    assert protocol.masks.build()(2, (16, 16), torch.Generator()).shape == (2, 1, 16, 16)
    assert [spec.build().power for spec in protocol.metrics] == [1, 2]  # type: ignore[attr-defined]


def test_a_protocol_has_no_profiles(tmp_path: Path, plugins: Plugins) -> None:
    file = tmp_path / "full.yaml"
    file.write_text(FULL + "profiles: {small: {size: 8}}\n")
    with pytest.raises(RecipeError, match=r"full.yaml:12:1: profiles: unknown key 'profiles'"):
        load_protocol(file, plugins)


def test_a_name_of_the_base_is_not_inherited(tmp_path: Path, plugins: Plugins) -> None:
    (tmp_path / "full.yaml").write_text(FULL + "name: base\n")
    (tmp_path / "small.yaml").write_text("extends: full.yaml\nsize: 8\n")
    small = load_protocol(tmp_path / "small.yaml", plugins)
    assert (small.name, small.size, small.limit) == ("small", 8, 10)
    assert load_protocol(tmp_path / "full.yaml", plugins).name == "base"


def test_defaults(plugins: Plugins) -> None:
    protocol = load_protocol(tree(), plugins)
    assert protocol.images is None
    assert protocol.size is None
    assert protocol.limit is None
    assert protocol.seed == 0
    assert protocol.transform == Transform()
    assert protocol.prepare == Prepare()


def test_settings_are_complete_and_plain(plugins: Plugins) -> None:
    settings = load_protocol(tree(metrics=[{"use": "level", "weights": "a/b/net.safetensors"}]), plugins).settings()
    assert settings["metrics"] == [{"use": "level", "power": 1, "weights": "net.safetensors"}]  # default filled in
    assert settings["masks"] == {"use": "center-square", "side": 4}
    assert settings["transform"] == {"shift": [0, 0], "rotate": 0.0}
    again = load_protocol({key: value for key, value in settings.items() if value is not None}, plugins)
    assert again.settings() == settings


def test_an_option_that_was_added_later_changes_no_older_protocol(plugins: Plugins) -> None:
    def masks(**options: Any) -> dict[str, Any]:
        found = load_protocol(tree(masks={"use": "center-square", "side": 4, **options}), plugins).settings()["masks"]
        assert isinstance(found, dict)
        return found

    assert masks() == masks(offset=[0, 0]) == {"use": "center-square", "side": 4}
    assert masks(offset=[0, 2]) == {"use": "center-square", "side": 4, "offset": [0, 2]}


def test_a_way_to_prepare_that_was_added_later_changes_no_older_protocol(plugins: Plugins) -> None:
    def prepare(**options: Any) -> Any:
        return load_protocol(tree(prepare=options), plugins).settings()["prepare"]

    assert prepare() == prepare(landscape=False) == {"short_side": None, "crop": None, "tiles": None}
    assert prepare(landscape=True, rectangle=[4, 6]) == {**prepare(), "landscape": True, "rectangle": [4, 6]}


def test_the_frame_is_what_is_measured(plugins: Plugins) -> None:
    def frame(**options: Any) -> Any:
        return load_protocol(tree(**options), plugins).frame

    assert frame() is None
    assert frame(prepare={"crop": 24}) == (24, 24)
    assert frame(prepare={"crop": 24}, size=16) == (16, 16)
    assert frame(prepare={"rectangle": [16, 24]}) == (16, 24)


def test_all_mistakes_are_told_at_once_with_their_places(tmp_path: Path, plugins: Plugins) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "masks: {use: center-sqare, side: 4}\n"  # 1
        "metrics:\n"
        "  - {use: level, power: 0}\n"  # 3
        "  - levle\n"  # 4
        "prepare: {short_sid: 3}\n"  # 5
        "transform: {rotate: lots}\n"  # 6
        "size: 0\n"  # 7
        "sizes: 3\n"  # 8
    )
    with pytest.raises(RecipeError) as raised:
        load_protocol(file, plugins)
    lines = {int(problem.where.split(":")[-2]): str(problem) for problem in raised.value.problems}
    assert sorted(lines) == [1, 3, 4, 5, 6, 7, 8]
    assert "center-square" in lines[1]
    assert "'level'" in lines[4]
    assert "short_side" in lines[5]
    assert "'size'" in lines[8]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "../up"}, "no name"),
        ({"name": ""}, "needs a name"),
        ({"size": 64, "prepare": {"short_side": 32}}, "nothing is enlarged"),
        ({"size": 16, "prepare": {"rectangle": [32, 48]}}, "only squares are scaled"),
        ({"prepare": {"rectangle": [32, 48]}, "transform": {"shift": [32, 0]}}, "leaves nothing"),
        ({"prepare": {"short_side": 32}, "transform": {"shift": [0, -32]}}, "leaves nothing"),
        ({"metrics": []}, "not empty"),
        ({"prepare": {"short_side": 32, "crop": 64}}, "larger"),
        ({"masks": {"use": "random-square", "min": 9, "max": 4}}, "min"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], says: str, plugins: Plugins) -> None:
    with pytest.raises(RecipeError, match=says):
        load_protocol(tree(**changes), plugins)


def test_masks_and_metrics_are_required(plugins: Plugins) -> None:
    with pytest.raises(RecipeError) as raised:
        load_protocol({"name": "p"}, plugins)
    assert len(raised.value.problems) == 2


def test_extends_another_protocol(tmp_path: Path, plugins: Plugins) -> None:
    (tmp_path / "base.yaml").write_text(FULL)
    text = "extends: base.yaml\nsize: 12\nmasks: {use: center-square, side: 5}\nlimit: null\n"
    (tmp_path / "next.yaml").write_text(text)
    protocol = load_protocol(tmp_path / "next.yaml", plugins)
    assert (protocol.name, protocol.size, protocol.seed, protocol.limit) == ("next", 12, 5, None)
    assert protocol.settings()["masks"] == {"use": "center-square", "side": 5}  # replaced, not merged


def test_a_missing_protocol_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match="faces_center_64"):
        load_protocol("faces_centre_64")
    with pytest.raises(RecipeError, match=r"nowhere/faces\.yaml"):
        load_protocol("nowhere/faces.yaml")


def test_view_moves_at_the_prepared_resolution_then_scales(plugins: Plugins) -> None:
    protocol = load_protocol(tree(size=8, transform={"shift": [4, 0]}), plugins)
    pixels = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    pixels[..., :4] = 200  # 4 of 16 columns; moved by 4, mirrored: 8 of 16; scaled: 4 of 8
    seen = protocol.view(pixels)
    assert seen.shape == (1, 3, 8, 8)
    assert seen.dtype == torch.uint8
    assert (seen[..., :3] > 190).all()
    assert (seen[..., 5:] < 10).all()


#: Square holes: side, or height and width; least and largest side of the hole.
BUNDLED: dict[str, tuple[int | tuple[int, int], int, int]] = {
    "faces_center_64": (64, 32, 32), "faces_random_64": (64, 24, 40), "faces_shifted_64": (64, 32, 32),
    "faces_rotated_64": (64, 32, 32), "faces_center_128": (128, 64, 64), "faces_random_128": (128, 48, 80),
    "faces_shifted_128": (128, 64, 64), "faces_rotated_128": (128, 64, 64), "streets_center_128": (128, 64, 64),
    "streets_random_128": (128, 48, 80), "streets_center_64": (64, 32, 32), "streets_random_64": (64, 24, 40),
    "demo": (64, 16, 16), "objects_center_24": (24, 8, 8), "objects_random_24": (24, 4, 12),
    "objects_center_64": (64, 22, 22), "objects_random_64": (64, 10, 32), "places_center_64": (64, 32, 32),
    "places_center_256": (256, 128, 128), "semantic_center_64": (64, 32, 32),
    "center_64": (64, 32, 32), "center_128": (128, 64, 64), "photo_center": (192, 48, 48),
    "photo_center_768": ((512, 768), 128, 128),
}  # fmt: skip


#: Other holes than one square: side, or height and width; least and largest hidden share of 200 pictures.
OTHER_HOLES: dict[str, tuple[int | tuple[int, int], float, float]] = {
    "places_rectangles_64": (64, 0.01, 0.5), "places_rectangles_256": (256, 0.01, 0.5),
    "places_strokes_64": (64, 0.01, 0.6), "places_strokes_256": (256, 0.01, 0.6),
    "photo_rectangles": (192, 0.01, 0.45), "photo_strokes": (192, 0.01, 0.6),
    "photo_rectangles_768": ((512, 768), 0.005, 0.3), "photo_strokes_768": ((512, 768), 0.005, 0.5),
    "semantic_pattern_64": (64, 0.25, 0.25), "semantic_pixels_64": (64, 0.7998, 0.8001),
}  # fmt: skip


def test_the_table_above_names_every_bundled_protocol() -> None:
    assert set(BUNDLED) | set(OTHER_HOLES) == set(bundled("protocol"))


def fits(name: str, side: int | tuple[int, int]) -> torch.Tensor:
    """What every bundled protocol is held to; 200 of its masks."""
    protocol = load_protocol(name)
    square = protocol.prepare.tiles or protocol.prepare.crop or 0
    prepared = protocol.prepare.rectangle or (square, square)
    frame = (side, side) if isinstance(side, int) else side
    assert protocol.frame == frame
    view = protocol.view(torch.randint(0, 256, (2, 3, *prepared), dtype=torch.uint8))
    assert view.shape == (2, 3, *frame)
    labels = [spec.build().label for spec in protocol.metrics]
    assert len(set(labels)) == len(labels) == (6 if name.startswith("photo") else 9)
    assert labels[0].startswith("psnr[hole")
    assert protocol.description
    return protocol.masks.build()(200, frame, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_protocols_say_what_their_names_say(name: str) -> None:
    side, smallest, largest = BUNDLED[name]
    sides = fits(name, side).sum((1, 2, 3)).sqrt()
    assert sides.min() == smallest
    assert sides.max() == largest


@pytest.mark.parametrize("name", OTHER_HOLES)
def test_bundled_protocols_of_other_holes(name: str) -> None:
    side, least, most = OTHER_HOLES[name]
    shares = fits(name, side).mean((1, 2, 3))
    assert least <= shares.min() <= shares.max() <= most


def test_shift_and_rotation_of_the_bundled_protocols() -> None:
    def moves(name: str) -> tuple[float, float]:
        protocol: Protocol = load_protocol(name)
        assert protocol.size
        assert protocol.prepare.crop
        return protocol.transform.shift[0] * protocol.size / protocol.prepare.crop, protocol.transform.rotate

    assert moves("faces_shifted_128") == (12, 0)  # of the 128 pixels measured
    assert moves("faces_shifted_64") == (12, 0)
    assert moves("faces_rotated_64") == moves("faces_rotated_128") == (0, 20)
