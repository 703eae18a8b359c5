"""The read API compared with peers: 5 million rows of gold, points, pages, filtered scans and group-bys.

The servers run one after the other on the same files, with the same workers and threads; wrk (a compiled load
generator) sends the requests. A peer that is not installed in .venv-peers is left out, and the output says so. The load
of the machine is in the results: trust the ratios, not the milliseconds.

    make bench NAME=read                                             # everything on a folder: about 6 minutes
    make bench NAME=read ARGS="--rows 500000 --seconds 2 --clients 1 16"
    make bench NAME=read ARGS="--lake s3"                            # on an S3 API (versitygw), with Trino by reference
    make bench NAME=read ARGS="--servers headgate roapi --queries point page"   # a part; the others' rows are kept
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import numpy as np
import pyarrow as pa
import read_trino
from deltalake import DeltaTable, WriterProperties, write_deltalake

from headgate.http.keys import digest_of
from tests.s3.servers import BUCKET, versitygw

TOOLS = Path(__file__).parent / "read_tools"
PEERS = common.ROOT / ".venv-peers"
QUERIES = ("point", "page", "scan", "group")
KEY = "bench-key"
FILES = 10
WORKERS, THREADS = 2, 8
CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: bench
version: 1.0.0
team: {name: Bench}
schema:
  - name: fct_sales
    description: One row per sale.
    properties:
      - {name: sale_id, logicalType: string}
      - {name: sale_date, logicalType: date}
      - {name: store_id, logicalType: string}
      - {name: product_id, logicalType: string}
      - {name: quantity, logicalType: integer, physicalType: bigint}
      - {name: amount, logicalType: number, physicalType: "decimal(18,2)"}
      - {name: sold_at, logicalType: timestamp}
"""


@dataclass(frozen=True)
class Server:
    """A server to measure: its command, variables, and the path that answers once it is ready."""

    name: str
    command: list[str]
    variables: Mapping[str, str]
    ready: str
    port: int


def main() -> None:
    """Writes the rows, measures each server, and writes bench/results/read.json."""
    arguments = _arguments()
    before, results = common.machine(), []
    name = "read" if arguments.lake == "folder" else "read-s3"
    with common.scratch_folder() as folder, lake_in(folder, arguments.lake) as lake:
        print(f"writing {arguments.rows:,} rows to {lake.address}")
        write_rows(lake.table, arguments.rows, lake.variables)
        for server in servers(folder, lake):
            if not arguments.servers or server.name in arguments.servers:
                results += measure(server, arguments)
                _write(name, results, arguments.rows, before)  # what is measured stays, if a later server fails
        if lake.variables and (not arguments.servers or "trino" in arguments.servers):
            results += by_trino(folder, lake, arguments)
    rows = _write(name, results, arguments.rows, before)
    common.print_table(list(rows[0]), [list(row.values()) for row in rows])


def _write(name: str, results: list[dict[str, Any]], count: int, before: dict[str, Any]) -> list[dict[str, Any]]:
    """Writes results, with the rows of earlier runs that this run does not measure; returns all rows."""
    rows = common.with_kept(name, results, ("server", "query", "clients"))
    rows = with_ratios([row for row in rows if row["rows"] == count])
    rows.sort(key=lambda row: (QUERIES.index(row["query"]), row["clients"], row["server"]))
    common.write_results(name, rows, aims(rows), before)
    return rows


