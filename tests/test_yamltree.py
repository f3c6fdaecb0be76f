"""Reading YAML with positions; extends, profiles and --set laid over it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from inpaintkit.errors import Problem, RecipeError
from inpaintkit.merging import Resolved, apply_set, merge, resolve_file
from inpaintkit.yamltree import MAX_BYTES, Mark, Node, dump, parse, raise_problems, read, resolve


def tree(text: str, name: str = "f.yaml") -> Node:
    problems: list[Problem] = []
    node = parse(text, name, problems)
    assert not problems, problems
    assert node is not None
    return node


def wrong(text: str) -> list[str]:
    problems: list[Problem] = []
    parse(text, "f.yaml", problems)
    return [str(problem) for problem in problems]


def find(name: str, folder: Path) -> Path:
    if not (folder / name).is_file():
        raise RecipeError([Problem(f"there is no file {name!r}")])
    return folder / name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-12", -12),
        ("+3", 3),
        ("20_000", 20_000),
        ("1_0.5", 10.5),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("2.", 2.0),
        (".5", 0.5),
        ("1.5e+3", 1500.0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("off", "off"),
        ("y", "y"),
        ("_1", "_1"),
        ("1_", "1_"),
        ("1__0", "1__0"),
        ("12:30:45", "12:30:45"),
        ("2020-01-02", "2020-01-02"),
        ("0b11", "0b11"),
        ("e5", "e5"),
        ("1e", "1e"),
        (".", "."),
        ("0o8", "0o8"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)
    assert type(tree(f"key: {text}").plain()["key"]) is type(value)


def test_quotes_make_strings() -> None:
    assert tree("a: '1'\nb: \"true\"\nc: |\n  5\n").plain() == {"a": "1", "b": "true", "c": "5\n"}


def test_keys_are_text() -> None:
    assert tree("no: 1\n1: 2\nnull: 3\nfeatures.15: 4").plain() == {"no": 1, "1": 2, "null": 3, "features.15": 4}


POSITIONS = """\
# a comment
first: 1
block:
    inner: {flow: [1, 2], other: x}
    list:
      - name: a
        steps: 3
      - [7]
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), "f.yaml:2:1"),
        (("first",), "f.yaml:2:8"),
        (("block",), "f.yaml:3:1"),  # its value begins below: the key is the better place
        (("block", "inner"), "f.yaml:4:12"),
        (("block", "inner", "flow", 1), "f.yaml:4:23"),
        (("block", "inner", "other"), "f.yaml:4:34"),
        (("block", "list", 0), "f.yaml:6:9"),
        (("block", "list", 0, "steps"), "f.yaml:7:16"),
        (("block", "list", 1, 0), "f.yaml:8:10"),
        (("block", "list", 5), "f.yaml:5:5"),  # not there: its nearest parent
        (("block", "absent", "deeper"), "f.yaml:3:1"),
        (("first", "x"), "f.yaml:2:8"),
    ],
)
def test_places(path: tuple[str | int, ...], place: str) -> None:
    assert str(tree(POSITIONS).find(path)) == place


def test_a_key_can_be_the_place() -> None:
    node = tree(POSITIONS)
    assert str(node.find(("first",), at_key=True)) == "f.yaml:2:1"
    assert str(node.find(("block", "inner", "other"), at_key=True)) == "f.yaml:4:27"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: a: duplicate key 'a': first on line 1"),
        ("a:\n  b: {c: 1, c: 2}", "f.yaml:2:13: a.b.c: duplicate key 'c': first on line 2"),
        ("a: !!python/object/apply:os.system [ls]", "f.yaml:1:4: a: tags such as !!python/object/apply:os.system"),
        ("a: !mine 1", "f.yaml:1:4: a: tags such as !mine"),
        ("!!str a: 1", "f.yaml:1:1: tags are not allowed"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document"),
        ("[a, b]: 1", "f.yaml:1:1: a key must be plain text"),
        ("x: &a {b: 1}\ny: {<<: *a}", "f.yaml:2:5: y: merge keys (<<)"),
        ("a: *b", "f.yaml:1:4: alias *b stands for nothing"),
        ("a: &a [*a]", "f.yaml:1:8: alias *a stands for nothing"),
        ("a: b: c", "f.yaml:1:5: not YAML: mapping values are not allowed here"),
        ("a:\n\tb: 1", "f.yaml:2:1: not YAML: while scanning for the next token"),
        ("a: [1, 2", "f.yaml:1:9: not YAML"),
        ("a: 1\nb: \x00", "f.yaml:2:4: not YAML: the character U+0000 is not allowed"),
        ("a: " + "[" * 60, "f.yaml:1:54: nested deeper than 50 levels"),
    ],
)
def test_refused(text: str, message: str) -> None:
    (problem,) = wrong(text)
    assert problem.startswith(message)


def test_several_mistakes_of_one_text_come_together() -> None:
    found = wrong("a: 1\na: 2\nb: !x 3\nc: {d: 1, d: 2}\n---\ne: 1")
    assert [problem.split(": ")[0] for problem in found] == [
        "f.yaml:2:1",
        "f.yaml:3:4",
        "f.yaml:4:11",
        "f.yaml:5:1",
    ]


