"""Records the AWS calls of Headgate's components on the local cloud: make record-calls writes tests/infra/recorded.

Each component has an access key of its own, and does its work on one lake, in the order in which a platform does it.
Jobs are real: spark-submit runs the deployed package. Run it again when a component talks to AWS in a new way; the
tests compare the files with the policies.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
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
#: Small tables, and one with a suite, whose results are a table too.
SELECTED = ("--select", "+gold.dim_stores", "--select", "+silver.transactions")
TOPIC = "headgate-test-notifications"
HOW = {
    "receiver": "headgate serve receiver: uploads, repeats, large, late, resumed, presigned and test uploads, receipts",
    "deploy": "headgate deploy, twice, and --rollback; headgate run, plan and status; make schedulers",
    "engine": "the driver of EMR jobs: headgate run, twice, and headgate maintain; the files of the package",
    "orchestration": "orchestration.planning; EMR job runs and steps, their outcome, queue and topic by headgate.aws",
    "trigger": "orchestration/lambda/on_arrival.py: handler",
    "read_api": "headgate serve api: tables, rows, changes, readiness",
}
#: The plan task of the DAGs.
PLAN = """
from headgate.planning.manifest import load_manifest
from orchestration.planning import plan
from pathlib import Path
print(plan(load_manifest(Path("{path}"))))
"""
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
        aws = {"AWS_ACCESS_KEY_ID": component.upper(), "AWS_SECRET_ACCESS_KEY": "secret"}
        aws |= {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
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

    def python(self, component: str, code: str, **more: str) -> None:
        """Runs Python code to its end. Raises CalledProcessError."""
        environment = {**self.variables(component), **more}
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)

    def headgate(self, component: str, *arguments: str, **more: str) -> str:
        """Runs a verb to its end and returns what it printed."""
        return self.run(component, "headgate.cli", *arguments, **more)

    def secret(self, name: str, clients: dict[str, dict[str, Any]]) -> str:
        """Makes a secret with a key and the scopes of each client; returns its name in environments."""
        digests = {client: hashlib.sha256(f"key-of-{client}".encode()).hexdigest() for client in clients}
        content = {client: {"keys": [{"sha256": digests[client]}], "scopes": clients[client]} for client in clients}
        text = json.dumps({"format": 1, "clients": content})
        self.client("setup", "secretsmanager").create_secret(Name=f"headgate-test/{name}", SecretString=text)
        return f"secretsmanager:headgate-test/{name}"

    def upload(self, store: str) -> None:
        """Lands samples without the receiver."""
        for dataset, name in (("stores", "stores.csv"), ("transactions", "transactions.jsonl")):
            sample = str(ROOT / "samples" / name)
            self.headgate("setup", "upload", sample, "--dataset", dataset, "--direct", "--store", store)


def main() -> None:
    """Records every component, or those that the command line names, and writes one file each."""
    recorder = Recorder()
    with tempfile.TemporaryDirectory(prefix="headgate-record-") as folder:
        options = parser().parse_args(["--port", "0", "--jars", str(ensure_s3_jars()), "--folder", folder])
        with serving(options, lambda cloud: _attached(recorder, cloud)) as endpoint:
            setting = Setting(make(endpoint, REGION, [BUCKET, ARTIFACTS, LOGS], f"{BUCKET}/landing/"))
            recorder.calls.clear()  # what made the resources
            components = sys.argv[1:] or list(HOW)
            for step in dict.fromkeys(step for component in components for step in steps_of(component)):
                print(f"{step.__name__} ...", flush=True)
                step(setting)
                _write(recorder, components)


def steps_of(component: str) -> list[Callable[[Setting], None]]:
    """The steps that record a component, after those that make what it needs."""
    return {
        "receiver": [record_receiver],
        "read_api": [build_gold, record_api],
        "deploy": [record_deploy, record_jobs],
        "engine": [record_deploy, record_jobs],
        "orchestration": [record_deploy, record_orchestration],
        "trigger": [record_deploy, record_trigger],
    }[component]


def _write(recorder: Recorder, components: Iterable[str]) -> None:
    """Writes the calls of each component that has made some by now."""
    for component in components:
        calls = recorder.calls.get(JOBS if component == "engine" else component, {}).values()
        if calls:
            (RECORDED / f"{component}.json").write_text(as_json(calls, HOW[component]))
            print(f"  {component}: {len(calls)} kinds of calls", flush=True)


def _attached(recorder: Recorder, app: Callable) -> Recorder:
    recorder.app = app
    return recorder


def record_receiver(setting: Setting) -> None:
    """Uploads through a real receiver: ordinary, repeated, late, large, for tests, resumed and presigned."""
    place = setting.secret("store-keys", {"store-9": {}, "store-test": {"sandbox": True}})
    _with_server(setting, "receiver", "receiver", send_uploads, HEADGATE_RECEIVER_KEY_FILE=place)


def send_uploads(url: str) -> None:
    """Sends the uploads of two stores whose keys are in a secret."""
    small, late = (ROOT / "samples" / "stores.csv").read_bytes(), _uuid7(hours_ago=3)
    large = b'{"note": "' + b"x" * (20 * 2**20) + b'"}\n'
    csv, lines = "text/csv", "application/x-ndjson"
    uploads = [("stores", "a-key", small, csv), ("stores", "a-key", small, csv), ("stores", _uuid7(), small, csv)]
    uploads += [("stores", late, small, csv), ("transactions", "large", large, lines)]
    for store in ("store-9", "store-test"):
        for dataset, key, body, media_type in uploads:
            answer = _post(url, f"/v1/datasets/{dataset}/uploads", store, key, body, {"Content-Type": media_type})
            receipt = httpx.get(f"{url}/v1/uploads/{answer.json()['upload']}", headers=_bearer(store), timeout=60)
            print(f"  {store} {dataset} {key}: {answer.status_code}, receipt {receipt.status_code}", flush=True)
        _resume(url, store, large)
        _put_presigned(url, store, small)
    httpx.get(f"{url}/v1/uploads?dataset=stores", headers=_bearer("store-9"), timeout=60).raise_for_status()


def _resume(url: str, store: str, body: bytes) -> None:
    """Sends a body in two requests, and gives up a second upload."""
    half, kind = len(body) // 2, {"Content-Type": "application/x-ndjson", "Upload-Complete": "?0"}
    for key in ("resumed", "given-up"):
        begun = _post(url, "/v1/datasets/transactions/uploads", store, key, body[:half], kind)
        place = httpx.URL(url).join(begun.headers["Location"])
        offset = httpx.head(place, headers=_bearer(store), timeout=60).headers["Upload-Offset"]
        rest = {"Content-Type": "application/partial-upload", "Upload-Offset": offset, "Upload-Complete": "?1"}
        if key == "given-up":
            ended = httpx.delete(place, headers=_bearer(store), timeout=60)
        else:
            ended = httpx.patch(place, content=body[int(offset) :], headers=_bearer(store) | rest, timeout=120)
        print(f"  {store} {key}: {begun.status_code}, {ended.status_code}", flush=True)
        ended.raise_for_status()


def _put_presigned(url: str, store: str, body: bytes) -> None:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    declared = {"Content-Type": "text/csv", "Upload-Length": str(len(body)), "Repr-Digest": f"sha-256=:{digest}:"}
    put = _post(url, "/v1/datasets/stores/presigned", store, "presigned", b"", declared).json()
    answer = httpx.put(put["url"], content=body, headers=put["headers"], timeout=60)
    print(f"  {store} presigned: {answer.status_code}", flush=True)
    answer.raise_for_status()


def _post(url: str, path: str, store: str, key: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    sent = _bearer(store) | {"Idempotency-Key": f'"{key}"'} | headers
    answer = httpx.post(url + path, content=body, headers=sent, timeout=120)
    answer.raise_for_status()
    return answer


def _bearer(client: str) -> dict[str, str]:
    return {"Authorization": f"Bearer key-of-{client}"}


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
    from headgate.planning.manifest import STEPS, Manifest

    manifest = _manifest(setting)
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        Path(file.name).write_bytes(manifest)
        setting.python("orchestration", PLAN.format(path=file.name))
    job_settings = Manifest.from_json(manifest).job
    client = lambda service: setting.client("orchestration", service)  # noqa: E731
    command = ["--run-id", (token := str(uuid.uuid4())), "status", "--env", ENVIRONMENT]
    for jobs in (
        ServerlessJobs(job_settings, client("emr-serverless")),
        StepJobs(replace(job_settings, platform=STEPS), client("emr"), client("emr")),
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
    setting.python("trigger", code, HEADGATE_CURRENT=current)
    sqs = setting.client("trigger", "sqs")
    for message in sqs.receive_message(QueueUrl=setting.resources.queue).get("Messages", ()):
        sqs.delete_message(QueueUrl=setting.resources.queue, ReceiptHandle=message["ReceiptHandle"])


def build_gold(setting: Setting) -> None:
    """Builds a table of gold without EMR, if it is not there."""
    setting.upload("store-1")
    setting.headgate("setup", "run", "--select", "+gold.dim_stores", HEADGATE_ENV="local")


def record_api(setting: Setting) -> None:
    """Reads gold through a real read API."""
    table = "/v1/tables/gold.dim_stores"

    def read(url: str) -> None:
        for path in (
            "/v1/tables",
            table,
            f"{table}/rows",
            f"{table}/aggregates?aggregate=count",
            f"{table}/changes?since=0",
        ):
            answer = httpx.get(url + path, headers=_bearer("analyst"), timeout=120)
            print(f"  GET {path}: {answer.status_code}", flush=True)
            assert answer.status_code < 500, answer.text

    place = setting.secret("read-keys", {"analyst": {"tables": ["gold.*"]}})
    _with_server(setting, "read_api", "api", read, HEADGATE_READ_API_KEYS_FILE=place)


def _with_server(setting: Setting, component: str, server: str, use: Callable[[str], None], **more: str) -> None:
    """Starts a server as `component`, calls `use` with its address when it is ready, and ends it."""
    port = free_port()
    command = [sys.executable, "-m", "headgate.cli", "serve", server, "--port", str(port)]
    # Keys and lake are those of the variables.
    variables = setting.variables(component) | {"HEADGATE_ENV": "local"} | more
    process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/readyz", process, command)
        use(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(60)


def _uuid7(hours_ago: int = 0) -> str:
    millis = int((time.time() - hours_ago * 3600) * 1000)
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


def _manifest(setting: Setting) -> bytes:
    """The manifest of the deployed package."""
    from headgate.planning.manifest import CurrentPackage

    s3 = setting.client("setup", "s3")

    def read(key: str) -> bytes:
        return s3.get_object(Bucket=ARTIFACTS, Key=key)["Body"].read()

    current = CurrentPackage.from_json(read(f"headgate/{ENVIRONMENT}/current.json"))
    return read(current.manifest.removeprefix(f"s3://{ARTIFACTS}/"))


if __name__ == "__main__":
    main()
