"""The sender's side of an upload: send bytes, or a file, until the receiver says that they are durable.

httpx rather than urllib, because it reads an answer that comes while the body is still being sent
(a 413, a 401) where urllib reports a broken pipe, and has a time limit for each phase.
"""

import base64
import gzip as gzip_format
import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

from headgate.errors import UploadRefused

# Statuses after which the same request may succeed. Any other refusal is final.
_PASSING = (408, 429, 502, 503, 504)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0  # seconds
#: A file above this size is sent as a resumable upload.
RESUMABLE_BYTES = 8 * 2**20
_PIECE = 256 * 1024
_PARTIAL = "application/partial-upload"


_T = TypeVar("_T")


@dataclass(frozen=True)
class Receipt:
    """The receiver's word that an upload is durable. `bytes` and `sha256` are of the body as it was sent.

    `replayed` is True where the receiver had it already.
    """

    upload: str
    dataset: str
    store: str
    bytes: int
    sha256: str
    received: str
    status: str
    replayed: bool


class _Passing(Exception):
    """A transient failure; `wait` is the pause that the receiver requested, in seconds."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


def send(
    url: str,
    key: str,
    dataset: str,
    body: bytes,
    idempotency_key: str,
    content_type: str,
    gzip: bool = False,
    compressed: bool = False,
    timeout: float = 60.0,
    tries: int = 6,
    http: httpx.Client | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Receipt:
    """Uploads `body` to the receiver at `url` with the store's `key`; the receipt, once it is durable.

    `gzip` compresses the body first; `compressed` says that it is gzip already. Connection errors
    and 408, 429, 502, 503, 504 are tried again, `tries` times in all, with the same idempotency key and
    growing pauses, longer if the receiver requests it. `timeout` is in seconds for each phase of
    a try. `http` is a client, so that many uploads share a connection.

    Raises UploadRefused with the receiver's reason, or where it could not be reached.
    """
    content = gzip_format.compress(body, compresslevel=6, mtime=0) if gzip else body
    headers = {
        b"Authorization": b"Bearer " + key.encode(),
        b"Idempotency-Key": _quoted(idempotency_key).encode(),
        b"Content-Type": content_type.encode(),
        **({b"Content-Encoding": b"gzip"} if gzip or compressed else {}),
    }
    address = f"{url.rstrip('/')}/v1/datasets/{dataset}/uploads"
    with _client(url, http) as connection:
        return _persist(lambda: _try(connection, address, content, headers, timeout), address, tries, sleep)


def send_file(
    url: str,
    key: str,
    dataset: str,
    path: Path,
    idempotency_key: str = "",
    content_type: str = "",
    compressed: bool = False,
    timeout: float = 60.0,
    tries: int = 10,
    http: httpx.Client | None = None,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[int], None] = lambda _: None,
) -> Receipt:
    """Uploads a file of any size; the receipt, once it is durable.

    The default key is the SHA-256 of the file, the default media type the first that the dataset takes. A file above
    8 MiB is resumed where it was cut, on any receiver, also by a later call. `tries` counts the tries in a row that
    brought no byte further. `progress` gets the bytes that are kept so far. Raises UploadRefused as `send` does.
    """
    with _client(url, http) as connection:
        sha256, size = digest_of(path)
        idempotency_key = idempotency_key or sha256
        content_type = content_type or describe(url, key, dataset, connection)["media_types"][0]
        if size <= RESUMABLE_BYTES:
            body = path.read_bytes()
            how = {"compressed": compressed, "timeout": timeout, "tries": tries, "http": connection, "sleep": sleep}
            receipt = send(url, key, dataset, body, idempotency_key, content_type, **how)
            progress(size)
            return receipt
        upload = _Resumable(connection, url.rstrip("/"), path, size, sha256, timeout, progress)
        upload.headers = {
            b"Authorization": b"Bearer " + key.encode(),
            b"Idempotency-Key": _quoted(idempotency_key).encode(),
            b"Content-Type": content_type.encode(),
            **({b"Content-Encoding": b"gzip"} if compressed else {}),
        }
        return upload.send(f"/v1/datasets/{dataset}/uploads", tries, sleep)


def digest_of(path: Path) -> tuple[str, int]:
    """The SHA-256 in hex and the size in bytes of a file. Raises UploadRefused where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
    except OSError as error:
        raise UploadRefused(f"cannot be read: {error.strerror}", where=str(path)) from error


