"""Records with the names that an upload has, where a contract names a column differently (`physicalName`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.contracts.contract import Field


def as_sent(fields: Iterable[Field], record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the names that an upload has, from one with those of columns. Other names stay."""
    known = {field.name: field for field in fields}
    return {
        (known[name].sent_name if name in known else name): (
            _inner_as_sent(known[name], value) if name in known else value
        )
        for name, value in record.items()
    }


def _inner_as_sent(field: Field, value: Any) -> Any:
    if isinstance(value, Mapping):
        return as_sent(field.fields, value)
    if isinstance(value, list) and field.item is not None:
        return [_inner_as_sent(field.item, item) for item in value]
    return value
