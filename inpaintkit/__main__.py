"""``python -m inpaintkit``: the command line, for ``torchrun -m inpaintkit``."""

from .cli import main

main()
