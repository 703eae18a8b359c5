"""Encodes rows as JSON, NDJSON, CSV or Arrow, by the request's Accept header."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
from werkzeug.datastructures import MIMEAccept

from headgate.http.problems import Problem
from read_api.columns import Column, arrow_type
from read_api.reader import Page

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
MEDIA_TYPES = (JSON, NDJSON, CSV, ARROW)
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC | orjson.OPT_NON_STR_KEYS


def negotiate(accept: MIMEAccept) -> str:
    """Returns the media type to answer with. Raises Problem 406 if none is acceptable."""
    chosen = accept.best_match(MEDIA_TYPES) if accept else JSON
    if chosen is None:
        raise Problem(406, "not-acceptable", f"Accept must be one of {', '.join(MEDIA_TYPES)}", accepted=MEDIA_TYPES)
    return chosen


def encode(page: Page, media_type: str, around: Mapping[str, Any]) -> bytes:
    """Returns the page in a media type; `around` are the other members of the JSON document."""
    if media_type == JSON:
        return _dump({**around, "rows": _dicts(page)})
    if media_type == NDJSON:
        return b"".join(_dump(row) + b"\n" for row in _dicts(page))
    if page.table is None:
        raise ValueError(f"{media_type} is encoded from an Arrow table")
    return _csv(page.table) if media_type == CSV else _arrow(page.table)


def needs_arrow(media_type: str) -> bool:
    """Returns whether a media type is encoded from an Arrow table."""
    return media_type in (CSV, ARROW)


def _dicts(page: Page) -> list[dict[str, Any]]:
    return [dict(zip(page.names, row, strict=True)) for row in page.rows or ()]


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    """Values that JSON has no type for: decimals keep their digits as text, bytes become base64."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def _arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _csv(table: pa.Table) -> bytes:
    """CSV with a header; nulls are empty, text is quoted, nested values are JSON."""
    sink = io.BytesIO()
    columns = {name: _csv_column(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    pa_csv.write_csv(pa.table(columns), sink)
    return sink.getvalue()


def _csv_column(column: Any) -> Any:
    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return pa.array([None if v is None else _dump(v).decode() for v in column.to_pylist()], pa.string())
    if pa.types.is_timestamp(kind):
        return pa.array([_moment(value) for value in column.to_pylist()], pa.string())
    return column


def _moment(value: datetime | None) -> str | None:
    return None if value is None else json.loads(_dump(value.astimezone(UTC)))


def dump(value: Any) -> bytes:
    """Returns any plain value as JSON."""
    return _dump(value)


def as_arrow(page: Page, columns: Sequence[Column]) -> Page:
    """Returns a page of changes as an Arrow table: the columns, then kind of change, version and time."""
    kinds = [arrow_type(column.type) for column in columns]
    kinds += [pa.string(), pa.int64(), pa.timestamp("us", "UTC")]
    values = list(zip(*(page.rows or ()), strict=True)) or [()] * len(kinds)
    arrays = [pa.array(column, kind) for column, kind in zip(values, kinds, strict=True)]
    return Page(page.names, None, pa.Table.from_arrays(arrays, names=list(page.names)), page.after)
