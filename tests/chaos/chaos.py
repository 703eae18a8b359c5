"""Uploads, runs and kills at once, on an S3 server and a Spark cluster; then: is everything there, once, and right?

Senders upload to two receivers. Meanwhile runs follow each other, and gunicorn workers, runs, Spark workers and
executors are killed at random moments. At the end runs continue without kills until there is no work, and the lake
is compared with the acknowledged uploads and with a clean run of the same landed objects.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from headgate.client import send
from headgate.errors import UploadRefused
from headgate.generate.numbers import uuid7
from headgate.project import Project
from retail.generate import GeneratedUpload, Spec, uploads
from tests.chaos.processes import Kind, Processes
from tests.chaos.proxy import misbehaving
from tests.engine.world import World
from tests.processes import free_port
from tests.s3 import lakes, servers

SALES = Path(__file__).parents[1] / "projects" / "sales"
STORES, SENDERS, RECEIVERS = 16, 16, 2
RETRIED, LATE = 1 / 3, 0.05
#: How many of the kills are of each kind.
SHARES = {Kind.GUNICORN: 0.6, Kind.RUN: 0.2, Kind.SPARK: 0.2}
#: Seconds after which a run that is to be killed is: some are still starting, some are in mid-commit, some are done.
LIFE = (0.5, 25.0)
#: Of runs while some are to be killed, how many are; the others get on with the work.
DOOMED = 0.8
#: Seconds between kills of the others.
PAUSE = (1.0, 11.0)
#: Uploads and kills go on side by side; after so many seconds without a kill, uploads go on alone.
PATIENCE = 8.0
KEY = "key-of-{store}"
DIRTY, CLEAN = "chaos", "clean"  # the prefixes of the two lakes


@dataclass(frozen=True)
class Sending:
    """An upload as a store sends it; `again` where it is sent once more after it was acknowledged."""

    store: str
    key: str
    body: bytes
    again: bool


@dataclass
class Counters:
    """What happened. `acknowledged` gives, of each upload that a store has a receipt of, its body's SHA-256."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    tries: int = 0
    replayed: int = 0
    disagreeing: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    killed: float = field(default_factory=time.monotonic)  # the last time that anything was
    runs: Counter[str] = field(default_factory=Counter)
    rows: dict[str, int] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)


def main() -> int:
    """Does it, prints the numbers, and ends with 1 where a promise was broken."""
    options = _options()
    if not servers.find_versitygw():
        print("chaos: skipped, because versitygw is not installed; make chaos does that where Go is", file=sys.stderr)
        return 0
    started = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headgate-chaos-")))
        chaos = stack.enter_context(_set_up(folder, options))
        chaos.disturb()
        wrong = chaos.settle_and_compare()
        _print(chaos, wrong, time.monotonic() - started)
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--uploads", type=int, default=5000)
    parser.add_argument("--faults", type=float, default=0.0, help="Share of S3 calls that meet a fault, such as 0.05.")
    parser.add_argument("--engine", choices=["cluster", "local"], default="cluster", help="Where Spark runs.")
    parser.add_argument("--runners", type=int, default=1, help="How many runs go on at a time [default: 1].")
    parser.add_argument("--minutes", type=float, default=60.0, help="Disturb no longer than so many minutes.")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


