"""Profiles and --set: what comes out, and where each part of it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from toy_yaml import find, tree

from inpaintkit.core.config.nodes import Mark, Node
from inpaintkit.core.errors import Problem
from inpaintkit.recipe.variants import apply_set, resolve_file


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


class Resolved(NamedTuple):
    root: Node
    profiles: tuple[str, ...]
    complete: bool
    problems: list[Problem]


def resolved(folder: Path, name: str, profile: str | None = None, sets: tuple[str, ...] = ()) -> Resolved:
    problems: list[Problem] = []
    return Resolved(*resolve_file(folder / f"{name}.yaml", find, problems, profile, sets), problems)


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
        (".=3", "--set .=3: expected key=value, for example data.batch=16"),
        ("data..batch=3", "--set data..batch=3: a part of the key is empty, did you mean 'data.batch'?"),
        ("data.batch.=3", "--set data.batch.=3: a part of the key is empty, did you mean 'data.batch'?"),
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
