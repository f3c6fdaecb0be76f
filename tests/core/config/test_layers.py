"""extends and merging: what comes out, and where each part of it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings, strategies as st
from toy_yaml import find, tree

from inpaintkit.core.config.layers import merge, read_chain
from inpaintkit.core.config.nodes import dump
from inpaintkit.core.errors import Problem


def laid(base: Any, over: Any) -> Any:
    """What a merge means, on plain trees."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    if "use" in over and over["use"] != base.get("use"):
        return {key: value for key, value in over.items() if value is not None or key not in base}
    result = dict(base)
    for key, value in over.items():
        if key in result and value is None:
            del result[key]
        else:
            result[key] = laid(result[key], value) if key in result else value
    return result


keys = st.sampled_from(["use", "a", "b", "c"])
overlays = st.dictionaries(
    keys,
    st.recursive(
        st.none() | st.sampled_from([1, 2, "x", "y"]) | st.lists(st.just(1), max_size=2),
        lambda inner: st.dictionaries(keys, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(max_examples=300)
@given(overlays, overlays)
def test_merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    problems: list[Problem] = []
    below, above = tree(dump(base), "base"), tree(dump(over), "over")
    merged = merge(below, above, (), problems)
    assert not problems
    assert merged.plain() == laid(base, over)
    assert below.plain() == base  # nothing is changed in place
    assert above.plain() == over

    def check(path: tuple[str, ...], value: Any) -> None:
        """Each leaf is placed in a file that says so at that path."""
        if isinstance(value, dict):
            for key in value:
                check((*path, key), value[key])
        elif path:
            place = merged.find(path)
            source = {"base": base, "over": over}[place.file]
            for part in path:
                source = source[part]
            assert source == value

    check((), merged.plain())


def test_a_changed_use_replaces_and_its_places_are_the_new_ones() -> None:
    base = tree("masks: {use: random-square, min: 48, max: 80}\nseed: 1", "base.yaml")
    over = tree("masks: {use: half, side: left}", "over.yaml")
    merged = merge(base, over, (), [])
    assert merged.plain() == {"masks": {"use": "half", "side": "left"}, "seed": 1}
    assert str(merged.find(("masks", "side"))) == "over.yaml:1:26"
    assert str(merged.find(("masks",))) == "over.yaml:1:8"
    same = merge(base, tree("masks: {use: random-square, max: 60}", "over.yaml"), (), [])
    assert same.plain()["masks"] == {"use": "random-square", "min": 48, "max": 60}
    assert str(same.find(("masks", "min"))) == "base.yaml:1:34"
    assert str(same.find(("masks", "max"))) == "over.yaml:1:34"


def test_a_null_takes_out_what_it_meets_and_leaves_a_trace() -> None:
    base = tree("a: {b: 1, c: 2}", "base")
    merged = merge(base, tree("a: {b: null, d: null}", "over"), (), [])
    assert merged.plain() == {"a": {"c": 2, "d": None}}
    assert str(merged.removal(("a",), "b")) == "over:1:5"
    assert merged.removal(("a",), "c") is None
    again = merge(merged, tree("a: {b: null}", "third"), (), [])  # what is out already stays out
    assert again.plain() == {"a": {"c": 2, "d": None}}


def test_a_mapping_reaches_named_items() -> None:
    base = tree("stages:\n  - {name: one, steps: 1}\n  - {name: two, steps: 2}\n  - {name: three, steps: 3}", "base")
    problems: list[Problem] = []
    merged = merge(base, tree("stages: {two: {steps: 5}, one: null, tow: {steps: 1}}", "over"), (), problems)
    assert merged.plain() == {"stages": [{"name": "two", "steps": 5}, {"name": "three", "steps": 3}]}
    assert str(merged.find(("stages", 0, "steps"))) == "over:1:23"
    assert str(merged.find(("stages", 0, "name"))) == "base:3:12"
    assert [str(problem) for problem in problems] == [
        "over:1:38: stages.tow: no item is named 'tow', did you mean 'two'?; there are one, two, three"
    ]
    assert merge(base, tree("stages: [{name: other}]"), (), []).plain() == {"stages": [{"name": "other"}]}


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def chain(folder: Path, name: str) -> tuple[list[Any], list[str]]:
    """The trees of the chain as plain values, and what is wrong with it."""
    problems: list[Problem] = []
    trees, complete = read_chain(folder / f"{name}.yaml", find, problems)
    assert complete == (not problems)
    return [node.plain() for node in trees], [str(problem).replace(f"{folder}/", "") for problem in problems]


def test_a_chain_begins_with_its_base(tmp_path: Path) -> None:
    write(tmp_path, a="seed: 1\nx: 2", b="extends: a.yaml\nseed: 3", c="extends: b.yaml")
    assert chain(tmp_path, "c") == ([{"seed": 1, "x": 2}, {"seed": 3}, {}], [])


def test_cycles_and_missing_bases_are_told(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="extends: b.yaml\nseed: 1",
        b="extends: a.yaml",
        own="seed: 1\nextends: own.yaml",
        lost="extends: nowhere.yaml\nseed: 1",
        number="extends: 5",
        broken="extends: bad.yaml",
        bad="a: 1\nb: [",
    )
    for name, told in {
        "a": "b.yaml:1:10: extends: extends itself: a.yaml -> b.yaml -> a.yaml",
        "own": "own.yaml:2:10: extends: extends itself: own.yaml -> own.yaml",
        "lost": "lost.yaml:1:10: extends: there is no file 'nowhere.yaml'",
        "number": "number.yaml:1:10: extends: expected a file or the name of a bundled recipe",
        "broken": "bad.yaml:2:5: not YAML: while parsing a flow node, expected the node content, "
        "but found '<stream end>'",
    }.items():
        assert chain(tmp_path, name)[1] == [told]
    assert chain(tmp_path, "lost")[0] == [{"seed": 1}]


def test_files_that_hold_no_mapping(tmp_path: Path) -> None:
    write(tmp_path, empty="", comment="# nothing\n", items="- a\n", word="hello", null="---\n")
    for name in ("empty", "comment", "items", "word", "null"):
        (problem,) = chain(tmp_path, name)[1]
        assert problem.endswith(": expected a mapping of keys to values"), name
