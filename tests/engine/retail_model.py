"""The retailer's tables by their definitions alone, in plain Python: the expected rows for any order of uploads and
runs.

It uses neither Spark nor Headgate's code: it has its own rules for valid records,
and computes each table from all records at once.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Landed:
    """An upload: `records` as parsed, None if it cannot be read."""

    dataset: str
    id: str
    received: datetime
    records: Sequence[Row | None]


def tables(uploads: Iterable[Landed]) -> dict[str, list[Row]]:
    """The live rows of every silver and gold table, each table's in a stable order."""
    silver = _silver(list(uploads))
    items = _items(silver["transactions"])
    sales = [_sale(item) for item in items]
    customers = _history(silver["customers"], "customer_id", "deleted")
    products = _history([_product(row) for row in silver["products"]], "product_id")
    results = {
        **{f"silver.{name}": rows for name, rows in silver.items()},
        "silver.transaction_items": items,
        "gold.dim_stores": silver["stores"],
        "gold.dim_customers": customers,
        "gold.dim_products": products,
        "gold.fct_orders": _orders(silver["orders"]),
        "gold.fct_sales": sales,
        "gold.daily_store_sales": _daily(silver["transactions"], silver["returns"]),
        "gold.product_performance": _totals(
            sales, "product_id", products, ("name", "category", "brand"), ("first_sold_on", "last_sold_on")
        ),
        "gold.customer_value": _totals(
            [sale for sale in sales if sale["customer_id"] is not None],
            "customer_id",
            customers,
            ("city", "tier"),
            ("first_bought_on", "last_bought_on"),
        ),
    }
    return {name: in_order(rows) for name, rows in results.items()}


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows in an order that depends on their content alone, whatever the order of their columns."""
    return sorted(rows, key=_comparable)


def _comparable(value: Any) -> str:
    if isinstance(value, dict):
        return str([(name, _comparable(value[name])) for name in sorted(value)])
    if isinstance(value, list):
        return str([_comparable(item) for item in value])
    return f"{value:.9f}" if isinstance(value, Decimal) else str(value)


def parsed(dataset: str, body: bytes) -> list[Row | None]:
    """The records of an upload, each as a dict; None if it cannot be read."""
    if dataset in ("stores", "products", "orders"):
        return _parsed_csv(body.decode("utf-8", "surrogateescape"))
    if dataset == "customers":
        return json.loads(body, parse_float=Decimal)
    return [_parsed_line(line) for line in body.split(b"\n") if line.strip()]


def _parsed_csv(text: str) -> list[Row | None]:
    header, *lines = csv.reader(io.StringIO(text, newline=""))
    return [_parsed_values(header, line) for line in lines if line]


def _parsed_values(header: Sequence[str], line: Sequence[str]) -> Row | None:
    """The values that are not empty; None for another number of them, and for bytes that are not UTF-8."""
    if len(line) != len(header) or any("\ud800" <= character <= "\udfff" for value in line for character in value):
        return None
    return {name: value for name, value in zip(header, line, strict=True) if value}


def _parsed_line(line: bytes) -> Row | None:
    try:
        record = json.loads(line.decode(), parse_float=Decimal)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


# --- valid records


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError
    return int(value)


def _money(value: Any) -> Decimal:
    if isinstance(value, str) and not value.replace(".", "", 1).lstrip("-").isdigit():
        raise ValueError
    amount = Decimal(value)
    if -amount.as_tuple().exponent > 2:
        raise ValueError
    return amount


def _flag(value: Any) -> bool:
    return {"true": True, "false": False, True: True, False: False}[value]


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(value: Any) -> date:
    return date.fromisoformat(_text(value))


def _sold_items(value: Any) -> list[Row]:
    return [_read(item, _ITEM) for item in value]


# Column -> (how its value is read, whether it has to be there).
Columns = Mapping[str, tuple[Callable[[Any], Any], bool]]
_ITEM: Columns = {
    "line": (_whole, True),
    "product_id": (_text, True),
    "quantity": (_whole, True),
    "unit_price": (_money, True),
    "discount": (_money, False),
}
_RECORDS: dict[str, Columns] = {
    "transactions": {
        "transaction_id": (_text, True),
        "revised_at": (_moment, True),
        "store_id": (_text, True),
        "sold_at": (_moment, True),
        "register": (_whole, False),
        "receipt_number": (_whole, False),
        "customer_id": (_text, False),
        "payment_method": (_text, False),
        "currency": (_text, True),
        "total": (_money, True),
        "voided": (_flag, False),
        "items": (_sold_items, True),
    },
    "stores": {
        "store_id": (_text, True),
        "name": (_text, True),
        "address": (_text, False),
        "city": (_text, True),
        "opened_on": (_day, True),
        "closed_on": (_day, False),
    },
    "customers": {
        "customer_id": (_text, True),
        "updated_at": (_moment, True),
        "name": (_text, False),
        "email": (_text, False),
        "phone": (_text, False),
        "city": (_text, False),
        "tier": (_text, False),
        "marketing_consent": (_flag, False),
        "deleted": (_flag, False),
    },
    "products": {
        "product_id": (_text, True),
        "updated_at": (_moment, True),
        "name": (_text, True),
        "category": (_text, True),
        "brand": (_text, False),
        "list_price": (_money, True),
        "discontinued": (_flag, False),
    },
    "orders": {
        "order_id": (_text, True),
        "revised_at": (_moment, True),
        "line": (_whole, True),
        "ordered_at": (_moment, True),
        "customer_id": (_text, False),
        "store_id": (_text, True),
        "product_id": (_text, True),
        "quantity": (_whole, True),
        "unit_price": (_money, True),
        "status": (_text, True),
    },
    "returns": {
        "return_id": (_text, True),
        "revised_at": (_moment, True),
        "returned_at": (_moment, True),
        "transaction_id": (_text, True),
        "line": (_whole, True),
        "product_id": (_text, True),
        "store_id": (_text, True),
        "customer_id": (_text, False),
        "quantity": (_whole, True),
        "amount": (_money, True),
        "currency": (_text, True),
        "reason": (_text, False),
    },
}


def typed(dataset: str, record: Row | None) -> Row | None:
    """The record with every column of its dataset; None where it is rejected."""
    columns = _RECORDS[dataset]
    if record is None or not record.keys() <= columns.keys():
        return None
    try:
        return _read(record, columns)
    except (ValueError, KeyError, ArithmeticError):
        return None


def _read(record: Row, columns: Columns) -> Row:
    row = {}
    for name, (read, required) in columns.items():
        value = record.get(name)
        if value is None and required:
            raise ValueError(name)
        row[name] = None if value is None else read(value)
    return row


# --- silver: of each key the newest record


_KEYS = {
    "transactions": ("transaction_id",),
    "stores": ("store_id",),
    "customers": ("customer_id", "updated_at"),
    "products": ("product_id", "updated_at"),
    "orders": ("order_id", "revised_at", "line"),
    "returns": ("return_id",),
}
_SEQUENCES = {"transactions": "revised_at", "returns": "revised_at"}
_DAYS = {"transactions": "sold_at", "returns": "returned_at"}


def _silver(uploads: Sequence[Landed]) -> dict[str, list[Row]]:
    return {name: _newest(name, [upload for upload in uploads if upload.dataset == name]) for name in _KEYS}


def _newest(dataset: str, uploads: Sequence[Landed]) -> list[Row]:
    """The live rows of a dataset's table: of each key the record that comes last, unless it is voided."""
    results: dict[tuple, tuple[tuple, Row]] = {}
    for upload in uploads:
        for number, record in enumerate(upload.records):
            row = typed(dataset, record)
            if row is None:
                continue
            order = (row[_SEQUENCES[dataset]] if dataset in _SEQUENCES else None, upload.received, upload.id, number)
            order = order[1:] if order[0] is None else order
            key = tuple(row[name] for name in _KEYS[dataset])
            if key not in results or results[key][0] < order:
                results[key] = (order, row)
    return [_with_day(dataset, row) for _, row in results.values() if not row.get("voided")]


