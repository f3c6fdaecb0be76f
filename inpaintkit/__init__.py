"""inpaintkit: train, evaluate and apply image-inpainting methods; every method is a plugin.

The public names below are imported when first used, so that ``import inpaintkit`` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "core.interfaces": (
        "Batch", "Discriminator", "Generator", "Loss", "MaskSampler", "Match", "Method", "Metric", "Objective",
        "Sample", "composite",
    ),
    "core.errors": (
        "CheckpointError", "DataError", "InpaintkitError", "NonFiniteError", "OptionError", "OptionErrors",
        "PluginError", "RecipeError",
    ),
    "core.hookspecs": ("hookimpl",),
    "training.stages": ("Adam", "Rate", "Stage"),
    "training.weights": ("Balance", "Ramp"),
    "training.adversarial": ("Adversarial",),
    "training.critic": ("Critic",),
    "recipe": ("load_recipe",),
    "training.loop": ("train",),
    "evaluation.evaluate": ("evaluate",),
    "comparison.compare": ("compare",),
    "comparison.sweep": ("sweep",),
    "runs.folder": ("load",),
    "filling.fill": ("fill",),
    "filling.folders": ("FillReport", "fill_files"),
}  # fmt: skip
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'inpaintkit' has no attribute {name!r}")
    value = getattr(import_module(f"inpaintkit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})


if TYPE_CHECKING:
    from .comparison.compare import compare as compare
    from .comparison.sweep import sweep as sweep
    from .core.errors import CheckpointError as CheckpointError
    from .core.errors import DataError as DataError
    from .core.errors import InpaintkitError as InpaintkitError
    from .core.errors import NonFiniteError as NonFiniteError
    from .core.errors import OptionError as OptionError
    from .core.errors import OptionErrors as OptionErrors
    from .core.errors import PluginError as PluginError
    from .core.errors import RecipeError as RecipeError
    from .core.hookspecs import hookimpl as hookimpl
    from .core.interfaces import Batch as Batch
    from .core.interfaces import Discriminator as Discriminator
    from .core.interfaces import Generator as Generator
    from .core.interfaces import Loss as Loss
    from .core.interfaces import MaskSampler as MaskSampler
    from .core.interfaces import Match as Match
    from .core.interfaces import Method as Method
    from .core.interfaces import Metric as Metric
    from .core.interfaces import Objective as Objective
    from .core.interfaces import Sample as Sample
    from .core.interfaces import composite as composite
    from .evaluation.evaluate import evaluate as evaluate
    from .filling.fill import fill as fill
    from .filling.folders import FillReport as FillReport
    from .filling.folders import fill_files as fill_files
    from .recipe import load_recipe as load_recipe
    from .runs.folder import load as load
    from .training.adversarial import Adversarial as Adversarial
    from .training.critic import Critic as Critic
    from .training.loop import train as train
    from .training.stages import Adam as Adam
    from .training.stages import Rate as Rate
    from .training.stages import Stage as Stage
    from .training.weights import Balance as Balance
    from .training.weights import Ramp as Ramp
