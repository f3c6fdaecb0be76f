"""A component under test, and the errors and helpers of the checks."""

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
    """A property does not hold; the message says what to fix."""


class NotApplicable(Exception):
    """The property does not apply to this component: the case is skipped with this reason."""


def require(holds: bool, message: str) -> None:
    """Raises a violation with this message unless the condition holds."""
    __tracebackhide__ = True
    if not holds:
        raise Violation(message)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Turns an exception raised inside the block into a violation that says what was being done."""
    try:
        yield
    except (Violation, NotApplicable):
        raise
    except Exception as error:
        text = str(error).strip().split("\n\n")[0]
        raise Violation(f"{what} raised {type(error).__name__}: {text}") from error


@contextmanager
def seeded(*parts: int | str) -> Iterator[None]:
    """Seeds torch's global generator from ``parts`` inside the block and restores its state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("conformance", *parts))
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits torch to one thread: small tensors are faster, and sums do not depend on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@attrs.frozen
class Component:
    """One registered component and the options for its tests.

    Attributes:
        options: written as in a recipe.
        side: the side of the test pictures, unless the component declares a ``size``.
        folder: an empty folder for files.
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
        """The class or function that is registered.

        Raises:
            Violation: the module cannot be imported.
        """
        try:
            return self.entry.load()
        except PluginError as error:
            raise Violation(str(error)) from error

    def spec(self) -> Spec[Any]:
        """The component as specified in a recipe.

        Raises:
            Violation: the options do not match the signature.
        """
        structurer = Structurer(self.plugins)
        tree = {"use": f"{self.entry.plugin}:{self.entry.name}", **as_recipe(dict(self.options))}
        spec = structurer.structure(tree, INTERFACES[self.entry.kind])
        problems = [str(problem) for problem in structurer.problems]
        require(not problems, "its options are not valid:\n" + "\n".join(problems))
        return spec  # type: ignore[no-any-return]

    def construct(self, seed: int = 0, without: Collection[str] = ()) -> Any:
        """A new instance with random weights of this seed.

        Raises:
            Violation: the constructor raises an error.
        """
        spec = self.spec()
        with seeded("build", seed):
            try:
                built = spec.build(without)
            except RecipeError as error:
                raise Violation(f"it does not build: {error}") from error
        return as_metric(built) if self.entry.kind == "metric" else built

    def build(self, seed: int = 0, without: Collection[str] = ()) -> Any:
        """Like :meth:`construct`, but skips the case on failure: the case ``builds`` reports the error."""
        try:
            return self.construct(seed, without)
        except Violation as error:
            raise NotApplicable("it does not build: see its case 'builds'") from error

    def ready(self, seed: int = 0, without: Collection[str] = ()) -> Any:
        """A new instance after its ``setup``."""
        made = self.build(seed, without)
        try:
            set_up(made, self.entry.kind)
        except Exception as error:
            raise NotApplicable("its setup() fails: see its case 'builds'") from error
        return made

    def on_meta(self) -> Any:
        """A new instance on the meta device."""
        with doing("building on the meta device"), torch.device("meta"):
            return self.build()


def as_recipe(value: Any) -> Any:
    """Options as parsed from YAML, where a path is a string."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: as_recipe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_recipe(item) for item in value]
    return value


def set_up(made: Any, kind: str) -> None:
    """Calls the component's ``setup``, as the core does before using it."""
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
    """The shape as ``(2, 3, 64, 64)``."""
    return f"({', '.join(str(side) for side in tensor.shape)})"
