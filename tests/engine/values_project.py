"""Nine tables over a column of any type, as partition, slice, key and sequence; and the rows that they must have."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tests.contracts import json_lines

#: Type -> how its contract writes it.
TYPES = {
    "text": "logicalType: string",
    "number": 'logicalType: number, physicalType: "double"',
    "amount": 'logicalType: number, physicalType: "decimal(20,4)"',
    "count": 'logicalType: integer, physicalType: "bigint"',
    "day": "logicalType: date",
    "moment": "logicalType: timestamp",
}
PARSED: Mapping[str, Callable[[Any], Any]] = {
    "text": str,
    "number": float,
    "amount": Decimal,
    "count": int,
    "day": date.fromisoformat,
    "moment": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
}
_IMPORTS = """
from pyspark.sql import functions as F

from headgate import SOURCE, Affected, Append, Changes, History, Merge, Replace, table
"""
_RECORDS = '''

@table("silver.{name}_{type}", reads={{"uploads": Changes("bronze.{name}_{type}")}}, writes={writes})
def {name}(uploads):
    """One row per record or key."""
    return uploads.select("id", "rev", "v", SOURCE)
'''
_SLICES = '''

@table("gold.{name}_{type}", reads={{"rows": Affected("silver.{source}_{type}", by=["{by}"])}}, writes={writes})
def {name}(rows):
    """One row per value, or per version of it."""
    return {rows}
'''
SILVER = {
    "flat": 'Merge(["id"], sequence_by="rev")',
    "parts": 'Merge(["id"], sequence_by="rev", partition_by=["v"])',
    "log": 'Append(partition_by=["v"])',
    "keyed": 'Merge(["v"], sequence_by="rev")',
    "sequenced": 'Merge(["id"], sequence_by="v")',
}
_COUNT = 'rows.groupBy("v").agg(F.count("*").alias("n"))'
#: Table -> source, columns of its slices, write, rows.
_GOLD = {
    "by_part": ("flat", "v", 'Replace(by=["v"], partition_by=["v"])', _COUNT),
    "by_slice": ("flat", "v", 'Replace(by=["v"])', _COUNT),
    "versions": (
        "flat",
        "v",
        'History(["v"], sequence_by="rev", partition_by=["v"])',
        'rows.groupBy("v", "rev").agg(F.min("id").alias("first"))',
    ),
    "timeline": (
        "log",
        "id",
        'History(["id"], sequence_by="v")',
        'rows.where("v IS NOT NULL").groupBy("id", "v").agg(F.max("rev").alias("last"))',
    ),
}
Upload = Sequence[tuple[str, int, Any]]  # records: id, revision, value as its JSON


def project_files(types: Iterable[str]) -> dict[str, str]:
    """The files of a project with nine tables for each type."""
    files = {"conf/environments/local.yaml": "lake: lake\nengine: local\n"}
    for kind in types:
        number = 'name: rev, logicalType: integer, required: true, physicalType: "int"'
        columns = ("name: id, logicalType: string, required: true", number, f"name: v, {TYPES[kind]}")
        for name, writes in SILVER.items():
            files[f"conf/datasets/{name}_{kind}.yaml"] = json_lines(f"{name}_{kind}", *columns)
            files[f"jobs/silver/{name}_{kind}.py"] = _IMPORTS + _RECORDS.format(name=name, type=kind, writes=writes)
        for name, (source, by, writes, rows) in _GOLD.items():
            text = _SLICES.format(name=name, type=kind, source=source, by=by, writes=writes, rows=rows)
            files[f"jobs/gold/{name}_{kind}.py"] = _IMPORTS + text
    return files


def expected_tables(kind: str, uploads: Sequence[Upload]) -> dict[str, list[tuple[Any, ...]]]:
    """Table -> its rows as `shown` gives them, after these uploads in their order."""
    parse = PARSED[kind]
    rows = [(i, r, None if v is None else parse(v)) for upload in uploads for i, r, v in upload]
    flat = _newest(rows, lambda row: row[0], lambda row: row[1])
    keyed = [row for row in rows if row[2] is not None]
    slices, firsts = defaultdict(list), defaultdict(dict)
    for row in flat:
        slices[same_slice(row[2])].append(row)
        versions = firsts[same_slice(row[2])]
        versions[row[1]] = min(row[0], versions.get(row[1], row[0]))
    counts = [(key, len(group)) for key, group in slices.items()]
    tables = {
        "silver.flat": [(i, r, exact(v)) for i, r, v in flat],
        "silver.parts": [(i, r, exact(v)) for i, r, v in flat],
        "silver.log": [(i, r, exact(v)) for i, r, v in rows],
        "silver.keyed": [(i, r, exact(v)) for i, r, v in _newest(keyed, lambda row: exact(row[2]), lambda row: row[1])],
        "silver.sequenced": [
            (i, r, exact(v)) for i, r, v in _newest(keyed, lambda row: row[0], lambda row: in_order(row[2]))
        ],
        "gold.by_part": counts,
        "gold.by_slice": counts,
        "gold.versions": [
            stretch for key, versions in firsts.items() for stretch in _stretches(key, sorted(versions.items()))
        ],
        "gold.timeline": _timeline(keyed),
    }
    return {f"{name}_{kind}": sorted(rows, key=repr) for name, rows in tables.items()}


def shown(table: str, rows: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """A table's rows as tuples that can be compared: zeros of a silver table keep their sign."""
    value = exact if table.startswith("silver.") else same_slice
    return sorted((tuple(value(cell) for cell in row.values()) for row in rows), key=repr)


def exact(value: Any) -> Any:
    """A value that equals itself only: floats by their text, so that NaN is one and -0.0 is not 0.0."""
    return repr(value) if isinstance(value, float) else value


def same_slice(value: Any) -> Any:
    """A value as slices compare: -0.0 is 0.0."""
    return repr(value + 0.0) if isinstance(value, float) else value


def in_order(value: Any) -> Any:
    """A value as Spark orders it: NaN is the greatest, text goes by code points."""
    return (math.isnan(value), 0.0 if math.isnan(value) else value) if isinstance(value, float) else value


def _newest(rows: Iterable[tuple], key: Callable[[tuple], Any], order: Callable[[tuple], Any]) -> list[tuple]:
    """The last row of each key among those of its greatest order."""
    newest: dict[Any, tuple] = {}
    for row in rows:
        before = newest.get(key(row))
        if before is None or order(row) >= order(before):
            newest[key(row)] = row
    return list(newest.values())


def _timeline(rows: Iterable[tuple]) -> list[tuple[Any, ...]]:
    """The rows of a History by id, whose versions are in the order of their values."""
    instants: dict[str, dict[Any, tuple[Any, int]]] = defaultdict(dict)
    for name, revision, value in rows:
        _, before = instants[name].get(in_order(value), (None, 0))
        instants[name][in_order(value)] = (same_slice(value), max(revision, before))
    return [
        stretch
        for name, versions in instants.items()
        for stretch in _stretches(name, [versions[instant] for instant in sorted(versions)])
    ]


def _stretches(key: Any, versions: Iterable[tuple[Any, Any]]) -> list[tuple[Any, ...]]:
    """The rows of a History: a stretch of versions, in order as (instant, tracked value), with the same value."""
    opened: list[tuple[Any, Any]] = []
    for instant, value in versions:
        if not opened or opened[-1][1] != value:
            opened.append((instant, value))
    ends = [start for start, _ in opened[1:]] + [None]
    return [(key, value, start, end, end is None) for (start, value), end in zip(opened, ends, strict=True)]
