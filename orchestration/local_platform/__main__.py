"""`make platform`: the whole platform on this machine, until it is stopped. `--demo`: a single round.

Starts the local cloud, deploys this project to it, starts Airflow and the receiver. Stores upload over HTTP; the
landing bucket's events start a run in Airflow, which submits a job; the job's Spark builds the tables on S3.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from headgate.contracts.environment import load_environment
from headgate.project import Project
from orchestration.local_cloud.resources import client
from orchestration.local_platform.airflow import ROOT, Airflow
from orchestration.local_platform.processes import Processes, StartError, free_port

ENVIRONMENT, PROJECT_PREFIX = "cloud", "retail"
LAKE, ARTIFACTS = "lake", "artifacts"
REGION = "eu-central-1"
READER_KEY = "demo-analyst"
GENERATOR = "retail.generator"  # the generator of the stores' uploads
HEADGATE = Path(sys.executable).with_name("headgate")

SCHEDULES = {
    "intraday": {"cron": "*/10 * * * *", "deadline_minutes": 30},
    "nightly": {
        "cron": "0 2 * * *",
        "verbs": ["run", "reconcile", "check", "maintain"],
        "notify": ["success", "failure"],
    },
    "on_arrival": {},
}
_RUN_SECONDS = 900


class Platform:
    """The parts of the platform that run, and the steps of the demo."""

    def __init__(self, folder: Path, processes: Processes, *, demo: bool, steps: bool = False) -> None:
        self.folder, self.processes, self.demo, self.steps = folder, processes, demo, steps
        self.cloud: dict[str, Any] = {}
        self.receiver = ""
        self.read_api = ""

    @property
    def aws(self) -> dict[str, str]:
        """The variables by which everything finds the local cloud."""
        keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_EC2_METADATA_DISABLED": "true"}
        regions = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        return {"AWS_ENDPOINT_URL": self.cloud["endpoint"], "AWS_ALLOW_HTTP": "true", **regions, **keys}

    @property
    def variables(self) -> dict[str, str]:
        """The environment of headgate's commands and of the receiver."""
        keys = load_environment(Project(ROOT), "local", {}).receiver.store_keys
        schedules = {"on_arrival": {}} if self.demo else SCHEDULES
        own = {
            "HEADGATE_ENV": ENVIRONMENT,
            "HEADGATE_EMR_KIND": "steps" if self.steps else "serverless",
            "HEADGATE_RECEIVER_STORE_KEYS": json.dumps({store: list(digests) for store, digests in keys.items()}),
            "HEADGATE_GENERATOR": GENERATOR,
            "HEADGATE_AUTOMATION_SCHEDULES": json.dumps(schedules),
            "HEADGATE_AUTOMATION_TOPIC_ARN": self.cloud["topic"],
            "HEADGATE_AUTOMATION_QUEUE_URL": self.cloud["queue"],
            "HEADGATE_AUTOMATION_DEAD_LETTER_QUEUE_URL": self.cloud["dead_letters"],
        }
        return {**os.environ, **self.aws, **own}

    def start_cloud(self) -> None:
        """Starts the local cloud, whose buckets and queues are empty."""
        jars = _output("from headgate.engine.runtime.jars import ensure_s3_jars; print(ensure_s3_jars())")
        command = [
            sys.executable,
            "-m",
            "orchestration.local_cloud",
            "--port",
            "0",
            "--region",
            REGION,
            "--folder",
            str(self.folder / "cloud"),
            "--jars",
            jars,
            "--bucket",
            LAKE,
            "--bucket",
            ARTIFACTS,
            "--landing",
            f"{LAKE}/{PROJECT_PREFIX}/landing/",
            "--json",
        ]
        self.processes.start("cloud", command, {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'lib'}"})
        log = self.processes.log("cloud")
        self.processes.wait_until("cloud", lambda: "\n" in log.read_text() and bool(_json_line(log)), 120)
        self.cloud = json.loads(_json_line(log))

    def deploy(self) -> Path:
        """Deploys this project to the local cloud, and returns the folder with the manifest for Airflow."""
        manifests = self.folder / "manifests"
        manifests.mkdir(parents=True, exist_ok=True)
        self.headgate("deploy", "--manifest-to", str(manifests / f"{ENVIRONMENT}.json"))
        return manifests

    def start_airflow(self, manifests: Path) -> Airflow:
        """Starts Airflow with the DAGs of the manifest."""
        airflow = Airflow(self.folder / "airflow", manifests, self.aws, self.processes)
        airflow.start()
        if errors := airflow.import_errors():
            raise StartError("a DAG does not load:\n" + "\n".join(errors))
        return airflow

    def start_receiver(self) -> None:
        """Starts the receiver on a free port."""
        port = free_port()
        command = [str(HEADGATE), "serve", "receiver", "--port", str(port)]
        self.processes.start("receiver", command, self.variables)
        self.receiver = f"http://127.0.0.1:{port}"
        self.processes.wait_until("receiver", lambda: _answers(f"{self.receiver}/healthz"), 120)

    def start_read_api(self) -> None:
        """Starts the read API on a free port; its clients are those of the environment `local`."""
        port = free_port()
        clients = load_environment(Project(ROOT), "local", {}).read_api.clients
        variables = {**self.variables, "HEADGATE_READ_API_CLIENTS": json.dumps(clients)}
        command = [str(HEADGATE), "serve", "api", "--port", str(port)]
        self.processes.start("read-api", command, variables)
        self.read_api = f"http://127.0.0.1:{port}"
        self.processes.wait_until("read-api", lambda: _answers(f"{self.read_api}/healthz"), 120)

    def registered(self) -> dict[str, str]:
        """The address of each table that is registered in Glue, by its name."""
        glue = client("glue", self.cloud["endpoint"], REGION)
        tables = glue.get_tables(DatabaseName=self.cloud["database"])["TableList"]
        return {table["Name"]: table["StorageDescriptor"]["Location"] for table in tables}

    def read(self, table: str) -> list[dict[str, Any]]:
        """The first rows of a table, by the read API."""
        headers = {"Authorization": f"Bearer {READER_KEY}"}
        answer = httpx.get(f"{self.read_api}/v1/tables/{table}/rows", headers=headers, timeout=60)
        if answer.status_code != 200:
            raise StartError(f"the read API answered {answer.status_code}: {answer.text}")
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows

    def upload(self, seed: int, records: int) -> None:
        """Three stores upload a day's sales over HTTP."""
        self.headgate(
            "generate",
            "--dataset",
            "transactions",
            "--url",
            self.receiver,
            "--key-template",
            "demo-{store}",
            "--stores",
            "3",
            "--days",
            "1",
            "--uploads",
            "2",
            "--records",
            str(records),
            "--seed",
            str(seed),
        )

    def headgate(self, *arguments: str) -> None:
        """Runs a headgate command; its output goes to the terminal. Raises StartError if it fails."""
        print(f"   $ headgate {' '.join(arguments)}", flush=True)
        done = subprocess.run([str(HEADGATE), *arguments], env=self.variables, check=False)
        if done.returncode:
            raise StartError(f"headgate {arguments[0]} ended with {done.returncode}")


def main() -> None:
    """Starts the platform; ends with 1 and a message if a part does not start or the demo's round fails."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if not options.keep:
        shutil.rmtree(options.folder, ignore_errors=True)
    try:
        with Processes(options.folder / "logs") as processes:
            platform = Platform(options.folder, processes, demo=options.demo, steps=options.steps)
            airflow = _start(platform)
            if options.demo:
                _round(platform, airflow)
            else:
                _serve(platform, airflow)
    except KeyboardInterrupt:
        _say("stopped")
    except (StartError, TimeoutError) as error:
        sys.exit(f"error[platform]: {error}\n  logs: {options.folder / 'logs'}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make platform", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="one round, then end")
    parser.add_argument("--steps", action="store_true", help="jobs are steps of an EMR cluster, not job runs")
    parser.add_argument("--folder", type=Path, default=ROOT / ".headgate" / "platform", help="data and logs")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the last time")
    return parser.parse_args()


def _start(platform: Platform) -> Airflow:
    _say("1. The local cloud: S3, SQS, SNS, EMR Serverless and EMR in one process")
    platform.start_cloud()
    _say("2. Deploy: package, virtual environment, jars and manifest to S3")
    manifests = platform.deploy()
    _say("3. Airflow, with DAGs from the manifest")
    airflow = platform.start_airflow(manifests)
    print(f"   {', '.join(airflow.dags())}")
    _say("4. The receiver, and the read API")
    platform.start_receiver()
    print(f"   {platform.receiver}")
    platform.start_read_api()
    print(f"   read API: {platform.read_api}")
    return airflow


def _round(platform: Platform, airflow: Airflow) -> None:
    """Uploads, waits for the run that they start, and shows the rows."""
    dag = f"headgate_{ENVIRONMENT}_on_arrival"
    _say("5. Three stores upload; the landing bucket's events start a run")
    platform.upload(seed=7, records=40)
    deadline = time.monotonic() + _RUN_SECONDS
    while not (runs := airflow.runs(dag)):
        if time.monotonic() > deadline:
            raise TimeoutError("no run was started by the uploads")
        time.sleep(1)
    run = runs[0]["dag_run_id"]
    print(f"   run {run}")
    state = airflow.wait(dag, run, _RUN_SECONDS)
    print(f"   {state}: {', '.join(f'{task} {state}' for task, state in airflow.tasks(dag, run).items())}")
    if state != "success":
        raise StartError(f"the run failed: {airflow.xcom(dag, run, 'run', 'failure')}")
    _say("6. Gold on S3, as the job built it")
    platform.headgate("show", "gold.daily_store_sales")
    _say("7. The same rows through the Glue catalog, and through the read API")
    tables = platform.registered()
    if "daily_store_sales" not in tables:
        raise StartError(f"the run did not register gold.daily_store_sales; Glue has: {', '.join(tables) or 'nothing'}")
    print(f"   Glue: daily_store_sales at {tables['daily_store_sales']}, and {len(tables) - 1} more tables")
    platform.headgate(
        "query", "--sql", "SELECT store_id, sum(revenue) AS revenue FROM daily_store_sales GROUP BY store_id"
    )
    rows = platform.read("gold.daily_store_sales")
    if not rows:
        raise StartError("the read API has no row of gold.daily_store_sales")
    print(f"   read API: {len(rows)} rows, such as {rows[0]}")
    _say("The round is complete. `make platform` keeps everything running.")


def _serve(platform: Platform, airflow: Airflow) -> None:
    """Prints the addresses and lets stores upload until the platform is stopped."""
    _say("The platform runs. Ctrl-C stops all of it.")
    print(f"   Airflow         {airflow.url}")
    print(f"   receiver        {platform.receiver}  (store-1 has the key demo-store-1)")
    print(f"   read API        {platform.read_api}  (the key {READER_KEY})")
    print(f"   jobs on EMR     {platform.cloud['endpoint']}/_cloud/jobs")
    print("   for headgate in another terminal:")
    for name, value in sorted(_exports(platform.variables).items()):
        print(f"     export {name}='{value}'")
    stopped = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    seed = 7
    while not stopped.is_set():
        _say("stores upload")
        platform.upload(seed, records=20)
        seed += 1
        stopped.wait(300)


def _exports(variables: Mapping[str, str]) -> dict[str, str]:
    own = ("HEADGATE_ENV", "HEADGATE_EMR_KIND")
    return {name: value for name, value in variables.items() if name.startswith("AWS_") or name in own}


def _output(code: str) -> str:
    """The output of a line of Python: only the engine knows the jars, and this package does not import it."""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise StartError("the jars for S3 could not be fetched")
    return done.stdout.strip().splitlines()[-1]


def _json_line(log: Path) -> str:
    return next((line for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")), "")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code < 500
    except httpx.HTTPError:
        return False


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    main()
