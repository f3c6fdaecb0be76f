"""inpaintkit: train, evaluate and apply image-inpainting methods; every method is a plugin."""

from __future__ import annotations

__version__ = "0.1.0"
