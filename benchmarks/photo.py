"""Seconds and memory of ``photo`` beside other fillers, and what a large picture costs: ``python benchmarks/photo.py``.

A scikit-image photograph, enlarged, is filled by the recipe `photo` through `inpaintkit.fill`, by OpenCV's Telea where
``cv2`` is installed, and by PatchMatch where ``patchmatch`` (PyPatchMatch) or ``patchmatch_cython`` is. Two parts:
768x512 with a square hole of 96 and of 300 pixels; 24 megapixels with more and more holes of 40 pixels, where the time
must follow the holes. Fillers take turns: a busy machine slows all alike. ``CPU`` is the time of all threads together,
which depends less on what else runs; ``MB`` is what a call needs at its peak beyond what was used before.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data

import inpaintkit
from inpaintkit.runtime.memory import PeakMemory

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]
Filler = Callable[[Pixels, Hole], object]


def photograph(width: int, height: int) -> Pixels:
    """(height, width, 3): the cup of coffee, enlarged."""
    return np.asarray(Image.fromarray(data.coffee()).resize((width, height), Image.Resampling.BICUBIC))


def center_hole(picture: Pixels, side: int) -> Hole:
    hole = np.zeros(picture.shape[:2], np.bool_)
    top, left = ((length - side) // 2 for length in hole.shape)
    hole[top : top + side, left : left + side] = True
    return hole


def scattered_holes(picture: Pixels, count: int, side: int) -> Hole:
    """``count`` squares of ``side`` pixels, anywhere; the first ones are the same for every count."""
    hole = np.zeros(picture.shape[:2], np.bool_)
    rng = np.random.default_rng(0)
    for top, left in rng.integers(0, np.array(hole.shape) - side, (count, 2)):
        hole[top : top + side, left : left + side] = True
    return hole


def photo() -> Filler:
    """The recipe with its weights, loaded once."""
    method = inpaintkit.load("photo")
    return lambda picture, hole: inpaintkit.fill(method, picture, hole)


def telea() -> Filler:
    import cv2

    return lambda picture, hole: cv2.inpaint(picture, hole.view(np.uint8), 3, cv2.INPAINT_TELEA)


def pypatchmatch() -> Filler:
    logging.getLogger("patchmatch").setLevel(logging.ERROR)
    # benchmarks/patchmatch.py would be imported in its place
    here = Path(__file__).resolve().parent
    sys.path = [path for path in sys.path if Path(path).resolve() != here]
    from patchmatch import inpaint, patchmatch_available

    if not patchmatch_available:
        raise ImportError("its library does not load here")
    return lambda picture, hole: inpaint(picture, hole.view(np.uint8) * 255, patch_size=3)


def patchmatch_cython() -> Filler:
    from patchmatch_cython import inpaint_pyramid

    return lambda picture, hole: inpaint_pyramid(picture, hole, seed=0)


def fillers(names: list[str]) -> dict[str, Filler]:
    """Those of ``names`` that are installed."""
    makers = {"photo": photo, "telea": telea, "pypatchmatch": pypatchmatch, "patchmatch_cython": patchmatch_cython}
    found = {}
    for name in names:
        with suppress(ImportError):
            found[name] = makers[name]()
    return found


def report(title: str, given: Mapping[str, Filler], picture: Pixels, hole: Hole, rounds: int) -> None:
    """Medians of a few calls, after one that warms up; the ratio is to the first filler, of their CPU time."""
    wall: dict[str, list[float]] = {name: [] for name in given}
    busy: dict[str, list[float]] = {name: [] for name in given}
    memory: dict[str, int | None] = {}
    for turn in range(rounds + 1):
        for name, filler in given.items():
            began, began_busy = time.perf_counter(), time.process_time()
            if turn:
                filler(picture, hole)
                wall[name].append(time.perf_counter() - began)
                busy[name].append(time.process_time() - began_busy)
            else:
                with PeakMemory() as peak:
                    filler(picture, hole)
                memory[name] = peak.extra
    first = median(busy[next(iter(given))])
    for name in given:
        size = memory[name]
        extra = "" if size is None else f"{size / 1e6:8.0f} MB"
        cpu = median(busy[name])
        print(f"{title:32} {name:18} {median(wall[name]):7.2f} s {cpu:7.2f} s CPU {cpu / first:7.2f} x {extra}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--parts", nargs="+", choices=("holes", "large"), default=["holes", "large"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--holes", type=int, nargs="+", default=[96, 300], help="sides, in 768x512")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 4, 16], help="of holes, in 24 megapixels")
    parser.add_argument("--fillers", nargs="+", default=["photo", "telea", "pypatchmatch", "patchmatch_cython"])
    parser.add_argument("--large-fillers", nargs="+", default=["photo", "telea"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    if "holes" in options.parts:
        small = photograph(768, 512)
        for side in options.holes:
            report(f"768x512, hole {side}", fillers(options.fillers), small, center_hole(small, side), options.rounds)
    if "large" in options.parts:
        large = photograph(6000, 4000)
        for count in options.counts:
            title = f"6000x4000, {count} holes of 40"
            report(title, fillers(options.large_fillers), large, scattered_holes(large, count, 40), options.rounds)


if __name__ == "__main__":
    main()
