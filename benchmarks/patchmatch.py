"""What a batch and the random search bring to patch matching, as ratios: ``python benchmarks/patchmatch.py``.

Three parts, on pieces of scikit-image's photographs: many small pictures at once against one call each; PatchMatch
against the exhaustive search with the same votes, in time and in PSNR over the hole; whole photographs with a hole,
in seconds a megapixel, beside OpenCV's Telea where ``cv2`` is installed. Variants take turns: a busy machine slows all
alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median

import torch
from inpaintkit_classical.patchmatch import PatchMatch
from skimage import data
from torch import Tensor

NAMES = ("astronaut", "chelsea", "coffee")


def photograph(name: str) -> Tensor:
    """(1, 3, H, W) in [-1, 1]."""
    return torch.tensor(getattr(data, name)()).permute(2, 0, 1)[None].float() / 127.5 - 1


def pieces(size: int, count: int) -> Tensor:
    """(count, 3, size, size): pieces of the three photographs; those below 64 pixels of smaller versions."""
    shrink = 4 if size < 64 else 1
    found = []
    for name in NAMES:
        small = torch.nn.functional.avg_pool2d(photograph(name), shrink)
        cut = small.unfold(2, size, size // 3).unfold(3, size, size // 3)
        found.append(cut.permute(0, 2, 3, 1, 4, 5).flatten(0, 2))
    every = torch.cat(found)
    return every[torch.linspace(0, len(every) - 1, count).long()]


def center_hole(image: Tensor, side: int) -> Tensor:
    mask = torch.zeros_like(image[:, :1])
    top, left = ((length - side) // 2 for length in image.shape[2:])
    mask[..., top : top + side, left : left + side] = 1
    return mask


def taken(variants: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each variant; they take turns, and the first turn warms up."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, variant in variants.items():
            torch.manual_seed(turn)
            began = time.perf_counter()
            variant()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn:
                times[name].append(time.perf_counter() - began)
    return {name: median(each) for name, each in times.items()}


def psnr_in_hole(output: Tensor, image: Tensor, mask: Tensor) -> float:
    errors = ((output - image).square() * mask).sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3)))
    return float((10 * (4 / errors).log10()).mean())


def batch(count: int, rounds: int, device: torch.device) -> None:
    image = pieces(24, count).to(device)
    mask, method = center_hole(image, 8), PatchMatch()
    masked = image * (1 - mask)

    def one_by_one() -> None:
        for number in range(count):
            method.inpaint(masked[number : number + 1], mask[number : number + 1])

    cost = taken({"at once": lambda: method.inpaint(masked, mask), "calls": one_by_one}, rounds, device)
    ratio, each = cost["calls"] / cost["at once"], 1e3 * cost["calls"] / count
    print(f"{count} of 24x24 at once against {count} calls  {ratio:6.1f} x  ({each:.1f} ms a call)")


def searches(sizes: list[int], count: int, rounds: int, device: torch.device) -> None:
    for size in sizes:
        image = pieces(size, count).to(device)
        mask = center_hole(image, size // 3)
        masked = image * (1 - mask)
        filled: dict[str, Tensor] = {}

        def fill(name: str, masked: Tensor = masked, mask: Tensor = mask, filled: dict[str, Tensor] = filled) -> None:
            filled[name] = PatchMatch(search="exhaustive" if name == "exhaustive" else "patchmatch").inpaint(
                masked, mask
            )

        cost = taken({name: lambda name=name: fill(name) for name in ("patchmatch", "exhaustive")}, rounds, device)  # type: ignore[misc]
        found, best = (psnr_in_hole(filled[name], image, mask) for name in ("patchmatch", "exhaustive"))
        ratio = cost["exhaustive"] / cost["patchmatch"]
        print(
            f"{size}x{size}, hole {size // 3}: against exhaustive search  {ratio:6.1f} x"
            f"  {found - best:+.2f} dB  ({found:.2f} and {best:.2f} dB, {cost['patchmatch'] / count:.3f} s a picture)"
        )


def photographs(side: int, rounds: int, device: torch.device) -> None:
    method = PatchMatch()
    for name in NAMES:
        image = photograph(name).to(device)
        mask = center_hole(image, side)
        masked = image * (1 - mask)
        variants: dict[str, Callable[[], object]] = {"patchmatch": lambda x=masked, m=mask: method.inpaint(x, m)}  # type: ignore[misc]
        with suppress(ImportError):
            import cv2

            pixels = ((masked[0].permute(1, 2, 0) + 1) * 127.5).byte().cpu().numpy()
            hidden = mask[0, 0].byte().cpu().numpy()
            variants["telea"] = lambda x=pixels, m=hidden: cv2.inpaint(x, m, 3, cv2.INPAINT_TELEA)  # type: ignore[misc]
        cost = taken(variants, rounds, device)
        megapixels = image.shape[2] * image.shape[3] / 1e6
        beside = f"{cost['patchmatch'] / cost['telea']:6.1f} x Telea's time" if "telea" in cost else "(no cv2)"
        print(f"{name:9} hole {side}x{side}  {cost['patchmatch'] / megapixels:6.2f} s/megapixel  {beside}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--parts", nargs="+", choices=("batch", "search", "photographs"), default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64, help="pictures of 24x24")
    parser.add_argument("--count", type=int, default=4, help="pictures of each size for the two searches")
    parser.add_argument("--sizes", type=int, nargs="+", default=[24, 48, 96, 128])
    parser.add_argument("--hole", type=int, default=64, help="side of the photographs' hole")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    parts = options.parts or ("batch", "search", "photographs")
    print(f"{options.device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if "batch" in parts:
        batch(options.batch, options.rounds, device)
    if "search" in parts:
        searches(options.sizes, options.count, options.rounds, device)
    if "photographs" in parts:
        photographs(options.hole, options.rounds, device)


if __name__ == "__main__":
    main()
