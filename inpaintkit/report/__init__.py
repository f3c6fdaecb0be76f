"""The report of a run: one HTML file with tables, charts and pictures."""

from __future__ import annotations

import lazy_loader

# Lazy, so that the command in this package shows its help without importing torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
