"""Infers the columns of a contract from a sample: types, required, keys, and columns with few values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING, Any

from headgate.propose.sample import Sample

if TYPE_CHECKING:
    import pyarrow as pa

_BOOLEANS = {"true", "false", "t", "f", "yes", "no", "y", "n"}
_INTEGER = re.compile(r"[+-]?(0|[1-9]\d*)")
_DECIMAL = re.compile(r"[+-]?(0|[1-9]\d*)\.\d+")
_DOUBLE = re.compile(r"[+-]?(\d+(\.\d+)?|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?")
_MAX_BIGINT = 2**63 - 1
#: Values of columns with such names are not copied into a contract.
_PERSONAL = re.compile(r"name|mail|phone|mobile|street|address|birth|guest|person|member", re.IGNORECASE)
_LEAST_SCALE = 2  # a sample in which money has one decimal or none would reject cents later
_MAX_SCALE = 9  # a number with more decimals is a measurement: a double
_SPARE_DIGITS = 3  # before the point, beyond the largest value of the sample
_LEAST_PRECISION = 12

_ENUM_VALUES = 12  # at most this many different values
_ENUM_RATIO = 10  # and on average at least this many records for each value
_KEY_COLUMNS = 10  # of which keys of several columns are tried
_ID_NAME = re.compile(r"(^|_)(id|key|no|nr|number|code|sku|uuid)$|[a-z](Id|ID)$", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """A proposed column: its ODCS types, whether every record has it, and remarks for the reader of the contract."""

    name: str
    logical_type: str
    physical_type: str = ""
    required: bool = False
    properties: tuple[Column, ...] = ()
    items: Column | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def can_be_key(self) -> bool:
        """Whether a key may have this column."""
        return self.required and self.logical_type not in ("object", "array") and self.physical_type != "double"


@dataclass(frozen=True)
class Inferred:
    """The proposed columns; `keys` are the sets of columns that identify each record, the best first."""

    columns: tuple[Column, ...]
    keys: tuple[tuple[str, ...], ...]
    duplicates: int  # records that are equal to an earlier record


def infer(sample: Sample) -> Inferred:
    """Returns the columns and the keys of the sample's dataset."""
    columns = tuple(_column(name, [record.get(name) for record in sample.records], sample) for name in sample.columns)
    rows = [tuple(_hashable(record.get(name)) for name in sample.columns) for record in sample.records]
    return Inferred(columns, tuple(_keys(columns, rows)), len(rows) - len(set(rows)))


def _column(name: str, values: Sequence[Any], sample: Sample) -> Column:
    if sample.schema is not None:
        return _from_arrow(name, sample.schema.field(name).type, values)
    return _from_values(name, values, as_text=sample.format == "csv")


def _from_values(name: str, values: Sequence[Any], *, as_text: bool) -> Column:
    """The column of JSON values, or of the text of a CSV."""
    present = [value for value in values if value is not None]
    required = len(present) == len(values)
    if not present:
        return Column(name, "string", notes=("always empty in the sample: check the type",))
    if all(isinstance(value, dict) for value in present):
        names = dict.fromkeys(key for value in present for key in value)
        inner = tuple(_from_values(key, [value.get(key) for value in present], as_text=False) for key in names)
        return Column(name, "object", required=required, properties=inner) if inner else _odd(name, required, "{}")
    if all(isinstance(value, list) for value in present):
        items = [item for value in present for item in value]
        return Column(name, "array", required=required, items=_from_values("item", items, as_text=False))
    logical, physical, notes = _scalar_type(present, as_text)
    return Column(name, logical, physical, required, notes=(*notes, *_few_values(name, logical, present)))


def _odd(name: str, required: bool, shown: str) -> Column:
    return Column(name, "string", required=required, notes=(f"always {shown} in the sample: check the type",))


def _scalar_type(values: Sequence[Any], as_text: bool) -> tuple[str, str, tuple[str, ...]]:
    """The logical type, the physical type and remarks for values that are not null."""
    if all(isinstance(value, bool) for value in values):
        return "boolean", "", ()
    numbers = [value for value in values if isinstance(value, int | Decimal | float) and not isinstance(value, bool)]
    if len(numbers) == len(values):
        return _number_type([str(value) for value in numbers])
    if not all(isinstance(value, str) for value in values):
        return "string", "", ("values of several types in the sample: kept as text",)
    texts = [value.strip() for value in values]
    if as_text and all(text.lower() in _BOOLEANS for text in texts):
        return "boolean", "", ()
    if as_text and all(_DOUBLE.fullmatch(text) for text in texts) and not any(map(_has_leading_zero, texts)):
        return _number_type(texts)
    if all(_DATE.fullmatch(text) and _is(date, text) for text in texts):
        return "date", "", ()
    if all((_DATE.fullmatch(text) or _TIMESTAMP.fullmatch(text)) and _is(datetime, text) for text in texts):
        return "timestamp", "", ()
    return "string", "", _text_notes(texts)


def _has_leading_zero(text: str) -> bool:
    """Whether a number is written like a code, such as the postcode 01067."""
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


