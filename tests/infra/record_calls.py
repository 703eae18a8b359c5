"""Records the AWS calls of Headgate's components on the local cloud: make record-calls writes tests/infra/recorded.

Each component has an access key of its own, and does its work on one lake, in the order in which a platform does it.
Jobs are real: spark-submit runs the deployed package. Run it again when a component talks to AWS in a new way; the
tests compare the files with the policies.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
import httpx

from headgate.engine.runtime.jars import ensure_s3_jars
from orchestration.local_cloud.__main__ import parser, serving
from orchestration.local_cloud.resources import Resources, make
from tests.infra.recorder import ARTIFACTS, BUCKET, LOGS, Recorder, as_json
from tests.processes import ROOT, free_port

RECORDED = Path(__file__).parent / "recorded"
REGION = "eu-central-1"
ENVIRONMENT = "cloud"
SELECTED = ("--select", "+gold.dim_stores")
TOPIC = "headgate-test-notifications"
HOW = {
    "receiver": "headgate serve receiver: uploads, repeats, large uploads, receipts, readiness",
    "deploy": "headgate deploy, twice, and --rollback; headgate run, plan and status; make schedulers",
    "engine": "the driver of EMR jobs: headgate run, twice, and headgate maintain; the files of the package",
    "orchestration": "headgate plan; EMR job runs and steps, the job's outcome, queue and topic by headgate.aws",
    "trigger": "orchestration/lambda/on_arrival.py: handler",
    "read_api": "headgate serve api: tables, rows, changes, readiness",
}
#: The local cloud's jobs, and what it downloads for them, have this access key.
JOBS = "local"


class Setting:
    """A local cloud behind a recorder."""

    def __init__(self, resources: Resources) -> None:
        self.resources, self.endpoint = resources, resources.endpoint

    def client(self, component: str, service: str) -> Any:
        """A boto3 client that calls as `component`."""
        keys = {"aws_access_key_id": component.upper(), "aws_secret_access_key": "secret"}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, **keys)

    def variables(self, component: str) -> dict[str, str]:
        """The environment of a process that calls as `component`, on the environment `cloud`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEADGATE_"))}
        jars = {"HEADGATE_JARS": os.environ["HEADGATE_JARS"]} if "HEADGATE_JARS" in os.environ else {}
        aws = {"AWS_ACCESS_KEY_ID": component.upper(), "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": REGION}
        own = {
            "HEADGATE_ENV": ENVIRONMENT,
            "HEADGATE_LAKE": f"s3://{BUCKET}",
            "HEADGATE_EMR_ARTIFACTS": f"s3://{ARTIFACTS}/headgate",
            "HEADGATE_EMR_LOGS": f"s3://{LOGS}/emr",
        }
        paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "lib")])}
        return {**kept, **jars, **aws, **own, **paths, "AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true"}

    def run(self, component: str, *command: str, **more: str) -> str:
        """Runs a Python module to its end and returns what it printed. Raises CalledProcessError."""
        environment = {**self.variables(component), **more}
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def headgate(self, component: str, *arguments: str, **more: str) -> str:
        """Runs a verb to its end and returns what it printed."""
        return self.run(component, "headgate.cli", *arguments, **more)

    def upload(self, store: str) -> None:
        """Lands the sample of stores without the receiver."""
        sample = ROOT / "samples" / "stores.csv"
        self.headgate("setup", "upload", str(sample), "--dataset", "stores", "--direct", "--store", store)


def main() -> None:
    """Records every component and writes one file each; the command line may limit what is written."""
    recorder = Recorder()
    with tempfile.TemporaryDirectory(prefix="headgate-record-") as folder:
        options = parser().parse_args(["--port", "0", "--jars", str(ensure_s3_jars()), "--folder", folder])
        with serving(options, lambda cloud: _attached(recorder, cloud)) as endpoint:
            setting = Setting(make(endpoint, REGION, [BUCKET, ARTIFACTS, LOGS], f"{BUCKET}/landing/"))
            recorder.calls.clear()  # what made the resources
            for step in (record_receiver, record_deploy, record_jobs, record_orchestration, record_trigger, record_api):
                print(f"{step.__name__.removeprefix('record_')} ...", flush=True)
                step(setting)
    recorder.calls["engine"] = recorder.calls.pop(JOBS)
    for component in sys.argv[1:] or HOW:
        calls = recorder.calls[component].values()
        (RECORDED / f"{component}.json").write_text(as_json(calls, HOW[component]))
        print(f"{component}: {len(calls)} kinds of calls", flush=True)


def _attached(recorder: Recorder, app: Callable) -> Recorder:
    recorder.app = app
    return recorder


def record_receiver(setting: Setting) -> None:
    """Uploads through a real receiver: an ordinary key, a repeat, a key with a time, 20 MiB, and their receipts."""
    line = (ROOT / "samples" / "stores.csv").read_bytes()
    large = b'{"note": "' + b"x" * (20 * 2**20) + b'"}\n'
    uploads = [("stores", "a-key", line, "text/csv"), ("stores", "a-key", line, "text/csv")]
    uploads += [("stores", _uuid7(), line, "text/csv"), ("transactions", "large", large, "application/x-ndjson")]

    def send(url: str) -> None:
        for dataset, key, body, media_type in uploads:
            headers = {
                "Authorization": "Bearer demo-store-1",
                "Idempotency-Key": f'"{key}"',
                "Content-Type": media_type,
            }
            answer = httpx.post(f"{url}/v1/datasets/{dataset}/uploads", content=body, headers=headers, timeout=120)
            answer.raise_for_status()
            httpx.get(f"{url}/v1/uploads/{answer.json().get('id', '')}", headers=headers, timeout=60)

    _with_server(setting, "receiver", "receiver", send)