def by_trino(folder: Path, lake: Lake, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns the rows of Trino, a reference at one client; none where it is not installed."""
    if not read_trino.is_installed():
        print("trino left out: env $(bin/ensure_trino.py FOLDER) make bench NAME=read installs and names it")
        return []
    s3 = dict(lake.variables)
    schema = DeltaTable(lake.table, storage_options=s3).schema().to_json()
    return list(
        read_trino.measured(folder, lake.table, schema, s3, arguments.queries, arguments.rows, arguments.seconds)
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--queries", nargs="+", choices=QUERIES, default=list(QUERIES))
    parser.add_argument("--servers", nargs="+", help="only these of headgate, duckdb-flask, roapi, trino")
    parser.add_argument("--lake", choices=["folder", "s3"], default="folder")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("bench/read needs wrk: apt-get install wrk")
    return arguments


@dataclass(frozen=True)
class Lake:
    """Where the table is: `address` of the lake, and the variables with which a server reads it."""

    address: str
    variables: Mapping[str, str]

    @property
    def table(self) -> str:
        return f"{self.address}/gold/fct_sales"


@contextmanager
def lake_in(folder: Path, kind: str) -> Iterator[Lake]:
    """A folder, or a bucket of versitygw."""
    if kind == "folder":
        yield Lake(str(folder / "lake"), {})
        return
    with versitygw(folder / "s3") as server:
        yield Lake(f"s3://{BUCKET}/lake", {**server.variables, "AWS_ALLOW_HTTP": "true"})


def write_rows(table: str, rows: int, variables: Mapping[str, str]) -> None:
    """Writes the rows in FILES commits; sale_id rises, so that files hold ranges of it."""
    random, count = np.random.default_rng(1), rows // FILES
    properties = WriterProperties(max_row_group_size=65_536, compression="ZSTD")
    for number in range(FILES):
        ids = np.arange(number * count, (number + 1) * count)
        days = np.datetime64("2026-01-01") + (ids * 300 // rows).astype("timedelta64[D]")
        times = days.astype("datetime64[us]") + random.integers(0, 86_400_000_000, count).astype("timedelta64[us]")
        batch = pa.table(
            {
                "sale_id": [f"s{i:010d}" for i in ids],
                "sale_date": pa.array(days.astype("datetime64[D]")),
                "store_id": np.char.add("store-", (ids % 200).astype(str)),
                "product_id": np.char.add("p", random.integers(0, 20_000, count).astype(str)),
                "quantity": random.integers(1, 10, count),
                "amount": pa.array(random.integers(1, 100_000, count, dtype="int32")).cast(pa.decimal128(18, 2)),
                "sold_at": pa.array(times, pa.timestamp("us", "UTC")),
            }
        )
        options = dict(variables) or None
        write_deltalake(table, batch, mode="append", writer_properties=properties, storage_options=options)


def servers(folder: Path, lake: Lake) -> Iterator[Server]:
    """Yields the read API, and the peers that are installed and read such a lake."""
    yield headgate(folder, lake)
    if not (PEERS / "bin" / "roapi").exists():
        print(
            f"peers left out: no {PEERS.name}; make it with: uv venv {PEERS.name} && "
            f"uv pip install -p {PEERS.name} -r bench/peers/requirements.txt"
        )
        return
    port = free_port()
    roapi = [str(PEERS / "bin" / "roapi"), "-a", f"127.0.0.1:{port}", "-t", f"fct_sales={lake.table},format=delta"]
    yield Server("roapi", roapi, lake.variables, "/api/tables", port)
    if lake.variables:
        print("duckdb-flask left out: DuckDB reads S3 by an extension that it downloads")
        return
    port = free_port()
    gunicorn = [str(PEERS / "bin" / "gunicorn"), "-k", "gthread", "-w", str(WORKERS), "--threads", str(THREADS)]
    peers = str(common.ROOT / "bench" / "peers")
    command = [*gunicorn, "-b", f"127.0.0.1:{port}", "--chdir", peers, "duckdb_flask:app"]
    yield Server("duckdb-flask", command, {"TABLE": lake.table}, "/", port)


def headgate(folder: Path, lake: Lake) -> Server:
    """Returns the read API over a project that has only the benchmark's table."""
    for part in ("conf/environments", "conf/tables/gold", "conf/datasets", "jobs/gold", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "conf/tables/gold/fct_sales.yaml").write_text(CONTRACT)
    (folder / "jobs/gold/fct_sales.py").write_text('"""The benchmark writes this table itself."""\n')
    port = free_port()
    clients = {"bench": {"keys": [{"sha256": digest_of(KEY)}], "scopes": {"tables": ["gold.*"]}}}
    settings = {"port": port, "workers": WORKERS, "threads": THREADS, "clients": clients}
    (folder / "conf/environments/local.yaml").write_text(json.dumps({"lake": lake.address, "read_api": settings}))
    command = [sys.executable, "-m", "headgate.cli", "serve", "api", "--project", str(folder)]
    path = f"{common.ROOT / 'lib'}:{common.ROOT}"
    return Server(
        "headgate", command, {**lake.variables, "PYTHONPATH": path, "TMPDIR": str(folder / "tmp")}, "/healthz", port
    )


def free_port() -> int:
    """Returns a free port of 127.0.0.1."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(server: Server) -> Iterator[None]:
    """Starts the server, waits until it answers, and stops it at the end."""
    log = subprocess.DEVNULL
    process = subprocess.Popen(server.command, env={**os.environ, **server.variables}, stdout=log, stderr=log)
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise SystemExit(f"{server.name} ended with code {process.returncode}: {' '.join(server.command)}")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{server.port}{server.ready}", timeout=1)
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(60)


def measure(server: Server, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yields a row for each query and number of clients, after a warm-up."""
    rows = arguments.rows
    with running(server):
        settle(server, rows)
        for query in arguments.queries:
            warm_up(server, query, rows)
            for count in arguments.clients:
                result = load(server, query, rows, arguments.seconds, count)
                rate = result["requests"] / result["seconds"]
                print(
                    f"{server.name:13} {query:6} {count:3} clients: {rate:9.1f} requests/s, p50 {result['p50_ms']} ms",
                    flush=True,
                )
                row = {"server": server.name, "query": query, "clients": count, "per_second": round(rate, 1)}
                figures = {name: result[name] for name in ("p50_ms", "p95_ms", "p99_ms", "errors")}
                yield {**row, **figures, "rows": rows}


def settle(server: Server, rows: int) -> None:
    """Sends queries that read every file until their rate no longer rises: caches are filled then."""
    before = 0.0
    for _ in range(10):
        result = load(server, "group", rows, 3, 4)
        rate = result["requests"] / result["seconds"]
        if result["requests"] > 2 * WORKERS and rate < 1.1 * before:
            return
        before = max(rate, before)


def warm_up(server: Server, query: str, rows: int) -> None:
    """Sends requests until each worker has answered; on a busy machine the first answers take long."""
    for seconds in (2, 4, 8, 16, 32):
        if load(server, query, rows, seconds, 4)["requests"] >= 2 * WORKERS:
            return
    raise SystemExit(f"{server.name} does not answer {query}")


def load(server: Server, query: str, rows: int, seconds: int, clients: int) -> dict[str, Any]:
    """Runs wrk with `clients` connections and returns its figures."""
    command = ["wrk", "-t", "1", "-c", str(clients), "-d", f"{seconds}s", "--timeout", "60s"]
    command += ["-s", str(TOOLS / "requests.lua"), f"http://127.0.0.1:{server.port}"]
    output = subprocess.run(
        [*command, "--", server.name, query, str(rows), KEY], capture_output=True, text=True, check=True
    ).stdout
    result: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return result


def with_ratios(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds `ratio`: the read API's requests per second over those of the row's server."""
    own = {(r["query"], r["clients"]): r["per_second"] for r in results if r["server"] == "headgate"}
    return [
        {**r, "ratio": round(own.get((r["query"], r["clients"]), 0) / r["per_second"], 2) if r["per_second"] else None}
        for r in results
    ]


def aims(results: list[dict[str, Any]]) -> list[common.Aim]:
    """Returns the aims of the design: a quick point, and more requests per second than each peer."""
    point = next((r for r in results if (r["server"], r["query"], r["clients"]) == ("headgate", "point", 1)), None)
    wanted = [
        common.at_most("point, 1 client, p50", point and point["p50_ms"], 5, " ms"),
        common.at_most("point, 1 client, P99", point and point["p99_ms"], 20, " ms"),
        common.at_most("errors of the read API", sum(r["errors"] for r in results if r["server"] == "headgate"), 0),
    ]
    for peer in sorted({r["server"] for r in results} - {"headgate", "trino"}):
        # A peer that answers nothing has no ratio.
        ratios = [r["ratio"] for r in results if r["server"] == peer and r["clients"] > 1 and r["ratio"] is not None]
        least = min(ratios, default=None)
        name = f"requests/s over {peer}, least of all queries at 16 and 64 clients"
        wanted.append(common.Aim(name, least, ">= 1", None if least is None else least >= 1))
    return wanted


if __name__ == "__main__":
    main()
