"""``inpaintkit fill`` with several answers and with blending."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from toy_methods import Noise

from inpaintkit import hookimpl
from inpaintkit.cli import main
from inpaintkit.core.plugins import installed


class Brings:
    inpaintkit_api = 1

    @hookimpl
    def register_methods(self, register: Any) -> None:
        register("cli-noise", Noise)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the recipe of a method that draws at random, which is installed as long as the test runs."""
    monkeypatch.chdir(tmp_path)
    installed.cache_clear()
    assert not installed().add("cli-toys", Brings()).error
    Path("noise.yaml").write_text("method: cli-noise\n")
    yield tmp_path
    installed.cache_clear()


def test_fill_answers_several_times_and_blends(pictures: Path, place: Path) -> None:
    photo = sorted(pictures.iterdir())[0]
    with Image.open(photo) as image:
        hole = np.zeros((image.height, image.width), np.uint8)
        pixels = np.asarray(image.convert("RGB"))
    hole[3:7, 4:9] = 255
    Image.fromarray(hole).save("hole.png")
    arguments = [str(photo), "--mask", "hole.png", "--device", "cpu", "-o"]
    told = CliRunner().invoke(main, ["fill", "noise.yaml", *arguments, "out.png", "--samples", "2"])
    assert (told.exit_code, told.stdout) == (0, "filled 1 of 1 pictures\n")
    assert sorted(path.name for path in place.glob("out*")) == ["out-1.png", "out-2.png", "out-sheet.png"]
    told = CliRunner().invoke(main, ["fill", "classical/mean_color", *arguments, "one.png", "--samples", "2"])
    assert told.exit_code == 2
    assert told.stderr == "MeanColor gives only one answer to each hole: leave samples out\n1 problem\n"
    for name, options in (("plain.png", []), ("blended.png", ["--blend", "poisson"])):
        assert CliRunner().invoke(main, ["fill", "classical/mean_color", *arguments, name, *options]).exit_code == 0
    plain, blended = (np.asarray(Image.open(name).convert("RGB")) for name in ("plain.png", "blended.png"))
    assert np.array_equal(blended[hole == 0], pixels[hole == 0])
    assert np.ptp(plain[hole > 0], axis=0).max() == 0 < np.ptp(blended[hole > 0], axis=0).max()
    told = CliRunner().invoke(main, ["fill", "classical/mean_color", *arguments, "no.png", "--blend", "poison"])
    assert told.exit_code == 2
    assert "'poison' is not 'poisson'" in told.stderr
    assert not list(place.glob("one*"))
    assert not list(place.glob("no.png"))
