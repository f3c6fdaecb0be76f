"""Semantic inpainting with a DCGAN and a patch discriminator (Big Data, doi 10.1089/big.2021.0203), and what it builds
on: Yeh et al. 2017, "Semantic Image Inpainting with Deep Generative Models"."""

from __future__ import annotations

from inpaintkit import Register, hookimpl

inpaintkit_api = 1


@hookimpl
def register_generators(register: Register) -> None:
    register("dcgan-latent", "inpaintkit_semantic_dcgan.generator:LatentGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("dcgan-patch", "inpaintkit_semantic_dcgan.discriminator:PatchDiscriminator")


@hookimpl
def register_methods(register: Register) -> None:
    register("latent-search", "inpaintkit_semantic_dcgan.method:LatentSearch")
