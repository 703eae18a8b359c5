"""Every use of PySpark's private handles of the JVM (`_jdf`, `_jvm`, `_jsc`, `_jsparkSession`), with its reason.

tests/unit/test_private_apis.py allows them in this module alone. Where there is a fallback it is named.

- `plan_json`, `expression_of`, `names_in`: PySpark shows no plan as data; `explain` prints text for people. None.
- `is_local`: whether Spark has a frame's rows in its plan, so that `collect` runs no job. A job could be run.
- `forget_checkpoint`: `DataFrame.unpersist` does not free a local checkpoint. Spark's context cleaner does, later.
- `hadoop_path`: staged files are on the cluster's file system. Otherwise a later run removes them.
- `require_pattern`: only Java can validate a Java pattern. Otherwise Spark would fail on the first row.
- `repeats_of`: `headgate.Repeats`, a public MapPartitionsFunction, takes a Java Dataset. A `groupBy` is slower.
- `register_reader`: `headgate.RecordReader`, a public UDF2, has arguments; `registerJavaFunction` passes none. None.
- `import_helpers`: PySpark names its helpers without their packages, for which py4j tries each package that is imported
  whole, and Java searches every jar for each. Without it a column name costs a third of a millisecond more.
- `class_path_resources`: which Delta is on the driver's class path, only its class loader knows. None.
- `has_ended`, `stop_now`, `has_executors`: PySpark's `stop` waits for a master that is gone. None.
- `is_alive`: whether the JVM of an application that stays up still answers. The next run would fail instead.
- `end_jvm`: PySpark keeps the JVM until its own process ends. None for a process that replaces itself.
"""

from __future__ import annotations

from typing import Any, cast

from py4j.java_gateway import java_import
from pyspark.sql import DataFrame, SparkSession

_END_SECONDS = 20.0
_HELPERS = (
    "org.apache.spark.api.python.PythonRDD",
    "org.apache.spark.api.python.PythonUtils",
    "org.apache.spark.api.python.SerDeUtil",
    "org.apache.spark.api.python.SimplePythonFunction",
    "org.apache.spark.sql.api.python.PythonSQLUtils",
    "org.apache.spark.sql.functions",
)


def plan_json(rows: DataFrame) -> str:
    """A frame's analysed plan: a JSON array of its nodes, their expressions inside them."""
    return str(_analysed(rows).toJSON())


def expression_of(one_column: DataFrame) -> Any:
    """The expression of a frame's only column, with its names and types resolved: an object of Java."""
    named = _analysed(one_column).projectList().head()
    return named.child() if named.getClass().getSimpleName() == "Alias" else named


def names_in(rows: DataFrame, condition: str) -> set[str]:
    """The columns of `rows` that an SQL condition names."""
    references = _analysed(rows.filter(condition)).condition().references().toSeq()
    return {references.apply(number).name() for number in range(references.size())}


def is_local(frame: DataFrame) -> bool:
    """Whether the optimized plan of a frame is its rows. A plan that reads anything else is not optimized for this."""
    execution = cast(Any, frame)._jdf.queryExecution()
    leaves = execution.analyzed().collectLeaves()
    if any(_class_of(leaves.apply(number)) != "LocalRelation" for number in range(leaves.size())):
        return False
    return _class_of(execution.optimizedPlan()) == "LocalRelation"


def forget_checkpoint(frame: DataFrame) -> str | None:
    """Frees the rows of a checkpoint, and removes its folder if it has a folder."""
    rows = _analysed(frame).rdd()
    rows.unpersist(False)
    return str(rows.getCheckpointFile().get()) if rows.getCheckpointFile().isDefined() else None


def hadoop_path(session: SparkSession, uri: str) -> tuple[Any, Any]:
    """Hadoop's file system of an address, and the address as it takes it."""
    jvm: Any = session.sparkContext._jvm
    path = jvm.org.apache.hadoop.fs.Path(uri)
    return path.getFileSystem(session.sparkContext._jsc.hadoopConfiguration()), path


def require_pattern(session: SparkSession, pattern: str) -> None:
    """Raises PySparkException where a regular expression is none to Java."""
    jvm: Any = session._jvm
    jvm.java.util.regex.Pattern.compile(pattern)


def repeats_of(numbers: DataFrame) -> DataFrame:
    """A row per partition of a frame with one bigint: `all` rows, `missing` values, and whether any `repeats`."""
    jvm: Any = numbers.sparkSession._jvm
    return DataFrame(jvm.headgate.Repeats.of(cast(Any, numbers)._jdf), numbers.sparkSession)


def register_reader(session: SparkSession, name: str, columns: str, returns: str, *, strict: bool, shown: int) -> None:
    """Makes `headgate.RecordReader` an SQL function. columns, returns: DDL of its input and output."""
    jvm: Any = session._jvm
    ddl = jvm.org.apache.spark.sql.types.StructType.fromDDL
    reader = jvm.headgate.RecordReader(ddl(columns), strict, shown)
    cast(Any, session)._jsparkSession.udf().register(name, reader, ddl(returns))


def import_helpers(session: SparkSession) -> None:
    """Tells py4j in which packages the helpers are that PySpark names for nearly every column and frame."""
    for name in _HELPERS:
        java_import(cast(Any, session)._jvm, name)


def class_path_resources(session: SparkSession, name: str) -> list[str]:
    """Where the driver's class path has a resource, such as a class, in the order in which it is searched."""
    jvm: Any = session.sparkContext._jvm
    resources, result = jvm.java.lang.Thread.currentThread().getContextClassLoader().getResources(name), []
    while resources.hasMoreElements():
        result.append(str(resources.nextElement().toString()))
    return result


def has_ended(session: SparkSession) -> bool:
    """Whether the session's application was stopped."""
    return session.sparkContext._jsc is None


def is_alive(session: SparkSession) -> bool:
    """Whether the session's JVM answers and its application was not stopped."""
    try:
        return session.sparkContext._jsc is not None and not session.sparkContext._jsc.sc().isStopped()
    except Exception:  # whatever py4j raises when its connection is gone
        return False


def end_jvm(patience: float = _END_SECONDS) -> int | None:
    """Ends the JVM that PySpark started, after its session was stopped; one that does not end is killed.

    patience: how long it may take, in seconds. Returns its exit code; None where PySpark started none.
    """
    from pyspark import SparkContext

    gateway: Any = SparkContext._gateway
    process = getattr(gateway, "proc", None)
    if process is None:
        return None
    gateway.shutdown()
    process.stdin.close()
    try:
        return int(process.wait(patience))
    except Exception:
        process.kill()
        return int(process.wait())


def stop_now(session: SparkSession) -> None:
    """Stops Spark's context in the JVM alone: PySpark's own `stop` belongs to the thread that runs jobs."""
    session.sparkContext._jsc.sc().stop()


def has_executors(session: SparkSession) -> bool:
    """Whether an executor has registered; the driver also counts as a block manager."""
    return bool(session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() > 1)


def _class_of(node: Any) -> str:
    return str(node.getClass().getSimpleName())


def _analysed(rows: DataFrame) -> Any:
    return cast(Any, rows)._jdf.queryExecution().analyzed()
