"""The report of a run: one HTML file with tables, charts and pictures."""

from .page import write_report as write_report
from .scales import Floats as Floats, Scale as Scale, label as label, ticks as ticks, value_scale as value_scale
