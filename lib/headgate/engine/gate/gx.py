"""The door to GX's engine: the conditions of its row expectations, and its own validation of a frame.

This module imports GX's internal API. Its version is pinned and tested by tests/engine/test_gx_authority.py.
The import takes seconds, so a frame is only opened if GX is needed.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.errors import SuiteError
from headgate.suites.expectation import QUERY, Expectation
from headgate.suites.quality import MOST_EXAMPLES

_JUDGE_NULLS = ("column_values.null", "column_values.nonnull")  # all others ignore nulls
_COUNTS = {"result_format": {"result_format": "BOOLEAN_ONLY"}}
_SHOWN = {"result_format": {"result_format": "BASIC", "partial_unexpected_count": MOST_EXAMPLES}}
_ROWS_SHOWN = {"result_format": {"result_format": "COMPLETE"}}  # of a query: GX takes 200 rows at most


@dataclass(frozen=True)
class Condition:
    """A row expectation as GX judges it: the rows that count, and of them those that fail. Neither is ever null."""

    judged: Column
    failing: Column


@dataclass(frozen=True)
class GxResult:
    """The result of an expectation in GX's format: success, result document, and examples of failing values."""

    success: bool
    result: dict[str, Any]
    examples: list[Any]


def import_gx() -> None:
    """Imports GX: some ten seconds of work, which whoever needs it next then has not to wait for.

    Where another thread is at it, waits until it is done: a part of GX that is there already knows no metric yet.
    """
    import great_expectations  # noqa: F401


class GxFrame:
    """A frame in GX's Spark engine. GX does not persist it: the caller stages a frame before validation."""

    def __init__(self, frame: DataFrame) -> None:
        import_gx()
        from great_expectations.execution_engine import SparkDFExecutionEngine

        logging.getLogger("great_expectations").setLevel(logging.ERROR)  # its warnings hold values of records
        self._engine = SparkDFExecutionEngine(persist=False, spark=frame.sparkSession)
        self._engine.load_batch_data("rows", frame)

    def conditions(self, expectations: Sequence[Expectation]) -> list[Condition]:
        """The conditions of row expectations, in their order. Raises SuiteError if GX refuses an expectation."""
        from great_expectations.expectations.registry import get_metric_kwargs
        from great_expectations.validator.metric_configuration import MetricConfiguration

        requested = [_as_gx(expectation) for expectation in expectations]
        metrics = []
        for item in requested:
            name = f"{item.map_metric}.condition"
            kwargs = get_metric_kwargs(name, configuration=item.configuration)
            metrics.append(MetricConfiguration(name, kwargs["metric_domain_kwargs"], kwargs["metric_value_kwargs"]))
        resolved = self._resolved([(expectation, [m]) for expectation, m in zip(expectations, metrics, strict=True)])
        return [
            self._condition(item, metric, resolved[metric.id]) for item, metric in zip(requested, metrics, strict=True)
        ]

    def _condition(
        self, gx_expectation: Any, metric: Any, parts: tuple[Column, dict[str, Any], dict[str, Any]]
    ) -> Condition:
        failing, _, columns = parts
        guards = [self._row_condition(gx_expectation), _has_value(gx_expectation, columns)]
        guards.append(_not_ignored(metric.metric_domain_kwargs.get("ignore_row_if"), columns))
        judged = _all([guard for guard in guards if guard is not None])
        return Condition(judged, judged & F.coalesce(failing, F.lit(False)))

    def validate(self, expectations: Sequence[Expectation]) -> list[GxResult]:
        """What GX's validation finds of each, in their order: the aggregates of all run together.

        Raises SuiteError if GX cannot evaluate an expectation.
        """
        requested = [_as_gx(expectation) for expectation in expectations]
        needed = [self._needed(*both, _COUNTS) for both in zip(expectations, requested, strict=True)]
        metrics = self._resolved(list(zip(expectations, (list(need.values()) for need in needed), strict=True)))
        judged = zip(expectations, requested, needed, strict=True)
        return [self._verdict(expectation, item, need, metrics) for expectation, item, need in judged]

    def _verdict(
        self, expectation: Expectation, gx_expectation: Any, needed: dict[str, Any], metrics: dict[Any, Any]
    ) -> GxResult:
        values = {name: metrics[metric.id] for name, metric in needed.items()}
        shown = _ROWS_SHOWN if expectation.type == QUERY else _SHOWN
        with _refusing(expectation):
            verdict = gx_expectation._build_evr(gx_expectation._validate(values, copy.deepcopy(shown), self._engine))
        result = dict(verdict.result or {})
        return GxResult(bool(verdict.success), result, self._examples(expectation, gx_expectation, result))

    def _examples(self, expectation: Expectation, gx_expectation: Any, result: dict[str, Any]) -> list[Any]:
        """Examples of failing values. For a map expectation they need a job, which runs only if it failed."""
        listed = result.get("partial_unexpected_list") or result.get("details", {}).get("unexpected_rows")
        metric = self._needed(expectation, gx_expectation, _SHOWN).get(
            f"{getattr(gx_expectation, 'map_metric', None)}.unexpected_values"
        )
        if not listed and metric is not None and result.get("unexpected_count"):
            listed = self._resolved([(expectation, [metric])])[metric.id]
        return list(listed or [])[:MOST_EXAMPLES]

    def _needed(self, expectation: Expectation, gx_expectation: Any, shown: dict[str, Any]) -> dict[str, Any]:
        """The metrics that an expectation is judged by, by name."""
        from great_expectations.validator.metric_configuration import MetricConfiguration

        with _refusing(expectation):
            needed = gx_expectation.get_validation_dependencies(
                self._engine, copy.deepcopy(shown)
            ).metric_configurations
        # Created again, because GX ignores quantiles in a metric's id: two expectations would share the first's values.
        return {
            name: MetricConfiguration(metric.metric_name, metric.metric_domain_kwargs, metric.metric_value_kwargs)
            for name, metric in needed.items()
        }

    def _resolved(self, needed: list[tuple[Expectation, list[Any]]]) -> dict[Any, Any]:
        """The values of metrics, by their id. Raises SuiteError that names the expectation whose metrics have none."""
        from great_expectations.exceptions import GreatExpectationsError
        from great_expectations.validator.validation_graph import ValidationGraph

        graph = ValidationGraph(self._engine)
        try:
            for _, metrics in needed:
                for metric in metrics:
                    graph.build_metric_dependency_graph(metric)
            return graph.resolve({"catch_exceptions": False}, show_progress_bars=False)[0]
        except GreatExpectationsError as error:
            if len(needed) > 1:  # GX blames all that ran together
                for item in needed:
                    self._resolved([item])
            raise refused(needed[0][0], error) from error

    def _row_condition(self, gx_expectation: Any) -> Column | None:
        from great_expectations.expectations.row_conditions import PassThroughCondition

        condition = getattr(gx_expectation, "row_condition", None)
        if condition is None:
            return None
        if isinstance(condition, PassThroughCondition):
            return F.coalesce(F.expr(condition.pass_through_filter), F.lit(False))
        return F.coalesce(F.expr(self._engine.condition_to_filter_clause(condition)), F.lit(False))


