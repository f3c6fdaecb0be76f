"""Reading YAML, with the place of every value."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st
from toy_yaml import tree

from inpaintkit.core.config.nodes import MAX_BYTES, MAX_NODES, dump, parse, raise_problems, read, resolve
from inpaintkit.core.errors import Problem, RecipeError


def wrong(text: str) -> list[str]:
    problems: list[Problem] = []
    parse(text, "f.yaml", problems)
    return [str(problem) for problem in problems]


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
        ("!!str a: 1", "f.yaml:1:1: tags such as !!str are not allowed"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document"),
        ("[a, b]: 1", "f.yaml:1:1: a key must be plain text"),
        ("x: {b: 1}\ny: {<<: {b: 1}}", "f.yaml:2:5: y: merge keys (<<)"),
        ("a: *b", "f.yaml:1:4: anchors and aliases (*b) are not allowed: write the value out"),
        ("a: &x [1]", "f.yaml:1:4: anchors and aliases (&x) are not allowed"),
        ("&x a: [1]", "f.yaml:1:1: anchors and aliases (&x) are not allowed"),
        ("a: ! 5", "f.yaml:1:4: a: tags such as ! are not allowed"),
        ("a: !!str 5", "f.yaml:1:4: a: tags such as !!str are not allowed"),
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
    assert problem.startswith("f.yaml:1:5: anchors and aliases (&a0) are not allowed")


def test_as_many_values_as_allowed_and_no_more() -> None:
    assert len(tree(f"[{'x,' * (MAX_NODES - 1)}]").plain()) == MAX_NODES - 1
    (problem,) = wrong(f"[{'x,' * MAX_NODES}]")
    assert problem == f"f.yaml:1:{2 * MAX_NODES}: more than 50,000 values"


def test_a_file_that_has_not_changed_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    opening = Path.open

    def counted(path: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(path.name)
        return opening(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", counted)
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_bytes(b"a: 1")
    bad.write_bytes(b"a: 1\na: 2")
    opened.clear()
    for _ in range(2):
        problems: list[Problem] = []
        assert read(good, problems) is read(good, problems)
        assert not problems
        read(bad, problems)
        assert [problem.where for problem in problems] == [f"{bad}:2:1"]
    assert opened == ["good.yaml", "bad.yaml"]
    good.write_text("a: 12")
    changed = read(good, [])
    assert changed is not None
    assert changed.plain() == {"a": 12}


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


def test_problems_are_raised_in_the_order_of_their_places() -> None:
    mixed = [Problem("b", (), "f.yaml:10:1"), Problem("a", (), "f.yaml:9:3"), Problem("c", (), "f.yaml:9:12")]
    with pytest.raises(RecipeError) as caught:
        raise_problems([*mixed, mixed[0]])
    assert [problem.message for problem in caught.value.problems] == ["a", "c", "b"]
    raise_problems([])


def test_reading_yaml_imports_no_torch() -> None:
    code = "import inpaintkit.core.config.nodes, inpaintkit.core.config.layers, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_key_that_is_no_key_is_reported_once() -> None:
    problems: list[Problem] = []
    tree = parse("a: 1\n? [b, c]\n: 3\n<<: {d: 4}\na: 5\n", "keys.yaml", problems)
    assert tree is not None
    assert tree.plain() == {"a": 1}
    assert [problem.message.split(":")[0] for problem in problems] == [
        "a key must be plain text",
        "merge keys (<<) are not part of YAML 1.2",
        "duplicate key 'a'",
    ]
