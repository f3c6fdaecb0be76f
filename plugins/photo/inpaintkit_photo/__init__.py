"""Fills photographs: networks that correct a prefill of the hole, from coarse to fine."""

from __future__ import annotations

from inpaintkit import Register, hookimpl

inpaintkit_api = 1


@hookimpl
def register_generators(register: Register) -> None:
    register("residual", "inpaintkit_photo.residual:Residual")
    register("unet", "inpaintkit_photo.unet:UNet")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("photo-patch", "inpaintkit_photo.patches:PatchDiscriminator")
