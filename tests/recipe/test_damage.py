"""A recipe with one of hundreds of mistakes, each of which is reported at its line."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from toy_recipe import RECIPE, problems_in, toy_plugins, write

from inpaintkit.core.config.nodes import Node, dump, parse
from inpaintkit.core.plugins import Plugins


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return toy_plugins()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["l1", "half"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["use", "name", "net", "steps", "match", "start", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def places_in(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    assert isinstance(node.value, dict | list)
    children: Any = node.value.items() if isinstance(node.value, dict) else enumerate(node.value)
    for key, child in children:
        if isinstance(child.value, dict | list):
            yield from places_in(child, (*path, key))
        else:
            yield (*path, key)


def root() -> Node:
    node = parse(RECIPE, "r", [])
    assert node is not None
    return node


PLACES = list(places_in(root()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), anything)
def test_any_value_anywhere_is_accepted_or_reported(
    plugins: Plugins, tmp_path: Path, place: tuple[str | int, ...], value: Any
) -> None:
    tree = inner = root().plain()
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    for message in problems_in(plugins, write(tmp_path, dump(tree)), "demo" if place[0] == "profiles" else None):
        assert message.startswith("recipe.yaml:"), message


@attrs.frozen
class Key:
    """A key of the recipe, and wrong values for it."""

    path: tuple[str | int, ...]
    wrong: Sequence[str]  # values, as they would be written
    needed: bool = False  # whether the key is required
    free: bool = False  # whether the author chooses the name, so that no name is misspelt


INTEGER = ["'7'", "1.5", "[3]", "{a: 1}", "true", "null", "many", "-3"]
NUMBER = ["'1e-4'", "[3]", "true", "null", "much", "-1", ".nan", ".inf"]
TEXT = ["3", "[x, y]", "{a: 1}", "null", "true"]
SWITCH = ["'true'", "1", "no", "off", "[true]", "null"]
COMPONENT = ["3", "[x]", "{}", "no-such-thing", "{use: no-such-thing}", "{use: 3}", "{usee: x}", "null", "true"]
USE = ["no-such-thing", "3", "[x]", "null", "{a: 1}"]
MAPPING = ["3", "word", "[a, b]", "true"]
LIST = ["3", "{a: 1}", "true", "null"]

FINE = ("method", "stages", 2)
FEATURES = ("method", "losses", "features")
IMAGE = ("method", "critics", "image")
KEYS = [
    Key(("paper",), TEXT),
    Key(("seed",), INTEGER),
    Key(("requires",), [*LIST, "[toyy]", "[perceptual-fnc]", "[3]"]),
    Key(("data",), [*MAPPING, "{}"]),
    Key(("data", "train"), ["3", "{a: 1}", "null", "true", "[3]", "{package: skimage}"], needed=True),
    Key(("data", "test"), ["3", "{a: 1}", "true", "[3]"]),
    Key(("data", "batch"), [*INTEGER, "0"], needed=True),
    Key(("data", "prepare"), [*MAPPING, "null", "{short_sied: 3}", "{crop: 0}", "{short_side: 10, crop: 20}"]),
    Key(("data", "prepare", "short_side"), [value for value in INTEGER if value != "null"]),
    Key(("data", "augment"), ["3", "null", "true", "[RandomCrap]", "[3]", "[Resize: {sise: [2, 2]}]", "[Resize]"]),
    Key(("data", "size"), [*INTEGER, "0", "[1, 2, 3]", "[1, x]"], needed=True),
    Key(("data", "validation"), [*NUMBER, "1", "1.5"]),
    Key(("data", "strict"), SWITCH),
    Key(("masks",), [value for value in COMPONENT if value != "null"]),
    Key(("masks", "use"), USE, needed=True),
    Key(("masks", "min"), [*INTEGER, "81", "0"], needed=True),
    Key(("masks", "max"), [*INTEGER, "47"], needed=True),
    Key(("method",), COMPONENT, needed=True),
    Key(("method", "use"), USE, needed=True),
    Key(("method", "generator"), COMPONENT, needed=True),
    Key(("method", "generator", "use"), USE, needed=True),
    Key(("method", "generator", "width"), [*INTEGER, "0"]),
    Key(("method", "generator", "dilated"), SWITCH),
    Key(("method", "losses"), MAPPING),
    Key(("method", "losses", "reconstruction"), COMPONENT, free=True),
    Key(("method", "losses", "reconstruction", "use"), USE, needed=True),
    Key(("method", "losses", "reconstruction", "region"), [*TEXT, "everywhere", "Hole"]),
    Key(FEATURES, COMPONENT, free=True),
    Key((*FEATURES, "backbone"), TEXT, needed=True),
    Key((*FEATURES, "layers"), ["3", "true", "null", "[3]", "{relu: x}", "word"], needed=True),
    Key((*FEATURES, "pretrained"), ["3", "[hub]", "null", "true", "{a: 1}"], needed=True),
    Key(("method", "critics"), MAPPING),
    Key(IMAGE, ["3", "word", "[a]", "null", "{net: toy-critic}"], free=True),
    Key((*IMAGE, "net"), COMPONENT, needed=True),
    Key((*IMAGE, "net", "width"), [*INTEGER, "0"]),
    Key((*IMAGE, "objective"), COMPONENT, needed=True),
    Key((*IMAGE, "objective", "smooth"), ["3", "[0.8, 1.0]", "{rael: [0, 1]}", "{real: [1.0, 0.8]}", "true"]),
    Key((*IMAGE, "objective", "smooth", "real"), ["3", "[0.8]", "[a, b]", "[0.8, 1.2]", "[1, 0.9]", "null"]),
    Key((*IMAGE, "on"), ["3", "{a: 1}", "null", "true", "[3]"]),
    Key((*IMAGE, "optimizer"), [*MAPPING, "{lr: 0}", "{beta: 1}"]),
    Key((*IMAGE, "optimizer", "lr"), [*NUMBER, "0"]),
    Key((*IMAGE, "optimizer", "betas"), ["3", "[0.5]", "[0.5, 1.0]", "[-0.1, 0.9]", "null", "[a, b]"]),
    Key(("method", "optimizer", "lr"), [*NUMBER, "0"]),
    Key(("method", "stages"), LIST),
    Key(("method", "stages", 0, "name"), TEXT, needed=True),
    Key((*FINE, "name"), ["warm"], free=True),
    Key(("method", "stages", 0, "steps"), [*INTEGER, "0", "1e5"], needed=True),
    Key(("method", "stages", 1, "weights"), [*MAPPING, "null", "{}", "{recon: 1}", "{image: 0}"], needed=True),
    Key(("method", "stages", 1, "weights", "image"), ["-1", "x", "null", "[1]", "{match: features}"], free=True),
    Key((*FINE, "steps"), [*INTEGER, "0", "0.5"], needed=True),
    Key((*FINE, "weights", "features"), ["-0.1", "x", "null", "{match: no}", "{mtach: a}", "{scale: 1}"], free=True),
    Key((*FINE, "weights", "image", "match"), [*TEXT, "image", "nothing"], needed=True),
    Key((*FINE, "weights", "image", "scale"), [*NUMBER, "0"]),
    Key((*FINE, "weights", "image", "hold"), ["'7'", "1.5", "[3]", "true", "many", "0", "1_000_000"]),
    Key((*FINE, "lr"), ["0", "-1", "x", "{start: 1}", "{strat: 1, end: 1}", "[1]", "true"]),
    Key((*FINE, "lr", "start"), [*NUMBER, "0"], needed=True),
    Key((*FINE, "lr", "power"), NUMBER),
    Key(("validate",), [*MAPPING, "null"]),
    Key(("validate", "every"), INTEGER),
    Key(("validate", "images"), [*INTEGER, "0"]),
    Key(("run",), [*MAPPING, "null"]),
    Key(("run", "device"), [*TEXT, "gpuu"]),
    Key(("run", "precision"), [*TEXT, "float16"]),
    Key(("run", "keep"), [*INTEGER, "0"]),
    Key(("run", "compile"), SWITCH),
]


@attrs.frozen
class Damage:
    """The recipe with one mistake, and the line of that mistake."""

    what: str
    text: str
    line: int
    message: str = ""  # part of the message that is expected


class Page:
    """The text of the recipe, and the edits that damage it."""

    def __init__(self) -> None:
        self.text = text = RECIPE
        self.root = root()
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, path: tuple[str | int, ...]) -> tuple[int, int, int, int, bool]:
        """Offsets of the key, the value and its end; the key's line; and whether the value is a block below it."""
        key = self.root.find(path, at_key=True)
        node = self.root
        for part in path:
            node = node.value[part]  # type: ignore[index,call-overload]
        start = self.starts[key.line - 1] + key.column - 1
        value = self.starts[node.mark.line - 1] + node.mark.column - 1
        if node.mark.line > key.line:
            line = node.mark.line
            while line < len(self.starts) - 1:
                following = self.text[self.starts[line] :].split("\n", 1)[0]
                if len(following) - len(following.lstrip()) < key.column:
                    break
                line += 1
            return start, value, self.starts[line], key.line, True
        end, depth = value, 0
        while self.text[end] != "\n" and (depth or self.text[end] not in ",}]") and self.text[end : end + 3] != "  #":
            depth += (self.text[end] in "{[") - (self.text[end] in "}]")
            end += 1
        return start, value, end, key.line, False

    def replaced(self, path: tuple[str | int, ...], value: str) -> tuple[str, int]:
        start, _, end, line, block = self.span(path)
        return f"{self.text[:start]}{path[-1]}: {value}{chr(10) * block}{self.text[end:]}", line

    def renamed(self, path: tuple[str | int, ...], name: str) -> tuple[str, int]:
        start, _, _, line, _ = self.span(path)
        return self.text[:start] + name + self.text[start + len(str(path[-1])) :], line

    def removed(self, path: tuple[str | int, ...]) -> tuple[str, int]:
        """Without the key; the line is that of the mapping around it."""
        start, _, end, _, block = self.span(path)
        parent = self.root.find(path[:-1])
        rest = self.text[end:]
        if not block and rest.startswith(", "):
            return self.text[:start] + rest[2:], parent.line
        head = self.text[:start].rstrip(" ") if block or rest.startswith("\n") else self.text[:start].rstrip(", ")
        return head + rest.removeprefix("\n") if head.endswith("\n") else head + rest, parent.line

    def doubled(self, path: tuple[str | int, ...]) -> tuple[str, int]:
        """With the key twice; the line is that of the second one."""
        start, _, end, line, block = self.span(path)
        entry = self.text[start:end]
        indent = " " * (self.root.find(path, at_key=True).column - 1)
        if block:
            return f"{self.text[:end]}{indent}{entry}{self.text[end:]}", line + entry.count("\n")
        if self.text[end] in ",}":
            return f"{self.text[:end]}, {entry}{self.text[end:]}", line
        end = self.text.index("\n", end)
        return f"{self.text[:end]}\n{indent}{entry}{self.text[end:]}", line + 1

    def extended(self, path: tuple[str | int, ...], name: str) -> tuple[str, int] | None:
        """With one more option in the mapping at ``path``; the line is that of the option."""
        _, value, _, line, block = self.span(path)
        if block:
            column = self.text[:value].rsplit("\n", 1)[1]
            return f"{self.text[:value]}{name}: 1\n{' ' * len(column)}{self.text[value:]}", line + 1
        if self.text[value] != "{":
            return None
        return f"{self.text[: value + 1]}{name}: 1, {self.text[value + 1 :]}", line


