"""How a dataset's contract has changed since a table was built from it, and whether the table can go on.

An optional field may be added, and a required field may become optional: old rows stay valid. After
any other change old and new rows would follow different contracts; it is refused until a person rebuilds the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from headgate.contracts.contract import Contract, Field

#: Path of a field, such as items[].quantity -> its type, and whether it is required.
Shape = Mapping[str, Sequence[Any]]

_WIDTH = {"int": 1, "bigint": 2}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


@dataclass(frozen=True)
class Change:
    """One difference between two versions of a contract, in words; `refused` where a table cannot go on with it."""

    message: str
    refused: bool


def shape_of(contract: Contract) -> dict[str, tuple[str, bool]]:
    """Every field of a contract by its path, with its type and whether it is required; `_key` is the dataset's key."""
    return {path: (kind, required) for field in contract.fields for path, kind, required in _walk(field, "")}


def changes(old: Shape, new: Shape) -> list[Change]:
    """What is different, refused changes first."""
    gone, came = [path for path in old if path not in new], [path for path in new if path not in old]
    changed = [*_gone(gone, came, old, new), *_came(came, new)]
    for path in old.keys() & new.keys():
        changed += _changed(path, old[path], new[path])
    return sorted(changed, key=lambda change: (not change.refused, change.message))


def _walk(field: Field, prefix: str) -> Iterator[tuple[str, str, bool]]:
    path = f"{prefix}{field.name}"
    if field.type == "array" and field.item is not None:
        yield path, "array", field.required
        yield from _walk_item(field.item, f"{path}[]")
        return
    yield path, _kind(field), field.required
    for child in field.fields:
        yield from _walk(child, f"{path}.")


def _walk_item(item: Field, path: str) -> Iterator[tuple[str, str, bool]]:
    if item.type == "array" and item.item is not None:
        yield path, "array", True
        yield from _walk_item(item.item, f"{path}[]")
        return
    yield path, _kind(item), True
    for child in item.fields:
        yield from _walk(child, f"{path}.")


def _kind(field: Field) -> str:
    return f"decimal({field.precision},{field.scale})" if field.type == "decimal" else field.type


def _gone(gone: list[str], came: list[str], old: Shape, new: Shape) -> Iterator[Change]:
    for path in gone:
        same_kind = [other for other in came if new[other][0] == old[path][0]]
        renamed = get_close_matches(path, same_kind, n=1, cutoff=0.5)
        hint = f" (renamed to {renamed[0]}?)" if renamed else ""
        required = "required field" if old[path][1] else "field"
        yield Change(f"the {required} {path} was removed{hint}", refused=True)


def _came(came: list[str], new: Shape) -> Iterator[Change]:
    parents = set(came)
    for path in came:
        inside = any(path.startswith((f"{parent}.", f"{parent}[]")) for parent in parents if parent != path)
        kind, required = new[path]
        if required and not inside:
            yield Change(f"the required field {path} {kind} was added: old records lack it", refused=True)
        elif not inside:
            yield Change(f"the optional field {path} {kind} was added", refused=False)


def _changed(path: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    if old[0] != new[0]:
        how = "widened" if _is_wider(new[0], old[0]) else "narrowed" if _is_wider(old[0], new[0]) else "changed"
        yield Change(f"{path} was {how} from {old[0]} to {new[0]}", refused=True)
    if old[1] != new[1]:
        details = "required: old records may lack it" if new[1] else "optional"
        yield Change(f"{path} became {details}", refused=new[1])


def _is_wider(wide: str, narrow: str) -> bool:
    """Whether every value of the first type is a value of the second."""
    if wide in _WIDTH and narrow in _WIDTH:
        return _WIDTH[wide] > _WIDTH[narrow]
    first, second = _DECIMAL.fullmatch(wide), _DECIMAL.fullmatch(narrow)
    if first and second:
        (p1, s1), (p2, s2) = (map(int, match.groups()) for match in (first, second))
        return s1 >= s2 and p1 - s1 >= p2 - s2
    return wide == "string"
