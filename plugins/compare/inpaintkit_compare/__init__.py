"""Comparisons of methods under one protocol, and sweeps over an option of its masks.

``__init__.pyi`` lists the public names. Each is imported at its first use.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
