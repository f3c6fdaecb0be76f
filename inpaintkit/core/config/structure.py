"""Checks plain YAML values against the types of constructor options, and collects every problem; results are Specs.

Nothing is coerced: only an integer is accepted as a number with a fraction. An option that is annotated with an
interface (``Loss``) is looked up among the plugins' components; any other class takes a mapping of its constructor's
options. A class may define ``__structure__(cls, value, at, structurer)`` to read ``value`` itself: it returns its
result, calls ``structurer.structure(value, type, path)`` for parts, and reports with ``structurer.problem(message,
path)`` (``at`` is its own path) or by raising ``OptionError(message, path below at)``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import EnumMeta
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import attrs
import torch
from torch import Tensor

from ..errors import KeyPath, PluginError, Problem, ProblemKind, did_you_mean
from ..plugins import Plugins
from .checks import bare, constraints, is_union, satisfies
from .nodes import Node
from .schema import KIND_OF, MAPPINGS, SEQUENCES, SignatureError, choices, label_of, refusal, signature_of, without_text
from .spec import INVALID as INVALID, Spec as Spec, located, problems_of


class Structurer:
    """Checks plain values against types; collects what is wrong in ``problems``, with its places in ``source``."""

    def __init__(self, plugins: Plugins, source: Node | None = None, problems: Sequence[Problem] = ()) -> None:
        self.plugins = plugins
        self.source = source
        self.problems = list(problems)

    def problem(self, message: str, path: KeyPath, kind: ProblemKind = "value", key: str = "") -> Any:
        """Reports a problem with the value at ``path`` and returns INVALID."""
        self.problems.append(located(Problem(message, path, kind=kind, key=key), self.source))
        return INVALID

    def structure(self, value: Any, expected: Any, path: KeyPath = ()) -> Any:
        """``value`` as ``expected`` asks: scalars and containers as they are, components and other classes as Specs."""
        container = get_origin(expected) or expected
        if expected in (Any, object):
            return value
        if container is Annotated:
            return self._annotated(value, expected, path)
        if is_union(expected):
            return self._union(value, expected, path)
        if choices(expected):
            return self._choice(value, expected, path)
        if expected in (None, NoneType):
            return None if value is None else self._mismatch(value, expected, path)
        if container is Spec:
            found = self.structure(value, get_args(expected)[0], path)
            return attrs.evolve(found, later=True) if isinstance(found, Spec) else found
        if hasattr(expected, "__structure__"):
            return self._own(value, expected, path)
        if expected in KIND_OF:
            return self._component(value, KIND_OF[expected], path)
        if expected in (bool, int, float, str, Path):
            return self._scalar(value, expected, path)
        if expected is Tensor:
            return self._tensor(value, path)
        if container in MAPPINGS:
            return self._mapping(value, expected, path)
        if container in SEQUENCES:
            return self._sequence(value, expected, path)
        if isinstance(container, type) and container.__module__ != "builtins" and not inspect.isabstract(container):
            return self._options(value, container, "", label_of(container), path)
        return self.problem(f"has the annotation {expected!r}, which no recipe can fill", path)

    def _mismatch(self, value: Any, expected: Any, path: KeyPath) -> Any:
        return self.problem(refusal(value, expected), path, "mismatch")

    def _annotated(self, value: Any, expected: Any, path: KeyPath) -> Any:
        before = len(self.problems)
        result = self.structure(value, get_args(expected)[0], path)
        found = self.problems[before:]
        if any(problem.kind == "mismatch" and problem.path == path for problem in found):
            del self.problems[before:]  # in favour of a message that says the limits, too
            return self._mismatch(value, expected, path)
        if not found and not all(satisfies(result, limit) for limit in constraints(expected)):
            return self.problem(refusal(value, expected), path)
        return result

    def _scalar(self, value: Any, expected: Any, path: KeyPath) -> Any:
        if expected is Path and isinstance(value, str) and value:
            return Path(value).expanduser()
        if expected is float and type(value) is int:
            try:
                return float(value)
            except OverflowError:
                return self.problem("is too large", path)
        if type(value) is not expected:
            return self._mismatch(value, expected, path)
        if expected is float and not math.isfinite(value):
            return self.problem(refusal(value, expected, "a finite number"), path)
        return value

    def _choice(self, value: Any, expected: Any, path: KeyPath) -> Any:
        written = value.lower() if isinstance(expected, EnumMeta) and isinstance(value, str) else value
        for name, choice in choices(expected).items():
            if type(name) is type(written) and name == written:
                return choice
        return self._mismatch(value, expected, path)

    def _tensor(self, value: Any, path: KeyPath) -> Any:
        try:
            if isinstance(value, list | tuple | int | float) and not isinstance(value, bool):
                return torch.tensor(value, dtype=torch.float32)
        except (ValueError, TypeError):  # lists of several lengths, or not of numbers
            pass
        return self._mismatch(value, Tensor, path)

    def _mapping(self, value: Any, expected: Any, path: KeyPath) -> Any:
        if not isinstance(value, Mapping):
            return self._mismatch(value, expected, path)
        key_type, item_type = get_args(expected) or (str, Any)
        keys = choices(key_type)
        for key in value:
            if keys and key not in keys:
                self.problem(refusal(key, key_type), (*path, key), "unknown")
        return {key: self.structure(item, item_type, (*path, key)) for key, item in value.items()}

    def _sequence(self, value: Any, expected: Any, path: KeyPath) -> Any:
        args = get_args(expected) or (Any,)
        fixed = get_origin(expected) is tuple and args[-1] is not Ellipsis
        if not isinstance(value, list | tuple) or (fixed and len(value) != len(args)):
            return self._mismatch(value, expected, path)
        kinds = args if fixed else args[:1] * len(value)
        pairs = enumerate(zip(value, kinds, strict=True))
        items = [self.structure(item, kind, (*path, at)) for at, (item, kind) in pairs]
        return items if (get_origin(expected) or expected) is list else tuple(items)

    def _union(self, value: Any, expected: Any, path: KeyPath) -> Any:
        members = without_text(get_args(expected))
        trials = []
        # an integer stays one where the union has both, numbers become a tensor only where nothing else takes them
        for member in sorted(members, key=lambda member: (member is Tensor, bare(member) is not type(value))):
            trial = Structurer(self.plugins, self.source)
            result = trial.structure(value, member, path)
            if not trial.problems:
                return result
            trials.append((result, trial.problems))
        result, best = min(trials, key=lambda trial: _misfit(trial[1], path))
        if _misfit(best, path)[0]:  # of no member's type
            return self._mismatch(value, expected, path)
        self.problems += best
        return result  # what is valid in it can still be tried

    def _own(self, value: Any, expected: Any, path: KeyPath) -> Any:
        try:
            return expected.__structure__(value, path, self)
        except (ValueError, TypeError) as error:
            self.problems += problems_of(error, path, self.source)
            return INVALID

    def _component(self, value: Any, kind: str, path: KeyPath) -> Any:
        if isinstance(value, str):
            return self.component(kind, value, {}, path, path)
        if not isinstance(value, Mapping):
            return self.problem(refusal(value, Spec, f"{kind} (a name or a mapping with 'use')"), path, "mismatch")
        if "use" not in value:
            if near := get_close_matches("use", value, n=1, cutoff=0.5):
                return self.problem(f"unknown key {near[0]!r}, did you mean 'use'?", (*path, near[0]), "unknown")
            return self.problem(f"missing 'use', the name of the {kind}", path, "missing", "use")
        name, options = value["use"], {key: item for key, item in value.items() if key != "use"}
        if not isinstance(name, str):
            return self.problem(refusal(name, str, f"the name of a {kind}"), (*path, "use"))
        return self.component(kind, name, options, path, (*path, "use"))

    def component(self, kind: str, name: str, options: Mapping[str, Any], path: KeyPath, at: KeyPath) -> Any:
        """The Spec of a registered component; ``at`` is the path of its name."""
        try:
            factory = self.plugins.registry.get(kind, name).load()
        except PluginError as error:
            return self.problem(str(error), at)
        return self._options(options, factory, kind, name, path)

    def _options(self, value: Any, factory: Any, kind: str, name: str, path: KeyPath) -> Any:
        """The Spec of a component, or of any other class, whose ``kind`` is empty."""
        try:
            known = {option.name: option for option in signature_of(factory)}
        except SignatureError as error:
            return self.problem(str(error), path, "value" if isinstance(value, Mapping) else "mismatch")
        if not isinstance(value, Mapping):
            message = f"{refusal(value, factory)}: write a mapping of {', '.join(known) or 'nothing'}"
            return self.problem(message, path, "mismatch")
        options: dict[str, Any] = {}
        missing = [option.name for option in known.values() if option.required and option.name not in value]
        for key in [key for key in value if key not in known]:
            # a misspelt key that is required is one mistake, not two
            meant = get_close_matches(key, missing, n=1, cutoff=0.5)
            if meant:
                missing.remove(meant[0])
            near = f", did you mean {meant[0]!r}?" if meant else did_you_mean(key, known)
            hint = near or f"; {f'{name} takes' if kind else 'known:'} {', '.join(known) or 'none'}"
            message = f"unknown {'option' if kind else 'key'} {key!r}{hint}"
            options[key] = self.problem(message, (*path, key), "unknown")
        for key in missing:
            owner = f" of {kind} {name!r}" if kind else ""
            message = f"missing {key!r}{owner}: expected {known[key].annotation}"
            options[key] = self.problem(message, path, "missing", key)
        options |= {key: self.structure(value[key], known[key].type, (*path, key)) for key in value if key in known}
        return Spec(kind, name, factory, options, path, self.source)


def _misfit(problems: list[Problem], path: KeyPath) -> tuple[bool, int, int]:
    """How badly a member of a union fits: of another type, by its keys, by the number of problems."""
    other = any(problem.kind == "mismatch" and problem.path == path for problem in problems)
    missing = sum(problem.kind == "missing" and problem.path == path for problem in problems)
    unknown = sum(problem.kind == "unknown" and problem.path[:-1] == path for problem in problems)
    return other, missing + unknown, len(problems)
