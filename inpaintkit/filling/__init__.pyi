from .holes import Box as Box, Color as Color
from .in_memory import fill as fill, fill_many as fill_many, fill_samples as fill_samples
from .on_disk import fill_files as fill_files
from .options import DEFAULT_METHOD as DEFAULT_METHOD, FillOptions as FillOptions
from .report import FillReport as FillReport
