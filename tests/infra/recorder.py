"""Records which IAM action each request to an AWS stand-in needs, by the access key of the caller.

Give each component its own access key id, such as RECEIVER: it is part of every signed request. The stand-in is moto,
or another WSGI application such as the local cloud.
"""

from __future__ import annotations

import functools
import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "headgate-test-lake-111111111111"
ARTIFACTS, LOGS = BUCKET.replace("lake", "artifacts"), BUCKET.replace("lake", "logs")
#: A bucket -> its ARN, as the policies' templates name it.
_ARNS = {BUCKET: "${lake_arn}", ARTIFACTS: "${artifacts_arn}", LOGS: "${logs_arn}"}

#: In the header of a request, or in the query of a presigned address.
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/aws4_request")
_JOB_RUN = re.compile(r"/applications/[^/]+/jobruns(/[^/]+)?/?")
_JOB_RUNS = {
    ("POST", False): "StartJobRun",
    ("GET", False): "ListJobRuns",
    ("GET", True): "GetJobRun",
    ("DELETE", True): "CancelJobRun",
}
#: API calls that IAM knows by another name.
_IAM_NAMES = {
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


@dataclass(frozen=True, order=True)
class Call:
    """An IAM action on a resource, named as the policies' templates name it. `context` has condition keys."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The call for a JSON file."""
        return {
            "action": self.action,
            "resource": self.resource,
            **({"context": dict(self.context)} if self.context else {}),
        }


@dataclass
class Recorder:
    """A WSGI application in front of `app`, which is moto by default.

    `calls` has, for each access key in lower case, one example of each kind of call. moto answers one request at a
    time, because it checks a condition and then writes; another application has to see to that itself.
    """

    app: Callable | None = None
    calls: dict[str, dict[tuple[str, str], Call]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._turn, self._answering = threading.Lock(), threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        signed = environ.get("HTTP_AUTHORIZATION") or unquote(environ.get("QUERY_STRING", ""))
        match = _CREDENTIAL.search(signed)
        if match:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            self._record(*match.groups(), environ, body)
        if self.app is not None:
            return self.app(environ, start_response)
        with self._answering:
            return list(_moto()(environ, start_response))

    def _record(self, component: str, service: str, environ: dict[str, Any], body: bytes) -> None:
        calls = calls_of(service, environ, body)
        with self._turn:
            kinds = self.calls.setdefault(component.lower(), {})
            for call in calls:
                kinds.setdefault((call.action, _kind_of(call)), call)


@functools.cache
def _moto() -> DomainDispatcherApplication:
    return DomainDispatcherApplication(create_backend_app)


def _kind_of(call: Call) -> str:
    """What makes two calls of the same kind: the folder, whether it is a commit, and the condition keys."""
    bucket, _, path = call.resource.partition("/")
    commit = "commit" if re.search(r"/_delta_log/\d+\.json$", path) else ""
    return f"{bucket} {path.partition('/')[0]} {commit} {call.context}"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Logs nothing: the recorded calls are the output."""


@contextmanager
def serving(recorder: Recorder) -> Iterator[str]:
    """Serves the stand-in on a free loopback port; gives its address."""
    server = make_server("127.0.0.1", 0, recorder, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def calls_of(service: str, environ: dict[str, Any], body: bytes) -> list[Call]:
    """The IAM actions that one request needs. Raises ValueError for a service that is not known here."""
    if service == "s3":
        return _s3_calls(environ, body)
    if service == "emr-serverless":
        return _job_run_calls(environ)
    target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    operation = target or parse_qs(body.decode()).get("Action", [""])[0]
    if service == "secretsmanager":
        request = json.loads(body)
        name = (request.get("SecretId") or request["Name"]).rpartition("/")[2]
        return [Call(f"secretsmanager:{operation}", f"${{secrets_arn}}/{name}-AbCdEf")]
    if service == "glue":
        return _glue_calls(operation, json.loads(body or b"{}"))
    resources = {
        "sqs": "${queue_arn}",
        "sns": "${topics_arn}-notifications",
        "elasticmapreduce": "arn:${partition}:elasticmapreduce:${region}:${account_id}:cluster/j-1",
    }
    if service not in resources:
        raise ValueError(f"the recorder does not know the service {service}: add it to tests/infra/recorder.py")
    action = f"{service}:{operation}"
    context = (("elasticmapreduce:ResourceTag/Platform", "headgate-test"),) if service == "elasticmapreduce" else ()
    return [Call(_IAM_NAMES.get(action, action), resources[service], context)]


def _glue_calls(operation: str, request: dict[str, Any]) -> list[Call]:
    """Glue checks an action on the catalog, on the database and, where one is named, on the table."""
    action, base = f"glue:{operation}", "arn:${partition}:glue:${region}:${account_id}"
    database = "${gold_database}" if request.get("DatabaseName") or request.get("Name") else ""
    table = (request.get("TableInput") or {}).get("Name") or (request.get("DatabaseName") and request.get("Name"))
    calls = [Call(action, f"{base}:catalog")]
    calls += [Call(action, f"{base}:database/{database}")] if database else []
    return [*calls, Call(action, f"{base}:table/{database}/{table}")] if table else calls


def _job_run_calls(environ: dict[str, Any]) -> list[Call]:
    match = _JOB_RUN.fullmatch(environ["PATH_INFO"])
    if not match:
        return [Call("emr-serverless:GetApplication", "${application_arn}")]
    operation = _JOB_RUNS[environ["REQUEST_METHOD"], bool(match.group(1))]
    call = Call(f"emr-serverless:{operation}", "${application_arn}" + ("/jobruns/1" if match.group(1) else ""))
    if operation != "StartJobRun":
        return [call]
    passed = (("iam:PassedToService", "emr-serverless.amazonaws.com"),)
    return [call, Call("iam:PassRole", "${engine_role_arn}", passed)]


def _s3_calls(environ: dict[str, Any], body: bytes) -> list[Call]:
    method, query = environ["REQUEST_METHOD"], parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    bucket, _, key = unquote(environ["PATH_INFO"]).lstrip("/").partition("/")
    if not bucket:
        return [Call("s3:ListAllMyBuckets", "*")]
    arn = _ARNS.get(bucket, f"arn:aws:s3:::{bucket}")
    if not key:
        return _bucket_calls(arn, method, query, body)
    resource = f"{arn}/{key}"
    if method in ("GET", "HEAD"):
        return [Call("s3:ListMultipartUploadParts" if "uploadId" in query else "s3:GetObject", resource)]
    if method == "DELETE":
        return [Call("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", resource)]
    creates = "partNumber" not in query and "uploads" not in query
    context = [("s3:ObjectCreationOperation", str(creates).lower())]
    if "HTTP_IF_NONE_MATCH" in environ:
        context.append(("s3:if-none-match", environ["HTTP_IF_NONE_MATCH"]))
    copied = environ.get("HTTP_X_AMZ_COPY_SOURCE")
    source = [Call("s3:GetObject", f"{arn}/{unquote(copied).lstrip('/').partition('/')[2]}")] if copied else []
    return [*source, Call("s3:PutObject", resource, tuple(context))]


def _bucket_calls(arn: str, method: str, query: dict[str, list[str]], body: bytes) -> list[Call]:
    if method == "POST" and "delete" in query:
        keys = [item.text for item in _parsed(body).iter() if item.tag.rpartition("}")[2] == "Key"]
        return [Call("s3:DeleteObject", f"{arn}/{key or ''}") for key in keys]
    if method in ("GET", "HEAD"):
        if "uploads" in query:
            return [Call("s3:ListBucketMultipartUploads", arn)]
        prefix = query.get("prefix", [""])[0]
        return [Call("s3:ListBucket", arn, (("s3:prefix", prefix.partition("/")[0]),))]
    return []


def _parsed(body: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(body)  # noqa: S314 - sent by our own clients


def as_json(calls: Iterable[Call], how: str) -> str:
    """The content of a file in tests/infra/recorded."""
    return json.dumps({"recorded_by": how, "calls": [call.as_dict() for call in sorted(calls)]}, indent=1) + "\n"
