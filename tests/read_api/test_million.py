"""A million rows by pages, while the table is appended to, compacted and vacuumed: each row exactly once."""

import json
import threading
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from read_api.app import create_app
from tests.read_api.tables import SALES, SCHEMA, Client

ROWS, FILES, PAGE = 1_000_000, 8, 10_000


def batch(begin: int, count: int) -> pa.Table:
    """Sales by number; each amount is that of a thousand rows."""
    numbers = np.arange(begin, begin + count)
    columns = {
        "sale_id": [f"sale-{number:07d}" for number in numbers],
        "store_id": np.char.add("s", (numbers % 3).astype(str)),
        "quantity": numbers % 11,
        "amount": pa.array(numbers * 7919 % 1000, pa.int32()).cast(pa.decimal128(18, 2)),
    }
    empty = {field.name: pa.nulls(count, field.type) for field in SCHEMA if field.name not in columns}
    return pa.table({**columns, **empty}).select(SCHEMA.names).cast(SCHEMA)


@pytest.fixture
def million(lake, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    uri = str(lake / "gold/sales")
    for number in range(FILES):
        write_deltalake(uri, batch(number * ROWS // FILES, ROWS // FILES), mode="append")
    return uri


def pages(client: Client, **parameters: str) -> Iterator[list[str]]:
    address, sent = f"/v1/tables/{SALES}/rows", {"limit": PAGE, "columns": "sale_id", **parameters}
    answer = client.get(address, **sent)
    while True:
        assert answer.status_code == 200, answer.text
        document = json.loads(answer.data)
        yield [row["sale_id"] for row in document["rows"]]
        if document["next"] is None:
            return
        answer = client.get(document["next"])


@pytest.mark.long
@pytest.mark.parametrize("parameters", [{}, {"order": "-amount"}, {"order": "quantity,sale_id"}], ids=str)
def test_a_million_rows_come_exactly_once_while_the_table_changes(
    environment, contracts, million, parameters, tmp_path
):
    client = Client(create_app(environment, contracts, b"secret"), "analyst")
    over = threading.Event()

    def change() -> None:
        number = ROWS
        while not over.is_set():
            write_deltalake(million, batch(number, 1000), mode="append")
            table = DeltaTable(million)
            table.optimize.compact()
            table.vacuum(dry_run=False)  # keeps what was removed within a week, as maintenance does
            number += 1000
            time.sleep(0.5)

    writer, read = threading.Thread(target=change), []
    started = time.monotonic()
    for page in pages(client, **parameters):
        read += page
        if len(read) == PAGE:
            writer.start()
    over.set()
    writer.join()
    versions, copies = DeltaTable(million).version(), len(list(tmp_path.glob("headgate-read-api-*/*/native/*.duckdb")))
    print(f"{len(read):,} rows in {time.monotonic() - started:.1f} s, {versions} versions, {copies} native copies")
    assert len(read) == ROWS
    assert set(read) == {f"sale-{number:07d}" for number in range(ROWS)}
    assert versions > FILES + 3
    assert copies > 0  # pages came from Parquet files at first, and from copies later
