"""A second reader of records, in plain Python: the grammar of docs/records.md once more, to compare the engine with."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from headgate.contracts.contract import Contract, Field
from headgate.engine.read.typed_records import type_of
from headgate.ledger.record_table import UNPARSABLE

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_OFFSET = r"( ?(?P<zone>[Zz]|UTC|(?P<sign>[+-])(?P<zh>\d\d)(:?(?P<zm>\d\d))?))?"
_TIME = r"(?P<h>\d\d)(:(?P<mi>\d\d)(:(?P<s>\d\d)([.,](?P<f>\d+))?)?)?"
_EXTENDED = re.compile(rf"(?P<y>\d{{4}})(-(?P<m>\d\d)(-(?P<d>\d\d)([Tt ]{_TIME}{_OFFSET})?)?)?", re.ASCII)
_BASIC = re.compile(rf"(?P<y>\d{{4}})(?P<m>\d\d)(?P<d>\d\d)([Tt ]{_TIME.replace(':', '')}{_OFFSET})?", re.ASCII)
_TRUE, _FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}
_LONGEST = 1000
_INVALID = object()

Reason = tuple[str, str]


class Number(str):
    """A JSON number, as it was written."""


def read(raw: str, contract: Contract) -> dict[str, Any]:
    """Returns {"values": ...} of an accepted record, or {"rejected": [(column, rule), ...]}."""
    record = json.loads(raw, parse_int=Number, parse_float=Number)
    if not isinstance(record, dict):
        return {"rejected": [("", UNPARSABLE)]}
    values, reasons = _object(record, contract.fields, "")
    if contract.evolution == "strict" and contract.format != "csv":
        known = {field.name for field in contract.fields}
        reasons += [(name, "unknown field") for name in record if name not in known]
    return {"rejected": reasons} if reasons else {"values": values}


def _object(record: dict[str, Any], fields: Any, path: str) -> tuple[dict[str, Any], list[Reason]]:
    values, reasons = {}, []
    for field in fields:
        at = f"{path}.{field.name}" if path else field.name
        values[field.name], own = _value(record.get(field.name), field, field.required, at)
        reasons += own
    return values, reasons


def _value(value: Any, field: Field, required: bool, path: str) -> tuple[Any, list[Reason]]:
    if value is None:
        return None, [(path, "required")] if required else []
    if field.type == "struct":
        return _object(value, field.fields, path) if isinstance(value, dict) else (None, [(path, "type: object")])
    if field.type == "array":
        return _array(value, field, path) if isinstance(value, list) else (None, [(path, "type: array")])
    if isinstance(value, dict | list):
        scalar = _INVALID if field.type != "string" else _as_sent(value)
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        scalar = text if field.type == "string" else _scalar(text.strip(" \t\n\r"), field, isinstance(value, Number))
    return (None, [(path, f"type: {type_of(field)}")]) if scalar is _INVALID else (scalar, [])


def _as_sent(value: Any) -> str:
    """The text of a value in a string field, as the tests write arrays: without spaces."""
    if isinstance(value, list):
        return f"[{','.join(map(_as_sent, value))}]"
    return str(value) if isinstance(value, Number) else json.dumps(value)


def _array(value: list[Any], field: Field, path: str) -> tuple[list[Any], list[Reason]]:
    assert field.item is not None
    results = [_value(item, field.item, True, f"{path}[{place}]") for place, item in enumerate(value)]
    return [item for item, _ in results], [reason for _, own in results for reason in own]


def _scalar(text: str, field: Field, is_number: bool) -> Any:
    if field.type == "boolean":
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else _INVALID
    if field.type in ("date", "timestamp"):
        return _INVALID if is_number else _moment(text, field.type)
    if field.type == "double":
        return _double(text)
    if field.type == "decimal":
        return _exact(text, field.precision, field.scale)
    if "e" in text.lower() or ("." in text and not is_number):
        return _INVALID
    value = _exact(text, 19, 0)
    bits = 31 if field.type == "int" else 63
    return int(value) if value is not _INVALID and -(2**bits) <= value < 2**bits else _INVALID


def _double(text: str) -> Any:
    if text in ("NaN", "Infinity", "-Infinity"):
        return "NaN" if text == "NaN" else float(text)
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return _INVALID
    value = float(text)
    return _INVALID if value in (float("inf"), float("-inf")) else value


def _exact(text: str, precision: int, scale: int) -> Any:
    """The decimal, if its type holds it without rounding."""
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return _INVALID
    with localcontext(prec=2000, Emax=10**9, Emin=-(10**9)):
        value = Decimal(text).normalize()
        _, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        if value and (-exponent > scale or len(digits) + exponent > precision - scale):
            return _INVALID
        return value.quantize(Decimal(1).scaleb(-scale))


def _moment(text: str, kind: str) -> Any:
    match = _EXTENDED.fullmatch(text) or _BASIC.fullmatch(text)
    if match is None:
        return _INVALID
    part = {name: value or "0" for name, value in match.groupdict().items()}
    try:
        day = date(int(part["y"]), int(match["m"] or 1), int(match["d"] or 1))
        micros = int(part["f"][:6].ljust(6, "0")) if match["f"] else 0
        local = datetime(day.year, day.month, day.day, int(part["h"]), int(part["mi"]), int(part["s"]), micros, UTC)
        minutes = int(part["zh"]) * 60 + int(part["zm"])
        if int(part["zm"]) > 59 or minutes > 18 * 60:
            return _INVALID
        offset = timedelta(minutes=-minutes if part["sign"] == "-" else minutes)
        return day if kind == "date" else local - offset
    except (ValueError, OverflowError):
        return _INVALID
