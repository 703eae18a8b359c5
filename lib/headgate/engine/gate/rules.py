"""What a suite asks, on Spark: its row expectations as columns of their own row, its batch expectations as results.

GX gives the meaning of both (`gx`). The columns are kept as SQL text in the project's cache, so that a run whose
suite and columns are as they were does not import GX for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import Any

import pyspark
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from headgate.engine.gate.gx import Condition, GxFrame, GxResult, import_gx, refused
from headgate.engine.gate.native import BATCH_VIEW, is_plain, judge_plain
from headgate.engine.read.function import plan_classes, unrepeatable
from headgate.engine.runtime.jvm_access import expression_of, require_pattern
from headgate.installed import require_installed
from headgate.suites.expectation import QUERY, Expectation
from headgate.suites.quality import Result
from headgate.suites.suite import Suite

_CACHE_FORMAT = 1
_OF_TEXT = ("expect_column_values_to_match_strftime_format",)  # on another type GX fails in the middle of the data
#: Expressions of Spark that look at other rows.
_OTHER_ROWS = {"WindowExpression", "AggregateExpression", "ScalarSubquery", "InSubquery", "ListQuery", "Exists"}
_GX_VIEW = "tmp_view"  # GX's name for the batch in a query, which GX does not drop
_MOST_SHOWN = 200  # characters of an observed value or an example


@dataclass(frozen=True)
class Rule:
    """A row expectation as columns of its own row; neither is ever null.

    judged: the row counts (its row condition is met, and GX's null rules do not leave it out). failing: it counts,
    and fails.
    """

    name: str
    columns: tuple[str, ...]
    judged: Column
    failing: Column


def rules_of(suite: Suite, shape: DataFrame, cache: Path | None) -> list[Rule]:
    """The suite's row expectations of scope batch, in its order. `shape` is any frame of the rows' schema.

    No row is read. `cache` is the folder for cached rules; without a usable cache this only takes longer.
    Raises SuiteError if an expectation does not fit the columns.
    """
    if not suite.rows:
        return []
    known = _Cache(suite, shape, cache)
    texts = known.read()
    missing = [expectation for expectation in suite.rows if expectation.name not in texts]
    resolved = _resolved(missing, shape)
    if missing:
        known.write(texts | {name: text for name, (_, text) in resolved.items() if text})
    results = []
    for expectation in suite.rows:
        name = expectation.name
        condition = resolved[name][0] if name in resolved else Condition(*map(F.expr, texts[name]))
        results.append(Rule(name, expectation.columns, condition.judged, condition.failing))
    return results


def import_ahead(suites: Iterable[Suite], cache: Path) -> None:
    """Starts to import GX during a run's first work, if the rules of any of `suites` are not in the cache.

    Raises SetupError where there are suites, and GX is not installed.
    """
    suites = list(suites)
    if suites:
        require_installed("great_expectations", extra="spark", where="the suites of this run")
    if any(suite.rows and not _keeps(cache, suite) for suite in suites):
        Thread(target=import_gx, name="import of GX", daemon=True).start()


def _keeps(cache: Path, suite: Suite) -> bool:
    try:
        return bool(json.loads(_path_of(cache, suite).read_text()).get("suite") == suite.hash)
    except (OSError, ValueError, AttributeError):
        return False


def _path_of(cache: Path, suite: Suite) -> Path:
    return cache / "rules" / f"{suite.table}.json"


def judge_batch(suite: Suite, rows: DataFrame, views: Mapping[str, DataFrame], *, table: bool = False) -> list[Result]:
    """The results of the suite's batch expectations on `rows`, in its order, by GX's own engine or as it would.

    rows: staged already: it is read several times. Headgate's own columns (`_...`) are left out. views: the other
    tables that queries name, by name (`Suite.relations`), of the session of `rows`. table: those of scope `table`
    are checked as well, including row expectations. Raises SuiteError if an expectation cannot be evaluated.
    """
    chosen = [e for e in suite.expectations if (table if e.scope == "table" else e.kind == "batch")]
    if not chosen:
        return []
    batch = rows.select(*(f"`{name}`" for name in rows.columns if not name.startswith("_")))
    by_gx = [expectation for expectation in chosen if not is_plain(expectation)]
    with _viewed(rows.sparkSession, views):
        results = judge_plain(filter(is_plain, chosen), batch)
        if by_gx:
            validated = GxFrame(batch).validate(by_gx)
            results |= {expectation.name: item for expectation, item in zip(by_gx, validated, strict=True)}
    return [_result(expectation, results[expectation.name]) for expectation in chosen]


# --- rows


def _resolved(expectations: list[Expectation], shape: DataFrame) -> dict[str, tuple[Condition, tuple[str, str] | None]]:
    """The conditions of expectations by GX, and each as SQL text; None where a text would not mean the same."""
    if not expectations:
        return {}
    plain = shape.sparkSession.createDataFrame([], shape.schema)  # columns that know of no frame but this
    results = {}
    for expectation in expectations:
        _require_text(expectation, plain)
        _require_patterns(expectation, plain)
    for expectation, condition in zip(expectations, GxFrame(plain).conditions(expectations), strict=True):
        try:
            _require_safe(expectation, condition, plain)
            results[expectation.name] = condition, _text(condition, plain)
        except PySparkException as error:
            raise refused(expectation, error) from error
    return results


def _require_text(expectation: Expectation, plain: DataFrame) -> None:
    for name in expectation.columns if expectation.type in _OF_TEXT else ():
        kind = plain.select(name).schema[0].dataType
        if not isinstance(kind, StringType):
            raise refused(expectation, TypeError(f"{name} is {kind.simpleString()}, and not text"))


def _require_patterns(expectation: Expectation, plain: DataFrame) -> None:
    """Raises SuiteError for a regular expression that is none to Java: Spark would tell in the middle of the data."""
    kwargs = expectation.kwargs
    for pattern in [kwargs.get("regex"), *(kwargs.get("regex_list") or [])]:
        try:
            if pattern is not None:
                require_pattern(plain.sparkSession, pattern)
        except PySparkException as error:
            raise refused(expectation, error) from error


def _require_safe(expectation: Expectation, condition: Condition, plain: DataFrame) -> None:
    """Raises SuiteError where a row condition looks elsewhere than at its row, or gives another answer each time.

    And where a rule casts text: one record with other text would fail the whole batch.
    """
    both = plain.select(condition.judged.alias("judged"), condition.failing.alias("failing"))
    if plan_classes(both) & _OTHER_ROWS:
        raise refused(expectation, ValueError("its row condition looks at other rows than its own"))
    if other_each_time := unrepeatable(both):
        raise refused(expectation, ValueError(f"uses {', '.join(other_each_time)}: a rerun would judge otherwise"))
    for column in (condition.judged, condition.failing):
        cast = _cast_of_text(expression_of(plain.select(column)))
        if cast is not None:
            message = f"{cast} fails on text that is not such a value"
            raise refused(expectation, TypeError(f"{message}: give text, or try_cast it in the row condition"))


def _cast_of_text(expression: Any) -> str | None:
    """A cast of text within a Spark expression that may fail, as SQL; None where there is none."""
    if expression.getClass().getSimpleName() == "Cast" and expression.evalMode().toString() == "ANSI":
        of_text = expression.child().dataType().typeName() == "string"
        if of_text and expression.dataType().typeName() != "string" and not _can_be_folded(expression):
            return str(expression.sql())
    children = expression.children()
    inner = (_cast_of_text(children.apply(index)) for index in range(children.size()))
    return next((cast for cast in inner if cast is not None), None)


def _can_be_folded(expression: Any) -> bool:
    """Whether an expression is a constant that Spark can compute."""
    try:
        return bool(expression.foldable()) and expression.eval(None) is not None
    except PySparkException:
        return False


def _text(condition: Condition, plain: DataFrame) -> tuple[str, str] | None:
    texts = [_sql(column, plain) for column in (condition.judged, condition.failing)]
    return (texts[0], texts[1]) if texts[0] and texts[1] else None


def _sql(column: Column, plain: DataFrame) -> str | None:
    """The column as SQL; None if Spark would parse it as a different column."""
    wanted = plain.select(column.alias("rule"))
    text = expression_of(wanted).sql()
    try:
        same = plain.select(F.expr(text).alias("rule"))
    except PySparkException:
        return None
    return text if wanted.sameSemantics(same) else None


class _Cache:
    """The cached rules of a suite, in a text file: valid for this suite, these columns and versions."""

    def __init__(self, suite: Suite, shape: DataFrame, folder: Path | None) -> None:
        versions = [version("great-expectations"), pyspark.__version__, str(_CACHE_FORMAT)]
        made_of = json.dumps([suite.hash, shape.schema.simpleString(), *versions])
        self._key = hashlib.sha256(made_of.encode()).hexdigest()
        self._suite = suite.hash
        self._path = _path_of(folder, suite) if folder else None

    def read(self) -> dict[str, tuple[str, str]]:
        """Judged and failing as text, by the expectation's name; empty where nothing is kept."""
        try:
            kept = json.loads(self._path.read_text()) if self._path else {}
            return {n: (j, f) for n, (j, f) in kept["rules"].items()} if kept.get("key") == self._key else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write(self, texts: Mapping[str, tuple[str, str]]) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps({"key": self._key, "suite": self._suite, "rules": texts}, indent=1))
            new.replace(self._path)
        except OSError:
            return


