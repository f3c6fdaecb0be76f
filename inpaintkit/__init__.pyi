"""The public names, for ``__init__.py`` and for type checkers."""

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
from .evaluation import evaluate as evaluate
from .filling import (
    Box as Box,
    Color as Color,
    FillOptions as FillOptions,
    FillReport as FillReport,
    fill as fill,
    fill_files as fill_files,
    fill_many as fill_many,
    fill_samples as fill_samples,
)
from .recipe import load_recipe as load_recipe
from .runs import load as load
from .runtime import Execution as Execution
from .training import (
    Adam as Adam,
    Adversarial as Adversarial,
    Balance as Balance,
    Critic as Critic,
    Ramp as Ramp,
    Rate as Rate,
    Stage as Stage,
    TrainingOptions as TrainingOptions,
    train as train,
)

__version__: str
