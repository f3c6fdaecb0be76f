"""The observer ``csv``: writes the logged numbers to a CSV file in the run's folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import OptionError
from ..core.interfaces import Observer
from ..runtime import write_atomically


class CSV(Observer):
    """Writes the logged numbers as a table into the run's folder: a row for each line of the log.

    A run that is resumed goes on in the same file; rows of steps that are done again are replaced.

    Args:
        file: its name in the run's folder.
    """

    def __init__(self, file: str = "log.csv") -> None:
        if not file or Path(file).name != file:
            raise OptionError(f"expected the name of a file, not {file!r}", ("file",))
        self.file = file
        self.path = Path(file)
        self.columns: list[str] | None = None  # None until the first row after a start

    def started(self, run_folder: Path, recipe: Mapping[str, Any]) -> None:
        self.path, self.columns = run_folder / self.file, None

    def logged(self, step: int, values: Mapping[str, float], words: Mapping[str, str]) -> None:
        row = {"step": step, **values}
        if self.columns is not None and set(row) <= set(self.columns):
            with open(self.path, "a", newline="") as file:
                csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)
            return
        rows = [*self._rows(before=step if self.columns is None else None), row]
        self.columns = list(dict.fromkeys(name for each in rows for name in each))
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.path, text.getvalue())

    def _rows(self, before: int | None) -> list[dict[str, Any]]:
        """The rows of the file, or only those of earlier steps; a last line that was cut short is left out."""
        if not self.path.is_file():
            return []
        with open(self.path, newline="") as file:
            whole = [line for line in file if line.endswith("\n")]
        return [row for row in csv.DictReader(whole) if before is None or int(row["step"]) < before]
