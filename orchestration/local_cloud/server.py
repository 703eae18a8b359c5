"""The WSGI application: moto's services, the fault switch in front of them, and pages of its own below /_cloud.

GET    /_cloud/health               ok
GET    /_cloud/jobs                 every job with its state
GET    /_cloud/jobs/<id>/stdout     a driver's output while it runs (also stderr and command.txt)
GET    /_cloud/faults               the faults that are switched on
POST   /_cloud/faults               {"kind": "throttle", "operation": "StartJobRun", "times": 2}
DELETE /_cloud/faults               switches all faults off
GET    /_cloud/triggers             the invocations of each trigger
POST   /_cloud/triggers             {"queue": URL, "file": PATH, ...}: the fields of `triggers.Trigger`
"""

from __future__ import annotations

import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Request, Response

from orchestration.local_cloud.disk import Disk
from orchestration.local_cloud.faults import Fault, Faults
from orchestration.local_cloud.launcher import Job, Launcher
from orchestration.local_cloud.triggers import Trigger, TriggerLoop

PREFIX = "/_cloud/"

_SERVICE = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/aws4_request")
_JOB_RUNS = re.compile(r"/applications/[^/]+/jobruns(/[^/]+)?/?")
_SERVERLESS = {
    ("POST", False): "StartJobRun",
    ("GET", False): "ListJobRuns",
    ("GET", True): "GetJobRun",
    ("DELETE", True): "CancelJobRun",
}
_CHANGES = ("PUT", "POST", "DELETE")
_THROTTLED = {"message": "Rate exceeded (by the fault switch)"}


class Cloud:
    """The WSGI application. `start_trigger` begins to poll a queue."""

    def __init__(self, launcher: Launcher, faults: Faults, start_trigger: Callable[[Trigger], TriggerLoop]) -> None:
        self._launcher, self._faults, self._start_trigger = launcher, faults, start_trigger
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._turn = threading.Lock()
        self._loops: list[TriggerLoop] = []
        self.disk: Disk | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(PREFIX):
            return self._own(Request(environ))(environ, start_response)
        service = _service(environ)
        _read_body(environ)
        operation = _operation(service, environ)
        fault = self._faults.take(operation, "throttle", "lost_response", "error")
        if fault in ("throttle", "error"):
            return _refusal(fault, service)(environ, start_response)
        answer = self._answer(service, environ, start_response if fault is None else _ignore)
        if fault == "lost_response":
            _close_connection(environ)
            start_response("500 Internal Server Error", [])  # the server needs a response; the client is gone
            return []
        return answer

    def stop(self) -> None:
        """Stops polling queues and ends all jobs."""
        for loop in self._loops:
            loop.stop()
        self._launcher.end_all()

    def _answer(self, service: str, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        """moto's answer. Requests to S3 take turns: moto checks a condition and then writes."""
        if service != "s3":
            return self._moto(environ, start_response)
        with self._turn:
            answer = list(self._moto(environ, start_response))
            if self.disk and environ["REQUEST_METHOD"] in _CHANGES:
                path = environ["PATH_INFO"].encode("latin-1").decode()  # WSGI passes bytes in this form
                bucket, _, key = path.lstrip("/").partition("/")
                self.disk.keep(bucket, key)
        return answer

    def _own(self, request: Request) -> Response:
        parts = request.path.removeprefix(PREFIX).strip("/").split("/")
        match (request.method, *parts):
            case ("GET", "health"):
                return Response("ok\n")
            case ("GET", "jobs"):
                return _json([_shown(job) for job in self._launcher.jobs.values()])
            case ("GET", "jobs", job_id, "stdout" | "stderr" | "command.txt" as name) if job_id in self._launcher.jobs:
                path = self._launcher.folder_of(job_id) / name
                return Response(path.read_bytes() if path.exists() else b"", mimetype="text/plain")
            case ("GET", "faults"):
                return _json([asdict(fault) for fault in self._faults.waiting()])
            case ("DELETE", "faults"):
                self._faults.clear()
                return Response(status=204)
            case ("POST", "faults" | "triggers" as kind):
                return self._add(kind, request)
            case ("GET", "triggers"):
                return _json([loop.invocations for loop in self._loops])
        return Response("no such page\n", status=404)

    def _add(self, kind: str, request: Request) -> Response:
        try:
            fields = request.get_json()
            if kind == "faults":
                self._faults.add(Fault(**fields))
            else:
                self._loops.append(self._start_trigger(Trigger(**{**fields, "file": Path(fields["file"]).resolve()})))
        except (TypeError, ValueError, KeyError) as error:
            return Response(f"{error}\n", status=400)
        return Response(status=204)


def _service(environ: Mapping[str, Any]) -> str:
    """The service that a signed request is for; `s3` for all others."""
    signed = _SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
    return signed[1] if signed else "s3"


def _operation(service: str, environ: Mapping[str, Any]) -> str:
    """The operation as the fault switch names it: StartJobRun, AddJobFlowSteps, or `s3:PUT`."""
    if service == "emr-serverless" and (match := _JOB_RUNS.fullmatch(environ["PATH_INFO"])):
        return _SERVERLESS.get((environ["REQUEST_METHOD"], match[1] is not None), "")
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return target.rpartition(".")[2]
    return f"{service}:{environ['REQUEST_METHOD']}"


def _read_body(environ: dict[str, Any]) -> None:
    """Reads the body before the request takes its turn, so that a slow upload holds up nobody else."""
    if length := int(environ.get("CONTENT_LENGTH") or 0):
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))


def _refusal(fault: str, service: str) -> Response:
    """What AWS answers where it throttles or fails, in the form that the service's clients understand."""
    status, code = {"throttle": (400, "ThrottlingException"), "error": (500, "InternalServerException")}[fault]
    if service == "s3":
        status, code = {"throttle": (503, "SlowDown"), "error": (500, "InternalError")}[fault]
        body = f"<Error><Code>{code}</Code><Message>by the fault switch</Message></Error>"
        return Response(body, status=status, mimetype="application/xml")
    answer = _json({"__type": code, **_THROTTLED})
    answer.status_code = 429 if (fault, service) == ("throttle", "emr-serverless") else status
    answer.headers["x-amzn-ErrorType"] = code
    return answer


def _close_connection(environ: Mapping[str, Any]) -> None:
    with suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def _ignore(*_: Any) -> Callable[[bytes], None]:
    return lambda _body: None


def _shown(job: Job) -> dict[str, Any]:
    return {**asdict(job), "submission": {"entry": job.submission.entry, "arguments": job.submission.arguments}}


def _json(value: Any) -> Response:
    return Response(json.dumps(value, default=str) + "\n", mimetype="application/json")
