"""Writes records in the format of their contract: JSON lines, a JSON array, JSON, CSV or Parquet.

A record is a dict from column name to value: text, int, float, Decimal, bool, date, datetime (UTC), dict, list or None.
What is None is left out. Text may hold bytes that are not UTF-8 as surrogates (`surrogateescape`).
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from headgate.contracts.allowed import readable
from headgate.contracts.contract import Contract, Field
from headgate.contracts.upload_format import CsvDialect
from headgate.formats.sent_names import as_sent

if TYPE_CHECKING:
    import pyarrow as pa

Record = dict[str, Any]

#: In a CSV record the value under this name is written after the last column: a value too many.
EXTRA = ""


def write(contract: Contract, records: Sequence[Record]) -> bytes:
    """Returns an upload in the contract's format; an upload of format json has exactly one record."""
    if contract.format == "parquet":
        return parquet(contract.fields, records)
    records = [as_sent(contract.fields, record) for record in records]
    if contract.format == "csv":
        text = csv_text([field.sent_name for field in contract.fields], records, contract.csv)
    elif contract.format == "json_array":
        text = json_array(records)
    else:
        text = json_lines(records)
    return text.encode("utf-8", "surrogateescape")


def csv_text(columns: Sequence[str], records: Iterable[Record], dialect: CsvDialect = CsvDialect()) -> str:  # noqa: B008
    """Returns CSV with a header; a value of None is empty."""
    text = io.StringIO()
    doubled = dialect.escape == dialect.quote
    writer = csv.writer(
        text,
        lineterminator="\n",
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        doublequote=doubled,
        escapechar=None if doubled else dialect.escape,
    )
    writer.writerow(columns)
    for record in records:
        extra = [record[EXTRA]] if EXTRA in record else []
        writer.writerow([_csv_value(record.get(column)) for column in columns] + extra)
    return text.getvalue()


def _csv_value(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else text_of(value)


def json_lines(records: Iterable[Record]) -> str:
    """Returns one JSON object per line."""
    return "".join(f"{json_value(record)}\n" for record in records)


def json_array(records: Iterable[Record]) -> str:
    """Returns a JSON array with one record per line."""
    return "[\n" + ",\n".join(map(json_value, records)) + "\n]\n"


def json_value(value: Any) -> str:
    """Returns a value as JSON. A Decimal keeps every digit; None in an object is left out."""
    if isinstance(value, dict):
        fields = (f"{json.dumps(name)}:{json_value(inner)}" for name, inner in value.items() if inner is not None)
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_value, value)) + "]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return json.dumps(text_of(value))
    return json.dumps(value, ensure_ascii=False)


def text_of(value: Any) -> str:
    """Returns a scalar as text: timestamps as ISO 8601 in UTC, decimals without an exponent."""
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def parquet(fields: Sequence[Field], records: Sequence[Record]) -> bytes:
    """Returns a Parquet file with the contract's columns, all of them nullable."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    schema = pa.schema([(field.sent_name, arrow_type(field)) for field in fields])
    output = io.BytesIO()
    write_table(pa.Table.from_pylist([as_sent(fields, record) for record in records], schema=schema), output)
    return output.getvalue()


def from_text(field: Field, value: Any) -> Any:
    """Returns a value as the field's own type, from a value as JSON has it; for Parquet, which does not convert.

    Raises ValueError where the field cannot hold it.
    """
    if value is None:
        return None
    if field.type == "struct":
        return {child.name: from_text(child, value.get(child.name)) for child in field.fields}
    if field.type == "array" and field.item is not None:
        return [from_text(field.item, item) for item in value]
    if field.type in ("boolean", "double") or not isinstance(value, str | int | float):
        return value
    typed = readable(str(value), field.type)
    if typed is None:
        raise ValueError(f"{field.name}: {value!r} is not a {field.type}")
    return typed


def arrow_type(field: Field) -> "pa.DataType":
    """Returns the Arrow type of a contract's field."""
    import pyarrow as pa

    if field.type == "struct":
        return pa.struct([(child.sent_name, arrow_type(child)) for child in field.fields])
    if field.type == "array" and field.item is not None:
        return pa.list_(arrow_type(field.item))
    if field.type == "decimal":
        return pa.decimal128(field.precision, field.scale)
    scalars = {
        "string": pa.string(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    return scalars[field.type]
