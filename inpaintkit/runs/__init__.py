"""The folder of a run, its checkpoints, and the trained method that is loaded from them."""

from . import checkpoint as checkpoint
from .checkpoint import contiguous as contiguous, newest as newest
from .folder import (
    ENVIRONMENT as ENVIRONMENT,
    RECIPE as RECIPE,
    REPORT as REPORT,
    Run as Run,
    adopt_weights as adopt_weights,
    environment as environment,
    has_weights as has_weights,
    initial_weights as initial_weights,
    latest_run as latest_run,
    load as load,
    new_run as new_run,
    open_run as open_run,
    ready as ready,
)
from .observers import Observers as Observers
