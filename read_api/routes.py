"""The routes of the read API. Each route checks the key, resolves table and version, and answers a page of rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from headgate.http.access import note
from headgate.http.problems import Problem
from read_api import formats, information
from read_api.catalog import Access
from read_api.columns import from_plain, parse_time
from read_api.cursor import Cursor
from read_api.parameters import RowQuery, aggregate_query, limit_of, row_query, whole_number
from read_api.reader import Page
from read_api.services import client_scopes, services
from read_api.snapshots import Snapshot

routes = Blueprint("read_api", __name__)
_PINNED = "private, max-age=31536000, immutable"
_NEWEST = "private, no-cache"
_AT = frozenset({"version", "as_of"})


@routes.get("/v1/tables")
def list_tables() -> Response:
    """Lists the tables that the key may read."""
    _only()
    tables = [information.summary(access) for access in services().catalog.tables(client_scopes())]
    return _json({"tables": tables})


@routes.get("/v1/tables/<table>")
def show_table(table: str) -> Response:
    """Shows columns, grain, owner, freshness and quality of a table."""
    access = _access(table)
    _only("version", "as_of")
    snapshot, pinned = _snapshot(table)
    access = access.at(snapshot.types)
    tag = _tag(snapshot, access.fingerprint(), "table")
    if _is_known(tag):
        return _not_modified(tag, pinned, table)
    body = formats.dump(information.details(access, snapshot, services().ledger, services().settings))
    return _with_cache(Response(body, content_type=formats.JSON), tag, pinned, snapshot)


@routes.get("/v1/tables/<table>/rows")
def read_rows(table: str) -> Response:
    """Returns a page of rows."""
    access, media_type = _access(table), formats.negotiate(request.accept_mimetypes)
    limit = limit_of(request.args.get("limit"), services().settings.max_rows)
    pairs = list(request.args.items(multi=True))
    snapshot, pinned = _pinned_snapshot(table)
    access = access.at(snapshot.types)
    query = row_query(access, pairs, _AT | {"limit", "cursor"})
    cursor = _cursor(snapshot, query.fingerprint(access))
    after = _after(cursor, query) if cursor else None
    tag = _tag(snapshot, query.fingerprint(access), "rows", media_type, limit, request.args.get("cursor", ""))
    if _is_known(tag):
        return _not_modified(tag, pinned, table)
    page = services().reader.page(snapshot, query, access, after, limit, formats.needs_arrow(media_type))
    return _rows(page, snapshot, query, access, media_type, tag, pinned)


@routes.get("/v1/tables/<table>/changes")
def read_changes(table: str) -> Response:
    """Returns a page of the changes after a version."""
    access, media_type = _access(table), formats.negotiate(request.accept_mimetypes)
    limit = limit_of(request.args.get("limit"), services().settings.max_rows)
    snapshot = _cursor_snapshot(table)
    access = access.at(snapshot.types)
    query = row_query(access, request.args.items(multi=True), frozenset({"since", "limit", "cursor"}))
    if query.order:
        raise Problem(400, "invalid-parameter", "changes come in the order of their commits; remove order")
    since = whole_number("since", request.args.get("since", "")) if "since" in request.args else -1
    if since > snapshot.version:
        raise Problem(404, "unknown-version", f"the newest version of {table} is {snapshot.version}")
    fingerprint = hashlib.sha256(f"changes {since} {query.fingerprint(access)}".encode()).hexdigest()[:32]
    cursor = _cursor(snapshot, fingerprint)
    page = services().changes.page(snapshot, query, access, since, cursor.after if cursor else None, limit)
    if formats.needs_arrow(media_type):
        page = formats.as_arrow(page, query.columns)
    return _rows(page, snapshot, query, access, media_type, None, False, fingerprint)


@routes.get("/v1/tables/<table>/aggregates")
def read_aggregates(table: str) -> Response:
    """Returns counts, sums and the like by groups."""
    access, media_type = _access(table), formats.negotiate(request.accept_mimetypes)
    snapshot, pinned = _snapshot(table)
    access = access.at(snapshot.types)
    query = aggregate_query(access, request.args.items(multi=True), _AT)
    tag = _tag(snapshot, query.fingerprint(access), "aggregates", media_type)
    if _is_known(tag):
        return _not_modified(tag, pinned, table)
    page = services().reader.aggregates(
        snapshot, query, access, services().settings.max_rows, formats.needs_arrow(media_type)
    )
    return _rows(page, snapshot, query, access, media_type, tag, pinned)


@routes.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return _json({"status": "live"})


@routes.get("/readyz")
def readyz() -> Response:
    """The query engine answers."""
    services().engine.check()
    return _json({"status": "ready"})


@routes.get("/metrics")
def metrics() -> Response:
    """The metrics in Prometheus' text format."""
    body, content_type = services().metrics.render()
    return Response(body, content_type=content_type)


