"""The club's tables in plain Python: the expected rows for any history of uploads and runs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.engine.world import Sent

Row = dict[str, Any]

_REQUIRED = {
    "members": ("member_id", "at"),
    "visits": ("visit_id", "revision", "amount"),
    "scans": ("scan_id", "codes"),
}


@dataclass(frozen=True)
class Record:
    """An accepted record, and its order."""

    received: datetime
    upload: str
    number: int
    content: Row


def tables(sent: Iterable[Sent]) -> dict[str, Any]:
    """The tables that the uploads add up to, in the form of `club.tables`."""
    uploads: dict[str, list[Sent]] = defaultdict(list)
    for upload in sent:
        uploads[upload.id.partition(".")[0]].append(upload)
    results: dict[str, Any] = {"rejected": [], "receipts": {}}
    for upload in (upload for some in uploads.values() for upload in some):
        reasons = [_reasons(upload.id.partition(".")[0], line) for line in upload.lines]
        unparsable, accepted = reasons.count(["unparsable"]), reasons.count([])
        results["rejected"] += [(upload.id, number, why) for number, why in enumerate(reasons) if why]
        results["receipts"][upload.id] = {
            "records": len(upload.lines),
            "unparsable": unparsable,
            "accepted": accepted,
            "no_row": 0,
            "rejected": len(upload.lines) - unparsable - accepted,
        }
    results["rejected"].sort()
    for upload, without in _scans_without_codes(uploads["scans"]):
        results["receipts"][upload]["accepted"] -= without
        results["receipts"][upload]["no_row"] += without
    return {**results, **_silver(uploads), **_gold(uploads)}


def _accepted(uploads: Iterable[Sent]) -> Iterator[Record]:
    for upload in uploads:
        for number, line in enumerate(upload.lines):
            if not _reasons(upload.id.partition(".")[0], line):
                yield Record(upload.received, upload.id, number, json.loads(line))


def _reasons(dataset: str, line: str) -> list[str]:
    """The reason why a record is rejected, for the fields that the tests vary."""
    try:
        record = json.loads(line)
    except ValueError:
        return ["unparsable"]
    results = [f"{name} required" for name in _REQUIRED[dataset] if record.get(name) is None]
    if record.get("amount") is not None and -Decimal(str(record["amount"])).as_tuple().exponent > 2:
        results.append("amount type: decimal(12,2)")
    return results + [f"codes[{n}] required" for n, code in enumerate(record.get("codes") or []) if code is None]


def _scans_without_codes(uploads: Iterable[Sent]) -> Iterator[tuple[str, int]]:
    for record in _accepted(uploads):
        if not record.content["codes"]:
            yield record.upload, 1


# --- silver


def _silver(uploads: dict[str, list[Sent]]) -> dict[str, Any]:
    members, visits = _members(uploads["members"]), _visits(uploads["visits"])
    scans = [(record, row) for record in _accepted(uploads["scans"]) for row in _codes(record.content)]
    firsts = _newest((_record(record), row["code"], row) for record, row in scans if row["place"] == 0)
    logged = [(record, row) for record, row in scans if row["code"] != ""]
    return {
        "silver.members": _ordered(row for _, row in members.values()),
        "silver.visits": _ordered(row for _, row in visits.values() if not row["void"]),
        "silver.scans": _ordered(row for _, row in scans),
        "silver.first_scans": _ordered(_without_place(row) for _, row in firsts.values()),
        "silver.scan_log": _ordered(_without_place(row) for _, row in logged),
        "sources": {
            "silver.members": sorted(
                (_key(member, at), "live", *order[-2:]) for (member, at), (order, _) in members.items()
            ),
            "silver.visits": sorted(
                (_key(visit), "deleted" if row["void"] else "live", *order[-2:])
                for visit, (order, row) in visits.items()
            ),
            "silver.scans": _numbered(record for record, _ in scans),
            "silver.first_scans": sorted((_key(code), "live", *order[-2:]) for code, (order, _) in firsts.items()),
            "silver.scan_log": _numbered(record for record, _ in logged),
        },
    }


def _newest(rows: Iterable[tuple[tuple, Any, Row]]) -> dict[Any, tuple[tuple, Row]]:
    """Key -> order and row of its newest, from (order, key, row)."""
    newest: dict[Any, tuple[tuple, Row]] = {}
    for order, key, row in rows:
        newest[key] = max(newest.get(key, (order, row)), (order, row), key=lambda pair: pair[0])
    return newest


def _record(record: Record, sequence: Any = None) -> tuple:
    """A record's order: without a sequence of its own, when it was received."""
    return (record.received if sequence is None else sequence, record.received, record.upload, record.number)


