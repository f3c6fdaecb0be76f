"""Protocol: what an evaluation fixes (pictures, masks, metrics, size, seed), read strictly from YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import attrs
from annotated_types import Ge, MinLen
from torch import Tensor

from ..core.config.bundled import find
from ..core.config.layers import merge, read_chain, without
from ..core.config.nodes import Node, raise_problems
from ..core.config.schema import SignatureError, signature_of
from ..core.config.structure import Spec, Structurer
from ..core.errors import KeyPath, OptionError, Problem
from ..core.interfaces import MaskSampler, Metric
from ..core.plugins import Plugins, installed
from ..data import Prepare, Source
from .transform import Transform, scaled

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@attrs.frozen
class Protocol:
    """What an evaluation fixes. Two numbers are comparable when the hashes of their protocols agree.

    In this order: a picture is prepared (``prepare``), the center square of its short side is taken (with
    ``prepare.rectangle`` all of it), moved (``transform``), scaled to ``size``, rounded to 8 bits; its mask is drawn
    from (``seed``, index of the picture). The method is given the masked picture; its output is put into the hole and
    rounded to 8 bits; then it is measured.

    Attributes:
        masks: the mask sampler.
        metrics: what is measured; the first one with a value per image chooses the pictures of the report.
        name: a word for folders and tables; for a file, its stem.
        description: for people.
        images: the test pictures; without them, ``data.test`` of the recipe.
        prepare: done once to every picture, before the cache.
        transform: moves the prepared picture, at its own resolution.
        size: the side at which everything is measured; without it, that of the prepared pictures.
        seed: of the masks.
        limit: at most so many pictures, spread evenly over all.
    """

    masks: Spec[MaskSampler]
    metrics: Annotated[Sequence[Spec[Metric]], MinLen(1)]
    name: str = ""
    description: str = ""
    images: Source | Sequence[Source] | None = None
    prepare: Prepare = attrs.Factory(Prepare)
    transform: Transform = attrs.Factory(Transform)
    size: Annotated[int, Ge(1)] | None = None
    seed: int = 0
    limit: Annotated[int, Ge(1)] | None = None

    def __attrs_post_init__(self) -> None:
        problems = []
        if not _NAME.fullmatch(self.name):
            fault = (
                f"{self.name!r} is no name for a protocol" if self.name else "a protocol outside a file needs a name"
            )
            problems.append(OptionError(f"{fault}: use letters, digits, '.', '-' and '_'", ("name",)))
        side = self.prepare.side
        if self.size and self.prepare.rectangle:
            fault = "only squares are scaled: leave out size, or prepare.rectangle"
            problems.append(OptionError(fault, ("size",)))
        elif side and self.size and self.size > side:
            fault = f"size ({self.size}) is larger than the prepared pictures ({side}): nothing is enlarged"
            problems.append(OptionError(fault, ("size",)))
        if side and max(map(abs, self.transform.shift)) >= side:
            problems.append(OptionError(f"a shift of {side} pixels or more leaves nothing", ("transform", "shift")))
        if problems:
            raise OptionError.join(problems)

    @classmethod
    def of(cls, tree: Mapping[str, Any], structurer: Structurer, path: KeyPath = ()) -> Protocol | None:
        """The protocol at ``path``, if it can be made; what is wrong is added to the problems of ``structurer``."""
        spec = structurer.structure(tree, cls, path)
        protocol = spec.attempt(structurer.problems) if isinstance(spec, Spec) else None
        if not isinstance(protocol, cls):
            return None
        parts: list[Spec[Any]] = [protocol.masks, *protocol.metrics]
        for part in parts:
            part.attempt(structurer.problems)  # their constructors check values, too
        return protocol

    @property
    def frame(self) -> tuple[int, int] | None:
        """The height and width at which everything is measured, where they do not depend on the pictures."""
        side = self.size or self.prepare.side
        return self.prepare.rectangle or (side and (side, side)) or None

    def view(self, pixels: Tensor) -> Tensor:
        """Prepared pixels, uint8 (B, 3, H, W) -> moved, and scaled where the protocol has a ``size``."""
        pixels = self.transform(pixels)
        return pixels if self.size is None else scaled(pixels, self.size)

    def settings(self) -> dict[str, Any]:
        """The protocol in full as plain values, defaults filled in."""
        tree = {field.name: plain(getattr(self, field.name)) for field in attrs.fields(Protocol)}
        order = ("name", "description", "images", "prepare", "transform", "size", "masks", "seed", "limit", "metrics")
        return {name: tree[name] for name in order}


ProtocolSource = Protocol | str | Path | Mapping[str, Any]


def load_protocol(
    source: ProtocolSource, plugins: Plugins | None = None, within: Node | None = None, path: KeyPath = ()
) -> Protocol:
    """A protocol, checked in full.

    Args:
        source: a YAML file, the name of a bundled protocol (``faces_center_64``), or a mapping of the same keys; a
            protocol is returned as it is.
        plugins: where components are looked up; by default what is installed.
        within: the tree of the recipe that a mapping is written in, and ``path`` its place there.

    Raises:
        RecipeError: everything that is wrong with it, with file, line and column.
    """
    if isinstance(source, Protocol):
        return source
    plugins = plugins or installed()
    if isinstance(source, Mapping):
        structurer, tree = Structurer(plugins, within), source
    else:
        file, path = find("protocol", source, plugins), ()
        problems: list[Problem] = []
        chain, complete = read_chain(file, lambda name, folder: find("protocol", name, plugins, folder), problems)
        if not complete:
            raise_problems(problems)
        root = chain[0]
        for layer in chain[1:]:
            root = merge(without(root, "name"), layer, (), problems)
        structurer, tree = Structurer(plugins, root, problems), {"name": file.stem, **root.plain()}
    protocol = Protocol.of(tree, structurer, path)
    raise_problems(structurer.problems)
    assert protocol is not None  # nothing was wrong
    return protocol


def plain(value: Any) -> Any:
    """A value of a protocol in JSON's types; components with the defaults of their options filled in.

    Of a path only the file's name stays: the same weights in another folder are the same protocol.
    """
    if isinstance(value, Spec):
        try:
            defaults = {option.name: option.default for option in signature_of(value.factory) if not option.required}
        except SignatureError:
            defaults = {}
        options = {**defaults, **value.options}
        for name in getattr(value.factory, "added", ()):
            if options[name] == defaults[name]:  # as it was before the option: its hash stays
                del options[name]
        tree = {"use": value.name} if value.kind else {}
        return tree | {name: plain(option) for name, option in sorted(options.items())}
    if attrs.has(type(value)):
        fields = {field.name: (getattr(value, field.name), field.default) for field in attrs.fields(type(value))}
        added = getattr(value, "added", ())
        return {name: plain(now) for name, (now, before) in fields.items() if name not in added or now != before}
    if isinstance(value, Path):
        return value.name
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
