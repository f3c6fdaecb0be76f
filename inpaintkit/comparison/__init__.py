"""Methods side by side: who takes part, what was found, the table and the grid; and sweeps over the hole."""

from .outcome import Comparison as Comparison
from .outcome import ComparisonRow as ComparisonRow
from .outcome import read_comparison as read_comparison
