"""What ``conformance`` makes of a plugin: its cases, names and skips."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

import inpaintkit
from inpaintkit import OptionError
from inpaintkit.core.hookspecs import KINDS
from inpaintkit.testing import PROPERTIES, conformance
from inpaintkit.testing.component import NotApplicable

from . import (
    test_augmentations,
    test_discriminators,
    test_generators,
    test_losses,
    test_masks,
    test_methods,
    test_metrics,
    test_objectives,
    test_observers,
)
from .toys import GoodLoss, cases, cases_of, plugin_of

pytest_plugins = ("pytester",)

#: The tests of each kind's properties.
TESTS: dict[str, ModuleType] = {
    "generator": test_generators,
    "discriminator": test_discriminators,
    "loss": test_losses,
    "objective": test_objectives,
    "mask sampler": test_masks,
    "metric": test_metrics,
    "method": test_methods,
    "augmentation": test_augmentations,
    "observer": test_observers,
}


def test_every_property_is_explained() -> None:
    unexplained = [(kind, name) for kind, named in PROPERTIES.items() for name in named if not named[name].__doc__]
    assert not unexplained


def test_every_property_has_something_that_breaks_it() -> None:
    broken = {kind: {each[0] for each in module.BROKEN} for kind, module in TESTS.items()}
    assert broken == {kind: set(properties) for kind, properties in PROPERTIES.items()}
    assert list(PROPERTIES) == list(KINDS)


def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    found = cases_of("perceptual-fnc")
    assert list(found) == ["plugin/perceptual-fnc: registers"]
    with pytest.raises(AssertionError, match=r"no plugin 'perceptual-fnc' is installed, did you mean 'perceptual-fcn'"):
        found["plugin/perceptual-fnc: registers"].run(tmp_path)


def test_a_plugin_that_is_broken(tmp_path: Path) -> None:
    module = plugin_of("loss", GoodLoss)
    module.inpaintkit_api = 7  # type: ignore[attr-defined]
    found = cases_of(module, options={"tried": {}})
    assert list(found) == ["plugin/a_plugin: registers"]
    with pytest.raises(AssertionError, match=r"cannot be used: .*needs inpaintkit_api = 1"):
        found["plugin/a_plugin: registers"].run(tmp_path)


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    found = cases_of(plugin_of("loss", GoodLoss, "l1"), size=16)
    with pytest.raises(AssertionError, match="'l1' is claimed by"):
        found["plugin/a_plugin: registers"].run(tmp_path)
    found["loss/l1: gradient flows"].run(tmp_path)  # its own, not the builtin's


def test_a_component_that_cannot_be_imported(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"cannot be imported from no_such_module:Loss"):
        cases("loss", "no_such_module:Loss")["options typed"].run(tmp_path)


def test_options_and_reasons_name_components() -> None:
    with pytest.raises(OptionError) as caught:
        cases("loss", GoodLoss, options={"tired": {}}, without={"loss/tried": " ", "l2": "because"})
    messages = str(caught.value)
    assert "options names 'tired', which the plugin does not register, did you mean 'tried'?" in messages
    assert "without names 'l2', which the plugin does not register" in messages
    assert "without['loss/tried']: give the reason for skipping it" in messages
    with pytest.raises(OptionError, match="at least 16"):
        conformance("inpaintkit", size=8)


def test_without_says_why(tmp_path: Path) -> None:
    found = cases("loss", GoodLoss, without={"tried": "needs a licence"})
    assert list(found) == ["registers", "not tested"]
    with pytest.raises(NotApplicable, match="needs a licence"):
        found["not tested"].run(tmp_path)


def test_one_line_in_a_test_file(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        my_losses="""
        import torch
        from inpaintkit import Loss, hookimpl

        inpaintkit_api = 1

        @hookimpl
        def register_losses(register):
            register("good", "my_losses:Good")
            register("bad", "my_losses:Bad")

        class Good(Loss):
            "Mean distance."
            def forward(self, sample):
                return (sample.output - sample.image).abs().mean()

        class Bad(Good):
            "Fails in a line of its own."
            def forward(self, sample):
                return torch.ones(3) @ torch.ones(4)
        """,
        test_it="""
        import my_losses
        from inpaintkit.testing import conformance

        test_conformance = conformance(my_losses, size=16)
        """,
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v")
    losses = len(PROPERTIES["loss"])
    failing = losses - 3  # options typed, builds and nothing to train do not call forward
    result.assert_outcomes(passed=1 + losses + 3, failed=failing)
    result.stdout.fnmatch_lines([r"test_it.py::test_conformance?plugin/my_losses: registers? PASSED*"])
    result.stdout.fnmatch_lines([r"test_it.py::test_conformance?loss/bad: gradient flows? FAILED*"])
    result.stdout.fnmatch_lines(["*return torch.ones(3) @ torch.ones(4)*"])  # where it failed, and
    result.stdout.fnmatch_lines(["E *loss 'bad' (my_losses:Bad): forward(sample) raised RuntimeError: *"])  # what


def test_a_case_leaves_random_state_and_threads_as_they_were(tmp_path: Path) -> None:
    test = conformance(plugin_of("loss", GoodLoss), size=16)
    [mark] = test.pytestmark  # type: ignore[attr-defined]
    [case] = [each.values[0] for each in mark.args[1] if each.id == "loss/tried: gradient flows"]
    random_state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        test(case, tmp_path)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(random_state, torch.get_rng_state())


def test_pytest_is_needed_by_the_kit_alone() -> None:
    package = Path(inpaintkit.__file__).parent
    using = [path for path in package.rglob("*.py") if re.search(r"^\s*(import|from) pytest", path.read_text(), re.M)]
    assert using == [package / "testing" / "__init__.py"]
    code = "import sys; sys.modules['pytest'] = None; import inpaintkit.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'inpaintkit[testing]'" in done.stderr
