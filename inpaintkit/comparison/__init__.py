"""Methods side by side under one protocol, and sweeps over an option of its masks."""

from .files import write_comparison as write_comparison
from .mean import mean_over as mean_over
from .outcome import Comparison as Comparison, ComparisonRow as ComparisonRow, read_comparison as read_comparison
from .side_by_side import compare as compare, side_by_side as side_by_side
from .sweeps import sweep as sweep
