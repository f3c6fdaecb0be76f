"""Calls the observers of a recipe during training and evaluation; one that fails is reported once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal

from ..core.errors import Interrupted
from ..recipe import Recipe
from ..runtime import distributed


class Observers:
    """The recipe's observers during one training or evaluation: ``with`` calls ``started`` and ``ended``.

    The first failure of each observer goes to ``warn``. Only the first process of a distributed run has observers.
    """

    def __init__(self, recipe: Recipe, folder: Path, warn: Callable[[str], None]) -> None:
        self.observers = () if distributed.rank() else tuple(recipe.run.observers)
        self.recipe, self.folder, self.warn = recipe, folder, warn
        self.failed: set[int] = set()  # positions of the observers whose failure was reported

    def call(self, name: Literal["started", "logged", "evaluated", "ended"], *arguments: object) -> None:
        """Calls a method of every observer, whatever the others do."""
        for position, observer in enumerate(self.observers):
            try:
                getattr(observer, name)(*arguments)
            except Exception as error:
                if position not in self.failed:
                    cause = f"{type(error).__name__}: {error}"
                    self.warn(f"observer {type(observer).__name__}: {name}() failed: {cause} (reported once)")
                self.failed.add(position)

    def __enter__(self) -> Observers:
        self.call("started", self.folder, self.recipe.tree)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is None:
            reason = "finished"
        elif isinstance(error, Interrupted | KeyboardInterrupt):
            reason = "stopped"
        else:
            reason = f"failed: {type(error).__name__}: {error}"
        self.call("ended", reason)