def record_deploy(setting: Setting) -> None:
    """Deploys two packages, publishes to the schedulers, and goes back and forth."""
    setting.headgate("deploy", "deploy")
    setting.headgate("deploy", "deploy", HEADGATE_LOOKBACK_HOURS="27")
    setting.headgate("deploy", "deploy", "--rollback")
    setting.run("deploy", "bin.publish_schedulers", "--env", ENVIRONMENT)


def record_jobs(setting: Setting) -> None:
    """Builds bronze, silver and gold of the stores by two jobs, and compacts them by a third."""
    for store in ("store-1", "store-2"):
        setting.upload(store)
        setting.headgate("deploy", "run", *SELECTED)
    setting.headgate("deploy", "status")
    setting.headgate("deploy", "maintain", *SELECTED)


def record_orchestration(setting: Setting) -> None:
    """Plans, and calls EMR, lake, queue and topic the way Airflow's operators do."""
    from headgate.aws.events import LandingQueue
    from headgate.aws.jobs import ServerlessJobs, StepJobs
    from headgate.aws.outcome import Lake
    from headgate.planning.manifest import STEPS

    setting.headgate("orchestration", "plan")
    client = lambda service: setting.client("orchestration", service)  # noqa: E731
    command = ["--run-id", (token := str(uuid.uuid4())), "status", "--env", ENVIRONMENT]
    for jobs in (
        ServerlessJobs(_settings(setting), client("emr-serverless")),
        StepJobs(_settings(setting, platform=STEPS), client("emr"), client("emr")),
    ):
        job = jobs.submit("headgate_test_nightly", command, token)
        status = jobs.status(job)
        jobs.recent(5)
        jobs.cancel(job)
        Lake(client("s3"), f"s3://{BUCKET}").outcome(token, status)
    queue = LandingQueue(client("sqs"), setting.resources.queue)
    queue.delete(queue.receive_burst(0.1))
    topic = setting.client("setup", "sns").create_topic(Name=TOPIC)["TopicArn"]
    client("sns").publish(TopicArn=topic, Subject="test", Message="test")


def record_trigger(setting: Setting) -> None:
    """Receives the event of an upload as the Lambda function does; Lambda itself reads and deletes the messages."""
    body = {"Records": [{"s3": {"object": {"key": "landing/stores/dt=2026-03-02/hour=10/a.csv"}}}]}
    event = {"Records": [{"messageId": "1", "body": json.dumps(body)}]}
    code = f"import sys; sys.path.insert(0, 'orchestration/lambda'); from on_arrival import handler; handler({event!r})"
    current = f"s3://{ARTIFACTS}/headgate/{ENVIRONMENT}/current.json"
    variables = setting.variables("trigger") | {"HEADGATE_CURRENT": current, "AWS_DEFAULT_REGION": REGION}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, check=True)
    sqs = setting.client("trigger", "sqs")
    for message in sqs.receive_message(QueueUrl=setting.resources.queue).get("Messages", ()):
        sqs.delete_message(QueueUrl=setting.resources.queue, ReceiptHandle=message["ReceiptHandle"])


def record_api(setting: Setting) -> None:
    """Reads gold through a real read API."""
    headers = {"Authorization": "Bearer demo-analyst"}
    table = "/v1/tables/gold.dim_stores"

    def read(url: str) -> None:
        for path in ("/v1/tables", table, f"{table}/rows", f"{table}/changes?since=0"):
            answer = httpx.get(url + path, headers=headers, timeout=120)
            print(f"  GET {path}: {answer.status_code}")
            assert answer.status_code < 500, answer.text

    _with_server(setting, "read_api", "api", read)


def _with_server(setting: Setting, component: str, server: str, use: Callable[[str], None]) -> None:
    """Starts a server as `component`, calls `use` with its address when it is ready, and ends it."""
    port = free_port()
    command = [sys.executable, "-m", "headgate.cli", "serve", server, "--port", str(port)]
    # The environment `local` has the demonstration keys; its lake is the one of the variables.
    variables = setting.variables(component) | {"HEADGATE_ENV": "local"}
    process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/readyz", process, command)
        use(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(60)


def _uuid7() -> str:
    millis = int(time.time() * 1000)
    rest = uuid.uuid4().hex
    return f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7{rest[:3]}-8{rest[3:6]}-{rest[6:18]}"


def _wait(url: str, process: subprocess.Popen, command: Sequence[str]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"ended: {' '.join(command)}")
        try:
            if httpx.get(url, timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{url} does not answer 200 after two minutes")


def _settings(setting: Setting, **changes: str):  # type: ignore[no-untyped-def]
    """How the deployed package's jobs are submitted."""
    from dataclasses import replace

    from headgate.planning.manifest import CurrentPackage, Manifest

    s3 = setting.client("setup", "s3")

    def read(key: str) -> bytes:
        return s3.get_object(Bucket=ARTIFACTS, Key=key)["Body"].read()

    current = CurrentPackage.from_json(read(f"headgate/{ENVIRONMENT}/current.json"))
    manifest = Manifest.from_json(read(current.manifest.removeprefix(f"s3://{ARTIFACTS}/")))
    return replace(manifest.job, **changes)


if __name__ == "__main__":
    main()