def _members(uploads: Iterable[Sent]) -> dict[tuple[str, datetime], tuple[tuple, Row]]:
    def row(content: Row) -> Row:
        plain = {name: content.get(name) for name in ("member_id", "city", "level", "gone")}
        return {**plain, "at": datetime.fromisoformat(content["at"])}

    rows = ((record, row(record.content)) for record in _accepted(uploads))
    return _newest((_record(record), (row["member_id"], row["at"]), row) for record, row in rows)


def _visits(uploads: Iterable[Sent]) -> dict[str, tuple[tuple, Row]]:
    def row(content: Row) -> Row:
        plain = {name: content.get(name) for name in ("visit_id", "revision", "member_id", "void")}
        day = content.get("day")
        return {**plain, "day": day and date.fromisoformat(day), "amount": Decimal(str(content["amount"]))}

    rows = ((record, row(record.content)) for record in _accepted(uploads))
    return _newest((_record(record, row["revision"]), row["visit_id"], row) for record, row in rows)


def _codes(content: Row) -> list[Row]:
    return [{"scan_id": content["scan_id"], "place": n, "code": code} for n, code in enumerate(content["codes"])]


def _without_place(row: Row) -> Row:
    return {"code": row["code"], "scan_id": row["scan_id"]}


def _key(*values: Any) -> str:
    texts = [f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value for value in values]
    return "k:" + json.dumps(texts, separators=(",", ":"))


def _numbered(records: Iterable[Record]) -> list[tuple]:
    """The sources of an insert-only table: the rows of each record numbered from 0."""
    count: dict[tuple[str, int], int] = defaultdict(int)
    for record in records:
        count[record.upload, record.number] += 1
    return sorted(
        (f'r:["{upload}","{number}","{n}"]', "live", upload, number)
        for (upload, number), rows in count.items()
        for n in range(rows)
    )


# --- gold


def _gold(uploads: dict[str, list[Sent]]) -> dict[str, Any]:
    visits = [row for _, row in _visits(uploads["visits"]).values() if not row["void"]]
    members = _history([row for _, row in _members(uploads["members"]).values()])
    current = {row["member_id"]: row["city"] for row in members if row["is_current"]}
    cities: dict[str | None, int] = defaultdict(int)
    for city in current.values():
        cities[city] += 1
    days, spenders = _grouped(visits, "day"), _grouped(visits, "member_id")

    def city_of(member: str) -> str:
        return (current[member] or "nowhere") if member in current else "unknown"

    return {
        "gold.members": _ordered(members),
        "gold.daily": _ordered({"day": day, "visits": len(rows), "amount": _sum(rows)} for day, rows in days.items()),
        "gold.member_value": _ordered(
            {"member_id": member, "city": city_of(member), "visits": len(rows), "amount": _sum(rows)}
            for member, rows in spenders.items()
        ),
        "gold.cities": _ordered({"city": city, "members": count} for city, count in cities.items()),
        "gold.daily_known": _ordered(
            {"day": day, "visits": len(rows), "cities": len(cities)} for day, rows in days.items()
        ),
        # The cities depend on the time of computation, because the read is frozen.
        "gold.daily_frozen": _ordered({"day": day, "visits": len(rows)} for day, rows in days.items()),
    }


def _history(versions: list[Row]) -> list[Row]:
    """One row per member and time in one city: its level is the last level of that time."""
    results: list[Row] = []
    for member in {row["member_id"] for row in versions}:
        open_row: Row | None = None
        for version in sorted((row for row in versions if row["member_id"] == member), key=lambda row: row["at"]):
            if open_row is not None and not version["gone"] and version["city"] == open_row["city"]:
                open_row["level"] = version["level"]
                continue
            if open_row is not None:
                open_row.update(valid_to=version["at"], is_current=False)
                open_row = None
            if not version["gone"]:
                open_row = {
                    "member_id": member,
                    "city": version["city"],
                    "level": version["level"],
                    "valid_from": version["at"],
                    "valid_to": None,
                    "is_current": True,
                }
                results.append(open_row)
    return results


def _grouped(rows: list[Row], name: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[name]].append(row)
    return groups


def _sum(rows: list[Row]) -> Decimal:
    return sum((row["amount"] for row in rows), Decimal(0))


def ordered_by(row: Row) -> str:
    """What rows are sorted by, whatever the order of their columns."""
    return str(sorted(row.items()))


def _ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=ordered_by)