@contextmanager
def _refusing(expectation: Expectation) -> Iterator[None]:
    """Whatever GX's own code of an expectation raises is a SuiteError."""
    try:
        yield
    except Exception as error:
        raise refused(expectation, error) from error


def refused(expectation: Expectation, error: Exception) -> SuiteError:
    """What to say of an expectation that GX or Spark cannot judge."""
    details = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    message = f"{expectation.name} cannot be judged: {details}"
    return SuiteError(message, where=str(expectation.place), fix="compare its kwargs with the types of its columns")


def _as_gx(expectation: Expectation) -> Any:
    """The expectation as GX's own object. Raises SuiteError where GX does not take its kwargs."""
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        return ExpectationConfiguration(expectation.type, copy.deepcopy(dict(expectation.kwargs))).to_domain_obj()
    except ValidationError as error:
        # A kwarg with several types has an entry for each type.
        first = {str(item["loc"][0]): str(item["msg"]) for item in reversed(error.errors())}
        text = "; ".join(said if name == "__root__" else f"{name}: {said}" for name, said in first.items())
        message, where = f"{expectation.name}: {text}", str(expectation.place)
        raise SuiteError(message, where=where, fix="correct its kwargs") from error
    except GreatExpectationsError as error:
        raise refused(expectation, error) from error


def _has_value(gx_expectation: Any, columns: dict[str, Any]) -> Column | None:
    if "column" not in columns or gx_expectation.map_metric in _JUDGE_NULLS:
        return None
    return F.col(columns["column"]).isNotNull()


def _not_ignored(rule: str | None, columns: dict[str, Any]) -> Column | None:
    """Where a row counts by `ignore_row_if`: GX's engine filters by it, and its condition does not know of it."""
    names = columns.get("column_list") or [columns[name] for name in ("column_A", "column_B") if name in columns]
    if rule in ("both_values_are_missing", "all_values_are_missing"):
        return ~_all([F.col(name).isNull() for name in names])
    if rule in ("either_value_is_missing", "any_value_is_missing"):
        return _all([F.col(name).isNotNull() for name in names])
    return None


def _all(conditions: list[Column]) -> Column:
    return reduce(lambda left, right: left & right, conditions) if conditions else F.lit(True)
