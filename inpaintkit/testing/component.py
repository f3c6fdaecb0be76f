"""A component under test, and how a property says that it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from ..components.torch_metric import as_metric
from ..core.config.structure import Spec, Structurer
from ..core.errors import PluginError, RecipeError
from ..core.interfaces import INTERFACES, Method
from ..core.plugins import Plugins
from ..core.registry import Entry
from ..runtime import seed_of


class Violation(AssertionError):
    """A property that does not hold; the message says what to mend."""


class NotApplicable(Exception):
    """A property that this component need not have: the case is skipped, with the reason."""


def require(holds: bool, message: str) -> None:
    __tracebackhide__ = True
    if not holds:
        raise Violation(message)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Whatever a component raises inside becomes a violation that says what was being done."""
    try:
        yield
    except (Violation, NotApplicable):
        raise
    except Exception as error:
        text = str(error).strip().split("\n\n")[0]
        raise Violation(f"{what} raised {type(error).__name__}: {text}") from error


@contextmanager
def seeded(*parts: int | str) -> Iterator[None]:
    """torch's global generator starts from a seed of ``parts`` inside, and is what it was again after."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("conformance", *parts))
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Small tensors are faster on one thread, and sums of floats do not depend on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@attrs.frozen
class Component:
    """One registered component, with the options it is tested with.

    Attributes:
        options: as a recipe would give them.
        side: of the pictures shown to a component that declares none.
        folder: an empty one, for files.
    """

    entry: Entry
    plugins: Plugins
    options: Mapping[str, Any]
    side: int
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.entry.kind} {self.entry.name!r} ({self.entry.target})"

    @property
    def factory(self) -> Callable[..., Any]:
        """The class.

        Raises:
            Violation: its module cannot be imported.
        """
        try:
            return self.entry.load()
        except PluginError as error:
            raise Violation(str(error)) from error

    def spec(self) -> Spec[Any]:
        """The component as a recipe would specify it.

        Raises:
            Violation: the options are not what its signature asks for.
        """
        structurer = Structurer(self.plugins)
        tree = {"use": f"{self.entry.plugin}:{self.entry.name}", **as_recipe(dict(self.options))}
        spec = structurer.structure(tree, INTERFACES[self.entry.kind])
        problems = [str(problem) for problem in structurer.located()]
        require(not problems, "it refuses its options:\n" + "\n".join(problems))
        return spec  # type: ignore[no-any-return]

    def construct(self, seed: int = 0, without: Collection[str] = ()) -> Any:
        """A new instance, its random weights drawn from ``seed``.

        Raises:
            Violation: the constructor refuses.
        """
        spec = self.spec()
        with seeded("build", seed):
            try:
                built = spec.build(without)
            except RecipeError as error:
                raise Violation(f"it does not build: {error}") from error
        return as_metric(built) if self.entry.kind == "metric" else built

    def build(self, seed: int = 0, without: Collection[str] = ()) -> Any:
        """Like ``construct``, for the cases after ``builds``, which tells what is wrong."""
        try:
            return self.construct(seed, without)
        except Violation as error:
            raise NotApplicable("it does not build: see its case 'builds'") from error

    def ready(self, seed: int = 0, without: Collection[str] = ()) -> Any:
        """A new instance with whatever its ``setup`` reads."""
        made = self.build(seed, without)
        try:
            set_up(made, self.entry.kind)
        except Exception as error:
            raise NotApplicable("its setup() fails: see its case 'builds'") from error
        return made

    def on_meta(self) -> Any:
        """A new instance without memory."""
        with doing("building on the meta device"), torch.device("meta"):
            return self.build()


def as_recipe(value: Any) -> Any:
    """Options as YAML would have them: a path is a string there."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: as_recipe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_recipe(item) for item in value]
    return value


def set_up(made: Any, kind: str) -> None:
    """Lets a component read what it needs, as the core does before it uses it."""
    if kind == "metric":
        if callable(setup := getattr(made, "setup", None)):
            setup(torch.device("cpu"))
    elif isinstance(made, Method):
        made.setup()
    elif isinstance(made, nn.Module):
        for module in made.modules():
            if callable(setup := getattr(module, "setup", None)):
                setup()


Check = Callable[[Component], None]


def shape(tensor: Tensor) -> str:
    return f"({', '.join(str(side) for side in tensor.shape)})"


def few(names: Collection[str], count: int = 8) -> str:
    """Some of many names."""
    listed = list(names)
    return ", ".join(listed[:count]) + (f" and {len(listed) - count} more" if len(listed) > count else "")
