"""Losses, objectives, mask samplers and metrics that come with the core: a plugin like any other."""

from __future__ import annotations

from ..core.hookspecs import Register, hookimpl

inpaintkit_api = 1


@hookimpl
def register_losses(register: Register) -> None:
    register("l1", "inpaintkit.builtin.losses:L1")
    register("l2", "inpaintkit.builtin.losses:L2")
    register("smooth-l1", "inpaintkit.builtin.losses:SmoothL1")
    register("total-variation", "inpaintkit.builtin.losses:TotalVariation")
    register("multi-scale", "inpaintkit.builtin.losses:MultiScale")
    register("perceptual", "inpaintkit.builtin.perceptual:Perceptual")


@hookimpl
def register_objectives(register: Register) -> None:
    register("non-saturating", "inpaintkit.builtin.objectives:NonSaturating")
    register("least-squares", "inpaintkit.builtin.objectives:LeastSquares")
    register("hinge", "inpaintkit.builtin.objectives:Hinge")
    register("wgan-gp", "inpaintkit.builtin.objectives:WGANGP")


@hookimpl
def register_mask_samplers(register: Register) -> None:
    register("center-square", "inpaintkit.builtin.masks:CenterSquare")
    register("random-square", "inpaintkit.builtin.masks:RandomSquare")
    register("random-rectangles", "inpaintkit.builtin.masks:RandomRectangles")
    register("strokes", "inpaintkit.builtin.masks:Strokes")
    register("random-pixels", "inpaintkit.builtin.masks:RandomPixels")
    register("random-pattern", "inpaintkit.builtin.masks:RandomPattern")
    register("half", "inpaintkit.builtin.masks:Half")
    register("outpainting", "inpaintkit.builtin.masks:Outpainting")
    register("files", "inpaintkit.builtin.maskfiles:MaskFiles")
    register("mixture", "inpaintkit.builtin.mixture:Mixture")


@hookimpl
def register_metrics(register: Register) -> None:
    register("l1", "inpaintkit.builtin.metrics:L1")
    register("l2", "inpaintkit.builtin.metrics:L2")
    register("psnr", "inpaintkit.builtin.metrics:PSNR")
    register("ssim", "inpaintkit.builtin.metrics:SSIM")
    register("gradient-energy", "inpaintkit.builtin.metrics:GradientEnergy")
    register("kid", "inpaintkit.builtin.distribution:KID")
    register("fid", "inpaintkit.builtin.distribution:FID")
    register("lpips", "inpaintkit.builtin.lpips:LPIPS")
