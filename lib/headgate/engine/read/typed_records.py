"""Bronze records as typed rows by their contract, each whole record accepted, or rejected with every reason.

`jvm/RecordReader.java` parses a record: unlike Spark's `from_json` it reports the reason of each problem.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from headgate.contracts.contract import Contract, Field
from headgate.engine.read.limits import limit_reasons
from headgate.engine.runtime.jvm_access import register_reader
from headgate.ledger.record_table import IS_UNREADABLE, REASON_TYPE, REJECTED, REJECTED_RECORD_TYPE, STATE, UNREADABLE

SOURCE_FIELDS = ("upload", "received", "record")

SHOWN = 200  # characters of a value that a reason repeats
_READER = "headgate_read_record"


def typed(bronze: DataFrame, contract: Contract) -> DataFrame:
    """One row per bronze record: the contract's columns, `_source`, and `_rejected` (null where accepted).

    An upload that bronze could not split (state `unreadable`) is one record, rejected by the rule UNREADABLE.
    """
    source = F.struct(*SOURCE_FIELDS).alias("_source")
    whole = F.expr(IS_UNREADABLE) if STATE in bronze.columns else F.lit(False)
    value = F.substring("problem", 1, SHOWN)
    unreadable = F.array(F.struct(F.lit("").alias("column"), F.lit(UNREADABLE).alias("rule"), value.alias("value")))
    unreadable = F.when(whole, unreadable.cast(f"array<{REASON_TYPE}>"))
    record = _read(bronze.sparkSession, contract).alias("read")
    read = bronze.select(source, "raw", "raw_encoding", record, unreadable.alias("unreadable"))
    reasons = F.coalesce("unreadable", _reasons(contract))
    body = F.struct("raw", "raw_encoding", reasons.alias("reasons")).cast(REJECTED_RECORD_TYPE)
    return read.select(
        *(F.col("read.values")[field.name].alias(field.name) for field in contract.fields),
        "_source",
        F.when(reasons.isNotNull(), body).alias(REJECTED),
    )


def _reasons(contract: Contract) -> Column:
    """The reasons to reject a record, by its types and then by its limits; null where it is accepted."""
    by_type = F.col("read.reasons")
    by_limits = limit_reasons(contract.fields, F.col("read.values"), REASON_TYPE, SHOWN)
    if by_limits is None:
        return by_type
    reasons = F.concat(F.coalesce(by_type, F.array().cast(f"array<{REASON_TYPE}>")), by_limits)
    return F.when(F.size(reasons) > 0, reasons)


def typed_schema(contract: Contract) -> str:
    """The schema of accepted records, in Spark's DDL."""
    return f"{_columns(contract.fields)}, _source struct<upload: string, received: timestamp, record: bigint>"


def type_of(field: Field, *, as_sent: bool = False) -> str:
    """The field's type in Spark's DDL. as_sent: with the names of an upload, and NOT NULL for what is required."""
    if field.type == "struct":
        return f"struct<{_columns(field.fields, as_sent=as_sent)}>"
    if field.type == "array":
        return f"array<{type_of(_item(field), as_sent=as_sent)}>"
    return f"decimal({field.precision},{field.scale})" if field.type == "decimal" else field.type


def _columns(fields: Iterable[Field], *, as_sent: bool = False) -> str:
    return ", ".join(
        f"{_quoted(field.sent_name if as_sent else field.name)} {type_of(field, as_sent=as_sent)}"
        f"{' NOT NULL' if as_sent and field.required else ''}"
        for field in fields
    )


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _item(field: Field) -> Field:
    if field.item is None:
        raise ValueError(f"the array '{field.name}' has no items")
    return field.item


def _read(session: SparkSession, contract: Contract) -> Column:
    """A record as `values` and `reasons`, null where it is accepted."""
    strict = contract.evolution == "strict" and contract.format != "csv"  # a CSV's header is the contract's
    columns = _columns(contract.fields, as_sent=True)
    returns = f"values struct<{_columns(contract.fields)}>, reasons array<{REASON_TYPE}>"
    # Spark resolves the name when a frame is created, so all contracts can share it.
    register_reader(session, _READER, columns, returns, strict=strict, shown=SHOWN)
    return F.call_udf(_READER, F.col("raw"), F.col("problem"))