def _text_notes(texts: Sequence[str]) -> tuple[str, ...]:
    if all(re.fullmatch(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}([ T].*)?", text) for text in texts):
        return ("dates that are not ISO 8601 (YYYY-MM-DD): kept as text, convert them in the silver table",)
    if all(re.fullmatch(r"[+-]?[\d.]*,\d+", text) for text in texts):
        return ("numbers with a decimal comma: kept as text, convert them in the silver table",)
    return ()


def _number_type(texts: Sequence[str]) -> tuple[str, str, tuple[str, ...]]:
    if all(_INTEGER.fullmatch(text) for text in texts):
        if all(abs(int(text)) <= _MAX_BIGINT for text in texts):
            return "integer", "", ()
        return "string", "", ("integers beyond 64 bits: kept as text",)
    if any("e" in text.lower() or not (_INTEGER.fullmatch(text) or _DECIMAL.fullmatch(text)) for text in texts):
        return "number", "double", ()
    parts = [text.lstrip("+-").partition(".") for text in texts]
    scale, whole = max(_LEAST_SCALE, *(len(part[2]) for part in parts)), max(len(part[0]) for part in parts)
    if scale > _MAX_SCALE:
        return "number", "double", ()
    return "number", f"decimal({min(38, max(_LEAST_PRECISION, whole + _SPARE_DIGITS + scale))},{scale})", ()


def _is(kind: type[date] | type[datetime], text: str) -> bool:
    try:
        kind.fromisoformat(re.sub(r"\s+(?=Z|[+-]\d{2}:?\d{2}$)", "", text))
    except ValueError:
        return False
    return True


def _few_values(name: str, logical: str, values: Sequence[Any]) -> tuple[str, ...]:
    """A remark on a column with few different values, and the line that allows only these, unless they are personal."""
    if _PERSONAL.search(name) or logical not in ("string", "integer"):
        return ()
    counts = Counter(str(value) for value in values)
    if not 1 < len(counts) <= _ENUM_VALUES or len(values) < _ENUM_RATIO * len(counts):
        return ()
    listed = ", ".join(f"{{value: {_yaml(text, logical)}}}" for text, _ in counts.most_common())
    return (f"only {len(counts)} values in the sample; to allow no others: enum: [{listed}]",)


def _yaml(text: str, logical: str) -> str:
    return text if logical == "integer" else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --- Parquet: the file says the types


def _from_arrow(name: str, kind: pa.DataType, values: Sequence[Any]) -> Column:
    import pyarrow as pa

    present = [value for value in values if value is not None]
    required = bool(values) and len(present) == len(values)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        inner = tuple(
            _from_arrow(kind.field(n).name, kind.field(n).type, [value.get(kind.field(n).name) for value in present])
            for n in range(kind.num_fields)
        )
        return Column(name, "object", required=required, properties=inner)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        items = [item for value in present for item in value]
        return Column(name, "array", required=required, items=_from_arrow("item", kind.value_type, items))
    logical, physical, notes = _arrow_scalar(kind)
    return Column(name, logical, physical, required, notes=(*notes, *_few_values(name, logical, present)))


def _arrow_scalar(kind: pa.DataType) -> tuple[str, str, tuple[str, ...]]:
    import pyarrow as pa

    types = pa.types
    if types.is_decimal(kind):
        return "number", f"decimal({kind.precision},{kind.scale})", ()
    if types.is_uint64(kind):
        return "number", "decimal(20,0)", ()
    if types.is_integer(kind):
        return "integer", "int" if kind.bit_width < 32 or types.is_int32(kind) else "", ()
    if types.is_floating(kind):
        return "number", "double", ()
    if types.is_boolean(kind):
        return "boolean", "", ()
    if types.is_date(kind):
        return "date", "", ()
    if types.is_timestamp(kind):
        return "timestamp", "", ()
    if types.is_binary(kind) or types.is_map(kind) or types.is_duration(kind):
        return "string", "", (f"Headgate rejects Parquet files with a column of type {kind}: remove or convert it",)
    return "string", "", ()


# --- keys


def _keys(columns: Sequence[Column], rows: Sequence[tuple[Any, ...]]) -> Iterable[tuple[str, ...]]:
    """Yields the columns that identify each row: single columns, else pairs, else triples; the best names first."""
    order = sorted(
        (index for index, column in enumerate(columns) if column.can_be_key),
        key=lambda index: (not _ID_NAME.search(columns[index].name), _rank(columns[index]), index),
    )
    for size in (1, 2, 3):
        chosen = order if size == 1 else order[:_KEY_COLUMNS]
        unique = [group for group in combinations(chosen, size) if _is_unique(group, rows)]
        if size == 1:  # a measurement that happens to be unique is not a key
            unique = [group for group in unique if columns[group[0]].logical_type != "number"]
        if unique:
            yield from (tuple(columns[index].name for index in group) for group in unique)
            return


def _rank(column: Column) -> int:
    return {"string": 0, "integer": 0, "date": 1, "timestamp": 1}.get(column.logical_type, 2)


def _is_unique(group: Sequence[int], rows: Sequence[tuple[Any, ...]]) -> bool:
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        value = tuple(row[index] for index in group)
        if value in seen:
            return False
        seen.add(value)
    return True


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((name, _hashable(inner)) for name, inner in value.items()))
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
