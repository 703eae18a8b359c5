"""Deploy and run on the local cloud: real spark-submit of the package, from its archived environment, on S3.

Tests share one project and one lake. Each can run alone, and leaves the lake complete.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.conftest import ARTIFACTS, BUCKET, REGION, TERMINAL, LocalCloud
from tests.processes import ROOT, environ

pytestmark = pytest.mark.cloud

ROLE = "arn:aws:iam::123456789012:role/headgate-job"
SILVER = "jobs/silver/readings.py"


@dataclass
class Deployed:
    """A project with a package on the local cloud."""

    folder: Path
    cloud: LocalCloud

    def headgate(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """Runs a command for the environment `prod`; returns standard output, and standard error without --json."""
        done = subprocess.run(
            [sys.executable, "-m", "headgate.cli", *arguments, "--env", "prod"],
            cwd=self.folder,
            env=environ(**self.cloud.variables, **jars(), **variables),
            capture_output=True,
            text=True,
            timeout=600,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, output
        return done.stdout if "--json" in arguments else output

    def rows(self, table: str, **variables: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.headgate("show", table, "--json", **variables).splitlines()]

    def readings(self, **variables: str) -> int:
        """How many readings gold has counted; 0 before the first run."""
        uri = f"{variables.get('HEADGATE_LAKE', f's3://{BUCKET}/site')}/gold/daily_readings/_delta_log/"
        listed = self.cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=uri.removeprefix(f"s3://{BUCKET}/"))
        rows = self.rows("gold.daily_readings", **variables) if listed["KeyCount"] else []
        return sum(row["readings"] for row in rows)

    def upload(self, name: str, *lines: dict[str, Any], **variables: str) -> None:
        path = self.folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.headgate("upload", str(path), "--dataset", "readings", "--store", "site-1", "--direct", **variables)

    def jobs(self) -> list[dict[str, Any]]:
        """Every job run and step that was ever started, the oldest first."""
        return self.cloud.page("jobs")


def jars() -> dict[str, str]:
    return {"HEADGATE_JARS": os.environ["HEADGATE_JARS"]} if "HEADGATE_JARS" in os.environ else {}


def reading(number: int, value: str = "20.5") -> dict[str, Any]:
    sample = json.loads((ROOT / "lib/headgate/templates/project/samples/readings.jsonl").read_text().splitlines()[0])
    return {**sample, "reading_id": f"r-{number}", "celsius": float(value)}


@pytest.fixture(scope="session")
def deployed(running_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("emr") / "site"
    command = [sys.executable, "-m", "headgate.cli", "new", "project", str(folder)]
    subprocess.run(command, env=environ(), check=True, capture_output=True, timeout=120)
    resources = running_cloud.resources
    (folder / "conf/environments/prod.yaml").write_text(
        f"""
lake: s3://{BUCKET}/site
engine: emr
emr:
  region: {REGION}
  application_id: {resources["application"]!r}
  cluster_id: {resources["cluster"]!r}
  execution_role: {ROLE}
  artifacts: s3://{ARTIFACTS}/headgate
