"""inpaintkit: train, evaluate and apply image-inpainting methods; every method is a plugin.

The public names below are imported when first used, so that ``import inpaintkit`` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "types": (
        "Batch", "Discriminator", "Generator", "Loss", "MaskSampler", "Match", "Method", "Metric", "Objective",
        "Sample", "composite",
    ),
    "errors": (
        "CheckpointError", "DataError", "InpaintkitError", "NonFiniteError", "OptionError", "OptionErrors",
        "PluginError", "RecipeError",
    ),
    "hookspecs": ("hookimpl",),
    "schedule": ("Adam", "Rate", "Stage"),
    "weights": ("Balance", "Ramp"),
    "methods.adversarial": ("Adversarial",),
    "methods.critic": ("Critic",),
    "recipe": ("load_recipe",),
    "training": ("train",),
    "evaluation": ("evaluate",),
    "comparison.compare": ("compare",),
    "comparison.sweep": ("sweep",),
    "runs": ("load",),
    "filling": ("fill",),
    "fillfiles": ("FillReport", "fill_files"),
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
    from .errors import CheckpointError as CheckpointError
    from .errors import DataError as DataError
    from .errors import InpaintkitError as InpaintkitError
    from .errors import NonFiniteError as NonFiniteError
    from .errors import OptionError as OptionError
    from .errors import OptionErrors as OptionErrors
    from .errors import PluginError as PluginError
    from .errors import RecipeError as RecipeError
    from .evaluation import evaluate as evaluate
    from .fillfiles import FillReport as FillReport
    from .fillfiles import fill_files as fill_files
    from .filling import fill as fill
    from .hookspecs import hookimpl as hookimpl
    from .methods.adversarial import Adversarial as Adversarial
    from .methods.critic import Critic as Critic
    from .recipe import load_recipe as load_recipe
    from .runs import load as load
    from .schedule import Adam as Adam
    from .schedule import Rate as Rate
    from .schedule import Stage as Stage
    from .training import train as train
    from .types import Batch as Batch
    from .types import Discriminator as Discriminator
    from .types import Generator as Generator
    from .types import Loss as Loss
    from .types import MaskSampler as MaskSampler
    from .types import Match as Match
    from .types import Method as Method
    from .types import Metric as Metric
    from .types import Objective as Objective
    from .types import Sample as Sample
    from .types import composite as composite
    from .weights import Balance as Balance
    from .weights import Ramp as Ramp
