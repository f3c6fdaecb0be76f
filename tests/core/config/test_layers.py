"""extends, profiles and --set: what comes out, and where each part of it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from inpaintkit.core.config.layers import Resolved, apply_set, merge, resolve_file
from inpaintkit.core.config.nodes import Mark, Node, dump, parse
from inpaintkit.core.errors import Problem, RecipeError


def tree(text: str, name: str = "f.yaml") -> Node:
    problems: list[Problem] = []
    node = parse(text, name, problems)
    assert not problems, problems
    assert node is not None
    return node


def find(name: str, folder: Path) -> Path:
    if not (folder / name).is_file():
        raise RecipeError([Problem(f"there is no file {name!r}")])
    return folder / name


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


def resolved(folder: Path, name: str, profile: str | None = None, sets: tuple[str, ...] = ()) -> Resolved:
    return resolve_file(folder / f"{name}.yaml", find, profile, sets)


def places(result: Resolved, folder: Path) -> list[str]:
    return [str(problem).replace(f"{folder}/", "") for problem in result.problems]


def test_a_chain_of_files_with_profiles_and_sets(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="name: base\nseed: 1\nx: {y: 1, z: 2}\nprofiles:\n  demo: {x: {y: 10}}\n  other: {seed: 9}\n",
        b="extends: a.yaml\nx: {z: 3}\nprofiles:\n  demo: {x: {w: 11}}\n",
        c="extends: b.yaml\nseed: 2\n",
    )
    result = resolved(tmp_path, "c", "demo", ("x.z=7", "seed=null"))
    assert result.problems == []
    assert result.complete
    assert result.profiles == ("demo", "other")
    assert result.root.plain() == {"x": {"y": 10, "z": 7, "w": 11}}  # the base's name is its own
    assert str(result.root.find(("x", "y"))).endswith("a.yaml:5:17")
    assert str(result.root.find(("x", "w"))).endswith("b.yaml:4:17")
    assert str(result.root.find(("x", "z"))) == "--set x.z=7"
    assert str(result.root.removal((), "seed")) == "--set seed=null"


def test_a_file_wins_over_the_profile_of_its_base(tmp_path: Path) -> None:
    write(
        tmp_path,
        base="loss: {use: l1, weight: 1}\nsteps: 100\nprofiles: {demo: {steps: 5, loss: {weight: 2}}}",
        ablation="extends: base.yaml\nloss: null\n",
        longer="extends: base.yaml\nprofiles: {demo: {steps: 7}, other: {}}\n",
    )
    assert resolved(tmp_path, "ablation", "demo").root.plain() == {"steps": 5}
    assert resolved(tmp_path, "longer", "demo").root.plain() == {"steps": 7, "loss": {"use": "l1", "weight": 2}}
    assert resolved(tmp_path, "longer").profiles == ("demo", "other")


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
        assert places(resolved(tmp_path, name), tmp_path) == [told]
    assert not resolved(tmp_path, "lost").complete
    assert resolved(tmp_path, "lost").root.plain() == {"seed": 1}
    for number in range(12):
        write(tmp_path, **{f"c{number}": f"extends: c{number + 1}.yaml"})
    write(tmp_path, c12="seed: 1")
    assert "a chain of more than 10 files" in places(resolved(tmp_path, "c0"), tmp_path)[0]


def test_files_that_hold_no_mapping(tmp_path: Path) -> None:
    write(tmp_path, empty="", comment="# nothing\n", items="- a\n", word="hello", null="---\n")
    for name in ("empty", "comment", "items", "word", "null"):
        (problem,) = resolved(tmp_path, name).problems
        assert problem.message == "expected a mapping of keys to values", name


def test_profiles_that_are_wrong(tmp_path: Path) -> None:
    text = "seed: 1\nprofiles:\n  demo: {seed: 2}\n  bad: 3\n  deep: {extends: x, seed: 4}\n"
    write(tmp_path, a=text, b="profiles: [1]")
    result = resolved(tmp_path, "a", "dmo")
    assert places(result, tmp_path) == [
        "a.yaml:4:8: profiles.bad: expected a mapping, part of a recipe",
        "a.yaml:5:10: profiles.deep.extends: 'extends' belongs at the top of a file, not in a profile",
        "a.yaml:2:1: unknown profile 'dmo', did you mean 'demo'?; known: demo, deep",
    ]
    assert "expected a mapping of names" in places(resolved(tmp_path, "b"), tmp_path)[0]


SET = """\
seed: 1
method:
  generator: dilated-fcn
  masks: {use: random-square, min: 48, max: 80}
  layers: {features.15: 1}
  stages:
    - {name: coarse, steps: 1, weights: {a: 1}}
    - {name: fine, steps: 2}
