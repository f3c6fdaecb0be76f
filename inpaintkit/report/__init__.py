"""The report of a run: one HTML file with tables, charts and pictures."""

from .page import write_report as write_report
