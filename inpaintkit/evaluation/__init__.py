"""Evaluation under a protocol: test sets, measured rows, results and their statistics."""

from .measure import (
    Tally as Tally,
    build_metrics as build_metrics,
    device_name as device_name,
    evaluate as evaluate,
    evaluate_run as evaluate_run,
    tally as tally,
)
from .pictures import (
    GAP as GAP,
    VISIBLE as VISIBLE,
    Pixels as Pixels,
    given_columns as given_columns,
    grid as grid,
    wrapped as wrapped,
)
from .protocol import Protocol as Protocol, load_protocol as load_protocol
from .results import (
    FILE as FILE,
    Example as Example,
    MetricResult as MetricResult,
    Results as Results,
    Row as Row,
    decimals as decimals,
    describe_seeds as describe_seeds,
    differences as differences,
    direction_arrow as direction_arrow,
    escaped as escaped,
    format_interval as format_interval,
    interval_from_json as interval_from_json,
    interval_to_json as interval_to_json,
    measures_from_json as measures_from_json,
    measures_to_json as measures_to_json,
    number as number,
    read_results as read_results,
    results_table as results_table,
    to_json as to_json,
)
from .statistics import Interval as Interval, holm as holm, paired_p_value as paired_p_value, ranks as ranks
from .test_set import Completion as Completion, TestSet as TestSet, completions as completions
