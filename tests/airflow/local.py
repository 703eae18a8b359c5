"""The local cloud and a real Airflow for tests, and their view of jobs."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from headgate.contracts.automation import Schedule
from headgate.planning.manifest import SERVERLESS, STEPS, JobSettings, Manifest
from orchestration.local_platform.processes import Processes

ROOT = Path(__file__).parents[2]
REGION, LAKE, ARTIFACTS = "eu-central-1", "lake", "artifacts"
PYTHON = ROOT / ".venv" / "bin" / "python"  # Headgate's environment: the cloud runs spark-submit with it

_GRAPH = """
import json, sys
from pathlib import Path
from headgate.planning.deployment import tables_of
from headgate.planning.graph import graph_content, load_graph
from headgate.project import Project
from dataclasses import asdict
graph = load_graph(Project(Path(sys.argv[1])))
print(json.dumps({"graph": graph_content(graph), "tables": [asdict(table) for table in tables_of(graph)]}))
"""


@dataclass(frozen=True)
class Cloud:
    """A running local cloud."""

    resources: dict[str, Any]

    @property
    def endpoint(self) -> str:
        return self.resources["endpoint"]

    @property
    def variables(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_EC2_METADATA_DISABLED": "true"}
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **keys}

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(max_pool_connections=32),
        )

    def fault(self, kind: str, operation: str, times: int = 1) -> None:
        """The next calls of an operation fail."""
        body = {"kind": kind, "operation": operation, "times": times}
        httpx.post(f"{self.endpoint}/_cloud/faults", json=body).raise_for_status()

    def job_runs(self) -> list[dict[str, Any]]:
        """The job runs of the application, the oldest first."""
        runs = self.client("emr-serverless").list_job_runs(applicationId=self.resources["application"])["jobRuns"]
        return sorted(runs, key=lambda run: run["createdAt"])

    def put(self, path: str, value: Any) -> None:
        self.client("s3").put_object(Bucket=LAKE, Key=f"retail/{path}", Body=json.dumps(value).encode())

    def control(self, **value: Any) -> None:
        """What the jobs of the tests do from now on."""
        self.put("control.json", value)

    def commands(self) -> list[list[str]]:
        """The command lines under which jobs really began to work, the oldest first."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=LAKE, Prefix="retail/starts/")
        items = [item for page in pages for item in page.get("Contents", [])]
        bodies = [json.loads(s3.get_object(Bucket=LAKE, Key=item["Key"])["Body"].read()) for item in items]
        return [body["arguments"] for body in sorted(bodies, key=lambda body: body["at"])]

    def starts(self) -> list[str]:
        """The run ids under which a job really began to work, with repetitions."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=LAKE, Prefix="retail/starts/")
        return [item["Key"].split("/")[2] for page in pages for item in page.get("Contents", [])]


def start_cloud(processes: Processes, folder: Path, *options: str) -> Cloud:
    """Starts a local cloud on a free port with the buckets of the tests."""
    command = [
        str(PYTHON),
        "-m",
        "orchestration.local_cloud",
        "--port",
        "0",
        "--region",
        REGION,
        "--folder",
        str(folder),
        "--jars",
        str(_jars()),
        "--bucket",
        LAKE,
        "--bucket",
        ARTIFACTS,
        "--landing",
        f"{LAKE}/retail/landing/",
        "--json",
        *options,
    ]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "AWS_"))}
    variables = {**inherited, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'lib'}"}
    processes.start("cloud", command, variables)
    log = processes.log("cloud")
    processes.wait_until("cloud", lambda: any(line.startswith("{") for line in log.read_text().splitlines()), 60)
    return Cloud(json.loads(next(line for line in log.read_text().splitlines() if line.startswith("{"))))


def _jars() -> Path:
    run = subprocess.run(
        [str(PYTHON), "-c", "from headgate.engine.runtime.jars import jars_folder; print(jars_folder())"],
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(run.stdout.strip()) / "s3"


def manifest_for(cloud: Cloud, schedules: tuple[Schedule, ...], steps: bool = False) -> Manifest:
    """A manifest of the small test project whose jobs are example_job.py."""
    entry = (Path(__file__).parent / "example_job.py").read_bytes()
    cloud.client("s3").put_object(Bucket=ARTIFACTS, Key="job.py", Body=entry)
    job = JobSettings(
        platform=SERVERLESS,
        region=REGION,
        entry_point=f"s3://{ARTIFACTS}/job.py",
        application_id=cloud.resources["application"],
        cluster_id=cloud.resources["cluster"],
        execution_role_arn=cloud.resources["role"],
        log_uri=f"s3://{LAKE}/logs",
        timeout_minutes=10,
    )
    run = subprocess.run(
        [str(PYTHON), "-c", _GRAPH, str(ROOT / "tests" / "projects" / "sales")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "lib")},
    )
    content = json.loads(run.stdout)
    manifest = Manifest(
        "sales",
        "steps" if steps else "test",
        "1",
        f"s3://{LAKE}/retail",
        replace(job, platform=STEPS) if steps else job,
        schedules=schedules,
        topic_arn=cloud.resources["topic"],
        queue_url=cloud.resources["queue"],
        dead_letter_queue_url=cloud.resources["dead_letters"],
        graph=content["graph"],
    )
    text = json.loads(manifest.to_json()) | {"tables": content["tables"]}
    return Manifest.from_json(json.dumps(text))