"""


@pytest.mark.parametrize(
    ("sets", "path", "value"),
    [
        (["seed=2"], ["seed"], 2),
        (["seed=1e-4"], ["seed"], 1e-4),
        (["seed='2'"], ["seed"], "2"),
        (["method.stages.fine.steps=10"], ["method", "stages", 1, "steps"], 10),
        (["method.stages[1].steps=10"], ["method", "stages", 1, "steps"], 10),
        (["method.stages.0.steps=10"], ["method", "stages", 0, "steps"], 10),
        (["method.stages.fine.weights.a={match: b}"], ["method", "stages", 1, "weights"], {"a": {"match": "b"}}),
        (["method.stages.coarse=null"], ["method", "stages"], [{"name": "fine", "steps": 2}]),
        (["method.generator.width=8"], ["method", "generator"], {"use": "dilated-fcn", "width": 8}),
        (["method.masks.use=half"], ["method", "masks"], {"use": "half"}),
        (
            ["method.masks.min=3", "method.masks.use=half", "method.masks.side=left"],
            ["method", "masks"],
            {"use": "half", "min": 3, "side": "left"},
        ),
        (["method.masks.use=random-square"], ["method", "masks", "max"], 80),
        (["method.layers.features.15=2"], ["method", "layers"], {"features.15": 2}),
        (["method.masks=null", "new.deep.key=[1, x]"], ["new"], {"deep": {"key": [1, "x"]}}),
        (["a=b=c"], ["a"], "b=c"),
    ],
)
def test_set(sets: list[str], path: list[str | int], value: Any) -> None:
    problems: list[Problem] = []
    root = tree(SET)
    for text in sets:
        root = apply_set(root, text, problems)
    assert not problems
    found = root.plain()
    for part in path:
        found = found[part]
    assert found == value
    assert tree(SET).plain()["seed"] == 1


def test_set_null_takes_out() -> None:
    root = apply_set(tree(SET), "method.masks=null", [])
    assert "masks" not in root.plain()["method"]
    assert root.removal(("method",), "masks") == Mark("--set method.masks=null")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "--set seed: expected key=value, for example data.batch=16"),
        ("=3", "--set =3: expected key=value, for example data.batch=16"),
        ("seed=[1", "--set seed=[1: not YAML"),
        ("seed=!x 1", "--set seed=!x 1: seed: tags such as !x are not allowed"),
        ("seed.x=1", "--set seed.x=1: seed: is 1, which has no 'x'"),
        (
            "method.stages.fin.steps=1",
            "--set method.stages.fin.steps=1: method.stages.fin: no item is named 'fin', did you mean 'fine'?; "
            "there are coarse, fine",
        ),
        (
            "method.stages.7.steps=1",
            "--set method.stages.7.steps=1: method.stages.7: no item is named '7'; there are coarse, fine",
        ),
        ("profiles.demo=1", "--set profiles.demo=1: 'profiles' cannot be set here"),
        (".".join("a" * 60) + "=1", "--set " + "a." * 38 + "a...: leads deeper than 50 levels"),
    ],
)
def test_set_that_is_wrong(text: str, message: str) -> None:
    problems: list[Problem] = []
    root = apply_set(tree(SET), text, problems)
    assert root.plain() == tree(SET).plain()
    assert len(problems) == 1
    assert str(problems[0]).startswith(message)
