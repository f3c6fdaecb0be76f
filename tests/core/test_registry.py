"""Names, their owners, and what is said of unknown ones."""

from __future__ import annotations

import functools
import sys
import types

import pytest

from inpaintkit.core.errors import PluginError
from inpaintkit.core.hookspecs import KINDS
from inpaintkit.core.registry import BUILTIN, Entry, Registry


class Net:
    """Something to register."""


@pytest.fixture
def registry() -> Registry:
    made = Registry((BUILTIN, "official"))
    made.add(Entry("loss", "l1", BUILTIN, "pathlib:Path"))
    made.add(Entry("loss", "smooth-l1", BUILTIN, "pathlib:Path"))
    made.add(Entry("generator", "net", "official", Net))
    return made


def test_targets_are_shown_and_loaded(registry: Registry) -> None:
    assert registry.get("generator", "net").load() is Net
    assert registry.get("generator", "net").target == f"{__name__}:Net"
    assert registry.get("loss", "l1").load() is __import__("pathlib").Path
    assert registry.get("loss", "l1").target == "pathlib:Path"


def test_a_partial_can_be_listed(registry: Registry) -> None:
    registry.add(Entry("generator", "partial", "other", functools.partial(Net)))
    assert "partial" in registry.get("generator", "partial").target


def test_nested_targets(registry: Registry) -> None:
    registry.add(Entry("loss", "nested", "other", "pathlib:Path.home"))
    assert registry.get("loss", "nested").load()() == __import__("pathlib").Path.home()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("l11", r"unknown loss 'l11', did you mean 'l1'\?"),
        ("smooth_l1", r"did you mean 'smooth-l1'\?"),
        ("qqqq", r"unknown loss 'qqqq'; known: l1, smooth-l1"),
        ("net", r"'net' is a generator, not a loss"),
        ("official:l1", r"unknown loss 'official:l1'"),
        ("", r"unknown loss ''"),
    ],
)
def test_unknown(registry: Registry, name: str, says: str) -> None:
    registry.notes.append("plugin 'p' is not available (it broke)")
    with pytest.raises(PluginError, match=says) as caught:
        registry.get("loss", name)
    assert str(caught.value).endswith("; plugin 'p' is not available (it broke)")


def test_unknown_where_nothing_is(registry: Registry) -> None:
    with pytest.raises(PluginError, match="unknown method 'x'; known: none"):
        registry.get("method", "x")
    with pytest.raises(PluginError, match="'l1' is a loss, not an objective"):
        registry.get("objective", "l1")
    registry.add(Entry("objective", "hinge", BUILTIN, Net))
    with pytest.raises(PluginError, match="'hinge' is an objective, not a loss"):
        registry.get("loss", "hinge")


def test_three_claims(registry: Registry) -> None:
    assert registry.add(Entry("metric", "m", "a", Net)) is None
    for plugin in ("b", "c"):
        assert registry.add(Entry("metric", "m", plugin, Net))
    with pytest.raises(PluginError, match="write 'a:m' or 'b:m' or 'c:m' to pick one"):
        registry.get("metric", "m")
    assert [registry.get("metric", f"{plugin}:m").plugin for plugin in "abc"] == ["a", "b", "c"]
    assert registry.names("metric") == ["a:m", "b:m", "c:m"]
    told = registry.add(Entry("metric", "m", BUILTIN, Net))
    assert told is not None
    assert "stays with 'inpaintkit'" in told
    assert registry.get("metric", "m").plugin == BUILTIN


def test_every_listed_name_can_be_got(registry: Registry) -> None:
    for plugin in ("a", "b"):
        registry.add(Entry("loss", "l1", plugin, Net))
        registry.add(Entry("loss", "other", plugin, Net))
    for kind in KINDS:
        assert len(registry.names(kind)) == len(registry.entries(kind))
        for name in registry.names(kind):
            assert registry.get(kind, name).kind == kind
    assert len(registry.entries()) == sum(len(registry.entries(kind)) for kind in KINDS)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("inpaintkit_nowhere:Net", "ModuleNotFoundError"),
        ("pathlib:Nothing", "AttributeError"),
        ("pathlib:Path.nothing", "AttributeError"),
        ("sys:maxsize", "neither a class nor a function"),
        ("exits_at_import:Net", "SystemExit: enough"),
    ],
)
def test_targets_that_fail(
    registry: Registry, target: str, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    (tmp_path / "exits_at_import.py").write_text("raise SystemExit('enough')")  # type: ignore[operator]
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.add(Entry("loss", "failing", "other", target))
    with pytest.raises(PluginError, match=f"'failing' of plugin 'other' cannot be imported from {target}: .*{says}"):
        registry.get("loss", "failing").load()


def test_a_target_is_imported_only_when_used(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.add(Entry("loss", "late", "other", "made_later:Net"))
    assert registry.get("loss", "late").target == "made_later:Net"
    module = types.ModuleType("made_later")
    module.Net = Net  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_later", module)
    assert registry.get("loss", "late").load() is Net