def test_alias_bombs_do_not_go_off() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (problem,) = wrong("\n".join(lines))
    assert "more than 50,000 values, aliases expanded" in problem
    nested = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60)]
    (problem,) = wrong("\n".join(nested))
    assert "nested deeper than 50 levels" in problem


def test_an_alias_is_a_copy_with_the_places_of_its_anchor() -> None:
    node = tree("a: &x {b: 1}\nc: *x\n")
    plain = node.plain()
    assert plain == {"a": {"b": 1}, "c": {"b": 1}}
    assert plain["a"] is not plain["c"]
    assert str(node.find(("c",))) == "f.yaml:2:1"
    assert str(node.find(("c", "b"))) == "f.yaml:1:11"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def told(name: str, content: bytes | None) -> str:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        problems: list[Problem] = []
        assert read(path, problems) is None
        return str(problems[0]).removeprefix(str(tmp_path))

    assert told("absent.yaml", None) == "/absent.yaml: cannot be read: No such file or directory"
    assert "larger than 256 KiB" in told("large.yaml", b"#" * (MAX_BYTES + 1))
    assert told("latin.yaml", b"a: 1\nb: \xe9\n") == "/latin.yaml:2:1: is not UTF-8 text"
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    node = read(tmp_path / "bom.yaml", [])
    assert node is not None
    assert node.plain() == {"a": 1, "b": 2}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
scalars |= st.sampled_from(["1e-4", "no", "0o17", "20_000", "~", "", "null", "<<", "1_0.0", ".inf", "#", "a: b", "- x"])
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)


@given(trees)
def test_what_is_written_is_read_back(value: Any) -> None:
    node = tree(dump({"key": value}))
    assert node.plain() == {"key": value}
    assert dump(node.plain()) == dump({"key": value})  # tells 1 from 1.0 and True


words = st.from_regex(r"[a-z]{3,8}", fullmatch=True)
simple = st.recursive(
    st.integers() | st.booleans() | words.map(lambda word: word + "x"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


@given(simple, st.booleans())
def test_reads_what_pyyaml_writes(value: Any, flow: bool) -> None:
    text = yaml.safe_dump({"key": value}, default_flow_style=flow)
    assert tree(text).plain() == {"key": value}


@settings(max_examples=300)
@given(st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`,?\n \t.0_~<\x85\u2028"), max_size=60))
def test_any_text_is_read_or_told(text: str) -> None:
    problems: list[Problem] = []
    node = parse(text, "f.yaml", problems)
    if node is None and text.strip():
        assert problems or all(line.lstrip().startswith(("#", "%")) or not line.strip() for line in text.splitlines())
    for problem in problems:
        name, line, column = problem.where.split(":")
        assert name == "f.yaml"
        assert 1 <= int(line) <= len(text.splitlines()) + 1
        assert int(column) >= 1


# Merging


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
    assert result.whole
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
    assert places(resolved(tmp_path, "a"), tmp_path) == ["b.yaml:1:10: extends: extends itself: a.yaml -> b.yaml -> a.yaml"]
    assert places(resolved(tmp_path, "own"), tmp_path) == ["own.yaml:2:10: extends: extends itself: own.yaml -> own.yaml"]
    assert places(resolved(tmp_path, "lost"), tmp_path) == ["lost.yaml:1:10: extends: there is no file 'nowhere.yaml'"]
    assert places(resolved(tmp_path, "number"), tmp_path)[0].startswith("number.yaml:1:10: extends: expected a file")
    assert places(resolved(tmp_path, "broken"), tmp_path)[0].startswith("bad.yaml:2:5: not YAML")
    assert not resolved(tmp_path, "lost").whole
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
    write(tmp_path, a="seed: 1\nprofiles:\n  demo: {seed: 2}\n  bad: 3\n  deep: {extends: x, seed: 4}\n", b="profiles: [1]")
    result = resolved(tmp_path, "a", "dmo")
    assert places(result, tmp_path) == [
        "a.yaml:4:8: profiles.bad: expected a mapping, part of a recipe",
        "a.yaml:5:10: profiles.deep.extends: 'extends' stands at the top of a file, not in a profile",
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
        ("seed.x=1", "--set seed.x=1: seed is 1, which has no 'x'"),
        (
            "method.stages.fin.steps=1",
            "--set method.stages.fin.steps=1: method.stages has no item 'fin', did you mean 'fine'?; "
            "it has the names coarse, fine",
        ),
        ("method.stages.7.steps=1", "--set method.stages.7.steps=1: method.stages has no item '7'"),
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


def test_problems_are_raised_in_the_order_of_their_places() -> None:
    mixed = [Problem("b", (), "f.yaml:10:1"), Problem("a", (), "f.yaml:9:3"), Problem("c", (), "f.yaml:9:12")]
    with pytest.raises(RecipeError) as caught:
        raise_problems([*mixed, mixed[0]])
    assert [problem.message for problem in caught.value.problems] == ["a", "c", "b"]
    raise_problems([])