def misspelt(name: str) -> Iterator[str]:
    yield name + name[-1]
    yield name[0] * 2 + name[1:]
    if len(name) > 3:
        yield name[:-1]
        yield name[:1] + name[2:]
        if name[1] != name[2]:
            yield name[0] + name[2] + name[1] + name[3:]


def damages() -> Iterator[Damage]:
    page = Page()
    for key in KEYS:
        name = str(key.path[-1])
        for value in key.wrong:
            text, line = page.replaced(key.path, value)
            yield Damage(f"{key.path}: {value}", text, line)
        text, line = page.doubled(key.path)
        yield Damage(f"{key.path} twice", text, line, f"duplicate key {name!r}")
        if not key.free:
            for other in misspelt(name):
                text, line = page.renamed(key.path, other)
                yield Damage(f"{key.path} as {other}", text, line, f"{other!r}, did you mean {name!r}?")
        if key.needed:
            text, line = page.removed(key.path)
            yield Damage(f"{key.path} missing", text, line, f"missing {name!r}")
        if name not in ("losses", "critics", "weights", "augment", "stages") and (
            more := page.extended(key.path, "zzz_unknown")
        ):
            yield Damage(f"{key.path} with zzz_unknown", *more, message="'zzz_unknown'")


def test_the_undamaged_recipe_is_valid(plugins: Plugins, tmp_path: Path) -> None:
    assert problems_in(plugins, write(tmp_path, RECIPE)) == []
    assert len(list(damages())) >= 500


def test_each_of_500_damaged_recipes_names_its_line(plugins: Plugins, tmp_path: Path) -> None:
    wrong = []
    for damage in random.Random(0).sample(list(damages()), 500):
        messages = problems_in(plugins, write(tmp_path, damage.text))
        places = {int(message.split(":")[1]) if message.startswith("recipe.yaml:") else 0 for message in messages}
        named = any(damage.message in message for message in messages)
        if places != {damage.line} or not named or any("Error:" in message for message in messages):
            wrong.append((damage.what, damage.line, damage.message, messages))
    assert not wrong, "\n".join(map(str, wrong))
