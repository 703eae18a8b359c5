"""Resumable uploads over HTTP, as draft-ietf-httpbis-resumable-upload-09 describes them.

Begin: POST to the dataset with `Upload-Complete: ?0`; the answer's Location is the upload resource. Continue: HEAD it
for `Upload-Offset`, PATCH it from there with `Content-Type: application/partial-upload`. End: PATCH with
`Upload-Complete: ?1`; the answer is the receipt. DELETE forgets an upload that has not landed.
"""

from datetime import timedelta

from flask import Blueprint, Response, request, url_for

from headgate.contracts.contract import Contract
from headgate.http.access import note
from headgate.http.problems import Problem
from ingest_api import headers
from ingest_api.landing.resume import OffsetMoved, Progress, Resuming, WholeDiffers
from ingest_api.routes import authenticate, contract_of, created, own_contract, reading_body, unknown_upload
from ingest_api.services import services
from ingest_api.stores import Sender

resumable = Blueprint("resumable", __name__)
_PARTIAL = "application/partial-upload"
_TYPES = "https://iana.org/assignments/http-problem-types#"


def begin(contract: Contract, sender: Sender, key: str) -> Response:
    """Registers an upload; a body in the same request is its first part."""
    parts = services()
    complete = headers.boolean("Upload-Complete", request.headers.get("Upload-Complete"))
    length = headers.integer("Upload-Length", request.headers.get("Upload-Length"))
    if length is not None and length > parts.limit:
        raise Problem(413, "too-large", f"an upload has at most {parts.limit} bytes", limit=parts.limit)
    sha256 = headers.whole_digest(request.headers.get("Repr-Digest"))
    progress = _resuming(sender).begin(contract, sender.store, key, length, sha256)
    if progress.landing is None and (complete or request.content_length) and progress.offset == 0:
        progress = _append(contract, sender, progress.upload, 0, complete)
    return _answer(progress, 201)


@resumable.route("/v1/uploads/<upload_id>/content", methods=["HEAD"])
def show_offset(upload_id: str) -> Response:
    """How many bytes are kept, in Upload-Offset."""
    sender = authenticate()
    progress = _resuming(sender).progress(own_contract(upload_id, sender), upload_id)
    if progress is None:
        raise unknown_upload()
    response = Response(status=204)
    _describe(response, progress)
    response.headers["Cache-Control"] = "no-store"
    return response


@resumable.patch("/v1/uploads/<upload_id>/content")
def append(upload_id: str) -> Response:
    """Adds the body at Upload-Offset."""
    sender = authenticate()
    contract = contract_of(own_contract(upload_id, sender).dataset, sender)
    if (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower() != _PARTIAL:
        raise Problem(415, "unsupported-media-type", f"send Content-Type: {_PARTIAL}", {"Accept-Patch": _PARTIAL})
    offset = headers.integer("Upload-Offset", request.headers.get("Upload-Offset"))
    if offset is None:
        raise Problem(400, "upload-offset", "Upload-Offset is required")
    complete = headers.boolean("Upload-Complete", request.headers.get("Upload-Complete"))
    services().metrics.metrics.add("headgate_resumed_requests_total")
    return _answer(_append(contract, sender, upload_id, offset, complete), 204)


@resumable.delete("/v1/uploads/<upload_id>/content")
def forget(upload_id: str) -> Response:
    """Forgets an upload that has not landed."""
    sender = authenticate()
    own_contract(upload_id, sender)
    if not _resuming(sender).remove(upload_id):
        raise unknown_upload()
    return Response(status=204)


def _resuming(sender: Sender) -> Resuming:
    parts = services()
    return Resuming(parts.storage_of(sender), parts.clock, timedelta(hours=parts.resume_hours))


def _append(contract: Contract, sender: Sender, upload_id: str, offset: int, complete: bool) -> Progress:
    parts, resuming = services(), _resuming(sender)
    note(upload=upload_id, offset=offset)
    try:
        with reading_body(max(0, parts.limit - offset)) as body:
            progress = resuming.append(contract, upload_id, offset, body, complete)
    except OffsetMoved:
        raise _offset_moved(resuming, contract, upload_id, offset) from None
    except WholeDiffers as error:
        raise Problem(400, "digest-mismatch", f"{error.message}; send it again from its start") from None
    if progress is None:
        raise unknown_upload()
    if progress.landing is not None and progress.offset != offset and body.size == 0 and offset:
        raise _offset_moved(resuming, contract, upload_id, offset)
    return progress


def _offset_moved(resuming: Resuming, contract: Contract, upload_id: str, offset: int) -> Problem:
    progress = resuming.progress(contract, upload_id)
    expected = progress.offset if progress else 0
    problem = Problem(
        409,
        "mismatching-upload-offset",
        f"the upload is at {expected}, the request begins at {offset}; ask HEAD for the offset and go on from there",
        {"Upload-Offset": str(expected), "Upload-Complete": "?0"},
        **{"expected-offset": expected, "provided-offset": offset},
    )
    problem.members["type"] = f"{_TYPES}mismatching-upload-offset"
    return problem


def _answer(progress: Progress, status: int) -> Response:
    if progress.landing is not None:
        response = created(progress.landing)
    else:
        response = Response(status=status)
        response.headers["Location"] = url_for("resumable.show_offset", upload_id=progress.upload)
    note(upload=progress.upload)
    _describe(response, progress)
    return response


def _describe(response: Response, progress: Progress) -> None:
    response.headers["Upload-Offset"] = str(progress.offset)
    response.headers["Upload-Complete"] = "?1" if progress.landing else "?0"
    if progress.length is not None:
        response.headers["Upload-Length"] = str(progress.length)
    parts = services()
    response.headers["Upload-Limit"] = f"max-size={parts.limit}, max-age={parts.resume_hours * 3600}"
