"""The store's side of an upload: send bytes until the receiver says that they are durable.

httpx rather than urllib, because it reads an answer that comes while the body is still being sent
(a 413, a 401) where urllib reports a broken pipe, and has a time limit for each phase.
"""

import gzip as gzip_format
import hashlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from headgate.errors import UploadRefused

# Answers after which the same request may succeed. Any other refusal stays one.
_PASSING = (408, 502, 503, 504)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0  # seconds


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
    """A failure that may pass; `wait` is what the receiver asked for, in seconds."""

    def __init__(self, what: str, wait: float = 0.0) -> None:
        super().__init__(what)
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
    and 408, 502, 503, 504 are tried again, `tries` times in all, with the same idempotency key and
    growing pauses, longer where the receiver asks for it. `timeout` is in seconds for each phase of
    a try. `http` is used where it is given, so that many uploads share a connection.

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
    if http is not None:
        return _persist(lambda: _try(http, address, content, headers, timeout), address, tries, sleep)
    # Reading the certificates takes 30 ms, and plain http has none to check.
    with httpx.Client(verify=not url.startswith("http://")) as own:
        return _persist(lambda: _try(own, address, content, headers, timeout), address, tries, sleep)


def _quoted(key: str) -> str:
    """The key as a structured-field string, as the Idempotency-Key draft has it."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _persist(attempt: Callable[[], Receipt], address: str, tries: int, sleep: Callable[[float], None]) -> Receipt:
    for count in range(1, tries + 1):
        try:
            return attempt()
        except _Passing as failure:
            if count == tries:
                raise UploadRefused(
                    f"not accepted after {tries} tries: {failure}",
                    where=address,
                    fix="see that the receiver is up and send again: the same idempotency key lands it once",
                ) from failure
            sleep(_pause(count, failure.wait))
    raise UploadRefused("no try was allowed", where=address, fix="give tries=1 or more")


def _pause(count: int, asked: float) -> float:
    """Seconds before the next try: doubling, spread so that a thousand stores do not come back at once."""
    growing = _FIRST_PAUSE * 2.0 ** (count - 1)
    spread = growing * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return min(max(spread, asked), _LONGEST_PAUSE)


def _try(http: httpx.Client, address: str, content: bytes, headers: Mapping[bytes, bytes], timeout: float) -> Receipt:
    try:
        response = http.post(address, content=content, headers=headers, timeout=timeout)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError, httpx.LocalProtocolError) as error:
        # The error's own words may hold the key.
        what = f"cannot be sent ({type(error).__name__})"
        raise UploadRefused(what, where=address, fix="check the URL and the keys") from error
    except httpx.TransportError as error:
        raise _Passing(f"{type(error).__name__}: {error}") from error
    if response.status_code in _PASSING:
        raise _Passing(_reason(response), _asked(response.headers.get("Retry-After", "")))
    if response.status_code != 201:
        raise UploadRefused(_reason(response), where=address)
    return _receipt(response, content, address)


def _reason(response: httpx.Response) -> str:
    return f"{response.status_code} {_json(response).get('detail') or response.reason_phrase}"


def _json(response: httpx.Response) -> dict[str, Any]:
    """The response's JSON object, or an empty one: a proxy may have answered."""
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


def _receipt(response: httpx.Response, content: bytes, address: str) -> Receipt:
    """The receipt of a 201. Raises UploadRefused where it is none, or is not for these bytes."""
    value = _json(response)
    replayed = response.headers.get("Idempotent-Replayed") == "true"
    try:
        receipt = Receipt(**{name: value[name] for name in _FIELDS}, replayed=replayed)
    except KeyError:
        raise UploadRefused("the answer is no receipt", where=address, fix="check what is at the URL") from None
    if receipt.sha256 != hashlib.sha256(content).hexdigest():
        raise UploadRefused("the receipt is for other bytes than were sent", where=receipt.upload, fix="send it again")
    return receipt


_FIELDS = ("upload", "dataset", "store", "bytes", "sha256", "received", "status")
