"""Filling the holes of pictures of any size, kind and format with a method; known pixels stay as they are."""

from .in_memory import fill as fill
from .on_disk import FillReport as FillReport, fill_files as fill_files
