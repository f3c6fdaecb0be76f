"""Training: the loop, the adversarial method with its critics, stages and weights, and the dry run of a recipe."""

from .adversarial import Adversarial as Adversarial
from .critic import Critic as Critic
from .dry_run import check_steps as check_steps, failing_steps as failing_steps
from .loop import train as train
from .loss_weights import Balance as Balance, Ramp as Ramp
from .stages import Adam as Adam, Rate as Rate, Stage as Stage
from .terms import TrainingOptions as TrainingOptions
