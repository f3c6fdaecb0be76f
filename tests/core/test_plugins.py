"""Broken, clashing and good plugins side by side: each is reported, none takes another down."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from inpaintkit import hookimpl
from inpaintkit.core.errors import PluginError, RecipeError
from inpaintkit.core.hookspecs import API_VERSION, KINDS
from inpaintkit.core.plugins import PluginReport, Plugins, load_plugins, official
from inpaintkit.recipe import load_recipe


def made(name: str, *hooks: Any, api: Any = API_VERSION) -> types.ModuleType:
    """A plugin module with these functions; ``api=None`` states no contract."""
    module = types.ModuleType(name)
    if api is not None:
        module.inpaintkit_api = api  # type: ignore[attr-defined]
    for hook in hooks:
        setattr(module, hook.__name__, hook)
    return module


def losses(*names: str, target: str = "somewhere:Something") -> Any:
    @hookimpl
    def register_losses(register: Any) -> None:
        for name in names:
            register(name, target)

    return register_losses


def unknown(plugins: Plugins) -> str:
    """What is said about a component that nobody has."""
    with pytest.raises(PluginError) as caught:
        plugins.registry.get("loss", "zzz-nonsense")
    return str(caught.value)


def refused(plugins: Plugins, report: PluginReport, *words: str) -> None:
    """The report says why, nothing of the plugin is left, and unknown names tell of it."""
    assert report in plugins.reports
    for word in words:
        assert word in report.error, report.error
    assert not report.provides
    assert not [entry for entry in plugins.registry.entries() if entry.plugin == report.name]
    assert report.error in unknown(plugins)
    assert repr(report.name) in unknown(plugins)


def works(plugins: Plugins) -> None:
    """The builtins and a well-made plugin that comes after."""
    assert plugins.registry.get("loss", "l1").plugin == "inpaintkit"
    good = plugins.add("good", made("good_module", losses("good-loss")))
    assert (good.error, good.warnings, good.provides) == ("", [], ["loss good-loss"])
    assert plugins.registry.get("loss", "good-loss").plugin == "good"


def test_every_kind_of_component_is_registered() -> None:
    def hook(spec: str, name: str) -> Any:
        def implementation(register: Any) -> None:
            register(name, "a:B")

        implementation.__name__ = spec
        return hookimpl(implementation)

    plugins = Plugins()
    hooks = [hook(spec, f"my-{number}") for number, spec in enumerate(KINDS.values())]
    report = plugins.add("all", made("all", *hooks))
    assert report.provides == [f"{kind} my-{number}" for number, kind in enumerate(KINDS)]
    for number, kind in enumerate(KINDS):
        assert plugins.registry.get(kind, f"my-{number}").target == "a:B"


def test_wrong_signature() -> None:
    @hookimpl
    def register_generators(register: Any, device: str) -> None:
        register("leaked", "a:B")

    plugins = Plugins()
    report = plugins.add("wrong", made("wrong", losses("fine"), register_generators))
    refused(plugins, report, "register_generators", "'device'")
    works(plugins)


def test_hook_without_its_argument() -> None:
    @hookimpl
    def register_losses() -> None: ...

    plugins = Plugins()
    refused(plugins, plugins.add("bare", made("bare", register_losses)), "register_losses", "'register'")
    works(plugins)


def test_unknown_hook() -> None:
    @hookimpl
    def register_networks(register: Any) -> None: ...

    plugins = Plugins()
    report = plugins.add("typo", made("typo", losses("fine"), register_networks))
    refused(plugins, report, "'register_networks'", "did you mean 'register_")
    works(plugins)


@pytest.mark.parametrize(("api", "said"), [(None, "does not say"), (2, "2"), (0, "0"), ("1", "'1'")])
def test_contract(api: Any, said: str) -> None:
    plugins = Plugins()
    report = plugins.add("other", made("other", losses("fine"), api=api))
    refused(plugins, report, said, f"inpaintkit_api = {API_VERSION}")
    works(plugins)


@pytest.mark.parametrize("error", [RuntimeError("no luck"), SystemExit(3), ImportError("no module named x")])
def test_hook_that_raises_leaves_nothing(error: BaseException) -> None:
    @hookimpl
    def register_methods(register: Any) -> None:  # the last hook: losses were collected already
        raise error

    plugins = Plugins()
    report = plugins.add("raising", made("raising", losses("fine"), register_methods))
    refused(plugins, report, type(error).__name__, str(error))
    works(plugins)


@pytest.mark.parametrize("name", ["Upper", "with space", "", "a_b", "a--b", "-a", "plugin:name", None, 3])
def test_bad_names_of_components(name: Any) -> None:
    plugins = Plugins()
    refused(plugins, plugins.add("bad", made("bad", losses("fine", name))), repr(name), "lower-case")


@pytest.mark.parametrize("target", ["no-colon", "a.b", "a:b:c", ":C", "a:", 3, None])
def test_bad_targets(target: Any) -> None:
    plugins = Plugins()
    refused(plugins, plugins.add("bad", made("bad", losses("fine", target=target))), repr(target), "'fine'")


def test_one_name_twice_in_one_plugin() -> None:
    plugins = Plugins()
    refused(plugins, plugins.add("twice", made("twice", losses("same", "same"))), "'same'", "twice", "'twice'")


def test_interrupt_is_not_swallowed() -> None:
    @hookimpl
    def register_losses(register: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Plugins().add("slow", made("slow", register_losses))


@pytest.mark.parametrize("taken", ["l1", "dilated-loss", "rival-loss"])
def test_taken_names(taken: str) -> None:
    """A builtin's, an official plugin's and another third party's name: both definers named, ``plugin:name`` picks."""
    owner = {"l1": "inpaintkit", "dilated-loss": next(iter(official())), "rival-loss": "rival"}[taken]
    plugins = Plugins()
    plugins.add(next(iter(official())), made("official", losses("dilated-loss", target="official:Loss")))
    plugins.add("rival", made("rival", losses("rival-loss", target="rival:Loss")))
    report = plugins.add("claims", made("claims", losses(taken, "own-loss", target="claims:Loss")))
    assert not report.error
    [warning] = report.warnings
    for word in (repr(taken), repr(owner), "'claims'", f"'claims:{taken}'"):
        assert word in warning
    registry = plugins.registry
    assert registry.get("loss", f"claims:{taken}").target == "claims:Loss"
    assert registry.get("loss", f"{owner}:{taken}").plugin == owner
    assert registry.get("loss", "own-loss").plugin == "claims"
    if owner == "rival":
        both = r"'rival' \(rival:Loss\) and 'claims' \(claims:Loss\).*'rival:rival-loss'"
        with pytest.raises(PluginError, match=both):
            registry.get("loss", taken)
        assert taken not in registry.names("loss")
    else:
        assert registry.get("loss", taken).plugin == owner
        assert {taken, f"claims:{taken}"} <= set(registry.names("loss"))