"""
    )
    cache = ROOT / ".headgate" / "deploy"  # a Python environment takes minutes to build
    cache.mkdir(parents=True, exist_ok=True)
    (folder / ".headgate").mkdir(exist_ok=True)
    (folder / ".headgate" / "deploy").symlink_to(cache)
    project = Deployed(folder, running_cloud)
    project.headgate("deploy")
    yield project


@pytest.fixture(autouse=True)
def no_faults(cloud: LocalCloud) -> None:
    """Each test begins without faults."""


def test_uploads_become_rows_in_gold_by_one_job_run_from_the_deployed_package(deployed):
    deployed.upload("first", *(reading(number) for number in range(5)))
    output = deployed.headgate("run")
    assert re.search(r"gold\.daily_readings\s+done", output) and "cost: about $" in output
    assert "silver.readings: done" in output  # progress by table
    assert deployed.readings() == 5
    assert "nothing to do" in deployed.headgate("run")
    assert [job["state"] for job in deployed.jobs()] == ["SUCCESS"]  # one job, and none where nothing is new


def test_the_lake_answers_from_outside(deployed):
    if not deployed.readings():
        deployed.upload("outside", reading(100))
        deployed.headgate("run")
    run = json.loads(deployed.headgate("history", "gold.daily_readings", "--json"))
    assert "current" in deployed.headgate("plan")
    assert "nothing to do" in deployed.headgate("status")
    assert run["commits"][0]["run"]


def test_a_lost_response_and_a_repeated_command_are_one_job_run(deployed):
    before = len(deployed.jobs())
    readings = deployed.readings()
    deployed.upload("second", reading(5))
    deployed.cloud.post("faults", kind="lost_response", operation="StartJobRun")
    first = json.loads(deployed.headgate("run", "--detach", "--json"))
    again = json.loads(deployed.headgate("run", "--detach", "--json"))
    assert first["job"] == again["job"]
    assert re.search(r"gold\.daily_readings\s+done", deployed.headgate("run", "--run-id", first["run_id"]))
    assert len(deployed.jobs()) == before + 1
    assert deployed.readings() == readings + 1


def test_no_capacity_asks_for_a_retry_and_the_retry_is_a_new_job(deployed):
    readings = deployed.readings()
    deployed.upload("third", reading(6))
    deployed.cloud.post("faults", kind="no_capacity", operation="StartJobRun")
    output = deployed.headgate("run", code=75)
    assert "maximumCapacity" in output and "a retry may help" in output
    deployed.headgate("run")
    assert deployed.readings() == readings + 1


def test_a_cancelled_job_is_reported_as_cancelled(deployed):
    readings = deployed.readings()
    deployed.upload("fourth", reading(7))
    submitted = json.loads(deployed.headgate("run", "--detach", "--json"))
    application = deployed.cloud.resources["application"]
    deployed.cloud.client("emr-serverless").cancel_job_run(applicationId=application, jobRunId=submitted["job"])
    output = deployed.headgate("run", "--run-id", submitted["run_id"], code=1)
    assert f"job {submitted['job']} CANCELLED" in output
    deployed.headgate("run")
    assert deployed.readings() == readings + 1


def test_a_failure_names_table_line_and_log_and_a_rollback_of_the_package_mends_it(deployed):
    readings = deployed.readings()
    source = deployed.folder / SILVER
    good = source.read_text()
    body = re.sub(r"(    return )", r'    raise ValueError("sensor map is missing")\n\1', good, count=1)
    assert body != good
    source.write_text(body)
    try:
        deployed.headgate("deploy")
        deployed.upload("fifth", reading(8))
        output = deployed.headgate("run", code=1)
    finally:
        source.write_text(good)
    assert "silver.readings" in output and "sensor map is missing" in output and f"{SILVER}:" in output
    assert f"s3://{ARTIFACTS}/headgate/logs" in output
    assert "went back from package" in deployed.headgate("deploy", "--rollback")
    deployed.headgate("run")
    assert deployed.readings() == readings + 1


def test_a_step_of_a_cluster_does_the_same(deployed):
    steps = {"HEADGATE_EMR_KIND": "steps", "HEADGATE_LAKE": f"s3://{BUCKET}/steps"}
    deployed.headgate("deploy", **steps)
    deployed.upload("first", *(reading(number) for number in range(5)), **steps)
    deployed.cloud.post("faults", kind="lost_response", operation="AddJobFlowSteps")
    before = len(deployed.jobs())
    assert re.search(r"gold\.daily_readings\s+done", deployed.headgate("run", **steps))
    assert deployed.readings(**steps) == 5
    new = deployed.jobs()[before:]
    assert len(new) == 1 and new[0]["id"].startswith("s-")
    deployed.headgate("deploy")  # the tests that follow run on the application again


def test_what_is_deployed_twice_is_identical_and_uploaded_once(deployed):
    first = json.loads(deployed.headgate("deploy", "--json"))
    shutil.rmtree(deployed.folder / ".headgate" / "manifest", ignore_errors=True)
    again = json.loads(deployed.headgate("deploy", "--json"))
    assert [file["sha256"] for file in first["files"]] == [file["sha256"] for file in again["files"]]
    assert (first["version"], again["sent"] < 10_000) == (again["version"], True)


def test_ctrl_c_detaches_and_the_job_goes_on(deployed):
    deployed.upload("sixth", reading(9))
    process = subprocess.Popen(
        [sys.executable, "-m", "headgate.cli", "run", "--env", "prod"],
        cwd=deployed.folder,
        env=environ(**deployed.cloud.variables, **jars()),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    token = re.search(r"--run-id (\S+)\)", process.stderr.readline())
    time.sleep(1)
    process.send_signal(2)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130 and "goes on" in rest
    assert token and re.search(r"gold\.daily_readings\s+done", deployed.headgate("run", "--run-id", token[1]))
    assert all(job["state"] in TERMINAL for job in deployed.jobs())
