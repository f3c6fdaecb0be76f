"""Pretrained feature networks, and what compares pictures by them: the perceptual loss, distances, FID and KID."""

from __future__ import annotations

from inpaintkit import Register, hookimpl

inpaintkit_api = 1


@hookimpl
def register_losses(register: Register) -> None:
    register("perceptual", "inpaintkit_features.perceptual:Perceptual")


@hookimpl
def register_metrics(register: Register) -> None:
    register("kid", "inpaintkit_features.distribution:KID")
    register("fid", "inpaintkit_features.distribution:FID")
    register("lpips", "inpaintkit_features.lpips:LPIPS")
    register("feature-distance", "inpaintkit_features.feature_distance:FeatureDistance")
