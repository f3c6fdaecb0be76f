"""The folder of a run, its checkpoints, and the trained method that is loaded from them."""

from . import checkpoint as checkpoint
from .checkpoint import contiguous as contiguous
from .checkpoint import latest as latest
from .folder import ENVIRONMENT as ENVIRONMENT
from .folder import RECIPE as RECIPE
from .folder import REPORT as REPORT
from .folder import Run as Run
from .folder import environment as environment
from .folder import has_weights as has_weights
from .folder import latest_run as latest_run
from .folder import load as load
from .folder import new_run as new_run
from .folder import take_over as take_over
from .folder import training_needed as training_needed
