"""Runs Headgate's components against a recording AWS stand-in: make record-calls writes tests/infra/recorded.

Run it again when a component talks to AWS in a new way. The tests compare the files with the policies.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import boto3
import httpx

from tests.infra.recorder import BUCKET, Recorder, as_json, serving
from tests.processes import ROOT, free_port

RECORDED = Path(__file__).parent / "recorded"
HOW = {
    "receiver": "headgate serve receiver: uploads, repeats, large uploads, receipts, readiness",
    "engine": "headgate run, twice, and headgate maintain: Spark in process on S3",
    "orchestration": "headgate plan and status; EMR jobs, queue and topic by headgate.aws",
    "trigger": "orchestration/lambda/on_arrival.py: start",
}


def main() -> None:
    """Records the components that the command line names, or all, and writes one file each."""
    steps = {
        "receiver": record_receiver,
        "orchestration": record_orchestration,
        "trigger": record_trigger,
        "engine": record_engine,
    }
    recorder = Recorder()
    RECORDED.mkdir(exist_ok=True)
    with serving(recorder) as endpoint:
        boto3.client("s3", **client(endpoint, "setup")).create_bucket(Bucket=BUCKET)
        for component in sys.argv[1:] or steps:
            steps[component](endpoint)
            calls = recorder.calls.get(component, {}).values()
            (RECORDED / f"{component}.json").write_text(as_json(calls, HOW[component]))
            print(f"{component}: {len(calls)} kinds of calls", flush=True)


def client(endpoint: str, component: str) -> dict[str, str]:
    """Arguments of a boto3 client that calls as `component`."""
    return {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": component.upper(),
        "aws_secret_access_key": "secret",
    }


def variables(endpoint: str, component: str) -> dict[str, str]:
    """The environment of a process that calls as `component`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEADGATE_"))}
    jars = {"HEADGATE_JARS": os.environ["HEADGATE_JARS"]} if "HEADGATE_JARS" in os.environ else {}
    aws = {"AWS_ACCESS_KEY_ID": component.upper(), "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    return {**kept, **jars, **aws, "AWS_ENDPOINT_URL": endpoint, "HEADGATE_LAKE": f"s3://{BUCKET}"}


def headgate(endpoint: str, component: str, *arguments: str) -> str:
    """Runs a verb to its end and returns what it printed. Raises CalledProcessError."""
    command = [sys.executable, "-m", "headgate.cli", *arguments]
    environment = variables(endpoint, component)
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def record_receiver(endpoint: str) -> None:
    """Uploads through a real receiver: an ordinary key, a repeat, a key with a time, 20 MiB, and their receipts."""
    port = free_port()
    command = [sys.executable, "-m", "headgate.cli", "serve", "receiver", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=variables(endpoint, "receiver"), stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/readyz", process)
        line = (ROOT / "samples" / "stores.csv").read_bytes()
        large = b'{"note": "' + b"x" * (20 * 2**20) + b'"}\n'
        keys = [("stores", "a-key", line, "text/csv"), ("stores", "a-key", line, "text/csv")]
        keys += [("stores", _uuid7(), line, "text/csv"), ("transactions", "large", large, "application/x-ndjson")]
        for dataset, key, body, media_type in keys:
            headers = {
                "Authorization": "Bearer demo-store-1",
                "Idempotency-Key": f'"{key}"',
                "Content-Type": media_type,
            }
            answer = httpx.post(f"{url}/v1/datasets/{dataset}/uploads", content=body, headers=headers, timeout=60)
            answer.raise_for_status()
            httpx.get(f"{url}/v1/uploads/{answer.json().get('id', '')}", headers=headers, timeout=60)
    finally:
        process.terminate()
        process.wait(60)


def _uuid7() -> str:
    millis = int(time.time() * 1000)
    rest = uuid.uuid4().hex
    return f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7{rest[:3]}-8{rest[3:6]}-{rest[6:18]}"


def _wait(url: str, process: subprocess.Popen) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit("the receiver ended; run `headgate serve receiver` to see why")
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{url} does not answer 200 after 60 s")


def record_engine(endpoint: str) -> None:
    """Builds bronze, silver and gold of the stores from an upload, then from another one, and compacts them."""
    selected = ("--select", "+gold.dim_stores")
    sample = ROOT / "samples" / "stores.csv"
    for store in ("store-1", "store-2"):
        headgate(endpoint, "setup", "upload", str(sample), "--dataset", "stores", "--direct", "--store", store)
        headgate(endpoint, "engine", "run", *selected)
    headgate(endpoint, "engine", "maintain")


def record_orchestration(endpoint: str) -> None:
    """Plans, and calls EMR, queue and topic the way Airflow's operators do."""
    headgate(endpoint, "orchestration", "plan")
    headgate(endpoint, "orchestration", "status")
    from headgate.aws.events import LandingQueue

    setup, caller = client(endpoint, "setup"), client(endpoint, "orchestration")
    jobs = _jobs(endpoint, "orchestration")
    job = jobs.submit("headgate_test_nightly", ["run"], str(uuid.uuid4()))
    jobs.status(job)
    jobs.recent(5)
    boto3.client("emr-serverless", **caller).cancel_job_run(applicationId=_application(endpoint), jobRunId=job)
    url = boto3.client("sqs", **setup).create_queue(QueueName="headgate-test-landing")["QueueUrl"]
    event = {"Records": [{"s3": {"object": {"key": "landing/stores/a"}}}]}
    boto3.client("sqs", **setup).send_message(QueueUrl=url, MessageBody=json.dumps(event))
    queue = LandingQueue(boto3.client("sqs", **caller), url)
    queue.delete(queue.receive_burst(0.1))
    topic = boto3.client("sns", **setup).create_topic(Name="headgate-test-notifications")["TopicArn"]
    boto3.client("sns", **caller).publish(TopicArn=topic, Subject="test", Message="test")


def record_trigger(endpoint: str) -> None:
    """Starts a job as the Lambda function does."""
    sys.path.insert(0, str(ROOT / "orchestration" / "lambda"))
    import on_arrival

    from headgate.planning.manifest import Manifest

    jobs = _jobs(endpoint, "trigger")
    manifest = Manifest("retail", "test", "1", f"s3://{BUCKET}", jobs._settings)  # type: ignore[attr-defined]
    try:
        on_arrival.start(manifest, jobs)
    except Exception as error:
        print(f"trigger: {error} (the stand-in ends jobs at once; the calls are recorded)")


def _application(endpoint: str) -> str:
    emr = boto3.client("emr-serverless", **client(endpoint, "setup"))
    existing = emr.list_applications()["applications"]
    if existing:
        return existing[0]["id"]
    return emr.create_application(name="headgate-test", releaseLabel="emr-7.0.0", type="SPARK")["applicationId"]


def _jobs(endpoint: str, component: str):  # type: ignore[no-untyped-def]
    from headgate.aws.jobs import ServerlessJobs
    from headgate.planning.manifest import JobSettings

    settings = JobSettings(
        platform="emr-serverless",
        region="us-east-1",
        entry_point=f"s3://{BUCKET}/main.py",
        application_id=_application(endpoint),
        execution_role_arn="arn:aws:iam::123456789012:role/headgate-test-engine",  # of moto's own account
    )
    return ServerlessJobs(settings, boto3.client("emr-serverless", **client(endpoint, component)))


if __name__ == "__main__":
    main()
