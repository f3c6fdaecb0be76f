"""Imports point down only, and what must stay light stays light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import inpaintkit
from inpaintkit.core.hookspecs import HOOKS

PACKAGE = Path(inpaintkit.__file__).parent
ROOT = PACKAGE.parent
CORE_LINES = 2000

#: From the bottom to the top: a room imports from lower ones and from itself; rooms on one line do not know each other.
LAYERS = [
    {"core"},
    {"runtime"},
    {"data"},
    {"nn"},
    {"components", "recipe"},
    {"runs"},
    {"training", "evaluation", "filling"},
    {"report"},
    {"pipeline", "testing"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
#: Packages that are entered through their front, ``__init__``, and nowhere else.
SERVICES = {"runtime", "data", "filling", "runs", "training", "evaluation", "report"}


def imports(path: Path, package: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every name that a file imports, absolute, also inside functions: ``("inpaintkit", "core", "errors", "Problem")``.

    ``package``: that of the file, for relative imports.
    """
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            found += [(*base, *module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
    return found


def upward(path: Path, root: Path = PACKAGE) -> list[str]:
    """What a file of the package imports from its own layer or from above, other than from its own room."""
    parts = path.relative_to(root).with_suffix("").parts
    room = parts[0]
    package = ("inpaintkit", *parts[:-1])
    rooms = {name[1] for name in imports(path, package) if name[0] == "inpaintkit" and len(name) > 1}
    return sorted(other for other in rooms & set(LEVEL) - {room} if LEVEL[other] >= LEVEL[room])


def past_a_front(path: Path, root: Path = PACKAGE) -> list[str]:
    """Modules inside a service that a file of another room imports from."""
    parts = path.relative_to(root).with_suffix("").parts
    found = imports(path, ("inpaintkit", *parts[:-1]))
    return sorted(
        ".".join(name)
        for name in found
        if name[0] == "inpaintkit" and len(name) > 3 and name[1] in SERVICES and name[1] != parts[0]
    )


def behind_the_front(room: str) -> set[str]:
    """The modules of a room that its front does not hand out."""
    folder = PACKAGE / room
    fronts = [path for path in (folder / "__init__.py", folder / "__init__.pyi") if path.is_file()]
    handed_out = {name[-1] for path in fronts for name in imports(path, ("inpaintkit", room))}
    return {path.stem for path in folder.glob("*.py")} - handed_out


def is_public(name: tuple[str, ...], tool: bool = False) -> bool:
    """Whether a plugin may import this: public names, ``inpaintkit.nn``, ``.testing`` and what ``.components`` has.

    ``tool``: the plugin brings no way to fill holes. It may also import the fronts of the services, the front of
    ``inpaintkit.recipe``, and the modules of the core, which has no front.
    """
    if name[0] != "inpaintkit" or len(name) < 2:
        return True
    if any(part.startswith("_") for part in name):
        return False
    room, *rest = name[1:]
    if tool and room in {*SERVICES, "recipe"}:
        return len(rest) <= 1 and behind_the_front(room).isdisjoint(rest)
    return room in {*inpaintkit.__all__, "nn", "testing", "components", *(["core"] if tool else [])}


def is_tool(plugin: Path) -> bool:
    """Whether a plugin brings commands, losses or metrics, and nothing that draws or judges pictures."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in plugin.glob("inpaintkit_*/**/*.py")]
    defined = {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}
    hooks = defined & set(HOOKS)
    return bool(hooks) and hooks <= {"register_commands", "register_losses", "register_metrics"}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
PLUGIN_FILES = sorted(ROOT.glob("plugins/*/inpaintkit_*/**/*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_imports_go_one_way(path: Path) -> None:
    assert path.relative_to(PACKAGE).parts[0].removesuffix(".py") in LEVEL, "it has no place among the layers"
    assert not upward(path)
    assert not past_a_front(path)


def test_the_core_is_small_and_knows_nothing_of_the_rest() -> None:
    files = sorted((PACKAGE / "core").rglob("*.py"))
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= CORE_LINES
    papers = {path.name for path in ROOT.glob("plugins/*") if path.is_dir()}
    for path in files:
        assert not upward(path), named(path)
        words = set(re.findall(r"[a-z]+(?:[-_][a-z]+)+", path.read_text(encoding="utf-8")))
        assert not {word.replace("_", "-") for word in words} & papers, named(path)


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=named)
def test_plugins_use_public_names(path: Path) -> None:
    tool = is_tool(ROOT / "plugins" / path.relative_to(ROOT).parts[1])
    assert not [".".join(name) for name in imports(path) if not is_public(name, tool)]


def test_the_rules_can_be_broken(tmp_path: Path) -> None:
    """Each rule, broken on purpose, is noticed."""
    for room in ("core", "runtime", "data"):
        (tmp_path / room).mkdir()
    wrong = tmp_path / "core" / "wrong.py"
    wrong.write_text("def late():\n    from ..runtime import seed_of\n    from .errors import Problem\n")
    assert upward(wrong, tmp_path) == ["runtime"]
    wrong = tmp_path / "runtime" / "wrong.py"
    wrong.write_text("import inpaintkit.cli\nfrom .. import training\nfrom ..core.errors import Problem\n")
    assert upward(wrong, tmp_path) == ["cli", "training"]
    wrong = tmp_path / "data" / "wrong.py"
    wrong.write_text("from ..runtime import seed_of\nfrom ..runtime.seeds import generator\n")
    assert past_a_front(wrong, tmp_path) == ["inpaintkit.runtime.seeds.generator"]
    assert is_public(("inpaintkit", "Adam"))
    assert is_public(("inpaintkit", "components", "losses", "l1"))
    assert not is_public(("inpaintkit", "training", "stages", "Adam"))
    assert not is_public(("inpaintkit", "components", "_hidden"))
    assert not is_public(("inpaintkit", "core", "errors", "Problem"))
    assert not is_public(("inpaintkit", "training", "Adam"))


def test_tools_may_import_the_fronts_of_services(tmp_path: Path) -> None:
    """More than other plugins, but no module behind a front, nor what is above the services."""
    for name in ("training.Adam", "training", "recipe.Recipe", "core.errors.Problem", "core.errors", "Method"):
        assert is_public(("inpaintkit", *name.split(".")), tool=True), name
    for name in (
        "training.stages.Adam", "training.stages", "training._Hidden", "recipe.variants", "recipe.variants.x",
        "core.errors._hidden", "cli.main", "pipeline.run", "components._hidden",
    ):  # fmt: skip
        assert not is_public(("inpaintkit", *name.split(".")), tool=True), name
    module = tmp_path / "inpaintkit_new" / "hooks.py"
    module.parent.mkdir()
    module.write_text("def register_commands(register): ...\n")
    assert is_tool(tmp_path)
    (module.parent / "more.py").write_text("def register_generators(register): ...\n")
    assert not is_tool(tmp_path)
    assert {path.name for path in ROOT.glob("plugins/*") if is_tool(path)} == {"compare", "features"}


def test_files_are_short() -> None:
    long = {
        named(path): count
        for path in [*FILES, *PLUGIN_FILES]
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert not long


@pytest.mark.parametrize(
    "code",
    [
        "import inpaintkit",
        "import inpaintkit_compare, inpaintkit_compare.plugin",
        "import inpaintkit.core.plugins, inpaintkit.core.hookspecs; inpaintkit.core.plugins.installed()",
        "import inpaintkit.core.config.nodes",
        "from inpaintkit.cli import main; main(['list'], standalone_mode=False)",
        "from inpaintkit.cli import main; main(['plugins'], standalone_mode=False)",
        "from inpaintkit.cli import main; main(['--help'], standalone_mode=False)",
        "from inpaintkit.cli import main; main(['compare', '--help'], standalone_mode=False)",
        "from inpaintkit.cli import main; main(['report', '--help'], standalone_mode=False)",
        "from inpaintkit.cli import main; main(['--version'], standalone_mode=False)",
    ],
)
def test_no_torch(code: str) -> None:
    check = f"{code}\nimport sys; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)


def test_public_names_resolve() -> None:
    for name in inpaintkit.__all__:
        assert getattr(inpaintkit, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = inpaintkit.nonsense  # type: ignore[attr-defined]
