"""Zhao and Zhao 2020, "Image Inpainting Research Based on Deep Learning" (doi 10.21307/ijanmc-2020-013)."""

from __future__ import annotations

from inpaintkit import Register, hookimpl

inpaintkit_api = 1


@hookimpl
def register_generators(register: Register) -> None:
    register("dual-path", "inpaintkit_dual_path.generator:DualPathGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("dual-path-patch", "inpaintkit_dual_path.discriminator:PatchDiscriminator")


@hookimpl
def register_methods(register: Register) -> None:
    register("dual-path", "inpaintkit_dual_path.method:DualPath")
