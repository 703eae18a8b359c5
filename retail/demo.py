"""`make demo`: the whole pipeline on this machine, from uploads over HTTP to gold tables.

Three stores upload a day's batches to a receiver under gunicorn. Two runs build bronze, silver and gold; the second
run reads only the late uploads. Everything stays in the lake of the local environment, for `headgate tables`, `show`
and `plan`.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import httpx

from headgate.client import send
from retail.generate import GeneratedUpload, Spec, uploads

ROOT = Path(__file__).parents[1]
HEADGATE = str(Path(sys.executable).with_name("headgate"))
_PATIENCE = 120.0  # seconds for the receiver to start or stop, also on a slow machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m retail.demo", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".headgate", help="folder for the next day and the receiver's log"
    )
    state: Path = parser.parse_args().state
    state.mkdir(parents=True, exist_ok=True)
    next_day = state / "demo-day"
    day = _business_day(next_day)
    spec = Spec(
        seed=7,
        stores=3,
        first_day=day,
        days=1,
        transactions=150,
        uploads=4,
        late=0.15,
        repeated=0.1,
        corrected=0.02,
        broken=0.01,
    )
    generated = list(uploads(spec))
    late = [upload for upload in generated if upload.kind == "late"]
    with _receiver(state / "demo-receiver.log") as url:
        _say(f"1. Three stores upload their sales of {day} over HTTP to {url}")
        upload_id = _send(url, [upload for upload in generated if upload.kind != "late"])
        _say(f"2. {'A run over the new uploads' if next_day.exists() else 'The first run'}: bronze, silver, gold")
        _headgate("run")
        _say(f"3. {len(late)} late uploads arrive, and a second run reads only those")
        _send(url, late)
        _headgate("run")
    _say("4. Gold, as analysts see it")
    _headgate("show", "gold.daily_store_sales")
    _say("5. The progress of an upload")
    _headgate("receipt", upload_id)
    next_day.write_text(str(day + timedelta(days=1)))
    _say("Next commands")
    print(_NEXT)


_NEXT = """  .venv/bin/headgate tables                                 all tables and their state
  .venv/bin/headgate show silver.transactions --limit 5     live rows
  .venv/bin/headgate show quarantine.silver.transactions    rejected records and the reasons
  .venv/bin/headgate history silver.transactions            every commit with its counts
  .venv/bin/headgate plan                                   the work of the next run
  .venv/bin/headgate new project ../my-project              a project of your own"""


def _business_day(next_day: Path) -> date:
    """The day after that of the last demo, so that each demo has new sales."""
    return date.fromisoformat(next_day.read_text()) if next_day.exists() else date(2026, 3, 2)


@contextmanager
def _receiver(log: Path) -> Iterator[str]:
    """Starts a receiver on a free port of this machine, and stops it after the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as output:
        server = subprocess.Popen(
            [HEADGATE, "serve", "receiver", "--port", str(port)], cwd=ROOT, stdout=output, stderr=output
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, server, log)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=_PATIENCE)


def _wait_until_ready(url: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    sys.exit(f"the receiver did not start; its output:\n{log.read_text()}")


def _send(url: str, chosen: list[GeneratedUpload]) -> str:
    """Sends the uploads, prints the answers by kind, and returns the id of the last upload of transactions."""
    counts: Counter[tuple[str, str]] = Counter()
    sizes: Counter[tuple[str, str]] = Counter()
    last = ""
    for upload in chosen:
        receipt = send(url, f"demo-{upload.store}", upload.dataset, upload.body, upload.key, upload.media_type)
        kind = (upload.kind, "replayed, stored once" if receipt.replayed else "created")
        counts[kind] += 1
        sizes[kind] += len(upload.body)
        last = receipt.upload if upload.dataset == "transactions" else last
    for kind, answer in counts:
        print(f"   {counts[kind, answer]:3} x {kind:10} {sizes[kind, answer] / 1e3:8.1f} kB   {answer}")
    return last


def _headgate(*arguments: str) -> None:
    """Runs a command in a process of its own; ends the demo if it fails."""
    print(f"   $ headgate {' '.join(arguments)}", flush=True)
    done = subprocess.run([HEADGATE, *arguments], cwd=ROOT, check=False, env={**os.environ, "COLUMNS": "160"})
    if done.returncode != 0:
        sys.exit(done.returncode)


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    main()
