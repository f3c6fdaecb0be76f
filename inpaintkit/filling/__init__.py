"""Filling the holes of pictures of any size, kind and format with a method; known pixels stay as they are."""

from __future__ import annotations

import lazy_loader

# Lazy, so that the command in this package shows its help without importing torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
