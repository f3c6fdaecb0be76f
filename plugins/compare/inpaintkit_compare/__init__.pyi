"""The public names, for ``__init__.py`` and for type checkers."""

from .comparing import compare as compare
from .comparison import Comparison as Comparison, ComparisonRow as ComparisonRow, read_comparison as read_comparison
from .files import write_comparison as write_comparison
from .inputs import ComparisonOptions as ComparisonOptions
from .mean import mean_over as mean_over
from .sweep_files import write_sweep as write_sweep
from .sweeping import sweep as sweep
from .sweeps import Sweep as Sweep
