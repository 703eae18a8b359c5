"""The actions of a commit by `deltalake`: which files leave, which columns come, and when it cannot be used."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import Field, Schema
from deltalake.transaction import RemoveAction
from pyspark.sql.types import ArrayType, BinaryType, BooleanType, MapType, StructType, VariantType

from headgate.engine.delta.files import NewFile
from headgate.engine.delta.footers import delta_text
from headgate.ledger.ledger import schema_of

#: Features of a table that need nothing of its writer but the actions that are made here.
_PLAIN_FEATURES = {"appendOnly", "invariants", "changeDataFeed", "checkConstraints", "generatedColumns", "v2Checkpoint"}
#: Metadata of a column by which Delta's own writer checks or computes its values.
_COMPUTED = ("delta.invariants", "delta.generationExpression", "delta.identity", "delta.columnMapping")
#: The property of a table that names the columns that have statistics.
_INDEXED = "delta.dataSkippingStatsColumns"
# Delta keeps no statistics of the first three, and those of nested values would only fill the log.
_NOT_INDEXED = (BooleanType, BinaryType, VariantType, ArrayType, MapType, StructType)
#: Paths, as the log has them, that come back from `unquote` and deltalake's own encoding as they were.
_SAFE_PATH = re.compile(r"(?:[A-Za-z0-9/=._-]|%20|%25)*")
_COLUMN = re.compile(r"(?:`(?:[^`]|``)*`|[^,`])+")
_PART = re.compile(r"`((?:[^`]|``)*)`|([^.`]+)")


@dataclass(frozen=True)
class RemovedFile:
    """A file of the version before. rows: None where nothing says how many it has."""

    path: str
    size: int
    partition: Mapping[str, str | None]
    rows: int | None


@dataclass(frozen=True)
class Removal:
    """The files that a commit takes out of the table; None where it only adds. predicate: the same as SQL."""

    files: Sequence[RemovedFile] | None = None
    predicate: str = ""

    @property
    def rows(self) -> int:
        return sum(file.rows or 0 for file in self.files or ())

    @property
    def unsafe_path(self) -> str:
        """A file that a RemoveAction would not remove; empty where there is none.

        deltalake 1.6 encodes the path again. For non-ASCII characters its
        encoding differs from Spark's in the log, so the file would stay in the table.
        """
        return next((file.path for file in self.files or () if not _SAFE_PATH.fullmatch(file.path)), "")

    def actions(self) -> list[RemoveAction]:
        """The files as actions, whose paths are not encoded as the log's are."""
        now = round(time.time() * 1000)
        return [RemoveAction(unquote(f.path), True, now, f.size, dict(f.partition)) for f in self.files or ()]


def removal_of(table: Any, slices: pa.Table | None) -> Removal:
    """The files of the partitions `slices` (one row each), or all files. Null equals null, NaN NaN, and -0.0 0.0."""
    files = pa.table(table.get_add_actions(flatten=True))
    names = list(table.metadata().partition_columns)
    columns = [files[f"partition.{name}"].to_pylist() for name in names]
    wanted = None if slices is None else keys_of(slices, names)
    results = []
    for number, (path, size, rows) in enumerate(
        zip(*(files[name].to_pylist() for name in ("path", "size_bytes", "num_records")), strict=True)
    ):
        values = [column[number] for column in columns]
        if wanted is None or _key(values) in wanted:
            partition = {name: delta_text(value) for name, value in zip(names, values, strict=True)}
            results.append(RemovedFile(path, size, partition, rows))
    return Removal(results)


def removal_of_files(table: Any, paths: Collection[str]) -> Removal:
    """These files, by their paths as the log has them."""
    return Removal([file for file in removal_of(table, None).files or () if file.path in paths])


def keys_of(slices: pa.Table, names: Sequence[str]) -> set[tuple[Any, ...]]:
    """The partitions as values that can be compared."""
    return {_key([row[name] for name in names]) for row in slices.select(list(names)).to_pylist()}


def are_inside(files: Sequence[NewFile], slices: pa.Table) -> bool:
    """Whether the text of every file's partition is in `slices`. Different text may still be an equal value."""
    names = slices.column_names
    texts = {tuple(delta_text(row[name]) for name in names) for row in slices.to_pylist()}
    return all(tuple(file.partition[name] for name in names) in texts for file in files)


def _key(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(map(_comparable, values))


def _comparable(value: Any) -> Any:
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0  # -0.0 + 0.0 is 0.0
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    return None if value == "" else value  # an empty text in the log is null


def metrics_of(files: Sequence[NewFile], removal: Removal) -> dict[str, str]:
    """The counts that Spark's writers put into `operationMetrics`."""
    counts = {
        "numFiles": len(files),
        "numOutputRows": sum(file.rows for file in files),
        "numOutputBytes": sum(file.size for file in files),
    }
    if removal.files is not None:
        counts |= {"numRemovedFiles": len(removal.files), "numDeletedRows": removal.rows}
    return {name: str(count) for name, count in counts.items()}


def added_columns(table: Any, schema: Schema) -> list[Field]:
    """The columns of `schema` that the table has yet to gain."""
    names = {column.name for column in table.schema().fields}
    return [column for column in schema.fields if column.name not in names]


def why_not_by_actions(table: Any, schema: str, partition_by: Sequence[str], removal: Removal, *, whole: bool) -> str:
    """Why Delta's own writer has to make the commit; empty where it need not. whole: the table is replaced."""
    if table is None:
        return ""
    if removal.unsafe_path:
        return f"the path {removal.unsafe_path} cannot be removed otherwise"
    metadata, text = table.metadata(), table.schema().to_json()
    existing, new = schema_of(text), schema_of(schema)
    if list(metadata.partition_columns) != list(partition_by):
        return "the partition columns change"
    if changed := [name for name, kind in new.items() if name in existing and existing[name] != kind]:
        return f"the type of {changed[0]} changes"
    if whole and (gone := existing.keys() - new.keys()):
        return f"the column {min(gone)} goes"
    if features := set(table.protocol().writer_features or ()) - _PLAIN_FEATURES:
        return f"the table has the feature {min(features)}"
    if any(name.startswith("delta.constraints.") for name in metadata.configuration):
        return "the table has a constraint"
    computed = [f["name"] for f in json.loads(text)["fields"] if _is_computed(f)]
    return f"Delta checks or computes {computed[0]}" if computed else ""


def _is_computed(column: Mapping[str, Any]) -> bool:
    return not column.get("nullable", True) or any(name.startswith(_COMPUTED) for name in column["metadata"])


def statistics_property(schema: StructType, partition_by: Sequence[str], looked_up_by: Sequence[str]) -> dict[str, str]:
    """The property that names the columns worth statistics; empty where there are none.

    They are `looked_up_by`, which may be parts of structs, and ordered scalars that are not a folder's name already.
    """
    others = {field.name for field in schema if not isinstance(field.dataType, _NOT_INDEXED)}
    others -= {*partition_by, *looked_up_by}
    columns = [*looked_up_by, *(f"`{field.name}`" for field in schema if field.name in others)]
    return {_INDEXED: ",".join(columns)} if columns else {}


def indexed_columns(configuration: Mapping[str, str | None]) -> frozenset[str] | None:
    """The columns that a table has statistics of, by their dotted paths; None where it does not say."""
    text = configuration.get(_INDEXED)
    if text is None:
        return None
    parts = (_PART.findall(column.strip()) for column in _COLUMN.findall(text))
    return frozenset(".".join(quoted.replace("``", "`") or plain for quoted, plain in part) for part in parts)
