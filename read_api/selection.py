"""Which files of a version a page reads, and in which order: as few as the page needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from read_api.parameters import RowQuery
from read_api.snapshots import DataFile, Snapshot

# The first files of a page are read until they hold this many times the rows of the page.
_AHEAD = 4


class Batches:
    """The files of a page without an order, in the order of their numbers; each file is read once."""

    def __init__(self, files: Sequence[DataFile], after: Sequence[Any] | None, wanted: int) -> None:
        start = 0 if after is None else int(after[-2])
        self._files = [file for file in files if file.number >= start]
        self._wanted, self._read_rows, self._missing = wanted, 0, wanted

    def __iter__(self) -> Iterator[tuple[list[DataFile], int]]:
        """Yields files to read and how many rows to take from them, until `took` has counted the page full."""
        begin = 0
        while begin < len(self._files) and self._missing > 0:
            end, rows, aim = begin, 0, self._rows_to_read()
            while end < len(self._files) and (rows < aim or end == begin):
                rows += self._files[end].rows or 0
                end += 1
            self._read_rows += rows
            yield self._files[begin:end], self._missing
            begin = end

    def took(self, count: int) -> None:
        """Counts rows that came for the page."""
        self._missing -= count

    def _rows_to_read(self) -> float:
        """Twice what should hold the missing rows, by the share of rows that matched so far."""
        matched = self._wanted - self._missing
        if not self._read_rows:
            return _AHEAD * self._wanted
        return 2 * self._missing * self._read_rows / max(1, matched)


class OrderedFiles:
    """The files of a page with an order, taken by where their rows begin in it, and only as far as the page needs."""

    def __init__(
        self, files: Sequence[DataFile], snapshot: Snapshot, query: RowQuery, after: Sequence[Any] | None, wanted: int
    ) -> None:
        first = query.order[0]
        self.wanted, self._descending = wanted, first.descending
        self._ranked = _ranked(files, snapshot, first.column.name, first.descending, after[0] if after else None)
        self._count = self._first()

    def _first(self) -> int:
        rows = 0
        for count, (_, file) in enumerate(self._ranked, 1):
            rows += file.rows or 0
            if rows >= _AHEAD * self.wanted:
                return count
        return len(self._ranked)

    @property
    def chosen(self) -> list[DataFile]:
        """The files to read now, by number."""
        return sorted((file for _, file in self._ranked[: self._count]), key=lambda file: file.number)

    def widen(self, count: int, last: Any) -> bool:
        """Adds files that may hold rows of the page, and returns whether the page must be read again.

        `count` rows came, and `last` is the order's first value of the last row.
        """
        if self._count == len(self._ranked):
            return False
        if count < self.wanted:
            self._count = min(len(self._ranked), max(1, 4 * self._count))
            return True
        end = self._count
        while end < len(self._ranked) and self._reaches(self._ranked[end][0], last):
            end += 1
        widened, self._count = end > self._count, end
        return widened

    def _reaches(self, bound: Any, last: Any) -> bool:
        """Whether a file may hold a row before or at `last`; a bound of None means that nothing is known."""
        if bound is None or last is None:
            return True
        return bool(bound >= last if self._descending else bound <= last)


def _ranked(
    files: Sequence[DataFile], snapshot: Snapshot, column: str, descending: bool, after: Any
) -> list[tuple[Any, DataFile]]:
    """The files with the bound at which their rows begin in the order, by that bound; unknown bounds come first."""
    ranked = []
    for file, (low, high, nullable) in zip(files, snapshot.bounds(column, files), strict=True):
        begin, end = (high, low) if descending else (low, high)
        passed = after is not None and end is not None and (end > after if descending else end < after)
        if passed and not nullable:
            continue
        ranked.append((begin, file))
    known = [item for item in ranked if item[0] is not None]
    known.sort(key=lambda item: item[0], reverse=descending)
    return [item for item in ranked if item[0] is None] + known
