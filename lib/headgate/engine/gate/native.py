"""The batch expectations that most suites have, judged without GX: uniqueness, row counts, queries.

Importing GX takes longer than most increments, so Headgate implements these few
itself. tests/engine/test_gx_authority.py compares each of them with GX. GX evaluates those with a row condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.engine.gate.gx import GxResult, refused
from headgate.engine.runtime.jvm_access import repeats_of
from headgate.engine.runtime.materialize import count_rows, local_rows
from headgate.suites.expectation import QUERY, Expectation
from headgate.suites.quality import MOST_EXAMPLES

#: The view in which a query finds the batch.
BATCH_VIEW = "_headgate_batch"


def is_plain(expectation: Expectation) -> bool:
    """Whether an expectation is judged here; GX has to where it is not."""
    return expectation.type in (*_JUDGES, *_ROW_COUNTS) and expectation.kwargs.get("row_condition") is None


def judge_plain(expectations: Iterable[Expectation], rows: DataFrame) -> dict[str, GxResult]:
    """The results for the rows of a batch, by the expectation's name."""
    result, count = dict[str, GxResult](), None
    for expectation in sorted(expectations, key=lambda item: item.type in _ROW_COUNTS):  # others may count the rows too
        try:
            if expectation.type in _ROW_COUNTS:
                count = count_rows(rows) if count is None else count
                result[expectation.name] = _row_count(expectation, count)
            else:
                result[expectation.name] = _JUDGES[expectation.type](expectation, rows)
                count = result[expectation.name].result.get("element_count", count)
        except PySparkException as error:
            raise refused(expectation, error) from error
    return result


def _unique(expectation: Expectation, rows: DataFrame) -> GxResult:
    """Every row of a group of more than one is unexpected; nulls are equal."""
    names = [f"`{name}`" if "." not in name else name for name in expectation.columns]
    missing = [F.col(name).isNull() for name in names]
    ignore = expectation.kwargs.get("ignore_row_if", "all_values_are_missing")
    join = {"all_values_are_missing": lambda a, b: a & b, "any_value_is_missing": lambda a, b: a | b}.get(ignore)
    left_out = reduce(join, missing) if join else F.lit(False)
    if all_differ := _all_differ(rows, names, left_out):
        return all_differ
    keys = [F.col(name).alias(f"c{number}") for number, name in enumerate(names)]
    groups = rows.select(*keys, left_out.alias("left_out")).groupBy("left_out", *(f"c{n}" for n in range(len(keys))))
    counted = groups.agg(F.count("*").alias("copies"))
    twice = ~F.col("left_out") & (F.col("copies") > 1)
    details = counted.agg(
        F.sum("copies").alias("all"),
        F.sum(F.when(F.col("left_out"), F.col("copies"))).alias("missing"),
        F.sum(F.when(twice, F.col("copies"))).alias("unexpected"),
    ).collect()[0]
    total, absent, unexpected = (details[name] or 0 for name in ("all", "missing", "unexpected"))
    columns = (F.col(f"c{number}").alias(name) for number, name in enumerate(expectation.columns))
    shown = counted.filter(twice).select(*columns).head(MOST_EXAMPLES) if unexpected else []
    examples = [row.asDict() if len(keys) > 1 else row[0] for row in shown]
    judged = total - absent
    success = not unexpected or (judged - unexpected) / judged >= expectation.mostly
    result = {"element_count": total, "missing_count": absent, "unexpected_count": unexpected}
    return GxResult(success, result, examples)


def _all_differ(rows: DataFrame, names: Sequence[str], left_out: Column) -> GxResult | None:
    """The results if no two rows have the same hash, as in most batches; None if rows might be equal.

    Hashes are numbers, which are sent and compared in a part of the time that texts take.
    """
    hashed = rows.select(F.when(~left_out, F.xxhash64(*names)).alias("hash"))
    local = local_rows(hashed)
    if local is not None:
        hashes = [row["hash"] for row in local if row["hash"] is not None]
        if len(set(hashes)) < len(hashes):
            return None
        missing = len(local) - len(hashes)
        return GxResult(True, {"element_count": len(local), "missing_count": missing, "unexpected_count": 0}, [])
    details = repeats_of(hashed.repartition("hash")).collect()
    if any(part["repeats"] for part in details):
        return None
    count, missing = (sum(part[name] for part in details) for name in ("all", "missing"))
    return GxResult(True, {"element_count": count, "missing_count": missing, "unexpected_count": 0}, [])


def _row_count(expectation: Expectation, count: int) -> GxResult:
    kwargs = expectation.kwargs
    least, most = (kwargs.get(name, kwargs.get("value")) for name in ("min_value", "max_value"))
    low = least is None or (count > least if kwargs.get("strict_min") else count >= least)
    high = most is None or (count < most if kwargs.get("strict_max") else count <= most)
    return GxResult(low and high, {"observed_value": count}, [])


def _no_rows(expectation: Expectation, rows: DataFrame) -> GxResult:
    """Expects that the query returns no rows. `{batch}` in it is the batch; `{{` is an escaped brace."""
    rows.createOrReplaceTempView(BATCH_VIEW)
    query = str(expectation.kwargs["unexpected_rows_query"]).rstrip("; \t\r\n\v\f").format(batch=BATCH_VIEW)
    unexpected = rows.sparkSession.sql(query)
    count = unexpected.count()
    shown: list[Any] = unexpected.head(MOST_EXAMPLES) if count else []
    return GxResult(not count, {"observed_value": count}, [row.asDict() for row in shown])


_JUDGES: dict[str, Callable[[Expectation, DataFrame], GxResult]] = {
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _unique,
    QUERY: _no_rows,
}
_ROW_COUNTS = ("expect_table_row_count_to_be_between", "expect_table_row_count_to_equal")
