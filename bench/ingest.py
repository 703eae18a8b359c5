"""The receiver under load, and a peer of FastAPI, uvicorn and boto3, against one S3 stub with 0 and 30 ms latency.

    make bench NAME=ingest                    # everything: about 25 minutes
    make bench NAME=ingest ARGS="--quick"     # a few rows: about 3 minutes
    make bench NAME=ingest ARGS="--latency 30 --items 10000 --connections 32"  # a part; the other rows are kept

wrk sends the uploads in a process of its own on one core, with the stub; the servers have the other cores. Both servers
run two worker processes with 64 threads. The rounds of the two alternate, and a row has the median round. A round in
which wrk itself used more than 90 % of a core is void. Needs wrk and Go (Debian: apt-get install wrk golang-go).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from statistics import median
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from bench.common import ROOT, Aim, print_table, scratch_folder, with_kept, write_results  # noqa: E402
from bench.ingest_tools.plot import write_plot  # noqa: E402
from bench.ingest_tools.servers import SIDES, Running, build_stub, machine, serving, stub  # noqa: E402
from bench.ingest_tools.wrk import Round, run_wrk  # noqa: E402

LATENCIES = (0, 30)
ITEMS = (1, 10, 100, 1_000, 10_000)
CONNECTIONS = (32, 256, 1_000)
TRANSACTIONS = 1_000
ROUNDS, SECONDS = 3, 6


def main() -> None:
    options = _options()
    for program in ("wrk", "go", "taskset"):
        if shutil.which(program) is None:
            raise SystemExit(f"bench/ingest: {program} is missing: apt-get install wrk golang-go util-linux")
    before, rows = machine(), []
    with scratch_folder() as folder:
        build_stub(folder)
        for latency in options.latency:
            for case in _cases(options):
                rows += _measure(folder, latency, case, options)
                print_table(list(_COLUMNS), [[row.get(name) for name in _COLUMNS] for row in rows[-2:]])
                _write(rows, before, options)  # what is measured stays, if a later case is interrupted
    results = _write(rows, before, options)
    print_table(list(_COLUMNS), [[row.get(name) for name in _COLUMNS] for row in results])


def _write(rows: list[dict[str, Any]], before: dict[str, Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Writes results and plot, with the rows of earlier runs that this run does not measure; returns all rows."""
    name = "ingest-quick" if options.quick else "ingest"
    results = with_kept(name, rows, ("latency_ms", "items", "connections", "keys", "side"))
    results.sort(key=lambda r: (r["latency_ms"], r["keys"] == "plain", r["connections"], r["items"], r["side"]))
    write_results(name, results, _aims(results), before)
    write_plot(results, ROOT / "bench" / "results" / "ingest.svg")
    return results


_COLUMNS = (
    "latency_ms", "items", "connections", "keys", "side", "per_second", "mean_ms", "p95_ms", "p99_ms", "mb_per_second",
    "failed", "cpu_ms", "memory_mb", "void",
)  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rows and one round each")
    parser.add_argument("--latency", type=int, nargs="*", default=LATENCIES, help="of the S3 stub, in milliseconds")
    parser.add_argument("--items", type=int, nargs="*", default=ITEMS, help="of a transaction")
    parser.add_argument("--connections", type=int, nargs="*", default=CONNECTIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each round with a number of connections")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 4
    return options


def _cases(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Each case: items of a transaction, connections, transactions (0: as many as fit in the time), kind of key."""
    items, connections = options.items, options.connections
    if options.quick:
        items, connections = (1, 1_000), (32, 256)
    return [
        *({"items": count, "connections": 8, "transactions": TRANSACTIONS, "keys": "uuid7"} for count in items),
        *({"items": 1, "connections": count, "transactions": 0, "keys": "uuid7"} for count in connections),
        {"items": 1, "connections": 32, "transactions": 0, "keys": "plain"},
    ]


def _measure(folder: Path, latency: int, case: dict[str, Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per side: the round with the median rate."""
    body = _body(folder, case["items"])
    rounds: dict[str, list[tuple[Round, Running]]] = {side: [] for side in SIDES}
    for _ in range(options.rounds):
        for side in SIDES:
            with stub(folder, latency), serving(side, folder) as server:
                run_wrk(server.url, body, 8, 1, 200, case["keys"])  # connections are open, code is warm
                server.start_measuring()
                result = run_wrk(
                    server.url, body, case["connections"], options.seconds, case["transactions"], case["keys"]
                )
                server.stop_measuring()
                rounds[side].append((result, server))
    return [_row(side, latency, case, body.stat().st_size, rounds[side]) for side in SIDES]


def _row(side: str, latency: int, case: dict[str, Any], size: int, rounds: list[Any]) -> dict[str, Any]:
    rounds.sort(key=lambda pair: pair[0].per_second)
    result, server = rounds[len(rounds) // 2]
    return {
        "side": side,
        "latency_ms": latency,
        "items": case["items"],
        "connections": case["connections"],
        "keys": case["keys"],
        "requests": result.requests,
        "per_second": round(result.per_second, 1),
        "mean_ms": result.mean_ms,
        "p95_ms": result.p95_ms,
        "p99_ms": result.p99_ms,
        "mb_per_second": round(result.per_second * size / 1e6, 2),
        "failed": sum(each.failed for each, _ in rounds),
        "cpu_ms": round(server.cpu_seconds * 1000 / max(1, result.requests), 3),
        "memory_mb": round(max(each.memory_mb for _, each in rounds)),
        "rates": [round(each.per_second, 1) for each, _ in rounds],
        "generator_cpu": round(median(each.generator_cpu for each, _ in rounds), 2),
        "void": "void" if result.generator_cpu > 0.9 else "",
    }


def _body(folder: Path, items: int) -> Path:
    """A transaction of `items` items as one JSON line of about 100 bytes an item."""
    path = folder / f"{items}.jsonl"
    if not path.exists():
        item = '{"product_id": "p-%05d", "quantity": 2, "unit_price": "12.99", "discount": "0.00", "tax": "1.04"}'
        listed = ", ".join(item % number for number in range(items))
        path.write_text(f'{{"transaction_id": "t-1", "sold_at": "2026-11-21T10:25:04Z", "items": [{listed}]}}\n')
    return path


def _aims(rows: list[dict[str, Any]]) -> list[Aim]:
    pairs = {(r["latency_ms"], r["items"], r["connections"], r["keys"], r["side"]): r for r in rows if not r["void"]}
    aims = []
    for latency, items, connections, keys, side in sorted(pairs):
        peer = pairs.get((latency, items, connections, keys, "peer"))
        if side != "headgate" or peer is None or keys != "uuid7":
            continue
        own = pairs[latency, items, connections, keys, side]
        name = f"{latency} ms, {items} items, {connections} connections"
        if connections in (32, 256):
            least = 1.5 if latency else 1.0
            ratio = own["per_second"] / peer["per_second"]
            aims.append(Aim(f"{name}: rate over the peer's", round(ratio, 2), f">= {least}", ratio >= least))
        if connections in (32, 256) and latency:
            ratio = own["p99_ms"] / peer["p99_ms"]
            aims.append(Aim(f"{name}: P99 over the peer's", round(ratio, 2), "< 1", ratio < 1))
        if connections == 1_000:
            aims.append(Aim(f"{name}: failed requests", own["failed"], "0", own["failed"] == 0))
        if items == 10_000:
            ratio = own["mb_per_second"] / peer["mb_per_second"]
            aims.append(Aim(f"{name}: MB/s over the peer's", round(ratio, 2), ">= 1.0", ratio >= 1))
    return aims


if __name__ == "__main__":
    main()
