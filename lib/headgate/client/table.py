"""Reads gold tables through the read API, page by page, as Arrow, pandas, polars or dictionaries."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from headgate.errors import ReadRefused, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

URL_VARIABLE, KEY_VARIABLE = "HEADGATE_READ_URL", "HEADGATE_READ_KEY"
_ARROW = "application/vnd.apache.arrow.stream"
_RETRIED = (429, 502, 503, 504)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # seconds


@dataclass(frozen=True)
class TableRead:
    """A query that has not run yet. Each `to_...`, `batches` or `rows` runs it, in one version of the table.

    `parameters` are those of the API's /rows.
    """

    table: str
    url: str
    key: str = field(repr=False)
    parameters: tuple[tuple[str, str], ...] = ()
    timeout: float = 60.0
    tries: int = 5
    http: httpx.Client | None = field(default=None, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def batches(self) -> Iterator[pa.Table]:
        """Yields an Arrow table for each page; the first page comes even if there are no rows.

        Raises ReadRefused if the API refuses the request, or cannot be reached after several tries.
        """
        import pyarrow as pa

        address: str | None = f"/v1/tables/{self.table}/rows"
        parameters: Sequence[tuple[str, str]] | None = self.parameters
        with self._client() as client:
            while address is not None:
                response = self._get(client, self.url.rstrip("/") + address, parameters)
                yield pa.ipc.open_stream(response.content).read_all()
                following = response.links.get("next")
                address, parameters = (following["url"], None) if following else (None, None)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yields each row as a dictionary of Python values; raises like `batches`."""
        for batch in self.batches():
            yield from batch.to_pylist()

    def to_arrow(self) -> pa.Table:
        """Returns all rows as an Arrow table with the exact types; raises like `batches`."""
        import pyarrow as pa

        return pa.concat_tables(list(self.batches()))

    def to_pandas(self) -> Any:
        """Returns all rows as a pandas DataFrame; raises like `batches`. Needs pandas."""
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """Returns all rows as a polars DataFrame; raises like `batches`. Needs polars."""
        import polars

        return polars.from_arrow(self.to_arrow())

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        if self.http is not None:
            yield self.http
            return
        # Reading the certificates takes 30 ms, and plain http has none to check.
        with httpx.Client(verify=not self.url.startswith("http://")) as client:
            yield client

    def _get(self, client: httpx.Client, address: str, parameters: Sequence[tuple[str, str]] | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}", "Accept": _ARROW}
        # `params` of None keeps the query that the address has.
        query = None if parameters is None else httpx.QueryParams(tuple(parameters))
        reason = ""
        for attempt in range(self.tries):
            if attempt:
                self.sleep(_pause(attempt))
            try:
                response = client.get(address, headers=headers, timeout=self.timeout, params=query)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError, httpx.LocalProtocolError) as error:
                # The error's own text may contain the key.
                message = f"the request cannot be sent ({type(error).__name__})"
                raise ReadRefused(message, where=self.url, fix="check the URL and the key") from error
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if response.status_code == 200:
                return response
            reason = _reason(response)
            if response.status_code not in _RETRIED:
                raise ReadRefused(
                    reason, where=f"{self.url}: {self.table}", fix="docs/read-api.md explains the answers"
                )
        raise ReadRefused(
            f"no answer after {self.tries} tries: {reason}", where=self.url, fix="check that the read API is running"
        )


def read(
    table: str,
    *,
    url: str | None = None,
    key: str | None = None,
    columns: Sequence[str] = (),
    where: Mapping[str, Any] | None = None,
    order: Sequence[str] = (),
    version: int | None = None,
    as_of: Any = None,
    page_rows: int = 10_000,
    http: httpx.Client | None = None,
    **equal: Any,
) -> TableRead:
    """Returns a query of a gold table: `read("gold.daily_store_sales", store_id="store-1").to_pandas()`.

    Keyword arguments are filters on equality; `where` has the others, as {"sale_date.ge": "2026-01-01"}, where a list
    is for `in`. `order` are columns, with - for descending. `version` or `as_of` (a time) select an older version.
    `url` and `key` come from HEADGATE_READ_URL and HEADGATE_READ_KEY by default. `http` is a client to use.
    Raises UsageError if there is no address or key.
    """
    conditions = {**{f"{name}.eq": value for name, value in equal.items()}, **(where or {})}
    parameters = [(name, _text(value)) for name, value in conditions.items()]
    options = {
        "columns": ",".join(columns),
        "order": ",".join(order),
        "version": "" if version is None else str(version),
        "as_of": "" if as_of is None else _text(as_of),
        "limit": str(page_rows),
    }
    parameters += [(name, value) for name, value in options.items() if value]
    address, secret = url or os.environ.get(URL_VARIABLE), key or os.environ.get(KEY_VARIABLE)
    if not address or not secret:
        missing = URL_VARIABLE if not address else KEY_VARIABLE
        raise UsageError("no address or key of a read API", where=table, fix=f"give url and key, or set {missing}")
    return TableRead(table, address, secret, tuple(parameters), http=http)


def _text(value: Any) -> str:
    """A value as the API takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(_quoted(_text(item)) for item in value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _reason(response: httpx.Response) -> str:
    try:
        document = response.json()
    except ValueError:
        document = None
    detail = document.get("detail") if isinstance(document, dict) else None
    return f"{response.status_code} {detail or response.reason_phrase}"


def _pause(attempt: int) -> float:
    """Seconds before a try: doubling, and spread so that many clients do not come back at once."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
