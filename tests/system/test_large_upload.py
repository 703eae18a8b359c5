"""One GiB over a line that is cut 20 times, to two receivers on S3: the same bytes, in bounded memory."""

import hashlib
import os
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import obstore
import pytest

from headgate.client import send_file
from tests.processes import children
from tests.s3.servers import BUCKET, find_versitygw, store_at, variables_of, versitygw
from tests.system.test_receiver import receiver

#: HEADGATE_LARGE_MIB makes it smaller, for a quick look.
SIZE = int(os.environ.get("HEADGATE_LARGE_MIB", "1024")) * 2**20
CUTS, MEMORY_MB = 20, 120

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads memory from /proc"),
    pytest.mark.skipif(find_versitygw() is None, reason="needs versitygw: make test-s3 installs it"),
]


class BadLine:
    """A TCP proxy to several servers in turn. Each of the first connections ends after a random number of bytes."""

    def __init__(self, ports: list[int], budgets: list[int]) -> None:
        self._ports, self._budgets, self.cut, self._connections = ports, budgets, 0, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            budget = self._budgets.pop() if self._budgets else None
            server = socket.create_connection(("127.0.0.1", self._ports[self._connections % len(self._ports)]))
            self._connections += 1
            threading.Thread(target=self._copy, args=(client, server, budget), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, None), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, budget: int | None) -> None:
        sent = 0
        with suppress(OSError):
            while piece := source.recv(65536):
                if budget is not None and sent + len(piece) > budget:
                    self.cut += 1
                    break
                target.sendall(piece)
                sent += len(piece)
        for connection in (source, target):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()  # or the sender's bytes wait in a buffer that nobody reads

    def close(self) -> None:
        self._listener.close()


@contextmanager
def watched(pids: list[int]) -> Iterator[dict[str, int]]:
    """The largest memory of a process (kB, its own pages and its share of others'), before and during the block."""
    memory = {"idle": max(map(_memory, pids)), "peak": 0}
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.2):
            memory["peak"] = max(memory["peak"], *map(_memory, pids))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        done.set()
        thread.join()


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def test_a_gibibyte_arrives_over_a_line_that_is_cut(repository, tmp_path):
    file, chance = tmp_path / "large.jsonl", random.Random(7)  # noqa: S311 - no secret
    with file.open("wb") as output:
        for _ in range(SIZE // 2**20):
            output.write(chance.randbytes(2**20))
    expected = hashlib.file_digest(file.open("rb"), "sha256").hexdigest()
    budgets = [chance.randrange(SIZE // 1024, SIZE // 12) for _ in range(CUTS)]
    with ExitStack() as stack:
        server = stack.enter_context(versitygw(tmp_path / "s3"))
        variables = {**variables_of(server.endpoint), "HEADGATE_RECEIVER_MAX_UPLOAD_BYTES": str(2 * SIZE)}
        lake = f"s3://{BUCKET}/lake"
        running = [
            stack.enter_context(receiver(repository.root, lake, tmp_path / f"log-{number}", **variables))
            for number in range(2)
        ]
        line = BadLine([int(url.rpartition(":")[2]) for url, _ in running], budgets)
        stack.callback(line.close)
        workers = [pid for _, process in running for pid in children(process.pid)]
        memory = stack.enter_context(watched(workers))
        receipt = send_file(
            f"http://127.0.0.1:{line.port}", "demo-store-1", "transactions", file, tries=10, sleep=lambda _: None
        )
        (landed,) = obstore.list(store_at(server.endpoint, BUCKET), "lake/landing/").collect()
        digest = hashlib.sha256()
        for piece in obstore.get(store_at(server.endpoint, BUCKET), landed["path"]).stream():
            digest.update(piece)
    above = (memory["peak"] - memory["idle"]) / 1024
    print(f"cut {line.cut} times; memory {memory['idle'] / 1024:.0f} MB idle, {above:.0f} MB above it at most")
    assert line.cut == CUTS
    assert (receipt.sha256, digest.hexdigest(), receipt.bytes) == (expected, expected, SIZE)
    assert above <= MEMORY_MB
