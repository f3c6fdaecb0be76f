"""The methods that come with the core: the training step that most papers share, and the least to beat."""

from __future__ import annotations

from ..core.hookspecs import Register, hookimpl

inpaintkit_api = 1


@hookimpl
def register_methods(register: Register) -> None:
    register("adversarial", "inpaintkit.training.adversarial:Adversarial")
    register("mean-color", "inpaintkit.methods.mean_color:MeanColor")
