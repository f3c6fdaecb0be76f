"""Liu et al. 2018, "Generative Image Inpainting With Neural Features" (ICIMCS, doi 10.1145/3240876.3240902)."""

from __future__ import annotations

from inpaintkit import Register, hookimpl

inpaintkit_api = 1


@hookimpl
def register_generators(register: Register) -> None:
    register("neural-features", "inpaintkit_neural_features.generator:NeuralFeaturesGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("neural-features-global", "inpaintkit_neural_features.discriminators:GlobalDiscriminator")
    register("neural-features-local", "inpaintkit_neural_features.discriminators:LocalDiscriminator")
