"""The components and recipes that come with inpaintkit, registered through the hooks like those of any other plugin."""

from __future__ import annotations

from pathlib import Path

from ..core.hookspecs import Register, RegisterRecipes, hookimpl
from .kornia_names import KORNIA

inpaintkit_api = 1


@hookimpl
def register_losses(register: Register) -> None:
    register("l1", "inpaintkit.components.losses:L1")
    register("l2", "inpaintkit.components.losses:L2")
    register("smooth-l1", "inpaintkit.components.losses:SmoothL1")
    register("total-variation", "inpaintkit.components.losses:TotalVariation")
    register("multi-scale", "inpaintkit.components.multi_scale:MultiScale")


@hookimpl
def register_objectives(register: Register) -> None:
    register("non-saturating", "inpaintkit.components.objectives:NonSaturating")
    register("least-squares", "inpaintkit.components.objectives:LeastSquares")
    register("hinge", "inpaintkit.components.objectives:Hinge")
    register("wgan-gp", "inpaintkit.components.objectives:WGANGP")


@hookimpl
def register_mask_samplers(register: Register) -> None:
    register("center-square", "inpaintkit.components.masks:CenterSquare")
    register("random-square", "inpaintkit.components.masks:RandomSquare")
    register("random-rectangles", "inpaintkit.components.masks:RandomRectangles")
    register("strokes", "inpaintkit.components.masks:Strokes")
    register("random-pixels", "inpaintkit.components.masks:RandomPixels")
    register("random-pattern", "inpaintkit.components.masks:RandomPattern")
    register("half", "inpaintkit.components.masks:Half")
    register("outpainting", "inpaintkit.components.masks:Outpainting")
    register("files", "inpaintkit.components.mask_files:MaskFiles")
    register("mixture", "inpaintkit.components.mixture:Mixture")


@hookimpl
def register_metrics(register: Register) -> None:
    register("l1", "inpaintkit.components.metrics:L1")
    register("l2", "inpaintkit.components.metrics:L2")
    register("psnr", "inpaintkit.components.metrics:PSNR")
    register("ssim", "inpaintkit.components.metrics:SSIM")
    register("gradient-energy", "inpaintkit.components.metrics:GradientEnergy")


@hookimpl
def register_methods(register: Register) -> None:
    register("adversarial", "inpaintkit.training.adversarial:Adversarial")
    register("mean-color", "inpaintkit.components.mean_color:MeanColor")
    register("poisson-blended", "inpaintkit.components.blending:PoissonBlended")


@hookimpl
def register_augmentations(register: Register) -> None:
    for name in KORNIA:
        register(name, f"kornia.augmentation:{name}")


@hookimpl
def register_observers(register: Register) -> None:
    register("csv", "inpaintkit.components.observers:CSV")


@hookimpl
def register_recipes(register: RegisterRecipes) -> None:
    package = Path(__file__).parents[1]
    for folder in (package / "recipes", package.parent / "recipes"):  # in a wheel; beside the package in a checkout
        if folder.is_dir():
            register(folder)
            return
