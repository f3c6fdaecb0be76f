"""What precision, memory format and compilation bring to a training step: ``python benchmarks/training_step.py``.

Trains the reconstruction stage of the perceptual recipe's ``small`` profile on made-up pictures. Each variant is a
ratio to plain float32 in contiguous memory in the same run. Variants take turns: a busy machine slows all alike.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch

from inpaintkit import Batch, load_recipe
from inpaintkit.recipe import build_method
from inpaintkit.training.adversarial import Adversarial


def made(device: torch.device, channels_last: bool, compiled: bool) -> Adversarial:
    torch.manual_seed(0)
    recipe = load_recipe("perceptual_ablations/reconstruction", "small")
    method = build_method(recipe)
    assert isinstance(method, Adversarial)
    method.to(device)
    if channels_last:
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if compiled:
        for network in method.networks:
            network.compile()
    return method.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="one more variant, compiled")
    options = parser.parse_args()
    device = torch.device(options.device)
    image = torch.rand(options.batch, 3, 64, 64, device=device) * 2 - 1
    mask = torch.zeros(options.batch, 1, 64, 64, device=device)
    mask[..., 16:48, 16:48] = 1
    batch = Batch(image, mask)
    variants = {
        "float32": (False, False, False),
        "float32, channels last": (False, True, False),
        "bfloat16": (True, False, False),
        "bfloat16, channels last": (True, True, False),
    }
    if options.compile:
        variants["bfloat16, channels last, compiled"] = (True, True, True)
    methods = {name: made(device, last, compiled) for name, (_, last, compiled) in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(options.rounds + 2):  # the first two warm up
        for name, (low, _, _) in variants.items():
            began = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=low, cache_enabled=False):
                methods[name].training_step(batch, turn)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn >= 2:
                times[name].append(time.perf_counter() - began)
    plain = median(times["float32"])
    print(f"{options.device}, {torch.get_num_threads()} threads, batch {options.batch}, torch {torch.__version__}")
    for name, taken in times.items():
        print(f"{name:36} {plain / median(taken):5.2f} x  ({options.batch / median(taken):.0f} images/s)")


if __name__ == "__main__":
    main()
