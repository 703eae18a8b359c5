"""Trino (the engine of Athena 3) for bench/read, as a reference: the same queries from one client, over S3 and Glue."""

from __future__ import annotations

import logging
import os
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from headgate.aws.catalog.glue import GlueDatabase
from headgate.aws.clients import BotoClients
from headgate.ledger.ledger import schema_of
from headgate.views.gold import GoldColumn, GoldTable
from tests.s3.servers import REGION
from tests.trino.server import DATABASE, Trino, glue_server, trino_server

_LEAST = 5  # queries, however long they take
_RANDOM = random.Random(1)  # noqa: S311 - no secret


def is_installed() -> bool:
    """Whether TRINO_HOME and TRINO_JAVA_HOME name a Trino: bin/ensure_trino.py prints both."""
    return bool(os.environ.get("TRINO_HOME") and os.environ.get("TRINO_JAVA_HOME"))


def measured(
    folder: Path, table: str, schema: str, s3: dict[str, str], queries: list[str], rows: int, seconds: int
) -> Iterator[dict[str, Any]]:
    """Yields a row for each query, as `read.measure` does. `schema` is the table's, as Delta has it in JSON."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    home, java = Path(os.environ["TRINO_HOME"]), Path(os.environ["TRINO_JAVA_HOME"])
    (folder / "trino").mkdir()
    with patch.dict(os.environ, s3), glue_server() as glue:
        _register(table, schema)
        with trino_server(home, java, folder / "trino", s3, glue) as trino:
            for query in queries:
                yield _measure(trino, query, rows, seconds)


def _register(table: str, schema: str) -> None:
    client = BotoClients(REGION).client("glue")
    columns = tuple(GoldColumn(name, kind) for name, kind in schema_of(schema).items())
    GlueDatabase(client, DATABASE, "bench").register([GoldTable("gold.fct_sales", table, columns)])


def _measure(trino: Trino, query: str, rows: int, seconds: int) -> dict[str, Any]:
    for _ in range(_LEAST):
        trino.rows(_sql(query, rows))
    taken: list[float] = []
    started = time.monotonic()
    while time.monotonic() - started < seconds or len(taken) < _LEAST:
        before = time.monotonic()
        trino.rows(_sql(query, rows))
        taken.append(1000 * (time.monotonic() - before))
    rate = len(taken) / (time.monotonic() - started)
    p = statistics.quantiles(taken, n=100, method="inclusive")
    print(f"{'trino':13} {query:6}   1 clients: {rate:9.1f} requests/s, p50 {p[49]:.3f} ms", flush=True)
    figures = {"p50_ms": round(p[49], 3), "p95_ms": round(p[94], 3), "p99_ms": round(p[98], 3), "errors": 0}
    return {"server": "trino", "query": query, "clients": 1, "per_second": round(rate, 1), **figures, "rows": rows}


def _sql(query: str, rows: int) -> str:
    """The text that read_tools/requests.lua sends to the peers."""
    sale, store = f"s{_RANDOM.randrange(rows):010d}", f"store-{_RANDOM.randrange(200)}"
    return {
        "point": f"SELECT * FROM fct_sales WHERE sale_id = '{sale}'",
        "page": f"SELECT * FROM fct_sales WHERE sale_id > '{sale}' ORDER BY sale_id LIMIT 100",
        "scan": f"SELECT * FROM fct_sales WHERE store_id = '{store}' AND quantity >= 8 LIMIT 1000",
        "group": "SELECT store_id, count(*) AS n, sum(amount) AS amount FROM fct_sales "
        f"WHERE quantity >= {_RANDOM.randint(1, 4)} GROUP BY store_id ORDER BY store_id",
    }[query]
