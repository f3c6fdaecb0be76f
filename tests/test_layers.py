"""Imports point down only, and what must stay light stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import inpaintkit

PACKAGE = Path(inpaintkit.__file__).parent

# From the top to the bottom; a module may import from lower layers and from its own.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"running", "testing"},
    {"training", "evaluation", "exam", "results", "statistics", "pictures", "report", "charts", "curves", "filling",
     "jobs", "bars", "fillfiles", "check", "feed", "samples", "progress",
     "meters", "signals", "comparison", "memory"},
    {"checkpoint", "runs", "data", "cache"},
    {"recipe", "protocol", "transform", "structure", "signature", "spec", "merging", "yamltree", "plugins"},
    {"builtin", "methods"},
    {"registry", "hookspecs"},
    {"padding", "windows", "holes", "rasters", "rasterfiles", "blending"},
    {"schedule", "weights", "nn", "multigrid", "regions", "rng", "pixels", "devices", "distributed", "images",
     "prepare"},
    {"types"},
    {"errors"},
]  # fmt: skip
LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}


def imported(path: Path) -> set[str]:
    """The top-level modules of inpaintkit that a file imports, also inside functions."""
    depth = len(path.relative_to(PACKAGE).parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level == depth:
                found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
            elif node.level == 0 and (node.module or "").split(".")[0] == "inpaintkit":
                found |= set((node.module or "").split(".")[1:2])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("inpaintkit.")}
    return found & set(LEVEL)


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    module = module_of(path)
    assert module in LEVEL, f"{module} has no place among the layers"
    upward = {other for other in imported(path) if LEVEL[other] < LEVEL[module]}
    assert not upward, f"{module} imports from above: {upward}"


@pytest.mark.parametrize(
    "code",
    [
        "import inpaintkit",
        "import inpaintkit.core.plugins, inpaintkit.core.hookspecs; inpaintkit.core.plugins.installed()",
        "import inpaintkit.core.config.nodes",
        "from inpaintkit.cli import main; main(['list'], standalone_mode=False)",
        "from inpaintkit.cli import main; main(['plugins'], standalone_mode=False)",
        "from inpaintkit.cli import main; main(['--help'], standalone_mode=False)",
        "from inpaintkit.cli import main; main(['--version'], standalone_mode=False)",
    ],
)
def test_no_torch(code: str) -> None:
    check = f"{code}\nimport sys; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)


def test_public_names_resolve() -> None:
    for name in inpaintkit.__all__:
        assert getattr(inpaintkit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = inpaintkit.nonsense  # type: ignore[attr-defined]
