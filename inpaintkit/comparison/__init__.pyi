from .comparison import (
    Comparison as Comparison,
    ComparisonRow as ComparisonRow,
    read_comparison as read_comparison,
)
from .driver import compare_protocols as compare_protocols
from .files import write_comparison as write_comparison
from .inputs import ComparisonOptions as ComparisonOptions
from .mean import mean_over as mean_over
from .rows import compare as compare
from .sweeps import sweep as sweep
