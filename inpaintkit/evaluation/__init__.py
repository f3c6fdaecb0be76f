"""Evaluation under a protocol: test sets, results and their statistics."""

from .baselines import baseline_problems as baseline_problems
from .evaluator import (
    build_metrics as build_metrics,
    evaluate as evaluate,
    evaluate_completions as evaluate_completions,
    evaluate_protocols as evaluate_protocols,
    evaluate_run as evaluate_run,
    open_test_sets as open_test_sets,
    run_row as run_row,
)
from .formatting import (
    decimals as decimals,
    describe_images as describe_images,
    describe_seeds as describe_seeds,
    direction_arrow as direction_arrow,
    format_interval as format_interval,
    interval_cell as interval_cell,
    results_table as results_table,
    verdict as verdict,
)
from .pictures import input_columns as input_columns
from .protocol import Protocol as Protocol, ProtocolSource as ProtocolSource, load_protocol as load_protocol
from .results import (
    FILE as FILE,
    Conditions as Conditions,
    Example as Example,
    MetricResult as MetricResult,
    Results as Results,
    Row as Row,
    paired_differences as paired_differences,
    ranking_metric as ranking_metric,
    read_results as read_results,
    to_json as to_json,
)
from .serialization import read_json as read_json, to_tree as to_tree
from .statistics import Interval as Interval, holm as holm, paired_p_value as paired_p_value, ranks as ranks
from .testset import Completion as Completion, TestSet as TestSet, completions as completions