# --- batches


@contextmanager
def _viewed(session: SparkSession, views: Mapping[str, DataFrame]) -> Iterator[None]:
    """Tables as views by their names, such as `silver.stores` in back quotes."""
    for name, frame in views.items():
        frame.createOrReplaceTempView(f"`{name}`")
    try:
        yield
    finally:
        for name in (_GX_VIEW, BATCH_VIEW, *views):
            session.catalog.dropTempView(name)


def _result(expectation: Expectation, verdict: GxResult) -> Result:
    counted, missing = verdict.result.get("element_count"), verdict.result.get("missing_count") or 0
    observed = verdict.result.get("observed_value")
    unexpected = observed if expectation.type == QUERY else verdict.result.get("unexpected_count")
    return Result(
        expectation=expectation.name,
        type=expectation.type,
        columns=expectation.columns,
        kind=expectation.kind,
        severity=expectation.severity,
        success=verdict.success,
        judged=None if counted is None else counted - missing,
        unexpected=0 if unexpected is None and counted is not None else unexpected,
        observed=None if observed is None else _shown(observed),
        examples=tuple(_shown(example) for example in verdict.examples),
    )


def _shown(value: Any) -> str:
    plain = isinstance(value, str | Decimal | date)
    text = str(value) if plain else json.dumps(value, ensure_ascii=False, default=str)
    return text[:_MOST_SHOWN]
