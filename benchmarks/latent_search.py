"""What a search over a batch costs, as ratios: ``python benchmarks/latent_search.py``.

64 pictures at once against 64 searches of one; and the objective compiled against eager, with ``--compile``. The
networks have random weights, which cost the same, and a quarter of the channels, as the recipes' profile ``small``.
Variants take turns: a busy machine slows all alike.
"""

from __future__ import annotations

import argparse

import attrs
import torch
from inpaintkit_semantic_dcgan.discriminator import PatchDiscriminator
from inpaintkit_semantic_dcgan.generator import LatentGenerator
from inpaintkit_semantic_dcgan.method import LatentSearch
from inpaintkit_semantic_dcgan.search import Search
from patchmatch import taken

from inpaintkit import Critic
from inpaintkit.components.masks import center_squares
from inpaintkit.components.objectives import NonSaturating


def made(search: Search, width: int, device: torch.device) -> LatentSearch:
    torch.manual_seed(0)
    net = PatchDiscriminator(width=width // 2, hidden=8 * width)
    critic = Critic(net, NonSaturating(), on="output")
    method = LatentSearch(LatentGenerator(width=width), critics={"image": critic}, search=search)
    return method.to(device).eval().requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10, help="iterations of each search")
    parser.add_argument("--width", type=int, default=32, help="128 is the paper's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch takes")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="also the compiled objective")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    device = torch.device(asked.device)
    how = Search(steps=asked.steps, restarts=1)
    method = made(how, asked.width, device)
    mask = center_squares(asked.count, (64, 64), torch.Generator().manual_seed(0), side=32).to(device)
    masked = (torch.rand(asked.count, 3, 64, 64, device=device) * 2 - 1) * (1 - mask)

    def at_once(search: Search = how) -> None:
        method.searched(masked, mask, search)

    def one_by_one() -> None:
        for number in range(asked.count):
            method.searched(masked[number : number + 1], mask[number : number + 1], how)

    variants = {"at once": at_once, "one by one": one_by_one}
    if asked.compile:
        variants["compiled"] = lambda: at_once(attrs.evolve(how, compile=True))
    cost = taken(variants, asked.rounds, device)
    rates = {name: asked.count * asked.steps / seconds for name, seconds in cost.items()}
    for name, rate in rates.items():
        print(f"{name:12}{rate:10.1f} picture iterations / s {rate / rates['one by one']:8.2f} x one by one")


if __name__ == "__main__":
    main()
