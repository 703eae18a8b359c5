"""The three tables by their definitions alone, in plain Python: the expected rows for any order of uploads and runs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.engine.world import Sent

_REQUIRED = ("transaction_id", "revised_at", "store_id", "sold_at", "currency", "total", "items")
_OPTIONAL = ("register", "receipt_number", "customer_id", "payment_method", "voided")


def tables(sent: Iterable[Sent]) -> dict[str, Any]:
    """The tables that the uploads add up to, in the form of `World.tables`."""
    newest: dict[str, tuple] = {}
    rejected, receipts = [], {}
    for upload in sent:
        reasons = [_reasons(line) for line in upload.lines]
        unparsable = reasons.count(["unparsable"])
        accepted = reasons.count([])
        receipts[upload.id] = {
            "records": len(upload.lines),
            "unparsable": unparsable,
            "no_row": 0,
            "accepted": accepted,
            "rejected": len(upload.lines) - unparsable - accepted,
        }
        rejected += [(upload.id, number, why) for number, why in enumerate(reasons) if why]
        for number, line in enumerate(upload.lines):
            if not reasons[number]:
                row = _row(json.loads(line))
                order = (row["revised_at"], upload.received, upload.id, number)
                key = row["transaction_id"]
                newest[key] = max(newest.get(key, (order, row)), (order, row), key=lambda pair: pair[0])
    live = [row for _, row in newest.values() if not row["voided"]]
    return {
        "transactions": sorted(live, key=lambda row: row["transaction_id"]),
        "sources": sorted(_source(key, order, row) for key, (order, row) in newest.items()),
        "rejected": sorted(rejected),
        "receipts": receipts,
        "items": _items(live),
        "gold": _gold(live),
    }


def _reasons(line: str) -> list[str]:
    """The reason why a record is rejected, for the fields that the tests vary."""
    try:
        record = json.loads(line)
    except ValueError:
        return ["unparsable"]
    missing = [f"{name} required" for name in _REQUIRED if record.get(name) is None]
    too_fine = record.get("total") is not None and -Decimal(str(record["total"])).as_tuple().exponent > 2
    return missing + (["total type: decimal(12,2)"] if too_fine else [])


def _row(record: dict[str, Any]) -> dict[str, Any]:
    sold_at = datetime.fromisoformat(record["sold_at"])
    return {
        **{name: record[name] for name in ("transaction_id", "store_id", "currency")},
        **{name: record.get(name) for name in _OPTIONAL},
        "revised_at": datetime.fromisoformat(record["revised_at"]),
        "sold_at": sold_at,
        "sale_date": sold_at.date(),
        "total": Decimal(str(record["total"])),
        "items": [_item(item) for item in record["items"]],
    }


def _item(item: dict[str, Any]) -> dict[str, Any]:
    amounts = {name: Decimal(str(item[name])) if name in item else None for name in ("unit_price", "discount")}
    return {**{name: item[name] for name in ("line", "product_id", "quantity")}, **amounts}


def _source(key: str, order: tuple, row: dict[str, Any]) -> tuple:
    _, _, upload, record = order
    return f'k:["{key}"]', "deleted" if row["voided"] else "live", upload, record


def _items(live: list[dict[str, Any]]) -> list[dict[str, Any]]:
    results = [
        {
            **{name: row[name] for name in ("transaction_id", "store_id", "sale_date")},
            **item,
            "discount": item["discount"] or Decimal(0),
        }
        for row in live
        for item in row["items"]
    ]
    return sorted(results, key=lambda row: (row["transaction_id"], row["line"]))


def _gold(live: list[dict[str, Any]]) -> list[dict[str, Any]]:
    days = defaultdict(list)
    for row in live:
        days[row["sale_date"], row["store_id"], row["currency"]].append(row)
    return [
        {
            **dict(zip(("sale_date", "store_id", "currency"), day, strict=True)),
            "transactions": len(rows),
            "items": sum(len(row["items"]) for row in rows),
            "revenue": sum(row["total"] for row in rows),
            "first_sale_at": min(row["sold_at"] for row in rows),
            "last_sale_at": max(row["sold_at"] for row in rows),
        }
        for day, rows in sorted(days.items())
    ]
