"""Methods without training: patch matching, total variation, low rank, diffusion, and OpenCV's two."""

from __future__ import annotations

from inpaintkit import Register, hookimpl

inpaintkit_api = 1


@hookimpl
def register_methods(register: Register) -> None:
    register("patchmatch", "inpaintkit_classical.patchmatch:PatchMatch")
    register("total-variation", "inpaintkit_classical.total_variation:TotalVariation")
    register("low-rank", "inpaintkit_classical.low_rank:LowRank")
    register("harmonic", "inpaintkit_classical.diffusion:Harmonic")
    register("biharmonic", "inpaintkit_classical.diffusion:Biharmonic")
    register("telea", "inpaintkit_classical.opencv:Telea")
    register("navier-stokes", "inpaintkit_classical.opencv:NavierStokes")
