"""What became of the files of a folder that was filled."""

from __future__ import annotations

from pathlib import Path

import attrs

from ..data import printable


@attrs.define
class FillReport:
    """What became of the files.

    Attributes:
        filled: each picture with a file that was written for it.
        kept: pictures whose results were there already and stay.
        failed: each picture that has no result, and why.
        without_mask: pictures.
        without_image: masks.
    """

    filled: list[tuple[Path, Path]] = attrs.Factory(list)
    kept: list[Path] = attrs.Factory(list)
    failed: list[tuple[Path, str]] = attrs.Factory(list)
    without_mask: list[Path] = attrs.Factory(list)
    without_image: list[Path] = attrs.Factory(list)
    warnings: list[str] = attrs.Factory(list)

    @property
    def exit_code(self) -> int:
        """0 when every picture has a result and every mask used, 2 when no picture has one, else 1."""
        if not self.filled and not self.kept and (self.failed or self.without_mask):
            return 2
        return int(bool(self.failed or self.without_mask or self.without_image))

    def __str__(self) -> str:
        filled = len({source for source, _ in self.filled})
        total = filled + len(self.kept) + len(self.failed) + len(self.without_mask)
        before = f"; {len(self.kept)} had been filled before" if self.kept else ""
        lines = [f"filled {filled} of {total} pictures{before}"]
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"not filled: {path}: {reason}" for path, reason in self.failed]
        lines += [f"not filled: {path}: no mask of that name" for path in self.without_mask]
        lines += [f"not used: {path}: no picture of that name" for path in self.without_image]
        return printable("\n".join(lines))