def test_official_wins_whichever_comes_first() -> None:
    plugins = Plugins()
    plugins.add("early", made("early", losses("shared", target="early:Loss")))
    report = plugins.add(next(iter(official())), made("official", losses("shared", target="official:Loss")))
    assert report.warnings
    assert plugins.registry.get("loss", "shared").target == "official:Loss"


@pytest.mark.parametrize("name", ["inpaintkit", "first"])
def test_taken_name_of_a_plugin(name: str, tmp_path: Path) -> None:
    """Nobody passes for the core or for another plugin, and nothing of the second enters, not even what is free."""
    plugins = Plugins()
    plugins.add("first", made("first_module", losses("a-loss", target="first:A")))
    before = plugins.registry.entries()
    report = plugins.add(name, made("second_module", losses("b-loss", "a-loss")))
    assert "second_module" in report.error
    assert repr(name) in report.error
    assert plugins.registry.entries() == before
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"requires: [{name}, second]\nmethod: {{use: adversarial, generator: dilated-fcn}}\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, plugins=plugins)
    told = [str(problem) for problem in caught.value.problems if problem.path[0] == "requires"]
    assert len(told) == 1  # the first of that name is there, whoever came later
    assert "'second' is not installed" in told[0]


def test_one_module_under_two_names_keeps_the_first() -> None:
    module = made("module", losses("a-loss"))
    plugins = Plugins()
    plugins.add("one", module)
    assert "another name" in plugins.add("two", module).error
    assert [entry.plugin for entry in plugins.registry.entries("loss") if entry.name == "a-loss"] == ["one"]


def test_forgotten_decorator_is_told() -> None:
    def register_losses(register: Any) -> None:
        register("lost", "a:B")

    plugins = Plugins()
    report = plugins.add("plain", made("plain", register_losses))
    assert report.warnings == ["register_losses is not called: decorate it with @hookimpl"]
    assert plugins.add("empty", made("empty")).warnings == ["it implements no hook"]


def test_entry_points_that_do_not_import() -> None:
    entries = [
        EntryPoint("gone", "inpaintkit_no_such_module", "inpaintkit"),
        EntryPoint("nowhere", "json:no_such_attribute", "inpaintkit"),
        EntryPoint("spelling", "not a module!", "inpaintkit"),
    ]
    plugins = load_plugins(entries)
    for report in plugins.reports[-3:]:
        refused(plugins, report, "Error")
    works(plugins)


# -- installed plugins: real folders on sys.path, a real process ------------------------------------------------------

