"""Properties of every table, each tested by a function of a lake with uploads and a table.

Each function builds the table and its sources in new lakes, and does not change the lake of the test. An
AssertionError has the table, the property and the differing rows; a UsageError means that the uploads test nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from headgate import faults
from headgate.contracts.table_contract import differences, load_table_contracts
from headgate.errors import UsageError
from headgate.testing.difference import Row, difference, like_stored
from headgate.testing.faults import run_killed_at

if TYPE_CHECKING:
    from headgate.testing.lake import Lake, Sent

__tracebackhide__ = True  # a failure is shown where the test called, not in here


def assert_rows(lake: Lake, table: str, expected: Sequence[Row]) -> None:
    """The table's live rows are the expected ones, in any order, in the columns that these name.

    A literal may be plainer than the value: "12.50" or 12.5 for a decimal, "2026-03-01" for a date.
    """
    existing = lake.rows(table)
    columns = list(dict.fromkeys(name for row in expected for name in row))
    values = {name: [row.get(name) for row in existing] for name in columns}
    wanted = [{name: like_stored(value, values[name]) for name, value in row.items()} for row in expected]
    shown = [{name: row[name] for name in columns if name in row} for row in existing] if columns else existing
    if details := difference(wanted, shown):
        raise AssertionError(
            f"{table}: rows differ from the expected rows\ndf1 has the expected rows, df2 the table; {details}"
        )


def assert_rerun_is_noop(lake: Lake, table: str) -> None:
    """A second run finds nothing to do, and computing the table again from the same records gives the same rows."""
    built = _built(lake, table, _examples(lake, table))
    if work := built.kinds(f"+{table}"):
        text = ", ".join(f"{name} ({kind})" for name, kind in work.items())
        raise AssertionError(f"{table}: a rerun is work, after a run that read all there is: {text}")
    place = lake.fresh().lake
    again = built.copy(place.with_name(f"{place.name}-again"))
    again.run(f"+{table}", rebuild=True)
    _require_same(built, again, table, "a rerun gives other rows", "the first run", "the same records computed again")


def assert_order_insensitive(lake: Lake, table: str) -> None:
    """A run per upload in reverse order gives the same table as a single run."""
    sent = _examples(lake, table, least=2)
    at_once, reversed_ = _built(lake, table, sent), lake.fresh()
    for item in reversed(sent):
        _land(reversed_, item)
        reversed_.run(f"+{table}")
    _require_same(
        at_once,
        reversed_,
        table,
        "depends on the order or the batches of uploads",
        "a single run of all uploads",
        "a run per upload, in reverse order",
    )


def assert_late_data_converges(lake: Lake, table: str, *, days: float = 3) -> None:
    """All uploads but the last arrive days late, when the last is long built: the table is that of uploads in time."""
    *late, newest = _examples(lake, table, least=2)
    in_time, other = _built(lake, table, [*late, newest]), lake.fresh()
    delay = timedelta(days=days)
    other.now = max(item.received for item in (*late, newest)) + delay
    _land(other, newest)
    other.run(f"+{table}")
    for item in late:
        _land(other, item, delay)
    other.run(f"+{table}")
    _require_same(
        in_time,
        other,
        table,
        "late uploads do not end up as those in time",
        "all uploads in time",
        f"all but the last {days:g} days late",
    )


def assert_crash_safe(lake: Lake, table: str) -> None:
    """A run that is killed at every point in turn, and run again, gives the table of a run that was left alone."""
    sent = _examples(lake, table)
    alone, killed = _built(lake, table, sent), lake.fresh()
    for item in sent:
        _land(killed, item)
    committed = [name for name in lake.graph.select([f"+{table}"]) if alone.version(name) >= 0]
    for point in faults.points_of(committed):
        run_killed_at(killed, point, f"+{table}")
    killed.run(f"+{table}")
    commits = {name: (alone.version(name), killed.version(name)) for name in committed}
    if more := [f"{name} {then + 1} -> {now + 1}" for name, (then, now) in commits.items() if then != now]:
        raise AssertionError(f"{table}: killed runs leave other commits than an uninterrupted run: {more}")
    _require_same(
        alone,
        killed,
        table,
        "a killed run is not made good by the next",
        "a run that was left alone",
        "runs killed at every point",
    )


def assert_contract_holds(lake: Lake, table: str) -> None:
    """The table has exactly the columns and types that its contract in conf/tables publishes."""
    contract = load_table_contracts(lake.project).get(lake.graph.node(table).name)
    if contract is None:
        path = lake.project.relative(lake.project.tables / f"{table.replace('.', '/')}.yaml")
        raise UsageError(f"{table} has no contract", fix=f"write {path}, as docs/contracts.md shows")
    broken = f"{table}: does not hold its contract"
    try:
        built = _built(lake, table, _examples(lake, table))
    except AssertionError as error:
        raise AssertionError(f"{broken}\n{error}") from None
    if wrong := differences(contract, built.planner().ledger.schema(table, built.version(table))):
        raise AssertionError(f"{broken}: {'; '.join(wrong)}")


def _examples(lake: Lake, table: str, least: int = 1) -> list[Sent]:
    """What the lake was sent of the datasets that the table is made of. Raises UsageError where that is too little."""
    above = lake.graph.ancestors(lake.graph.node(table).name)
    results = [sent for sent in lake.sent if f"bronze.{sent.dataset}" in above]
    if len(results) < least:
        datasets = sorted(name.removeprefix("bronze.") for name in above if name.startswith("bronze."))
        raise UsageError(
            f"{len(results)} uploads for the sources of {table} are too few: {least} or more are needed",
            fix=f"lake.upload(dataset, records), with dataset {' or '.join(datasets)}",
        )
    return results


def _built(lake: Lake, table: str, sent: Sequence[Sent]) -> Lake:
    """A lake with the uploads, after one run of the table and all it reads: built once for all assertions."""
    key = _key_of(lake, table, sent)
    known = lake.built.get(key)
    if known is None or known.version(table) < 0:  # pytest may have removed the folder of an earlier test
        known = lake.built[key] = _build(lake, table, sent)
    return known


def _key_of(lake: Lake, table: str, sent: Sequence[Sent]) -> Hashable:
    """What decides the rows of a build: the project, the code of its tables, their suites, and the uploads."""
    nodes = [lake.graph.node(name) for name in lake.graph.select([f"+{table}"])]
    code = tuple((node.name, node.code_hash, node.suite_hash) for node in nodes)
    return lake.project.root, table, code, tuple(sent)


def _build(lake: Lake, table: str, sent: Sequence[Sent]) -> Lake:
    fresh = lake.fresh()
    for item in sent:
        _land(fresh, item)
    fresh.run(f"+{table}")
    if not fresh.rows(table) and not fresh.rejected(table):
        raise UsageError(f"the uploads give no row of {table}: they show nothing", fix="upload records that give some")
    return fresh


def _land(lake: Lake, sent: Sent, delay: timedelta = timedelta(0)) -> None:
    lake.land(
        sent.dataset,
        sent.body,
        key=sent.key,
        store=sent.store,
        at=sent.received,
        suffix=sent.suffix,
        received=sent.received + delay,
    )


def _require_same(first: Lake, second: Lake, table: str, broken: str, of_first: str, of_second: str) -> None:
    """Raises AssertionError at the first table, of those that `table` is made of, in which two lakes differ."""
    for name in first.graph.select([f"+{table}"]):
        if name.startswith("bronze."):
            continue
        text = difference(first.rows(name), second.rows(name))
        if not text and (text := difference(_rejected(first, name), _rejected(second, name))):
            text = f"rejected records, {text}"
        if text:
            origin = "" if name == table else f", since {name} does, of which it is made"
            raise AssertionError(f"{table}: {broken}{origin}\ndf1 is {of_first}, df2 {of_second}; {text}")


def _rejected(lake: Lake, table: str) -> list[dict[str, Any]]:
    return [
        {"upload": upload, "record": record, "reasons": reasons} for upload, record, reasons in lake.rejected(table)
    ]