def _with_day(dataset: str, row: Row) -> Row:
    return {**row, "sale_date": row[_DAYS[dataset]].date()} if dataset in _DAYS else row


def _items(transactions: Sequence[Row]) -> list[Row]:
    return [
        {
            **{name: sale[name] for name in ("transaction_id", "store_id", "sale_date", "customer_id", "currency")},
            **item,
            "discount": item["discount"] or Decimal(0),
        }
        for sale in transactions
        for item in sale["items"]
    ]


# --- gold


def _sale(item: Row) -> Row:
    return {**item, "amount": item["quantity"] * item["unit_price"] - item["discount"]}


def _product(row: Row) -> Row:
    return {**row, "discontinued": bool(row["discontinued"])}


def _history(versions: Sequence[Row], key: str, deleted: str = "") -> list[Row]:
    """For each key a row for each time in which its content was the same."""
    by_key: dict[str, list[Row]] = defaultdict(list)
    for version in sorted(versions, key=lambda row: row["updated_at"]):
        by_key[version[key]].append(version)
    return [row for of_one in by_key.values() for row in _history_of_one(of_one, deleted)]


def _history_of_one(versions: Sequence[Row], deleted: str) -> list[Row]:
    rows: list[Row] = []
    content: Row | None = None
    for version in versions:
        gone = bool(deleted and version[deleted])
        now = None if gone else {name: v for name, v in version.items() if name not in ("updated_at", deleted)}
        if now == content:
            continue
        if content is not None:
            rows[-1].update(valid_to=version["updated_at"], is_current=False)
        if now is not None:
            rows.append({**now, "valid_from": version["updated_at"], "valid_to": None, "is_current": True})
        content = now
    return rows


