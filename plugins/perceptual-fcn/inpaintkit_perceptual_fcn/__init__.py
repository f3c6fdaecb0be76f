"""Liu et al. 2017, "Semantically Consistent Image Completion with Fine-grained Details" (arXiv 1711.09345)."""

from __future__ import annotations

from inpaintkit import Register, hookimpl

inpaintkit_api = 1


@hookimpl
def register_generators(register: Register) -> None:
    register("dilated-fcn", "inpaintkit_perceptual_fcn.generator:DilatedFCN")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("dcgan", "inpaintkit_perceptual_fcn.discriminator:DCGANDiscriminator")
