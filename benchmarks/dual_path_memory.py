"""Peak memory of a training step of two paths, with attention and without: ``python benchmarks/dual_path_memory.py``.

Each row is a process of its own that builds the recipe `dual_path` at full width, with both paths, both critics and the
penalty, and takes one step in which all of them learn. ``extra`` is what the step needed beyond the networks, ``whole``
the peak of the process (on CUDA: of the tensors). Optimizers' moments are made in that step and count.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import torch

from inpaintkit import Batch, load_recipe
from inpaintkit.recipe import build_method
from inpaintkit.runtime.memory import PeakMemory

ROWS = {"no attention": "dual_path_ablations/no_attention", "attention": "dual_path"}


def measure(recipe: str, side: int, count: int, device: torch.device, precision: str) -> str:
    method = build_method(load_recipe(recipe, sets=["method.log_gradients=false"])).to(device).train()
    torch.manual_seed(0)
    mask = torch.zeros(count, 1, side, side, device=device)
    mask[..., side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 1
    batch = Batch(torch.rand(count, 3, side, side, device=device) * 2 - 1, mask)
    (step,) = method.trial_steps().values()
    began = time.perf_counter()
    with PeakMemory(device) as peak, torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logs = method.training_step(batch, step)
    seconds = time.perf_counter() - began
    if not all(bool(value.isfinite()) for value in logs.values()):
        raise SystemExit("the step ended in values that are not finite")
    cuda = device.type == "cuda"
    whole = (
        torch.cuda.max_memory_allocated(device) if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    extra = "" if peak.extra is None else f"{peak.extra / 2**30:.2f}"
    return f"{extra:>10} {whole / 2**30:>10.2f} {seconds:>10.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512], help="of the pictures")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.row:
        print(measure(given.row, given.sides[0], given.batch, given.device, given.precision))
        return
    print(f"batch {given.batch}, {given.precision}, {given.device}, torch {torch.__version__}")
    print(f"{'side':>5} {'':<14} {'extra GiB':>10} {'whole GiB':>10} {'seconds':>10}")
    for side in given.sides:
        for name, recipe in ROWS.items():
            command = [sys.executable, __file__, "--row", recipe, "--sides", str(side), "--batch", str(given.batch)]
            command += ["--device", str(given.device), "--precision", given.precision]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip("\n")
            print(f"{side:>5} {name:<14} {told}", flush=True)


if __name__ == "__main__":
    main()
