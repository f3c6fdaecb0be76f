"""inpaintkit: train, evaluate and apply image-inpainting methods; every method is a plugin.

``__init__.pyi`` lists the public names. Each is imported at its first use, so ``import inpaintkit`` imports no torch.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
