"""A table's position: how far it has read each of its sources. Every commit carries it (`metadata.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True)
class SourcePosition:
    """The position of a table in a source: the id of the source's Delta table, and its version (-1: not built)."""

    id: str
    version: int

    @property
    def exists(self) -> bool:
        return self.version >= 0


@dataclass(frozen=True)
class Position:
    """How far a table has read its sources, by their names. Bronze reads landing instead, listed at `listed_at`."""

    sources: Mapping[str, SourcePosition] = field(default_factory=dict)
    listed_at: datetime | None = None

    def __getitem__(self, source: str) -> SourcePosition:
        return self.sources[source]

    def get(self, source: str) -> SourcePosition | None:
        """Returns the position in a source; None where the table did not read it."""
        return self.sources.get(source)

    def as_dict(self) -> dict[str, Any]:
        """Returns the position as JSON values; `from_dict` is the inverse."""
        if self.listed_at is not None:
            return {"landing": {"listed_at": self.listed_at.isoformat()}}
        return {name: {"id": at.id, "version": at.version} for name, at in self.sources.items()}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Returns the position of `as_dict`. Raises KeyError, TypeError or ValueError for any other value."""
        if "landing" in value:
            return cls(listed_at=datetime.fromisoformat(value["landing"]["listed_at"]))
        return cls({name: SourcePosition(at["id"], int(at["version"])) for name, at in value.items()})
