"""A batch of rows in Parquet files below its table, which no commit names yet.

Each attempt writes into a folder of its own, `batch-<uuid>`, so a reader cannot see half of it, and VACUUM removes
the files of failed attempts. Partition columns stay in the files: the batch is read back with its own
schema, and typed partition values come from the footer of each file, never from folder names.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import obstore
from deltalake import Schema
from obstore.store import ObjectStore
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, DataType, IntegralType, StructType

from headgate.contracts.environment import Environment, table_path
from headgate.engine.delta.files import NewFile
from headgate.engine.delta.footers import Layout, StoredFile, describe_files
from headgate.engine.delta.partition_text import require_fit, text_columns
from headgate.errors import BatchRefused

log = logging.getLogger(__name__)

FOLDER = "batch-"
_HELPER = "slice"
_FOREIGN = set(" ,;{}()\n\t=")  # Delta refuses them in a column's name
#: A value that may be part of a folder's name as it is; any other is replaced by its hash.
_PLAIN_TEXT = "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
#: More files than this are read in Spark tasks, and not by the driver.
_MOST_BY_DRIVER = 500
_FILES_PER_TASK = 100


@dataclass(frozen=True)
class WrittenBatch:
    """Files that no reader of the table sees.

    rows: the rows, read from the files. folder: below the lake. schema: the table's JSON schema of these rows.
    files: those that have rows. partition_by, properties: of a table that is made or replaced whole, as it will be.
    """

    rows: DataFrame
    folder: str
    schema: str
    files: Sequence[NewFile]
    partition_by: Sequence[str] = ()
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many rows the files have."""
        return sum(file.rows for file in self.files)


def write_batch(
    rows: DataFrame, environment: Environment, table: str, partition_by: Sequence[str], indexed: frozenset[str] | None
) -> WrittenBatch:
    """Writes `rows` into a new folder of `table` and reads the footers; one Spark job.

    indexed: the columns that get statistics, by their dotted paths; None for every column of the first level.
    Raises BatchRefused where Delta has no place for a column, UnfitPartitionText where a partition cannot hold a
    text; the folder is removed then.
    """
    schema = delta_schema(rows.schema, table)
    _require_text_or_ordered(rows.schema, partition_by, table)
    name = f"{FOLDER}{uuid.uuid4()}"
    _write(rows, f"{environment.table_uri(table)}/{name}", partition_by)
    folder = f"{table_path(table)}/{name}"
    layout = Layout(table_path(table), tuple(partition_by), indexed)
    try:
        files = _described(rows, environment, list_files(environment.object_store(), folder), layout)
        require_fit((file.partition for file in files), text_columns(rows, partition_by), table)
    except BaseException:
        discard(environment, folder)
        raise
    log.info("%s: %d files with %d rows written to %s", table, len(files), sum(file.rows for file in files), name)
    written = _read_back(rows, f"{environment.table_uri(table)}/{name}") if files else _no_rows(rows)
    return WrittenBatch(written, folder, schema, files)


def discard(environment: Environment, folder: str) -> None:
    """Removes the files of a batch that will not be committed. If this fails, `maintain` removes them."""
    store = environment.object_store()
    paths = [item["path"] for page in obstore.list(store, prefix=f"{folder}/") for item in page]
    if paths:
        obstore.delete(store, paths)


def delta_schema(schema: StructType, table: str) -> str:
    """The schema as Delta's JSON, with every column nullable. Raises BatchRefused where Delta cannot have a column."""
    for column in schema:
        if _FOREIGN & set(column.name):
            raise BatchRefused(
                f"the column '{column.name}' has a character of ' ,;{{}}()\\n\\t=' in its name",
                where=table,
                fix="rename it in the function",
            )
    text = json.dumps(_nullable(json.loads(schema.json())))
    try:
        Schema.from_json(text)
    except Exception as error:
        raise BatchRefused(
            f"Delta does not support the type of a column ({schema.simpleString()[:200]}): {error}",
            where=table,
            fix="cast it in the function",
        ) from error
    return text


def list_files(store: ObjectStore, folder: str) -> list[StoredFile]:
    """The Parquet files below a folder."""
    return [
        StoredFile(item["path"], item["size"], round(item["last_modified"].timestamp() * 1000))
        for page in obstore.list(store, prefix=f"{folder}/")
        for item in page
        if item["path"].endswith(".parquet") and not item["path"].rpartition("/")[2].startswith(("_", "."))
    ]


def _write(rows: DataFrame, uri: str, partition_by: Sequence[str]) -> None:
    """A folder per partition; a successful job leaves complete files only, from a single attempt per task."""
    writer = rows.write
    if partition_by:
        taken = {name.lower() for name in rows.columns}
        helper = next(name for name in (_HELPER, *(f"{_HELPER}_{n}" for n in range(len(taken)))) if name not in taken)
        values = [_folder_text(name, rows.schema[name].dataType) for name in partition_by]
        writer = rows.withColumn(helper, F.concat_ws(",", *values)).write.partitionBy(helper)
    writer.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false").parquet(uri)


def _folder_text(name: str, kind: DataType) -> Column:
    """A partition value as part of a folder's name: two values never have the same, and each is short and safe.

    Only characters that need no escaping (`Removal.unsafe_path`); "_" begins an encoded value.
    """
    text = F.col(f"`{name}`").cast("string")
    if not isinstance(kind, IntegralType) and not name.startswith("_"):  # the states of Headgate's own column are safe
        text = F.when(text.rlike(_PLAIN_TEXT), text).otherwise(F.concat(F.lit("_"), F.md5(text)))
    return F.coalesce(text, F.lit("_null"))


def _described(rows: DataFrame, environment: Environment, files: Sequence[StoredFile], layout: Layout) -> list[NewFile]:
    """The files that have rows, with partition values and statistics."""
    if len(files) <= _MOST_BY_DRIVER:
        return describe_files(environment.object_store(), layout, files)
    parts = [list(files[start : start + _FILES_PER_TASK]) for start in range(0, len(files), _FILES_PER_TASK)]
    read = partial(_described_in_task, environment, layout)
    return rows.sparkSession.sparkContext.parallelize(parts, len(parts)).flatMap(read).collect()


def _described_in_task(environment: Environment, layout: Layout, files: Sequence[StoredFile]) -> list[NewFile]:
    return describe_files(environment.object_store(), layout, files)


def _read_back(rows: DataFrame, uri: str) -> DataFrame:
    reader = rows.sparkSession.read.schema(rows.schema)
    return reader.option("recursiveFileLookup", "true").parquet(uri)


def _no_rows(rows: DataFrame) -> DataFrame:
    return rows.sparkSession.createDataFrame([], rows.schema)


def _require_text_or_ordered(schema: StructType, partition_by: Sequence[str], table: str) -> None:
    for name in partition_by:
        if isinstance(schema[name].dataType, BinaryType):
            raise BatchRefused(
                f"the partition column '{name}' is binary", where=table, fix="partition by text, a number or a date"
            )


def _nullable(kind: object) -> object:
    """A type's JSON in which everything may be null, as Delta's own writer makes a table."""
    if isinstance(kind, list):
        return [_nullable(part) for part in kind]
    if not isinstance(kind, dict):
        return kind
    free = {name: True for name in ("nullable", "containsNull", "valueContainsNull") if name in kind}
    return {name: value if name == "metadata" else _nullable(value) for name, value in kind.items()} | free
