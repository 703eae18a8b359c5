"""Checks a file against a contract before it is sent: whether its records can be read, and have the fields they need.

No receiver, lake or JVM is needed. The types of values are judged by the run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headgate.contracts.contract import Contract
from headgate.errors import UploadRefused
from headgate.formats.records import layout_of, split

MOST_SHOWN = 20


@dataclass
class FileReport:
    """What a check saw: `problems` by kind with their count, and the first ones with the record's position."""

    file: str
    bytes: int
    records: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    first: list[tuple[int, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, record: int, problem: str) -> None:
        self.problems[problem] += 1
        if len(self.first) < MOST_SHOWN:
            self.first.append((record, problem))

    def as_dict(self) -> dict[str, Any]:
        first = [{"record": record, "problem": problem} for record, problem in self.first]
        shown = {"file": self.file, "bytes": self.bytes, "records": self.records, "ok": self.ok}
        return {**shown, "problems": dict(self.problems), "first": first}


def check_file(file: Path, contract: Contract, most_bytes: int) -> FileReport:
    """Checks one file. Raises UploadRefused where it cannot be read, or the receiver would refuse it as a whole."""
    try:
        body = file.read_bytes()
    except OSError as error:
        raise UploadRefused(f"cannot be read: {error.strerror}", where=str(file)) from error
    compressed = body.startswith(b"\x1f\x8b")
    if ("gzip" if compressed else "none") not in contract.compressions:
        raise UploadRefused(
            f"'{contract.dataset}' takes {' or '.join(contract.compressions)} compression only", where=str(file)
        )
    if len(body) > most_bytes:
        raise UploadRefused(f"has {len(body):,} bytes; an upload has at most {most_bytes:,}", where=str(file))
    report = FileReport(str(file), len(body))
    for number, problem in _problems(body, contract, compressed, report):
        report.add(number, problem)
    return report


def _problems(body: bytes, contract: Contract, compressed: bool, report: FileReport) -> Iterator[tuple[int, str]]:
    for number, record in enumerate(split(body, layout_of(contract), gzipped=compressed)):
        report.records += 1
        if record.problem is not None:
            yield number, record.problem
        elif contract.format in ("json", "jsonl", "json_array"):
            for problem in _missing(record.raw, contract):
                yield number, problem


def _missing(raw: bytes, contract: Contract) -> Iterator[str]:
    """What a JSON record lacks of the fields that the contract requires."""
    value = json.loads(raw)
    if not isinstance(value, dict):
        yield "not a JSON object"
        return
    for column in contract.fields:
        if column.required and value.get(column.sent_name) is None:
            yield f"{column.sent_name} is missing or null"
