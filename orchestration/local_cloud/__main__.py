"""`python -m orchestration.local_cloud`: serves the local cloud until it is stopped (SIGINT or SIGTERM)."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

from orchestration.local_cloud import queues, serverless, steps
from orchestration.local_cloud.disk import Disk
from orchestration.local_cloud.faults import Faults
from orchestration.local_cloud.launcher import Launcher, Release
from orchestration.local_cloud.resources import Resources, client, make
from orchestration.local_cloud.server import Cloud
from orchestration.local_cloud.triggers import Trigger, TriggerLoop

#: The variables by which any AWS client finds a local cloud. Keys are not checked.
KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def variables(endpoint: str, region: str) -> dict[str, str]:
    """The variables by which AWS clients, Headgate and Spark find the cloud."""
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, **KEYS}


def main(arguments: list[str] | None = None) -> None:
    """Parses the arguments, serves, and prints the resources when the cloud is ready."""
    options = parser().parse_args(arguments)
    if not ipaddress.ip_address(options.host).is_loopback:
        sys.exit(f"local cloud: {options.host} is not a loopback address; it runs jobs of any client that reaches it")
    with serving(options) as endpoint:
        made = make(endpoint, options.region, options.bucket, options.landing)
        print(json.dumps(made.as_dict()) if options.json else _announcement(made), flush=True)
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        stopped.wait()


def parser() -> argparse.ArgumentParser:
    """The options of a local cloud."""
    parser = argparse.ArgumentParser(prog="python -m orchestration.local_cloud", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5555, help="0 chooses a free port")
    parser.add_argument("--region", default="eu-central-1")
    parser.add_argument("--folder", type=Path, help="for drivers' folders and logs  [default: a temporary folder]")
    parser.add_argument("--keep", action="store_true", help="keep the objects of S3 in --folder across restarts")
    parser.add_argument("--slots", type=int, default=1, help="how many jobs run at a time")
    parser.add_argument("--jars", type=Path, required=True, help="the folder of hadoop-aws and what it needs")
    parser.add_argument("--bucket", action="append", default=[], help="a bucket to make; repeatable")
    parser.add_argument("--landing", default="", help="bucket/prefix whose new objects are put on the queue as events")
    parser.add_argument("--json", action="store_true", help="print the resources as one line of JSON")
    return parser


def _announcement(made: Resources) -> str:
    """What a person needs in order to use the cloud."""
    settings = "\n".join(f"  export {name}={value}" for name, value in variables(made.endpoint, made.region).items())
    return (
        f"local cloud: {made.endpoint}  (buckets: {', '.join(made.buckets) or 'none'})\n"
        f"EMR Serverless application: {made.application}, EMR cluster: {made.cluster}\n"
        f"queue of uploads: {made.queue}\njobs: {made.endpoint}/_cloud/jobs\n"
        f"to use it from another terminal:\n{settings}"
    )


@contextmanager
def serving(options: argparse.Namespace, wrap: Callable[[Cloud], Any] = lambda cloud: cloud) -> Iterator[str]:
    """Serves on threads of this process; gives the address. `wrap` puts a WSGI application around the cloud."""
    if options.keep and not options.folder:
        sys.exit("local cloud: --keep needs --folder")
    with tempfile.TemporaryDirectory(prefix="headgate-cloud-") as scratch:
        folder = (options.folder or Path(scratch)).resolve()
        server = make_server(options.host, options.port, _unready, threaded=True, request_handler=_QuietHandler)
        endpoint = f"http://{options.host}:{server.server_port}"
        cloud = _cloud(options, folder, endpoint)
        server.app = wrap(cloud)
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            cloud.stop()
            server.shutdown()
            server.server_close()


class _QuietHandler(MotoRequestHandler):
    """Serves without a line for each request."""

    def log_request(self, *_: Any) -> None:
        """Logs nothing: the states of jobs are enough."""


def _unready(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("503 Service Unavailable", [])
    return []


def _cloud(options: argparse.Namespace, folder: Path, endpoint: str) -> Cloud:
    found_by, faults = variables(endpoint, options.region), Faults()
    s3 = client("s3", endpoint, options.region)
    launcher = Launcher(s3, Release.here(options.jars), folder, found_by, slots=options.slots)
    queues.install()
    serverless.install(launcher, faults)
    steps.install(launcher, faults)

    def start_trigger(trigger: Trigger) -> TriggerLoop:
        loop = TriggerLoop(client("sqs", endpoint, options.region), trigger, found_by)
        loop.start()
        return loop

    cloud = Cloud(launcher, faults, start_trigger)
    if options.keep:
        cloud.disk = Disk(s3_backends[DEFAULT_ACCOUNT_ID]["aws"], folder / "s3")
        cloud.disk.restore()
    return cloud


if __name__ == "__main__":
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    main()