API = "inpaintkit_api = 1\n"
HEAD = "from inpaintkit import hookimpl\n"
GENERATOR = "class Net: pass\n@hookimpl\ndef register_generators(register):\n    register({!r}, __name__ + ':Net')\n"
INSTALLED = {  # name: (source, what is said of it; empty where all is well)
    "raises": ("raise RuntimeError('broken on purpose')", "RuntimeError: broken on purpose"),
    "exits": ("import sys; sys.exit('bye')", "SystemExit: bye"),
    "syntax": ("def f(:", "SyntaxError"),
    "signature": (f"{API}{HEAD}@hookimpl\ndef register_losses(register, extra): pass", "'extra'"),
    "hookname": (f"{API}{HEAD}@hookimpl\ndef register_loses(register): pass", "did you mean 'register_losses'?"),
    "future": (f"inpaintkit_api = 99\n{HEAD}{GENERATOR.format('future-net')}", "it is written for 99"),
    "unversioned": (f"{HEAD}{GENERATOR.format('unversioned-net')}", "does not say which contract"),
    "claims": (f"{API}{HEAD}@hookimpl\ndef register_losses(register):\n    register('l1', 'x:Y')", "'claims:l1'"),
    "rival-a": (f"{API}{HEAD}{GENERATOR.format('shared-net')}", ""),
    "rival-b": (f"{API}{HEAD}{GENERATOR.format('shared-net')}", "'rival-a:shared-net' or 'rival-b:shared-net'"),
    "good": (f"{API}{HEAD}{GENERATOR.format('good-net')}", ""),
    "torchless": (f"{API}{HEAD}{GENERATOR.format('torchless-net')}import sys; assert 'torch' not in sys.modules", ""),
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which all of these are installed, as pip leaves them."""
    site = tmp_path_factory.mktemp("site")
    for name, (source, _) in INSTALLED.items():
        module = "plugin_" + name.replace("-", "_")
        (site / f"{module}.py").write_text(source)
        info = site / f"{module}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[inpaintkit]\n{name} = {module}\n")
    nameless = site / "nameless-0.dist-info"  # no METADATA: its version cannot be read
    nameless.mkdir()
    (nameless / "entry_points.txt").write_text("[inpaintkit]\nnameless = plugin_missing\n")
    return {**os.environ, "PYTHONPATH": str(site), "PYTHONWARNINGS": "error", "COLUMNS": "200"}


def inpaintkit(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inpaintkit", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_installed_plugins_are_all_reported(installed: dict[str, str]) -> None:
    told = inpaintkit(installed, "plugins")
    assert told.returncode == 0, told.stderr
    assert "Traceback" not in told.stderr
    blocks = {block.split()[0]: block for block in told.stdout.replace("\n  ", "\t").splitlines()}
    for name, (_, problem) in INSTALLED.items():
        block = blocks[name]
        assert "1.5" in block
        assert problem in block
        assert ("!" in block) == bool(problem), block
    for name in ("raises", "exits", "syntax", "signature", "hookname", "future", "unversioned", "nameless"):
        assert "BROKEN" in blocks[name]
    assert "generator good-net" in blocks["good"]


def test_list_tells_of_the_broken_and_lists_the_rest(installed: dict[str, str]) -> None:
    told = inpaintkit(installed, "list")
    assert told.returncode == 0
    rows = {line.split()[0]: line.split()[1] for line in told.stdout.splitlines() if line.startswith(" ")}
    assert rows["good-net"] == "good"
    assert rows["l1"] == "inpaintkit"
    assert rows["claims:l1"] == "claims"
    assert rows["rival-a:shared-net"] == "rival-a"
    assert rows["rival-b:shared-net"] == "rival-b"
    assert not {"shared-net", "future-net", "unversioned-net"} & set(rows)
    for name, (_, problem) in INSTALLED.items():
        assert (f"plugin {name!r}: " in told.stderr) == bool(problem)
        assert problem in told.stderr


def test_unknown_component_tells_of_the_broken(installed: dict[str, str], tmp_path: Path) -> None:
    """In `show` and in a recipe, where the missing component's own plugin may be the broken one."""
    told = inpaintkit(installed, "show", "future-net")
    assert told.returncode == 2
    assert "plugin 'future' is not available (it is written for 99" in told.stderr
    recipe = tmp_path / "r.yaml"
    recipe.write_text("method:\n  use: adversarial\n  generator: future-net\n")
    told = inpaintkit(installed, "check", str(recipe))
    assert told.returncode == 2
    assert "r.yaml:3:14" in told.stderr
    assert "unknown generator 'future-net'" in told.stderr
    for name, (_, problem) in INSTALLED.items():
        if name not in ("claims", "rival-b", "good", "rival-a", "torchless"):
            assert f"plugin {name!r} is not available" in told.stderr
            assert problem in told.stderr
    assert "Traceback" not in told.stderr


def test_a_component_of_a_plugin_that_is_not_installed() -> None:
    """Where no known name is near, the error says what to install; tools, which bring no components, are left out."""
    with pytest.raises(
        PluginError, match=r"; known: .*; a plugin that is not installed may have it: pip install "
    ) as said:
        load_plugins([]).registry.get("metric", "fid")
    assert set(str(said.value).partition("pip install ")[2].split()) == set(official("papers").values())
    assert not set(official("papers")) & set(official("tools"))
