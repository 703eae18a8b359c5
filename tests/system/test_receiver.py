"""The receiver as a process: real HTTP, workers that are killed, clients that misbehave."""

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Event

import httpx
import pytest

from headgate.client import send
from headgate.lake.upload_identity import parse_path
from tests.processes import children, environ, free_port, stop

DATASET, MEDIA_TYPE = "transactions", "application/x-ndjson"
LIMIT = 1_000_000  # bytes
AT_LEAST = 5  # uploads of each sender, however slow the machine
OLD = "01KAJ5M8Z0ABCDEFGHJKMNPQRS"  # a ULID of 2025


@contextmanager
def receiver(root: Path, lake: Path, log: Path, **variables: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """`headgate serve receiver` on a free port: its address and process, stopped by SIGTERM at the end."""
    port = free_port()
    command = [sys.executable, "-m", "headgate.cli", "serve", "receiver", "--port", str(port), "--project", str(root)]
    with log.open("ab") as output:
        environment = environ(HEADGATE_LAKE=str(lake), **variables)
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}", process
    finally:
        stop(process, 15)


def wait_until_ready(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(200):
        try:
            if httpx.get(f"{url}/healthz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def workers(process: subprocess.Popen) -> list[int]:
    """The process ids of gunicorn's workers."""
    return children(process.pid)


def landed(lake: Path) -> dict[str, bytes]:
    """Bytes of each landed object by upload id; fails where an upload has two objects."""
    files = [path for path in (lake / "landing").rglob("*") if path.is_file()]
    results = {parse_path(str(path.relative_to(lake)))[0].id: path.read_bytes() for path in files}
    assert len(results) == len(files)
    return results


@pytest.fixture(scope="module")
def running(repository, tmp_path_factory):
    """One receiver for the tests that leave it alive: address, process, lake."""
    base = tmp_path_factory.mktemp("receiver")
    limit = {"HEADGATE_RECEIVER_MAX_UPLOAD_BYTES": str(LIMIT)}
    with receiver(repository.root, base / "lake", base / "log", **limit) as (url, process):
        yield url, process, base / "lake"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers in /proc")
def test_workers_killed_in_the_middle_lose_and_double_nothing(repository, tmp_path):
    lake, done = tmp_path / "lake", Event()
    with receiver(repository.root, lake, tmp_path / "log") as (url, process), ThreadPoolExecutor(8) as pool:
        senders = [pool.submit(send_until, done, url, number) for number in range(8)]
        try:
            kill_workers(process, 5)
        finally:
            done.set()
        acknowledged = [pair for future in senders for pair in future.result()]
    results = {upload: hashlib.sha256(content).hexdigest() for upload, content in landed(lake).items()}
    assert len(acknowledged) >= 8 * AT_LEAST
    assert results == dict(acknowledged)


@pytest.mark.parametrize("server", ["receiver", "api"])
def test_an_address_that_is_printed_accepts_connections(repository, tmp_path, server):
    command = [sys.executable, "-m", "headgate.cli", "serve", server, "--port", str(free_port()), "--json"]
    environment = environ(HEADGATE_LAKE=str(tmp_path / "lake"))
    process = subprocess.Popen(
        [*command, "--project", str(repository.root)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = json.loads(process.stdout.readline())["url"]
        assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200  # at once, without a retry
    finally:
        stop(process, 15)


def send_until(done: Event, url: str, number: int) -> list[tuple[str, str]]:
    """Sends uploads of up to 256 KiB, each after the previous is acknowledged; returns the id and digest of each."""
    dice, acknowledged = random.Random(number), []  # noqa: S311 - no secret
    while not done.is_set() or len(acknowledged) < AT_LEAST:
        body = dice.randbytes(dice.choice((0, 10, 10_000, 256 * 1024)))
        key = uuid.UUID(int=dice.getrandbits(128)).hex
        receipt = send(url, f"demo-store-{number + 1}", DATASET, body, key, MEDIA_TYPE, tries=200, sleep=nap)
        acknowledged.append((receipt.upload, receipt.sha256))
    return acknowledged


def nap(_: float) -> None:
    time.sleep(0.05)


def kill_workers(process: subprocess.Popen, times: int) -> None:
    """Kills a random worker, so many times, with pauses in which it is replaced or not yet."""
    dice = random.Random(7)  # noqa: S311 - no secret
    for _ in range(times):
        time.sleep(dice.uniform(0.3, 0.7))
        if alive := workers(process):
            os.kill(dice.choice(alive), signal.SIGKILL)


def test_who_dies_at_any_step_of_landing_is_made_good_by_a_retry_over_http(repository, tmp_path, running):
    """The steps are the same under --direct and under HTTP, and so are identity and path."""
    url, _, lake = running
    for number, point in enumerate(("receiver.claimed", "receiver.landed", "receiver.marked")):
        key, body, before = f"{OLD[:-1]}{number}", point.encode(), landed(lake)
        assert upload_directly(repository.root, lake, tmp_path / point, key, point) == -signal.SIGKILL
        answer = post(url, body, key)
        assert answer.status_code == 201
        assert ("Idempotent-Replayed" in answer.headers) == (point != "receiver.claimed")
        assert landed(lake) == {**before, answer.json()["upload"]: body}
        assert list((lake / "late").rglob(f"{answer.json()['upload']}*"))


def upload_directly(root: Path, lake: Path, file: Path, key: str, point: str) -> int:
    """Lands a file that holds the name of the point at which the process dies; its exit status."""
    file.write_text(point)
    command = [sys.executable, "-m", "headgate.cli", "upload", str(file), "--dataset", DATASET, "--direct"]
    arguments = ["--store", "store-1", "--idempotency-key", key, "--project", str(root)]
    variables = environ(HEADGATE_LAKE=str(lake), HEADGATE_KILL_AT=point)
    return subprocess.run([*command, *arguments], env=variables, timeout=30, capture_output=True).returncode


def test_sigterm_lets_an_upload_under_way_end(repository, tmp_path):
    lake = tmp_path / "lake"
    with (
        receiver(repository.root, lake, tmp_path / "log") as (url, process),
        socket.create_connection(address(url)) as connection,
    ):
        connection.sendall(head(b"Content-Length: 10\r\n", "k-term") + b"01234")
        time.sleep(0.3)
        process.terminate()
        time.sleep(0.3)
        connection.sendall(b"56789")
        assert read_all(connection).startswith(b"HTTP/1.1 201 ")
    assert list(landed(lake).values()) == [b"0123456789"]
    assert process.returncode == 0


CUT = {
    "a length that does not come": (b"Content-Length: 100\r\n", b"0123456789"),
    "a chunk that does not come": (b"Transfer-Encoding: chunked\r\n", b"64\r\n0123456789"),
    "no last chunk": (b"Transfer-Encoding: chunked\r\n", b"a\r\n0123456789\r\n"),
    "a chunk without its size": (b"Transfer-Encoding: chunked\r\n", b"a\r\n0123456789\r\nzz\r\n"),
    "a chunk size that is negative": (b"Transfer-Encoding: chunked\r\n", b"-a\r\n0123456789\r\n0\r\n\r\n"),
    "a chunk size beyond 64 bits": (b"Transfer-Encoding: chunked\r\n", b"fffffffffffffffff\r\n0123456789\r\n0\r\n\r\n"),
    "a chunk that is longer than its size": (b"Transfer-Encoding: chunked\r\n", b"4\r\n0123456789\r\n0\r\n\r\n"),
    "chunks of noise": (b"Transfer-Encoding: chunked\r\n", random.Random(7).randbytes(5000)),  # noqa: S311
    "a half last chunk": (b"Transfer-Encoding: chunked\r\n", b"a\r\n0123456789\r\n0\r\n"),
    "two framings": (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"a\r\n0123456789\r\n0\r\n\r\n"),
    "two lengths": (b"Content-Length: 5\r\nContent-Length: 10\r\n", b"0123456789"),
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_body_does_not_land(running, name):
    url, _, lake = running
    before = landed(lake)
    framing, body = CUT[name]
    with socket.create_connection(address(url)) as connection:
        connection.sendall(head(framing, f"cut-{name.replace(' ', '-')}") + body)
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert not answer.startswith(b"HTTP/1.1 2")
    assert landed(lake) == before


def test_a_refused_body_is_not_read_as_the_next_request(running):
    url, _, lake = running
    before = landed(lake)
    hidden = head(b"Content-Length: 3\r\n", "hidden") + b"abc"
    with socket.create_connection(address(url)) as connection:
        request = head(b"Content-Length: %d\r\n" % len(hidden), "outer", authorization=b"Bearer wrong") + hidden
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert answer.count(b"HTTP/1.1 ") == 1 and b" 401 " in answer
    assert landed(lake) == before


def test_a_connection_goes_on_after_a_refusal(running):
    url, *_ = running
    with httpx.Client() as http:
        assert post(url, b"x" * 200_000, "k", http, authorization="Bearer wrong").status_code == 401
        answer = post(url, b"abc", "after-refusal", http)
    assert (answer.status_code, answer.headers["Connection"]) == (201, "keep-alive")


def test_a_body_far_beyond_the_limit_is_answered_and_the_connection_closed(running):
    url, *_ = running
    for body in (b"x" * 8_000_000, iter([b"x" * 1_000_000] * 8)):
        answer = post(url, body, "k")
        assert (answer.status_code, answer.json()["limit"]) == (413, LIMIT)
        assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Idempotency_Key: other\r\n", b"201"),  # dropped: it must not replace the real header
        (b"X-Large: " + b"x" * 9000 + b"\r\n", b"431"),
        (b"X-Many: 1\r\n" * 100, b"431"),
        (b"".join(b"X-%d: 1\r\n" % number for number in range(10_000)), b"431"),
        (b"X-Folded: a\r\n b\r\n", b"400"),
        (b"Content-Type : application/json\r\n", b"400"),
    ],
)
def test_odd_headers(running, line, status):
    url, *_ = running
    with socket.create_connection(address(url)) as connection:
        connection.sendall(head(b"Content-Length: 3\r\nConnection: close\r\n" + line, "odd") + b"abc")
        assert read_all(connection).split(b" ")[1] == status


@pytest.mark.parametrize("milliseconds", [0, 946_684_800_000, 2**48 - 1], ids=["1970", "2000", "10889"])
def test_a_key_of_a_clock_that_is_wrong_lands_once_in_its_place(running, milliseconds):
    url, _, lake = running
    key = str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | milliseconds % 1000))
    answers = [post(url, b"abc", key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
    assert answers[0].content == answers[1].content
    assert landed(lake)[answers[0].json()["upload"]] == b"abc"


@pytest.mark.long
def test_64_senders_of_a_key_to_two_receivers_land_it_once(repository, tmp_path):
    """The same key at the same moment, over HTTP to two receivers of four workers: one 201, and its replays."""
    lake, key, gate = tmp_path / "lake", str(uuid.uuid4()), Barrier(64)
    with (
        receiver(repository.root, lake, tmp_path / "log-1") as (first, _),
        receiver(repository.root, lake, tmp_path / "log-2") as (second, _),
        ThreadPoolExecutor(64) as pool,
    ):

        def send_one(number: int) -> httpx.Response:
            with httpx.Client(timeout=60) as http:
                gate.wait()
                return post((first, second)[number % 2], b"x" * 10_000, key, http)

        answers = list(pool.map(send_one, range(64)))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 429, 503}, statuses  # a receiver that is full may ask for a retry
    created = [answer for answer in answers if answer.status_code == 201]
    assert sum("Idempotent-Replayed" not in answer.headers for answer in created) == 1
    assert len({answer.content for answer in created}) == 1
    assert list(landed(lake).values()) == [b"x" * 10_000]
    assert len(created) > 32


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def head(lines: bytes, key: str, authorization: bytes = b"Bearer demo-store-1") -> bytes:
    """The request line and headers of an upload."""
    return (
        f"POST /v1/datasets/{DATASET}/uploads HTTP/1.1\r\nHost: x\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"Idempotency-Key: {key}\r\n".encode()
        + b"Authorization: "
        + authorization
        + b"\r\n"
        + lines
        + b"\r\n"
    )


def read_all(connection: socket.socket) -> bytes:
    """The bytes until the other side closes, or a single response if it keeps the connection."""
    connection.settimeout(10)
    result = b""
    try:
        while piece := connection.recv(65536):
            result += piece
            if b"keep-alive" in result and result.endswith(b"}"):
                break
    except ConnectionResetError:
        pass
    return result


def post(url: str, body, key: str, http: httpx.Client | None = None, authorization: str = "Bearer demo-store-1"):  # type: ignore[no-untyped-def]
    headers = {"Authorization": authorization, "Idempotency-Key": key, "Content-Type": MEDIA_TYPE}
    address = f"{url}/v1/datasets/{DATASET}/uploads"
    return (http or httpx).post(address, content=body, headers=headers, timeout=20)
