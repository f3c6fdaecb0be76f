"""inpaintkit: train, evaluate and apply image-inpainting methods; every method is a plugin.

The public names below are imported when first used, so that ``import inpaintkit`` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "core.interfaces": (
        "AdversarialInputs", "Augmentation", "Batch", "Discriminator", "FeatureDiscriminator", "Generator", "Loss",
        "MaskSampler", "Method", "Metric", "Objective", "Observer", "Sample", "composite",
    ),
    "core.config.checks": ("checked",),
    "core.errors": (
        "CheckpointError", "DataError", "InpaintkitError", "NonFiniteError", "OptionError",
        "PluginError", "RecipeError",
    ),
    "core.hookspecs": ("Register", "RegisterCommands", "RegisterRecipes", "hookimpl"),
    "training.stages": ("Adam", "Rate", "Stage"),
    "training.weights": ("Balance", "Ramp"),
    "training.adversarial": ("Adversarial",),
    "training.terms": ("TrainingOptions",),
    "training.critic": ("Critic",),
    "recipe": ("load_recipe",),
    "training.loop": ("train",),
    "evaluation.evaluator": ("evaluate",),
    "comparison.prepare": ("ComparisonOptions",),
    "comparison.rows": ("compare",),
    "comparison.sweeps": ("sweep",),
    "runs.folder": ("load",),
    "filling.in_memory": ("fill", "fill_many", "fill_samples"),
    "runtime.execution": ("Execution",),
    "filling.on_disk": ("FillReport", "fill_files"),
    "filling.options": ("FillOptions",),
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
    from .comparison.prepare import ComparisonOptions as ComparisonOptions
    from .comparison.rows import compare as compare
    from .comparison.sweeps import sweep as sweep
    from .core.config.checks import checked as checked
    from .core.errors import (
        CheckpointError as CheckpointError,
        DataError as DataError,
        InpaintkitError as InpaintkitError,
        NonFiniteError as NonFiniteError,
        OptionError as OptionError,
        PluginError as PluginError,
        RecipeError as RecipeError,
    )
    from .core.hookspecs import (
        Register as Register,
        RegisterCommands as RegisterCommands,
        RegisterRecipes as RegisterRecipes,
        hookimpl as hookimpl,
    )
    from .core.interfaces import (
        AdversarialInputs as AdversarialInputs,
        Augmentation as Augmentation,
        Batch as Batch,
        Discriminator as Discriminator,
        FeatureDiscriminator as FeatureDiscriminator,
        Generator as Generator,
        Loss as Loss,
        MaskSampler as MaskSampler,
        Method as Method,
        Metric as Metric,
        Objective as Objective,
        Observer as Observer,
        Sample as Sample,
        composite as composite,
    )
    from .evaluation.evaluator import evaluate as evaluate
    from .filling.in_memory import fill as fill, fill_many as fill_many, fill_samples as fill_samples
    from .filling.on_disk import FillReport as FillReport, fill_files as fill_files
    from .filling.options import FillOptions as FillOptions
    from .recipe import load_recipe as load_recipe
    from .runs.folder import load as load
    from .runtime.execution import Execution as Execution
    from .training.adversarial import Adversarial as Adversarial
    from .training.critic import Critic as Critic
    from .training.loop import train as train
    from .training.stages import Adam as Adam, Rate as Rate, Stage as Stage
    from .training.terms import TrainingOptions as TrainingOptions
    from .training.weights import Balance as Balance, Ramp as Ramp
