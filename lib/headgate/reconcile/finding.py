"""What a check finds: counted by kind, with the first few names, so that a lost lake does not fill the memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any


class NotChecked(Exception):
    """The reason why a table is not compared."""


class Level(StrEnum):
    """The severity of a finding."""

    ERROR = "error"  # something is missing, or counted twice
    WAITING = "waiting"  # the next run does it
    NOTE = "note"  # good to know


@dataclass(frozen=True)
class Kind:
    """A kind of finding. `fix` is the correction."""

    message: str
    level: Level = Level.ERROR
    fix: str = ""


@dataclass(frozen=True)
class Finding:
    """All findings of the same kind in a check. `names` are the first of `count`; `days` counts them by landing day."""

    kind: Kind
    count: int
    names: tuple[str, ...] = ()
    days: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self.kind), "count": self.count, "names": list(self.names), "days": dict(self.days)}


@dataclass(frozen=True)
class Check:
    """A comparison. `compared` counts the compared items, in `unit`; `not_checked` is the reason if there was none."""

    name: str
    table: str
    unit: str = ""
    compared: int = 0
    findings: tuple[Finding, ...] = ()
    not_checked: str = ""

    def count(self, level: Level) -> int:
        return sum(finding.count for finding in self.findings if finding.kind.level is level)

    def as_dict(self) -> dict[str, Any]:
        plain = {key: getattr(self, key) for key in ("name", "table", "unit", "compared", "not_checked")}
        return {**plain, "findings": [finding.as_dict() for finding in self.findings]}


class Tally:
    """Gathers findings: all are counted, the first `limit` of each kind are named (all with 0)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._names: dict[Kind, list[str]] = {}
        self._counts: Counter[Kind] = Counter()
        self._days: dict[Kind, Counter[str]] = {}
        self.compared = 0

    def add(self, kind: Kind, name: str, *, day: str = "", count: int = 1) -> None:
        names = self._names.setdefault(kind, [])
        if not self._limit or len(names) < self._limit:
            names.append(name)
        self._counts[kind] += count
        if day:
            self._days.setdefault(kind, Counter())[day] += count

    def check(self, name: str, table: str, unit: str, **places: str) -> Check:
        """The check with all that was gathered, errors first. `places` are named in the kinds' fixes, as `{place}`."""
        kinds = sorted(self._counts, key=lambda kind: list(Level).index(kind.level))
        result = tuple(
            Finding(
                replace(kind, fix=kind.fix.format(table=table, **places)),
                self._counts[kind],
                tuple(self._names[kind]),
                dict(sorted(self._days.get(kind, {}).items())),
            )
            for kind in kinds
        )
        return Check(name, table, unit, self.compared, result)
