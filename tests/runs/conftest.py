"""Plugins with the toy components of ``toy_runs``."""

from __future__ import annotations

import pytest
from toy_runs import toy_plugins

from inpaintkit.core.plugins import Plugins


@pytest.fixture
def plugins() -> Plugins:
    return toy_plugins()