# --- table and version


def _access(table: str) -> Access:
    scopes = client_scopes()
    access = services().catalog.table(table, scopes)
    note(table=table)
    return access


def _only(*allowed: str) -> None:
    for name in request.args:
        if name not in allowed:
            raise Problem(400, "invalid-parameter", f"'{name[:80]}' is not a parameter here")


def _snapshot(table: str) -> tuple[Snapshot, bool]:
    """The version that `version` or `as_of` names, else the newest; and whether it is pinned."""
    version, as_of = request.args.get("version"), request.args.get("as_of")
    if version is not None and as_of is not None:
        raise Problem(400, "invalid-parameter", "send version or as_of, not both")
    if version is not None:
        return services().snapshots.at(table, whole_number("version", version)), True
    if as_of is None:
        return services().snapshots.newest(table), False
    try:
        moment = parse_time(as_of)
    except (ValueError, OverflowError):
        raise Problem(400, "invalid-value", "as_of must be a time such as 2026-03-01T18:00:00Z") from None
    return services().snapshots.as_of(table, moment), False


def _pinned_snapshot(table: str) -> tuple[Snapshot, bool]:
    """The version of the cursor if there is a cursor, else that of the parameters."""
    return (_cursor_snapshot(table), True) if "cursor" in request.args else _snapshot(table)


def _cursor_snapshot(table: str) -> Snapshot:
    text = request.args.get("cursor")
    newest = services().snapshots.newest(table)
    if text is None:
        return newest
    cursor = services().signer.verified(text)
    if cursor.id != newest.id:
        raise Problem(410, "gone", f"{table} was replaced by a new table; start again without the cursor")
    return services().snapshots.at(table, cursor.version)


def _cursor(snapshot: Snapshot, fingerprint: str) -> Cursor | None:
    text = request.args.get("cursor")
    return None if text is None else services().signer.decode(text, fingerprint)


def _after(cursor: Cursor, query: RowQuery) -> list[Any]:
    values = [from_plain(v, term.column) for v, term in zip(cursor.after, query.order, strict=False)]
    return [*values, *cursor.after[len(query.order) :]]


# --- responses


def _rows(
    page: Page,
    snapshot: Snapshot,
    query: RowQuery,
    access: Access,
    media_type: str,
    tag: str | None,
    pinned: bool,
    fingerprint: str = "",
) -> Response:
    following, headers = None, {}
    if page.after is not None:
        cursor = Cursor(snapshot.id, snapshot.version, fingerprint or query.fingerprint(access), page.after)
        headers["Headgate-Cursor"] = services().signer.encode(cursor)
        following = _url(headers["Headgate-Cursor"])
        headers["Link"] = f'<{following}>; rel="next"'
    masked = [column.name for column in query.columns if column.masked]
    if masked:
        headers["Headgate-Masked"] = ", ".join(masked)
    around = {"table": snapshot.table, "version": snapshot.version, "masked": masked, "next": following}
    body = formats.encode(page, media_type, around)
    count = len(page.rows) if page.rows is not None else len(page.table or ())
    note(rows=count, version=snapshot.version, bytes=len(body))
    services().metrics.add("headgate_read_rows_total", count, table=snapshot.table, format=media_type)
    services().metrics.add("headgate_read_bytes_total", len(body), table=snapshot.table, format=media_type)
    content_type = f"{media_type}; charset=utf-8; header=present" if media_type == formats.CSV else media_type
    response = Response(body, headers=headers, content_type=content_type)
    return _with_cache(response, tag, pinned, snapshot)


def _url(cursor: str) -> str:
    pairs = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    return f"{request.path}?{urlencode([*pairs, ('cursor', cursor)])}"


def _tag(snapshot: Snapshot, *parts: Any) -> str:
    text = "\n".join(map(str, (snapshot.id, snapshot.version, *parts)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_known(tag: str) -> bool:
    return request.if_none_match.contains_weak(tag)


def _not_modified(tag: str, pinned: bool, table: str) -> Response:
    services().metrics.add("headgate_read_not_modified_total", table=table)
    response = Response(status=304)
    response.set_etag(tag, weak=True)
    response.headers["Cache-Control"] = _PINNED if pinned else _NEWEST
    response.headers["Vary"] = "Authorization, Accept"
    return response


def _with_cache(response: Response, tag: str | None, pinned: bool, snapshot: Snapshot) -> Response:
    response.headers["Headgate-Version"] = str(snapshot.version)
    response.headers["Cache-Control"] = _PINNED if pinned else _NEWEST
    response.headers["Vary"] = "Authorization, Accept"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if tag is not None:
        response.set_etag(tag, weak=True)
    return response


def _json(value: Mapping[str, Any]) -> Response:
    return Response(formats.dump(value), content_type=formats.JSON, headers={"Cache-Control": "private, no-cache"})
