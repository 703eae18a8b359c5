"""The inputs of a function that it reads by `Snapshot`, and the columns of a table that is not built yet."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from headgate.engine.read.changes import live, moved_on_net
from headgate.engine.read.function import AuthoredFunction
from headgate.engine.read.table_reader import TableReader
from headgate.engine.read.typed_records import SOURCE_FIELDS, typed_schema
from headgate.engine.write.history import versions
from headgate.engine.write.outcome import Job
from headgate.planning.graph import Graph, Node
from headgate.planning.plan import Work
from headgate.project import Project
from headgate.table import SOURCE, Changes, History, Read, Snapshot


def snapshots(job: Job) -> dict[str, DataFrame]:
    """Parameter -> all live rows of the table that it reads by `Snapshot`."""
    return {name: live_rows(job, read.table) for name, read in job.node.reads.items() if isinstance(read, Snapshot)}


def live_rows(job: Job, table: str) -> DataFrame:
    """The live rows of a table at the version of this run; none, of the right columns, where it is not built yet."""
    source = job.work.sources[table]
    if source.exists:
        return live(job.reader.at(table, source.version))
    return shape_of(job.project, job.graph, job.session, table)


def moved_snapshot(reader: TableReader, node: Node, work: Work) -> str:
    """The table that is read by `Snapshot` and whose content is another than at the position; empty for none."""
    whole = [read.table for read in node.reads.values() if isinstance(read, Snapshot) and not read.frozen]
    for table in whole:
        source = work.sources[table]
        if source.moved and source.since is not None and moved_on_net(reader, table, source.since, source.version):
            return table
    return ""


def shape_of(project: Project, graph: Graph, session: SparkSession, table: str) -> DataFrame:
    """Returns an empty frame with the columns that readers of a table receive; the table need not be built."""
    node = graph.node(table)
    inputs = {name: _input_shape(project, graph, session, read) for name, read in node.reads.items()}
    rows = AuthoredFunction(project, node).check(session, inputs).shape
    if isinstance(node.writes, History):
        rows = versions(rows, node.writes)
    return session.createDataFrame([], live(rows).schema)


def _input_shape(project: Project, graph: Graph, session: SparkSession, read: Read) -> DataFrame:
    if not isinstance(read, Changes):
        return shape_of(project, graph, session, read.table)
    if read.table.startswith("bronze."):
        return session.createDataFrame([], typed_schema(graph.contract_of(read.table)))
    return with_source(shape_of(project, graph, session, read.table))


def with_source(rows: DataFrame) -> DataFrame:
    """An empty frame of an `Append` table with the column that functions over `Changes` carry through."""
    kinds = {"upload": "string", "received": "timestamp", "record": "bigint"}
    fields = (F.lit(None).cast(kinds[name]).alias(name) for name in SOURCE_FIELDS)
    return rows.withColumn(SOURCE, F.struct(*fields))
