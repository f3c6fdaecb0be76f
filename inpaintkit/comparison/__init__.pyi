from .comparison import (
    Comparison as Comparison,
    ComparisonRow as ComparisonRow,
    read_comparison as read_comparison,
)
from .files import write_comparison as write_comparison
from .mean import mean_over as mean_over
from .prepare import ComparisonOptions as ComparisonOptions
from .protocols import compare_protocols as compare_protocols
from .rows import compare as compare
from .sweeps import sweep as sweep
