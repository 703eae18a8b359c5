"""How an environment's jobs run on EMR: the environment's key `emr`.

Imports the standard library only: schedulers read it through the deploy manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SERVERLESS, STEPS = "serverless", "steps"


@dataclass(frozen=True)
class Emr:
    """The place where jobs run, and the requirements on the package.

    `kind` is `serverless` (job runs of `application_id`) or `steps` (steps of the cluster `cluster_id`). `artifacts`
    is the s3:// address below which `headgate deploy` puts packages. `python` is the interpreter of the release or
    of the custom image. `delta` selects the Delta jars: those of the `package` or those of the `release`.
    Prices are in US dollars, per vCPU hour and per GB hour of memory.
    """

    kind: str = SERVERLESS
    region: str = ""
    application_id: str = ""
    cluster_id: str = ""
    execution_role: str = ""
    artifacts: str = ""
    logs: str = ""
    release: str = "emr-spark-8.1.0"
    architecture: str = "x86_64"
    python: str = "/usr/bin/python3.11"
    delta: str = "package"
    timeout_minutes: int = 120
    keep_packages: int = 5
    price_vcpu_hour: float | None = None
    price_gb_hour: float | None = None

    @property
    def logs_address(self) -> str:
        """Where drivers' logs go: `logs`, or a folder of the artifacts."""
        return self.logs or f"{self.artifacts}/logs"

    @property
    def python_version(self) -> str:
        """The interpreter's version, such as 3.11."""
        return self.python.rpartition("/")[2].removeprefix("python")


_TEXT = {"type": "string", "minLength": 1}
_ADDRESS = {"type": "string", "pattern": "^s3://[a-z0-9][a-z0-9.-]+(/.*)?$", "x-wanted": "s3://bucket/prefix"}
_COUNT = {"type": "integer", "minimum": 1, "x-wanted": "a whole number from 1"}
_PRICE = {"type": "number", "minimum": 0, "x-wanted": "US dollars for an hour"}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "kind": {"enum": [SERVERLESS, STEPS]},
        "region": _TEXT,
        "application_id": _TEXT,
        "cluster_id": _TEXT,
        "execution_role": {"type": "string", "pattern": "^arn:aws[a-z-]*:iam::", "x-wanted": "the ARN of an IAM role"},
        "artifacts": _ADDRESS,
        "logs": _ADDRESS,
        "release": _TEXT,
        "architecture": {"enum": ["x86_64", "arm64"]},
        "python": {
            "type": "string",
            "pattern": "^/.*/python3\\.[0-9]+$",
            "x-wanted": "the path of an interpreter, such as /usr/bin/python3.11",
        },
        "delta": {"enum": ["package", "release"]},
        "timeout_minutes": {"type": "integer", "minimum": 5, "x-wanted": "a whole number of minutes from 5"},
        "keep_packages": {"type": "integer", "minimum": 2, "x-wanted": "a whole number from 2"},
        "price_vcpu_hour": _PRICE,
        "price_gb_hour": _PRICE,
    },
}


def emr_from(value: Mapping[str, Any]) -> Emr:
    """The settings of a value that fits SCHEMA. Addresses lose their closing slash."""
    addresses = {name: value[name].rstrip("/") for name in ("artifacts", "logs") if name in value}
    return Emr(**{**value, **addresses})


def missing(settings: Emr) -> list[str]:
    """The keys that a job needs and the settings do not have, by their names in the environment file."""
    needed = ["region", "artifacts", "application_id" if settings.kind == SERVERLESS else "cluster_id"]
    if settings.kind == SERVERLESS:
        needed.append("execution_role")
    return [f"emr.{name}" for name in needed if not getattr(settings, name)]
