"""Finds the files of recipes and protocols, by path or by the name under which a plugin brings them."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from ..errors import Problem, RecipeError, did_you_mean
from ..plugins import Plugins, installed

Kind = Literal["recipe", "protocol"]


def bundled(kind: Kind = "recipe", plugins: Plugins | None = None) -> dict[str, Path]:
    """The recipes or protocols of inpaintkit (``classical/telea``) and of plugins (``my-plugin/small``), by name."""
    registry = (plugins or installed()).registry
    return {name: Path(registry.get(kind, name).target) for name in registry.names(kind)}


def find(kind: Kind, source: str | Path, plugins: Plugins | None = None, folder: Path = Path()) -> Path:
    """The file of a recipe or protocol: a path, relative to ``folder``, or the name of a bundled one.

    Raises:
        RecipeError: there is none; names the nearest.
    """
    plugins = plugins or installed()
    path = folder / source
    if path.is_file():
        return path
    names = bundled(kind, plugins)
    if str(source) in names:
        return names[str(source)]
    near = did_you_mean(Path(source).with_suffix("").as_posix().removeprefix("recipes/"), names)
    if Path(source).suffix in (".yaml", ".yml") or len(Path(source).parts) > 1:
        siblings = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        if beside := get_close_matches(path.name, siblings, n=1):
            near = f", did you mean {str(Path(source).parent / beside[0])!r}?"
        message = f"there is no file {str(path)!r}{near}"
    else:
        message = f"no file and no bundled {kind} is named {str(source)!r}{near or _known(names)}"
    plugin = str(source).partition("/")[0]
    broken = [report.error for report in plugins.reports if report.name == plugin and report.error]
    message += "".join(f"; plugin {plugin!r} is not available ({error})" for error in broken)
    raise RecipeError([Problem(message)])


def _known(names: dict[str, Path]) -> str:
    top = [name for name in names if "/" not in name]
    folders = sorted({f"{name.partition('/')[0]}/" for name in names if "/" in name})
    return f"; bundled: {', '.join(top)}{', and those in ' + ', '.join(folders) if folders else ''}" if names else ""