def describe(url: str, key: str, dataset: str, http: httpx.Client | None = None) -> dict[str, Any]:
    """What the receiver says of a dataset: media types, encodings, limits, fields. Raises UploadRefused."""
    return _get(url, key, f"/v1/datasets/{dataset}", http)


def follow(url: str, key: str, upload: str, http: httpx.Client | None = None) -> dict[str, Any]:
    """What became of an upload: its receipt with `state`, bronze, silver, quarantined, gold. Raises UploadRefused."""
    return _get(url, key, f"/v1/uploads/{upload}", http)


def _get(url: str, key: str, path: str, http: httpx.Client | None) -> dict[str, Any]:
    address = f"{url.rstrip('/')}{path}"
    headers = {b"Authorization": b"Bearer " + key.encode()}

    def attempt() -> dict[str, Any]:
        response = _request(connection, "GET", address, headers, None, 30.0)
        if response.status_code != 200:
            raise UploadRefused(_reason(response), where=address)
        return _json(response)

    with _client(url, http) as connection:
        return _persist(attempt, address, 4, time.sleep)


class _Resumable:
    """One file as a resumable upload (draft-ietf-httpbis-resumable-upload-09)."""

    headers: Mapping[bytes, bytes]

    def __init__(
        self,
        http: httpx.Client,
        url: str,
        path: Path,
        size: int,
        sha256: str,
        timeout: float,
        progress: Callable[[int], None],
    ) -> None:
        self._http, self._url, self._path, self._size, self._sha256 = http, url, path, size, sha256
        self._timeout, self._progress = timeout, progress
        self._offset = -1

    def send(self, place: str, tries: int, sleep: Callable[[float], None]) -> Receipt:
        """Returns the receipt. Retries while each try sends more bytes than the previous try."""
        address, failed = f"{self._url}{place}", 0
        while True:
            before = self._offset
            try:
                return self._try(address)
            except _Passing as failure:
                failed = 0 if self._offset > before >= 0 else failed + 1
                if failed >= tries:
                    raise _exhausted(tries, failure, address) from failure
                sleep(_pause(max(1, failed), failure.wait))

    def _try(self, address: str) -> Receipt:
        digest = base64.b64encode(bytes.fromhex(self._sha256))
        headers = {
            **self.headers,
            b"Upload-Complete": b"?0",
            b"Upload-Length": str(self._size).encode(),
            b"Repr-Digest": b"sha-256=:" + digest + b":",
        }
        begun = _request(self._http, "POST", address, headers, b"", self._timeout)
        if begun.status_code != 201:
            raise UploadRefused(_reason(begun), where=address)
        if begun.headers.get("Upload-Complete") == "?1":
            return _receipt(begun, self._sha256, address)
        self._offset = int(begun.headers.get("Upload-Offset", "0"))
        self._progress(self._offset)
        return self._append(f"{self._url}{begun.headers['Location']}")

    def _append(self, place: str) -> Receipt:
        headers = {
            b"Authorization": self.headers[b"Authorization"],
            b"Content-Type": _PARTIAL.encode(),
            b"Upload-Offset": str(self._offset).encode(),
            b"Upload-Complete": b"?1",
            b"Content-Length": str(self._size - self._offset).encode(),
        }
        answer = _request(self._http, "PATCH", place, headers, self._rest(), self._timeout)
        if answer.status_code in (404, 409):  # it expired, or another request went on with it: begin again
            raise _Passing(_reason(answer))
        if answer.status_code != 201:
            raise UploadRefused(_reason(answer), where=place)
        self._progress(self._size)
        return _receipt(answer, self._sha256, place)

    def _rest(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            sent = self._offset
            while piece := file.read(_PIECE):
                yield piece
                sent += len(piece)
                self._progress(sent)


def _client(url: str, http: httpx.Client | None) -> Any:
    """`http`, left open, or a client of its own."""
    # Reading the certificates takes 30 ms, and plain http has none to check.
    return nullcontext(http) if http is not None else httpx.Client(verify=not url.startswith("http://"))


def _quoted(key: str) -> str:
    """The key as a structured-field string, as the Idempotency-Key draft has it."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _persist(attempt: Callable[[], _T], address: str, tries: int, sleep: Callable[[float], None]) -> _T:
    for count in range(1, tries + 1):
        try:
            return attempt()
        except _Passing as failure:
            if count == tries:
                raise _exhausted(tries, failure, address) from failure
            sleep(_pause(count, failure.wait))
    raise UploadRefused("no try was allowed", where=address, fix="give tries=1 or more")


def _exhausted(tries: int, failure: Exception, address: str) -> UploadRefused:
    return UploadRefused(
        f"not accepted after {tries} tries: {failure}",
        where=address,
        fix="check that the receiver is up and send again: the same idempotency key lands it once",
        retryable=True,
    )


def _pause(count: int, requested: float) -> float:
    """Seconds before the next try: doubling, spread so that a thousand stores do not come back at once."""
    growing = _FIRST_PAUSE * 2.0 ** (count - 1)
    spread = growing * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return min(max(spread, requested), _LONGEST_PAUSE)


def _try(http: httpx.Client, address: str, content: bytes, headers: Mapping[bytes, bytes], timeout: float) -> Receipt:
    response = _request(http, "POST", address, headers, content, timeout)
    if response.status_code != 201:
        raise UploadRefused(_reason(response), where=address)
    return _receipt(response, hashlib.sha256(content).hexdigest(), address)


def _request(
    http: httpx.Client,
    method: str,
    address: str,
    headers: Mapping[bytes, bytes],
    content: bytes | Iterator[bytes] | None,
    timeout: float,
) -> httpx.Response:
    """The response. Raises _Passing for a failure after which the same request may succeed, else UploadRefused."""
    try:
        response = http.request(method, address, content=content, headers=dict(headers), timeout=timeout)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError, httpx.LocalProtocolError) as error:
        # The error's own words may hold the key.
        message = f"cannot be sent ({type(error).__name__})"
        raise UploadRefused(message, where=address, fix="check the URL and the keys") from error
    except httpx.TransportError as error:
        raise _Passing(f"{type(error).__name__}: {error}") from error
    if response.status_code in _PASSING:
        raise _Passing(_reason(response), _asked(response.headers.get("Retry-After", "")))
    return response


def _reason(response: httpx.Response) -> str:
    return f"{response.status_code} {_json(response).get('detail') or response.reason_phrase}"


def _json(response: httpx.Response) -> dict[str, Any]:
    """The response's JSON object, or an empty object: a proxy may have answered."""
    try:
        value = response.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _asked(header: str) -> float:
    """Retry-After in seconds: it is a number, or a date."""
    if header.isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _receipt(response: httpx.Response, sha256: str, address: str) -> Receipt:
    """The receipt of a 201. Raises UploadRefused where it is none, or is not for the bytes with this SHA-256."""
    value = _json(response)
    replayed = response.headers.get("Idempotent-Replayed") == "true"
    try:
        receipt = Receipt(**{name: value[name] for name in _FIELDS}, replayed=replayed)
    except KeyError:
        raise UploadRefused("the response is not a receipt", where=address, fix="check the URL") from None
    if receipt.sha256 != sha256:
        raise UploadRefused("the receipt is for other bytes than were sent", where=receipt.upload, fix="send it again")
    return receipt


_FIELDS = ("upload", "dataset", "store", "bytes", "sha256", "received", "status")
