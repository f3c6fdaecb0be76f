"""What tests of the conformance kit share."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from inpaintkit import hookimpl
from inpaintkit.core.hookspecs import KINDS
from inpaintkit.testing import Case, conformance


@pytest.fixture
def cases() -> Callable[..., dict[str, Case]]:
    """The cases of one component, called ``tried``, by property."""

    def made(kind: str, factory: Any, **arguments: Any) -> dict[str, Case]:
        module = ModuleType("a_plugin")
        module.inpaintkit_api = 1  # type: ignore[attr-defined]

        def hook(register: Any) -> None:
            register("tried", factory)

        setattr(module, KINDS[kind], hookimpl(hook))
        [mark] = conformance(module, **{"size": 16, **arguments}).pytestmark  # type: ignore[attr-defined]
        return {each.id.partition(": ")[2]: each.values[0] for each in mark.args[1]}

    return made