@contextmanager
def _set_up(folder: Path, options: argparse.Namespace) -> Iterator[Chaos]:
    project = folder / "project"
    for part in ("conf", "jobs"):
        shutil.copytree(SALES / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    with ExitStack() as stack:
        server = stack.enter_context(servers.versitygw(folder / "s3"))
        proxied, met = server.endpoint, Counter[str]()
        if options.faults:
            proxied, met = stack.enter_context(misbehaving(server.endpoint, options.faults, options.seed))
        processes = stack.enter_context(Processes(project, folder / "logs"))
        variables = {**server.variables, "AWS_ENDPOINT_URL": proxied, "HEADGATE_LAKE": f"s3://{servers.BUCKET}/{DIRTY}"}
        keys = {f"store-{n}": [_digest(KEY.format(store=f"store-{n}").encode())] for n in range(1, STORES + 1)}
        processes.variables |= {**variables, "HEADGATE_RECEIVER_STORE_KEYS": json.dumps(keys)}
        if options.engine == "cluster":
            processes.start_cluster()
        urls = [processes.start_receiver(free_port()) for _ in range(RECEIVERS)]
        yield Chaos(options, Project(project), server, processes, urls, met)


class Chaos:
    """One disturbance of a lake and its judgement."""

    def __init__(
        self,
        options: argparse.Namespace,
        project: Project,
        server: servers.Server,
        processes: Processes,
        urls: list[str],
        met: Counter[str],
    ) -> None:
        self.options, self.project, self.server, self.processes = options, project, server, processes
        self.urls, self.met, self.counters = urls, met, Counters()
        self.kinds = _kinds(options.kills, with_spark=options.engine == "cluster")
        self.waiting = deque(_sendings(options.uploads, options.seed))
        self.ends = time.monotonic() + 60 * options.minutes

    def disturb(self) -> None:
        """Uploads, runs and kills, until all is sent and all is killed."""
        work = [threading.Thread(target=self._send_all, args=(n,)) for n in range(SENDERS)]
        work += [threading.Thread(target=self._run_and_kill, args=(n,)) for n in range(self.options.runners)]
        work.append(threading.Thread(target=self._kill_others))
        for thread in work:
            thread.start()
        while any(thread.is_alive() for thread in work):
            self._progress()
            time.sleep(10)

    @property
    def over(self) -> bool:
        """Whether the time for kills is over."""
        return time.monotonic() > self.ends

    def left(self, *kinds: Kind) -> int:
        """How many kills of these kinds are still to be done; none when the time is over."""
        # Of two runs at a time both may be killed where one more was wanted.
        wanted = sum(max(0, self.kinds[kind] - self.counters.kills[kind]) for kind in kinds)
        return 0 if self.over else wanted

    # --- stores

    def _send_all(self, number: int) -> None:
        drawn = random.Random(f"{self.options.seed}/{number}")  # noqa: S311
        with httpx.Client() as http:
            while True:
                while self.left(*Kind) and self._ahead():
                    time.sleep(0.1)
                with self.counters.turn:
                    if not self.waiting:
                        return
                    sending = self.waiting.popleft()
                self._send(sending, drawn, http)
                if sending.again:
                    self._send(sending, drawn, http)

    def _ahead(self) -> bool:
        """Whether more of the uploads than of the kills are done."""
        if time.monotonic() - self.counters.killed > PATIENCE:
            return False
        sent = 1 - len(self.waiting) / self.options.uploads
        return sent > (sum(self.counters.kills.values()) + 1) / sum(self.kinds.values())

    def _behind(self) -> bool:
        """Whether uploads are so far behind that the receivers need a pause: a worker takes seconds to start."""
        done = len(self.counters.acknowledged) / self.options.uploads
        return done < sum(self.counters.kills.values()) / sum(self.kinds.values()) - 0.1

    def _send(self, sending: Sending, drawn: random.Random, http: httpx.Client) -> None:
        """Sends until it is acknowledged, each try to any of the receivers."""
        while True:
            with self.counters.turn:
                self.counters.tries += 1
            try:
                receipt = send(
                    drawn.choice(self.urls),
                    KEY.format(store=sending.store),
                    "transactions",
                    sending.body,
                    sending.key,
                    "application/x-ndjson",
                    tries=1,
                    http=http,
                    timeout=30,
                )
            except UploadRefused as refused:
                if not refused.message.startswith("not accepted after"):
                    raise
                time.sleep(drawn.uniform(0.2, 1.0))
                continue
            digest = _digest(sending.body)
            with self.counters.turn:
                self.counters.replayed += receipt.replayed
                if self.counters.acknowledged.setdefault(receipt.upload, digest) != digest:
                    self.counters.disagreeing.append(receipt.upload)
            return

    # --- kills

    def _run_and_kill(self, number: int) -> None:
        """Run after run; most are killed in the middle, while there are kills left for them."""
        drawn = random.Random(f"{self.options.seed}/runs/{number}")  # noqa: S311
        while self.left(*Kind) or (self.waiting and not self.over):
            # Once all is sent none is spared: a run that finds nothing to do is over before it is killed.
            doomed = self.left(Kind.RUN) > 0 and (not self.waiting or drawn.random() < DOOMED)
            life = drawn.uniform(*LIFE) if doomed else None
            ended = self.processes.run(life, until=lambda: self.over)
            self.counters.runs[ended] += 1
            if ended == "killed":
                self._killed(Kind.RUN)

    def _kill_others(self) -> None:
        drawn = random.Random(f"{self.options.seed}/kills")  # noqa: S311
        while self.left(Kind.GUNICORN, Kind.SPARK):
            time.sleep(drawn.uniform(*PAUSE))
            if self._behind():
                continue
            kinds = [kind for kind in (Kind.GUNICORN, Kind.SPARK) if self.left(kind)]
            if kinds and self.processes.kill_one(kind := drawn.choice(kinds), drawn):
                self._killed(kind)

    def _killed(self, kind: Kind) -> None:
        self.counters.kills[kind] += 1
        self.counters.killed = time.monotonic()

    # --- the end

    def settle_and_compare(self) -> list[str]:
        """Runs until there is no work; returns the problems."""
        self.processes.stop_receivers()
        for _ in range(10):
            self.counters.runs[self.processes.run(None)] += 1
            if self.processes.is_current():
                break
        else:
            return ["ten undisturbed runs left something to do"]
        self.processes.variables["AWS_ENDPOINT_URL"] = self.server.endpoint  # the comparison runs without faults
        os.environ.update(self.server.variables)
        World.lakes = lakes.OnS3(self.server)
        dirty, clean = (World(None, self.project, Path(name)) for name in (DIRTY, CLEAN))
        for part in ("landing", "late"):
            World.lakes.copy(Path(DIRTY) / part, Path(CLEAN) / part)
        if self.processes.run_clean(clean.environment.lake) != "done":
            return ["the clean run failed"]
        wrong = [f"one key, two contents: {upload}" for upload in self.counters.disagreeing]
        if unsent := self.options.uploads - len(self.counters.acknowledged):
            wrong.append(f"{unsent} uploads were never acknowledged")
        wrong += self._compare_bronze(dirty) + self._compare_tables(dirty, clean)
        missed = [kind for kind, requested in self.kinds.items() if requested and not self.counters.kills[kind]]
        wrong += [f"no {kind} were killed: nothing is shown of them" for kind in missed]
        errors = self.processes.reconcile()
        return wrong + ([f"reconcile: {errors} errors"] if errors else [])

    def _compare_bronze(self, world: World) -> list[str]:
        receipts = [row for row in world.raw_rows("bronze.transactions") if row["_state"] == "receipt"]
        times = Counter(row["upload"] for row in receipts)
        digests = {row["upload"]: row["receipt"]["sha256"] for row in receipts}
        details = self.counters.acknowledged
        wrong = [
            f"acknowledged and {times[upload]} times in bronze: {upload}" for upload in details if times[upload] != 1
        ]
        wrong += [f"{count} times in bronze: {upload}" for upload, count in times.items() if count != 1]
        wrong += [f"other bytes in bronze: {u}" for u in details if u in digests and digests[u] != details[u]]
        return wrong

    def _compare_tables(self, dirty: World, clean: World) -> list[str]:
        result, expected = dirty.contents(), clean.contents()
        self.counters.rows = {name: len(rows) for name, (rows, _) in result.items()}
        empty = [f"{name} is empty" for name, (rows, _) in expected.items() if not rows]
        return empty + [f"{name} differs from a clean run" for name in expected if result[name] != expected[name]]

    def _progress(self) -> None:
        details = self.counters
        kills = ", ".join(f"{details.kills[kind]}/{self.kinds[kind]} {kind}" for kind in Kind)
        sent = f"{len(details.acknowledged)}/{self.options.uploads} uploads acknowledged"
        print(f"  {sent}; killed {kills}; runs {dict(details.runs)}", file=sys.stderr, flush=True)


def _kinds(kills: int, *, with_spark: bool) -> dict[Kind, int]:
    """How many kills of each kind; Spark has workers of its own on a cluster alone."""
    results = {kind: round(kills * share) for kind, share in SHARES.items()}
    if not with_spark:
        results[Kind.SPARK] = 0
    results[Kind.GUNICORN] += kills - sum(results.values())
    return results


def _sendings(count: int, seed: int) -> Iterator[Sending]:
    """`count` uploads: half of the keys name their time, some of those a time days ago."""
    drawn = random.Random(f"{seed}/uploads")  # noqa: S311
    days = 5
    spec = Spec(
        seed=seed,
        stores=STORES,
        days=days,
        first_day=date(2026, 3, 1),
        uploads=-(-count // (STORES * days)),
        transactions=max(1, count * 4 // (STORES * days)),
        late=0,
        repeated=0,
        corrected=0.05,
        broken=0.02,
    )
    made = list(uploads(spec))
    drawn.shuffle(made)
    for number, upload in enumerate(made[:count]):
        yield Sending(upload.store, _key(number, upload, drawn), upload.body, drawn.random() < RETRIED)


def _key(number: int, upload: GeneratedUpload, drawn: random.Random) -> str:
    late = drawn.random() < LATE
    if not late and drawn.random() < 0.5:
        return f"{upload.day}-{number}"
    ago = timedelta(days=drawn.uniform(1, 5)) if late else timedelta()
    return uuid7(drawn, datetime.now(UTC).replace(tzinfo=None) - ago)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _print(chaos: Chaos, wrong: list[str], seconds: float) -> None:
    details, table = chaos.counters, Table(show_header=False)
    faults = {fault: count for fault, count in chaos.met.items() if fault}
    facts: Mapping[str, object] = {
        "kills": f"{sum(details.kills.values())}: "
        + ", ".join(f"{details.kills[kind]} of {chaos.kinds[kind]} {kind}" for kind in Kind),
        "runs": ", ".join(f"{count} {how}" for how, count in details.runs.items()),
        "uploads acknowledged": (
            f"{len(details.acknowledged)}, in {details.tries} tries; {details.replayed} answers replayed"
        ),
        "rows compared": ", ".join(f"{count:,} {name}" for name, count in details.rows.items()),
        "S3 calls that met a fault": f"{sum(faults.values())} of {sum(chaos.met.values())}: {faults}" if faults else 0,
        "minutes": round(seconds / 60, 1),
        "wrong": len(wrong) or "nothing: every acknowledged upload once, tables as of a clean run, reconcile clean",
    }
    for name, fact in facts.items():
        table.add_row(name, str(fact))
    Console(width=140).print(table)
    for line in wrong[:20]:
        print(line)


if __name__ == "__main__":
    sys.exit(main())
