"""Plain trees -> checked specifications of components (see ``spec``); strictly, every problem at once.

Nothing is coerced: only an integer is accepted as a number with a fraction. An option that is annotated with an
interface (``Loss``) is looked up among the plugins' components; any other class takes a mapping of its constructor's
options. A class may define ``__structure__(cls, value, at, structurer)`` to read ``value`` itself: it returns its
result, calls ``structurer.structure(value, type, path)`` for parts, and reports with ``structurer.problem(message,
path)`` (``at`` is its own path) or by raising ``OptionError(message, path below at)``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from difflib import get_close_matches
from enum import EnumMeta
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, get_args, get_origin

import attrs
import torch
from torch import Tensor

from ..errors import Path, PluginError, Problem, did_you_mean, short_repr
from ..plugins import Plugins
from .checks import bare, constraints, is_union, satisfies
from .nodes import Node
from .schema import KIND_OF, MAPPINGS, SEQUENCES, SignatureError, describe, label_of, signature_of, without_text
from .spec import INVALID as INVALID, Spec as Spec, located, problems_of


class Structurer:
    """Checks plain values against types; collects what is wrong in ``problems``."""

    def __init__(self, plugins: Plugins, source: Node | None = None) -> None:
        self.plugins = plugins
        self.source = source
        self.problems: list[Problem] = []

    def problem(self, message: str, path: Path, kind: Literal["value", "mismatch", "unknown"] = "value") -> Any:
        """Reports a problem with the value at ``path`` and returns INVALID."""
        self.problems.append(Problem(message, path, kind=kind))
        return INVALID

    def located(self) -> list[Problem]:
        """The problems found so far, with their places."""
        return [located(problem, self.source) for problem in self.problems]

    def structure(self, value: Any, expected: Any, path: Path = ()) -> Any:
        """``value`` as ``expected`` asks: scalars and containers as they are, components and other classes as Specs."""
        origin, args = get_origin(expected), get_args(expected)
        if expected in (Any, object):
            return value
        if origin is Annotated:
            return self._annotated(value, expected, path)
        if is_union(expected):
            return self._union(value, expected, path)
        if origin is Literal:
            return self._literal(value, expected, path)
        if expected is None or expected is type(None):
            return None if value is None else self._mismatch(value, expected, path)
        if origin is Spec or expected is Spec:
            found = self.structure(value, args[0], path)
            return attrs.evolve(found, later=True) if isinstance(found, Spec) else found
        if hasattr(expected, "__structure__"):
            return self._own(value, expected, path)
        if expected in KIND_OF:
            return self._component(value, KIND_OF[expected], path)
        if expected in (bool, int, float, str, FilePath):
            return self._scalar(value, expected, path)
        if expected is Tensor:
            return self._tensor(value, path)
        if isinstance(expected, EnumMeta):
            return self._member(value, expected, path)
        container = origin or expected
        if container in MAPPINGS:
            return self._mapping(value, expected, path)
        if container in SEQUENCES:
            return self._sequence(value, expected, path)
        if isinstance(container, type) and container.__module__ != "builtins" and not inspect.isabstract(container):
            return self._class(value, container, path)
        return self.problem(f"has the annotation {expected!r}, which no recipe can fill", path)

    def _mismatch(self, value: Any, expected: Any, path: Path, hint: str = "") -> Any:
        return self.problem(f"expected {describe(expected)}, not {short_repr(value)}{hint}", path, "mismatch")

    def _annotated(self, value: Any, expected: Any, path: Path) -> Any:
        before = len(self.problems)
        result = self.structure(value, get_args(expected)[0], path)
        for at, problem in enumerate(self.problems[before:], before):
            if problem.kind == "mismatch" and problem.path == path:  # say the limits, too
                inner = describe(get_args(expected)[0])
                message = problem.message.replace(f"expected {inner}", f"expected {describe(expected)}", 1)
                self.problems[at] = attrs.evolve(problem, message=message)
        if len(self.problems) == before and not all(satisfies(result, limit) for limit in constraints(expected)):
            return self.problem(f"expected {describe(expected)}, not {short_repr(value)}", path)
        return result

    def _scalar(self, value: Any, expected: Any, path: Path) -> Any:
        if expected is FilePath:
            if isinstance(value, str) and value:
                return FilePath(value).expanduser()
            return self._mismatch(value, expected, path)
        if expected is float and type(value) is int:
            try:
                return float(value)
            except OverflowError:
                return self.problem("is too large", path)
        if type(value) is not expected:
            return self._mismatch(value, expected, path, _hint(value, expected))
        if expected is float and not math.isfinite(value):
            return self.problem(f"expected a finite number, not {short_repr(value)}", path)
        return value

    def _literal(self, value: Any, expected: Any, path: Path) -> Any:
        if any(type(choice) is type(value) and choice == value for choice in get_args(expected)):
            return value
        return self._mismatch(value, expected, path, did_you_mean(value, _choices(expected)))

    def _member(self, value: Any, expected: EnumMeta, path: Path) -> Any:
        for name in expected.__members__:
            if isinstance(value, str) and value.lower() == name.lower():
                return expected.__members__[name]
        return self._mismatch(value, expected, path, did_you_mean(value, _choices(expected)))

    def _tensor(self, value: Any, path: Path) -> Any:
        try:
            if isinstance(value, list | tuple | int | float) and not isinstance(value, bool):
                return torch.tensor(value, dtype=torch.float32)
        except (ValueError, TypeError):  # lists of several lengths, or not of numbers
            pass
        return self._mismatch(value, Tensor, path)

    def _mapping(self, value: Any, expected: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self._mismatch(value, expected, path)
        key_type, item_type = get_args(expected) or (str, Any)
        result = {}
        for key, item in value.items():
            before = len(self.problems)
            self.structure(key, key_type, (*path, key))
            self.problems[before:] = [attrs.evolve(problem, kind="unknown") for problem in self.problems[before:]]
            result[key] = self.structure(item, item_type, (*path, key))
        return result

    def _sequence(self, value: Any, expected: Any, path: Path) -> Any:
        if not isinstance(value, list | tuple):
            return self._mismatch(value, expected, path)
        args = get_args(expected)
        fixed = (get_origin(expected) or expected) is tuple and bool(args) and args[-1] is not Ellipsis
        if fixed and len(value) != len(args):
            return self._mismatch(value, expected, path)
        kinds = args if fixed else [args[0] if args else Any] * len(value)
        pairs = enumerate(zip(value, kinds, strict=True))
        items = [self.structure(item, kind, (*path, at)) for at, (item, kind) in pairs]
        return items if (get_origin(expected) or expected) is list else tuple(items)

    def _union(self, value: Any, expected: Any, path: Path) -> Any:
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
            near = [choice for member in map(bare, members) for choice in _choices(member)]
            return self._mismatch(value, expected, path, did_you_mean(value, near) if isinstance(value, str) else "")
        self.problems += best
        return result  # what is valid in it can still be tried

    def _own(self, value: Any, expected: Any, path: Path) -> Any:
        try:
            return expected.__structure__(value, path, self)
        except (ValueError, TypeError) as error:
            self.problems += problems_of(error, path)
            return INVALID

    def _component(self, value: Any, kind: str, path: Path) -> Any:
        if isinstance(value, str):
            name, options, at = value, {}, path
        elif isinstance(value, Mapping):
            if "use" not in value:
                near = get_close_matches("use", value, n=1, cutoff=0.5)
                if near:
                    return self.problem(f"unknown key {near[0]!r}, did you mean 'use'?", (*path, near[0]), "unknown")
                self.problems.append(Problem(f"missing 'use', the name of the {kind}", path, kind="missing", key="use"))
                return INVALID
            name, at = value["use"], (*path, "use")
            options = {key: item for key, item in value.items() if key != "use"}
            if not isinstance(name, str):
                return self.problem(f"expected the name of a {kind}, not {short_repr(name)}{_hint(name, str)}", at)
        else:
            message = f"expected {kind} (a name or a mapping with 'use'), not {short_repr(value)}"
            return self.problem(message, path, "mismatch")
        return self.component(kind, name, options, path, at)

    def component(self, kind: str, name: str, options: Mapping[str, Any], path: Path, at: Path) -> Any:
        """The Spec of a registered component; ``at`` is the path of its name."""
        try:
            factory = self.plugins.registry.get(kind, name).load()
        except PluginError as error:
            return self.problem(str(error), at)
        return self._options(options, factory, kind, name, path)

    def _class(self, value: Any, factory: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self._mismatch(value, factory, path, f": write a mapping of {_names(factory)}")
        return self._options(value, factory, "", label_of(factory), path)

    def _options(self, value: Mapping[str, Any], factory: Any, kind: str, name: str, path: Path) -> Any:
        try:
            known = {option.name: option for option in signature_of(factory)}
        except SignatureError as error:
            return self.problem(str(error), path)
        before = len(self.problems)
        missing = [option.name for option in known.values() if option.required and option.name not in value]
        for key in value:
            if key in known:
                continue
            # a misspelt key that is required is one mistake, not two
            meant = get_close_matches(key, missing, n=1, cutoff=0.5)
            if meant:
                missing.remove(meant[0])
            near = f", did you mean {meant[0]!r}?" if meant else did_you_mean(key, known)
            hint = near or f"; {f'{name} takes' if kind else 'known:'} {', '.join(known) or 'none'}"
            self.problem(f"unknown {'option' if kind else 'key'} {key!r}{hint}", (*path, key), "unknown")
        for key in missing:
            owner = f" of {kind} {name!r}" if kind else ""
            message = f"missing {key!r}{owner}: expected {known[key].annotation}"
            self.problems.append(Problem(message, path, kind="missing", key=key))
        valid = len(self.problems) == before
        options = {
            key: self.structure(item, known[key].type, (*path, key)) for key, item in value.items() if key in known
        }
        return Spec(kind, name, factory, options, path, self.source, valid)


def _misfit(problems: list[Problem], path: Path) -> tuple[bool, int, int]:
    """How badly a member of a union fits: of another type, by its keys, by the number of problems."""
    other = any(problem.kind == "mismatch" and problem.path == path for problem in problems)
    missing = sum(problem.kind == "missing" and problem.path == path for problem in problems)
    unknown = sum(problem.kind == "unknown" and problem.path[:-1] == path for problem in problems)
    return other, missing + unknown, len(problems)


def _choices(expected: Any) -> list[str]:
    if isinstance(expected, EnumMeta):
        return [name.lower() for name in expected.__members__]
    return [each for each in get_args(expected) if isinstance(each, str)] if get_origin(expected) is Literal else []


def _names(factory: Any) -> str:
    try:
        return ", ".join(option.name for option in signature_of(factory)) or "nothing"
    except SignatureError:
        return "its options"


def _hint(value: Any, expected: Any) -> str:
    if expected is str and isinstance(value, bool | int | float):
        return " (quote it)"
    if expected in (int, float) and isinstance(value, str) and _number(value):
        return " (without the quotes)"
    if expected is int and isinstance(value, float) and value == int(value if math.isfinite(value) else 0):
        return f" (write {int(value)})"
    if expected is bool and value in ("true", "false"):
        return " (without the quotes)"
    if expected is bool and str(value).lower() in ("yes", "on", "y", "1"):
        return " (write true)"
    if expected is bool and str(value).lower() in ("no", "off", "n", "0"):
        return " (write false)"
    return ""


def _number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
