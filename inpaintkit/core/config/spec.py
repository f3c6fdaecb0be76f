"""A component that a recipe asks for, checked and not yet built."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, TypeVar, cast

import attrs

from ..errors import InpaintkitError, KeyPath, OptionError, Problem, RecipeError
from .nodes import Node, raise_problems

T = TypeVar("T")

INVALID: Any = type("Invalid", (), {"__repr__": lambda self: "INVALID"})()  # stands for a value that has a problem


@attrs.frozen(eq=False)
class Spec(Generic[T]):
    """A component that a recipe asks for, checked and not yet built.

    ``options`` holds what was written (defaults are the constructor's own), with further specs inside. An option
    annotated ``Spec[Loss]`` instead of ``Loss`` is given the spec itself, and builds it itself.
    """

    kind: str  # as in core.interfaces.INTERFACES, or "" for any other class
    name: str
    factory: Callable[..., T] = attrs.field(repr=False)
    options: Mapping[str, Any]
    path: KeyPath = ()
    source: Node | None = attrs.field(default=None, repr=False)  # where paths are found in files
    later: bool = False  # a parent is given the spec, not what it builds

    def build(self, without: Collection[str] = ()) -> T:
        """The component and all that it is made of; the options named in ``without`` are left out.

        Raises:
            RecipeError: everything that constructors refused, with its place.
        """
        problems: list[Problem] = []
        built = self.attempt(problems, without)
        raise_problems(problems)
        return cast(T, built)

    def attempt(self, problems: list[Problem], without: Collection[str] = (), *, trial: bool = False) -> T | Any:
        """Like ``build``, but what is refused goes to ``problems``, and INVALID comes back.

        Parts that were found invalid before are skipped, whatever else can be built is tried. In a ``trial`` (on
        the meta device) only refusals of values count, no other failures.
        """

        valid = True

        def attempted(value: Any) -> Any:
            nonlocal valid
            if isinstance(value, Spec) and not value.later:
                value = value.attempt(problems, trial=trial)
            elif isinstance(value, list | tuple):
                return type(value)(map(attempted, value))
            elif isinstance(value, dict):
                return {key: attempted(item) for key, item in value.items()}
            valid = valid and value is not INVALID
            return value

        options = {name: attempted(value) for name, value in self.options.items() if name not in without}
        if not valid:
            return INVALID
        try:
            return self.factory(**options)
        except Exception as error:
            if not trial or isinstance(error, ValueError):
                problems += problems_of(error, self.path, self.source)
            return INVALID


def problems_of(error: Exception, path: KeyPath, source: Node | None = None) -> list[Problem]:
    """What a constructor at ``path`` refused, with places in the files that ``source`` was read from."""
    if isinstance(error, RecipeError):  # of a spec that this constructor built: its places are known
        return list(error.problems)
    if isinstance(error, OptionError):
        found = [attrs.evolve(problem, path=(*path, *problem.path)) for problem in error.problems]
    else:
        text = " ".join(str(error).split())
        readable = isinstance(error, InpaintkitError | ValueError) and text
        found = [Problem(text if readable else f"{type(error).__name__}: {text}", path)]
    return [attrs.evolve(located(problem, source), cause=error) for problem in found]


def located(problem: Problem, source: Node | None) -> Problem:
    """The problem with its place in the files that ``source`` was read from."""
    if source is None or problem.where:
        return problem
    path, message = problem.path, problem.message
    if problem.kind == "missing":
        removal = source.removal(path, problem.key)
        if removal is None and path:  # or everything that stood there was removed
            removal = source.removal(path[:-1], str(path[-1]))
        if removal is not None:
            message += f" (removed by the null at {removal})"
    return attrs.evolve(problem, message=message, where=str(source.find(path, at_key=problem.kind == "unknown")))
