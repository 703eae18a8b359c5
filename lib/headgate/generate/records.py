"""Records of a contract: valid records, corrections, and broken records that the contract rejects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any

from headgate.contracts.contract import Contract, Field
from headgate.generate.numbers import random_for
from headgate.generate.values import Circumstances, identifier, optional_value, value_of
from headgate.generate.wording import STORE_NAMES, is_version
from headgate.generate.writers import EXTRA, Record

_WRONG_TEXT = {
    "int": "three",
    "bigint": "three",
    "decimal": "1,50",
    "double": "much",
    "boolean": "perhaps",
    "date": "yesterday",
    "timestamp": "yesterday",
    "struct": "text",
    "array": "text",
}
_TRIES = 20  # to draw another value for a correction


@dataclass(frozen=True)
class Place:
    """Which record of a request: its number from 0 in the dataset, its store, and when it was made (UTC)."""

    number: int
    store: str
    moment: datetime


class RecordMaker:
    """Generates the records of a contract. The same place gives the same record."""

    def __init__(self, contract: Contract, seed: int, identifiers: Mapping[str, int]) -> None:
        self.contract, self._seed, self._identifiers = contract, seed, identifiers

    def record(self, place: Place) -> Record:
        """Returns a record that the contract accepts; its key differs from those of other places."""
        at = self._circumstances(place)
        return {field.name: self._value(field, at, place) for field in self.contract.fields}

    def corrected(self, place: Place, sent_at: datetime) -> Record:
        """Returns the record of `place` with the same key and another value in a column outside of the key.

        Columns that say when the record was last changed, such as updated_at, get the time of the correction.
        """
        record = self.record(place)
        at = self._circumstances(place, "corrected")
        for field in self.contract.fields:
            if field.type == "timestamp" and is_version(field.name) and field.name not in self.contract.key:
                record[field.name] = sent_at - timedelta(seconds=1 + int(at.draw() * 3600))
        choices = [field for field in self.contract.fields if self._is_correctable(field)]
        for _ in range(_TRIES if choices else 0):
            field = choices[int(at.draw() * len(choices))]
            value = value_of(field, at)
            if value != record[field.name]:
                return {**record, field.name: value}
        return record

    def broken(self, record: Record, numbers: Random) -> Record:
        """Returns `record` with a damage for which the contract rejects it. Needs `can_break`."""
        return record | self._damages[int(numbers.random() * len(self._damages))]

    @property
    def can_break(self) -> bool:
        """Whether any damage is possible: a Parquet file without required columns accepts every row."""
        return bool(self._damages)

    @cached_property
    def counter(self) -> Field | None:
        """The column of the key that numbers the records; None if the key has only times, or there is no key."""
        key = [field for field in self.contract.fields if field.name in self.contract.key]
        countable = [field for field in key if _counts(field)]
        return next((f for f in countable if f.type == "string"), next(iter(countable), None))

    @cached_property
    def _damages(self) -> list[Record]:
        return list(_damages(self.contract))

    def _circumstances(self, place: Place, purpose: str = "record") -> Circumstances:
        numbers = random_for(self._seed, self.contract.dataset, purpose, place.number)
        return Circumstances(numbers, self._seed, place.store, place.moment, self._identifiers)

    def _value(self, field: Field, at: Circumstances, place: Place) -> Any:
        if self.counter is not None and field.name == self.counter.name:
            return identifier(field, place.number + 1, self._seed)
        if field.name in self.contract.key:
            return value_of(field, self._apart(field, at, place))
        return optional_value(field, at)

    def _apart(self, field: Field, at: Circumstances, place: Place) -> Circumstances:
        """Where times alone make the key, each record gets a time of its own."""
        if self.counter is not None or field.type not in ("date", "timestamp"):
            return at
        step = timedelta(days=1) if field.type == "date" else timedelta(microseconds=1)
        return replace(at, moment=at.moment + step * place.number)

    def _is_correctable(self, field: Field) -> bool:
        identifies = field.name in self.contract.key or field.name.lower() in STORE_NAMES
        return not identifies and field.type not in ("date", "timestamp")


def _counts(field: Field) -> bool:
    """Whether a key column can hold a different value in each record."""
    if field.allowed.enum or field.name.lower() in STORE_NAMES:
        return False
    return field.type in ("string", "int", "bigint") or (field.type == "decimal" and field.scale == 0)


def _damages(contract: Contract) -> Iterator[Record]:
    """Yields columns with values that the contract rejects, to be put over a valid record's own."""
    for field in contract.fields:
        if field.required:
            yield {field.name: None}
        if contract.format != "parquet":  # its columns have types of their own
            if field.type in _WRONG_TEXT:
                yield {field.name: _WRONG_TEXT[field.type]}
            if field.allowed.enum and field.type == "string":
                yield {field.name: "not-" + field.allowed.enum[0]}
    if contract.format == "csv":
        yield {EXTRA: "one too many"}
    elif contract.format != "parquet" and contract.evolution == "strict":
        yield {"unexpected_field": "x"}
