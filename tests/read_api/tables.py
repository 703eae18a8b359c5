"""Small gold tables that `deltalake` writes, and clients that read them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from flask import Flask
from werkzeug.test import TestResponse

from headgate.contracts.contract import Field
from headgate.contracts.table_contract import TableContract
from headgate.ledger.ledger import Ledger

SALES = "gold.sales"
ITEM = Field("sku", "string", False)
FIELDS = {
    SALES: (
        Field("sale_id", "string", True),
        Field("store_id", "string", True, "The store."),
        Field("sale_date", "date", True),
        Field("quantity", "bigint", False),
        Field("amount", "decimal", False, precision=18, scale=2),
        Field("weight", "double", False),
        Field("sold_at", "timestamp", False),
        Field("paid", "boolean", False),
        Field("email", "string", False, "Personal data.", classification="restricted"),
        Field("tags", "array", False, item=ITEM),
    ),
    "gold.customers": (
        Field("customer_id", "string", True, classification="restricted"),
        Field("city", "string", False),
    ),
    "gold.rates": (Field("currency", "string", True), Field("rate", "decimal", False, precision=18, scale=6)),
}
SCHEMA = pa.schema(
    [
        ("sale_id", pa.string()),
        ("store_id", pa.string()),
        ("sale_date", pa.date32()),
        ("quantity", pa.int64()),
        ("amount", pa.decimal128(18, 2)),
        ("weight", pa.float64()),
        ("sold_at", pa.timestamp("us", "UTC")),
        ("paid", pa.bool_()),
        ("email", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("internal_note", pa.string()),
    ]
)
#: The keys of the clients, and their permissions.
CLIENTS = {
    "analyst": {"tables": ["gold.*"], "personal": True},
    "plain": {"tables": ["gold.*"]},
    "store-1": {"tables": ["gold.*"], "stores": ["s1"]},
    "few-columns": {"tables": [SALES], "columns": {SALES: ["sale_id", "amount"]}, "stores": ["s2"]},
    "no-stores": {"tables": ["gold.*"], "stores": []},
    "nothing": {},
}


def sale(number: int, **values: Any) -> dict[str, Any]:
    """A row of gold.sales; every value follows from the number."""
    row = {
        "sale_id": f"sale-{number:06d}",
        "store_id": f"s{number % 3 + 1}",
        "sale_date": date(2026, 1, 1) + timedelta(days=number % 5),
        "quantity": None if number % 7 == 0 else number % 11,
        "amount": Decimal(number) / 4,
        "weight": number / 8,
        "sold_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number, microseconds=number),
        "paid": number % 2 == 0,
        "email": f"customer-{number}@example.com",
        "tags": ["a", f"t{number}"],
        "internal_note": "not in the contract",
    }
    return {**row, **values}


def write(lake: Path, rows: Iterable[dict[str, Any]], mode: str = "append", **options: Any) -> DeltaTable:
    """Writes one commit of gold.sales, partitioned by sale_date, with a change feed."""
    uri = str(lake / "gold" / "sales")
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    settings = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(uri, table, mode=mode, partition_by=["sale_date"], configuration=settings, **options)
    return DeltaTable(uri)


def contract_of(ledger: Ledger, table: str) -> TableContract:
    """A contract of a table that has none, by its columns."""

    def field(name: str, kind: Any) -> Field:
        if isinstance(kind, dict):
            return Field(name, "array", False, item=field("item", kind["elementType"]))
        if kind.startswith("decimal"):
            precision, scale = kind[8:-1].split(",")
            return Field(name, "decimal", False, precision=int(precision), scale=int(scale))
        return Field(name, {"long": "bigint", "integer": "int"}.get(kind, kind), False)

    fields = tuple(field(*item) for item in ledger.schema(table, ledger.head(table).version).items())
    return TableContract(table, "1.0.0", "", "Tests", fields, "0" * 64, Path("x.yaml"))


@dataclass(frozen=True)
class Client:
    """A client with a key."""

    app: Flask
    key: str

    def get(self, path: str, headers: dict[str, str] | None = None, **parameters: Any) -> TestResponse:
        """Returns the response of a GET; filters are passed as `**{"quantity.ge": 3}`."""
        sent = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        query = {name: str(value) for name, value in parameters.items()}
        return self.app.test_client().get(path, query_string=query or None, headers=sent)

    def rows(self, path: str = f"/v1/tables/{SALES}/rows", **parameters: Any) -> list[dict[str, Any]]:
        """The rows of all pages."""
        answer, rows = self.get(path, **parameters), []
        while True:
            assert answer.status_code == 200, answer.text
            document = json.loads(answer.data)
            rows += document["rows"]
            if document["next"] is None:
                return rows
            answer = self.app.test_client().get(document["next"], headers={"Authorization": f"Bearer {self.key}"})