def _orders(lines: Sequence[Row]) -> list[Row]:
    by_order: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        by_order[line["order_id"]].append(line)
    return [_order(of_one) for of_one in by_order.values()]


def _order(lines: Sequence[Row]) -> Row:
    revised_at = max(line["revised_at"] for line in lines)
    newest = sorted((line for line in lines if line["revised_at"] == revised_at), key=lambda line: line["line"])
    shared = ("order_id", "ordered_at", "revised_at", "status", "customer_id", "store_id")
    return {
        **{name: newest[0][name] for name in shared},
        "order_date": newest[0]["ordered_at"].date(),
        "lines": len(newest),
        "quantity": sum(line["quantity"] for line in newest),
        "amount": sum(line["quantity"] * line["unit_price"] for line in newest),
    }


def _daily(sales: Sequence[Row], returns: Sequence[Row]) -> list[Row]:
    def by_day(rows: Sequence[Row]) -> dict[tuple, list[Row]]:
        result = defaultdict(list)
        for row in rows:
            result[row["sale_date"], row["store_id"], row["currency"]].append(row)
        return result

    sold, taken_back = by_day(sales), by_day(returns)
    return [_store_day(day, sold.get(day, []), taken_back.get(day, [])) for day in sold.keys() | taken_back.keys()]


def _store_day(day: tuple, sales: Sequence[Row], returns: Sequence[Row]) -> Row:
    revenue = sum((sale["total"] for sale in sales), Decimal(0))
    returned = sum((back["amount"] for back in returns), Decimal(0))
    return {
        **dict(zip(("sale_date", "store_id", "currency"), day, strict=True)),
        "transactions": len(sales),
        "items": sum(len(sale["items"]) for sale in sales),
        "revenue": revenue,
        "returned": returned,
        "net_revenue": revenue - returned,
        "first_sale_at": min((sale["sold_at"] for sale in sales), default=None),
        "last_sale_at": max((sale["sold_at"] for sale in sales), default=None),
    }


def _totals(
    sales: Sequence[Row], key: str, dimension: Sequence[Row], attributes: Sequence[str], days: tuple[str, str]
) -> list[Row]:
    """A row for each value of `key` and currency, with attributes of the dimension's current row."""
    current = {row[key]: row for row in dimension if row["is_current"]}
    groups: dict[tuple, list[Row]] = defaultdict(list)
    for sale in sales:
        groups[sale[key], sale["currency"]].append(sale)
    return [
        {
            key: item,
            "currency": currency,
            **{name: current[item][name] if item in current else UNKNOWN for name in attributes},
            "transactions": len({sale["transaction_id"] for sale in rows}),
            "units": sum(sale["quantity"] for sale in rows),
            "revenue": sum(sale["amount"] for sale in rows),
            days[0]: min(sale["sale_date"] for sale in rows),
            days[1]: max(sale["sale_date"] for sale in rows),
        }
        for (item, currency), rows in groups.items()
    ]
