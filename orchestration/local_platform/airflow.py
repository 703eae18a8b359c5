"""Airflow on this machine: its four processes, and a person's actions over its REST API."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from orchestration.local_platform.processes import Processes, free_port

ROOT = Path(__file__).parents[2]
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
FINAL = ("success", "failed")

_READY_SECONDS = 240  # two slow cores


@dataclass
class Airflow:
    """One Airflow. `manifests` is the folder of deploy manifests, `aws` the variables of the AWS endpoint."""

    home: Path
    manifests: Path
    aws: Mapping[str, str]
    processes: Processes
    poll_seconds: float = 2.0
    python: Path = ROOT / ".venv-airflow" / "bin" / "python"
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _secret: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def url(self) -> str:
        """The address of Airflow's pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of Airflow's processes."""
        own = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_HEADGATE_MANIFESTS": str(self.manifests),
            "AIRFLOW_HEADGATE_POLL_SECONDS": str(self.poll_seconds),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'lib'}",
            "AIRFLOW_CONN_AWS_DEFAULT": f"aws://?region_name={self.aws['AWS_REGION']}",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "orchestration" / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",  # listens on loopback only
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret,
            "AIRFLOW__API__SECRET_KEY": self._secret,
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "20",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # a busy machine answers slowly
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "HEADGATE_", "AWS_"))}
        path = f"{self.python.parent}{os.pathsep}{inherited.get('PATH', '')}"
        return {**inherited, "PATH": path, **self.aws, **own, **self.settings}

    def start(self) -> None:
        """Makes the database and pools, starts the four processes, and waits until the DAGs are there."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.command("db", "migrate")
        self.command("pools", "import", str(ROOT / "orchestration" / "pools.json"))
        for part in PARTS:
            self.start_part(part)
        self.processes.wait_until("api-server", lambda: bool(self.dags()), _READY_SECONDS)

    def start_part(self, part: str) -> None:
        """Starts a part of PARTS, also after it was ended."""
        # Their log servers would listen on all addresses; here the logs are read from the disk.
        options = ["--skip-serve-logs"] if part in ("scheduler", "triggerer") else []
        self.processes.start(part, [str(self.python), "-m", "airflow", part, *options], self.variables)

    def command(self, *arguments: str) -> None:
        """Runs an airflow command. Raises CalledProcessError with its output."""
        subprocess.run(
            [str(self.python), "-m", "airflow", *arguments], env=self.variables, check=True, capture_output=True
        )

    # --- actions of a person

    def dags(self) -> list[str]:
        """The ids of the DAGs that Airflow knows; none while it starts."""
        try:
            return [dag["dag_id"] for dag in self._get("dags")["dags"]]
        except (httpx.HTTPError, KeyError):
            return []

    def import_errors(self) -> list[str]:
        """The tracebacks of DAG files that do not load."""
        return [error["stack_trace"] for error in self._get("importErrors")["import_errors"]]

    def trigger(self, dag: str, logical_date: datetime | None = None, **parameters: Any) -> str:
        """Starts a run of a DAG and returns its id."""
        when = logical_date.isoformat() if logical_date else datetime.now(UTC).isoformat()
        body = {"logical_date": when, "conf": parameters}
        return self._request("POST", f"dags/{dag}/dagRuns", json=body)["dag_run_id"]

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """The runs of a DAG, the oldest first."""
        return self._get(f"dags/{dag}/dagRuns?limit=100&order_by=run_after")["dag_runs"]

    def state(self, dag: str, run: str) -> str:
        """The state of a run."""
        return self._get(f"dags/{dag}/dagRuns/{run}")["state"]

    def wait(self, dag: str, run: str, seconds: float) -> str:
        """Waits until a run has ended and returns its state. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while (state := self.state(dag, run)) not in FINAL:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag} {run} is {state} after {seconds:.0f} s: {self.tasks(dag, run)}")
            time.sleep(1)
        return state

    def tasks(self, dag: str, run: str) -> dict[str, str | None]:
        """The states of a run's tasks by task id."""
        instances = self._get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {instance["task_id"]: instance["state"] for instance in instances}

    def task(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """One task instance: state, try_number, pid and so on."""
        return self._get(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}")

    def xcom(self, dag: str, run: str, task: str, key: str) -> Any:
        """A value that a task left; None if it left none."""
        try:
            return self._get(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/{key}")["value"]
        except httpx.HTTPStatusError:
            return None

    def set_state(self, dag: str, run: str, task: str, state: str) -> None:
        """Marks a task, as a person does on the page of the run."""
        self._request("PATCH", f"dags/{dag}/dagRuns/{run}/taskInstances/{task}", json={"new_state": state})

    def clear(self, dag: str, run: str, *tasks: str) -> None:
        """Clears tasks of a run, so that they run again."""
        body = {
            "dag_run_id": run,
            "task_ids": list(tasks),
            "dry_run": False,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self._request("POST", f"dags/{dag}/clearTaskInstances", json=body)

    def asset_events(self, asset: str) -> list[dict[str, Any]]:
        """The events of an asset, by its name."""
        known = self._get("assets?limit=100")["assets"]
        number = next(item["id"] for item in known if item["name"] == asset)
        return self._get(f"assets/events?asset_id={number}&limit=1000")["asset_events"]

    def pause(self, dag: str, paused: bool) -> None:
        """Pauses a DAG or lets it run."""
        self._request("PATCH", f"dags/{dag}", json={"is_paused": paused})

    def _get(self, path: str) -> Any:
        return self._request("GET", path)

    def _request(self, method: str, path: str, **arguments: Any) -> Any:
        token = httpx.get(f"{self.url}/auth/token", timeout=30).raise_for_status().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, f"{self.url}/api/v2/{path}", headers=headers, timeout=60, **arguments)
        return answer.raise_for_status().json()
