"""Methods side by side: who takes part, what was found, the table and the grid; and sweeps over the hole."""

from .files import write_comparison as write_comparison
from .mean import mean_over as mean_over
from .outcome import Comparison as Comparison
from .outcome import ComparisonRow as ComparisonRow
from .outcome import read_comparison as read_comparison
