"""Deploy and run on the local cloud: real spark-submit of the package, from its archived environment, on S3.

Tests share a project and a lake. Each test can run alone, and leaves the lake complete.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.aws.jobs import ServerlessJobs
from headgate.aws.outcome import Lake
from headgate.contracts.automation import VERBS, Schedule
from headgate.engine.runtime.jars import jars_folder
from headgate.planning.manifest import CURRENT, CurrentPackage, Manifest
from orchestration.commands import schedule_command
from orchestration.local_cloud.submission import parse as parse_submission
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


@dataclass
class Interrupted:
    """A command that follows a job and received Ctrl-C."""

    token: str
    code: int
    output: str


def interrupted(deployed: Deployed, *options: str) -> Interrupted:
    process = subprocess.Popen(
        [sys.executable, "-m", "headgate.cli", "run", "--env", "prod", *options],
        cwd=deployed.folder,
        env=environ(**deployed.cloud.variables, **jars()),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    token = re.search(r"--run-id (\S+)\)", process.stderr.readline())
    assert token
    time.sleep(1)
    process.send_signal(2)
    _, rest = process.communicate(timeout=60)
    return Interrupted(token[1], process.returncode, rest)


def test_ctrl_c_detaches_and_the_job_goes_on(deployed):
    deployed.upload("sixth", reading(9))
    command = interrupted(deployed)
    assert command.code == 130 and "goes on" in command.output
    assert re.search(r"gold\.daily_readings\s+done", deployed.headgate("run", "--run-id", command.token))
    assert all(job["state"] in TERMINAL for job in deployed.jobs())


def test_ctrl_c_cancels_the_job_where_it_is_told_to(deployed):
    deployed.upload("seventh", reading(10))
    command = interrupted(deployed, "--on-interrupt", "cancel")
    assert command.code == 1 and "cancelled" in command.output
    output = deployed.headgate("run", "--run-id", command.token, code=1)
    assert "CANCELLED" in output


def test_the_nightly_verbs_run_as_jobs(deployed):
    """The command lines of the nightly DAG, submitted as the operator does it."""
    if not deployed.readings():
        deployed.upload("nightly", reading(200))
        deployed.headgate("run")
    application = deployed.cloud.resources["application"]
    manifest = current_manifest(deployed)
    jobs = ServerlessJobs(manifest.job, deployed.cloud.client("emr-serverless"))
    lake = Lake(deployed.cloud.client("s3"), manifest.lake)
    for verb in VERBS:
        token = f"nightly-{verb}-{time.monotonic_ns()}"
        command = schedule_command(manifest, Schedule("nightly", verbs=VERBS), verb)
        job = jobs.submit("headgate_prod_nightly", ["--run-id", token, *command], token)
        while not (status := jobs.status(job)).state.is_final:
            time.sleep(1)
        outcome = lake.outcome(token, status)
        assert outcome.exit_code == 0, f"{application} {verb}: {outcome.message(status)}"


def current_manifest(deployed: Deployed) -> Manifest:
    s3 = deployed.cloud.client("s3")

    def read(key: str) -> bytes:
        return s3.get_object(Bucket=ARTIFACTS, Key=key)["Body"].read()

    current = CurrentPackage.from_json(read(f"headgate/prod/{CURRENT}"))
    return Manifest.from_json(read(current.manifest.removeprefix(f"s3://{ARTIFACTS}/")))


def test_a_package_starts_from_an_empty_folder_with_spark_alone(deployed, tmp_path):
    """The package's files and Spark; of the variables only those of a bare machine and of AWS."""
    manifest, s3 = current_manifest(deployed), deployed.cloud.client("s3")
    submission = parse_submission(shlex.split(manifest.job.spark_submit_parameters), manifest.job.entry_point)

    def fetched(address: str) -> Path:
        bucket, _, key = address.partition("#")[0].removeprefix("s3://").partition("/")
        s3.download_file(bucket, key, str(tmp_path / Path(key).name))
        return tmp_path / Path(key).name

    for address in submission.files["--archives"]:
        archive = fetched(address)
        checks = {} if archive.suffix == ".zip" else {"filter": "tar"}  # the environment has links out of its folder
        shutil.unpack_archive(archive, tmp_path / address.partition("#")[2], **checks)
    for jar in submission.files["--jars"]:
        fetched(jar)
    use_python_of_this_machine(tmp_path / "environment")
    jar_files = ",".join(str(path) for path in tmp_path.glob("*.jar"))
    spark = Path(importlib.util.find_spec("pyspark").origin).parent
    command = [str(spark / "bin" / "spark-submit"), "--master", "local[1]", "--jars", jar_files]
    command += ["--driver-class-path", f"{jars_folder() / 's3'}/*", str(fetched(manifest.job.entry_point))]
    kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    variables = {**kept, "SPARK_HOME": str(spark), **submission.variables, **deployed.cloud.variables}
    variables |= {"AWS_ALLOW_HTTP": "true", "HOME": str(tmp_path), "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(
        [*command, "--run-id", "bare", "tables", "--env", "prod"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gold.daily_readings" in done.stdout


def use_python_of_this_machine(environment: Path) -> None:
    """On EMR the environment's Python is the release's, /usr/bin/python3.11."""
    base, python = Path(sys.base_prefix) / "bin" / "python3.11", environment / "bin" / "python"
    python.unlink()
    python.symlink_to(base)
    (environment / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")


def test_a_package_that_is_built_twice_from_nothing_has_equal_bytes(deployed, tmp_path):
    """Two builds of the whole package, each with an empty cache: another folder, other times."""
    versions = []
    for name in ("first", "second"):
        folder = tmp_path / name
        shutil.copytree(deployed.folder, folder, ignore=shutil.ignore_patterns(".headgate"))
        done = subprocess.run(
            [sys.executable, "-m", "headgate.cli", "deploy", "--dry-run", "--json", "--env", "prod"],
            cwd=folder,
            env=environ(**deployed.cloud.variables, **jars()),
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        versions.append([(file["name"], file["sha256"]) for file in json.loads(done.stdout)["files"]])
    assert versions[0] == versions[1]
