"""Uploads what starts jobs on AWS: `make schedulers ENV=prod`. Run it after each `headgate deploy`, and each rollback.

<artifacts bucket>/lambda/on_arrival.zip       the Lambda for uploads on arrival
<artifacts bucket>/airflow/dags/               DAGs, Headgate without its engine, and the current package's manifest
<artifacts bucket>/airflow/requirements.txt    what they need next to Airflow

Terraform's modules `trigger` and `mwaa` read these keys. What did not change is not uploaded again.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from bin.build_lambda import PACKAGE, build
from headgate.aws.artifacts import Artifacts
from headgate.contracts.environment import load_environment
from headgate.errors import UsageError
from headgate.project import Project

ROOT = Path(__file__).parents[1]
LAMBDA_KEY = "lambda/on_arrival.zip"
DAGS_PREFIX = "airflow/dags"
REQUIREMENTS_KEY = "airflow/requirements.txt"

#: Folders that the DAGs folder gets, and what of them it does not need.
_PACKAGES = {"orchestration": ROOT / "orchestration", "headgate": ROOT / "lib" / "headgate"}
_LEFT_OUT = ("dags", "lambda", "local_cloud", "local_platform", "engine", "testing", "templates", "__pycache__")
#: Only headgate_dags.py makes DAGs.
_IGNORE = "".join(f"{package}/\n" for package in _PACKAGES)


def files(environment: str, manifest: str) -> dict[str, bytes]:
    """Every object by its key, for the environment whose current package has this manifest."""
    build(PACKAGE)
    dags = {"headgate_dags.py": (ROOT / "orchestration" / "dags" / "headgate_dags.py").read_bytes()}
    dags |= {f"{package}/{name}": body for package, folder in _PACKAGES.items() for name, body in _sources(folder)}
    dags |= {".airflowignore": _IGNORE.encode(), f"manifests/{environment}.json": manifest.encode()}
    return {
        LAMBDA_KEY: PACKAGE.read_bytes(),
        REQUIREMENTS_KEY: requirements().encode(),
        **{f"{DAGS_PREFIX}/{name}": body for name, body in sorted(dags.items())},
    }


def requirements() -> str:
    """The pins of what Headgate needs in Airflow, without Airflow itself, which MWAA has, and without test tools."""
    text = (ROOT / "requirements-airflow.txt").read_text().partition("# Tests.")[0]
    names = {line.lower() for line in text.splitlines() if re.fullmatch(r"[A-Za-z-]+", line)}
    pins = (ROOT / "constraints-airflow.txt").read_text().splitlines()
    return "".join(f"{pin}\n" for pin in pins if pin.partition("==")[0].lower() in names)


def publish(client: Any, bucket: str, objects: Mapping[str, bytes]) -> list[str]:
    """Uploads the objects that are new or changed, removes modules that are gone; returns the keys it touched.

    `client` is boto3's `s3`. The content's SHA-256 is kept as metadata: with a KMS key the ETag is no digest.
    """
    touched = []
    for key, body in objects.items():
        digest = hashlib.sha256(body).hexdigest()
        if _digest(client, bucket, key) != digest:
            client.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"sha256": digest})
            touched.append(key)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{DAGS_PREFIX}/")
    for key in [item["Key"] for page in pages for item in page.get("Contents", ())]:
        if key not in objects and not key.startswith(f"{DAGS_PREFIX}/manifests/"):
            client.delete_object(Bucket=bucket, Key=key)
            touched.append(key)
    return touched


def _sources(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix in (".py", ".json", ".yaml") and not set(name.parts) & set(_LEFT_OUT):
            yield name.as_posix(), path.read_bytes()


def _digest(client: Any, bucket: str, key: str) -> str | None:
    try:
        return client.head_object(Bucket=bucket, Key=key)["Metadata"].get("sha256")
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            return None
        raise


def main() -> None:
    """Publishes to the environment's artifacts bucket, and prints the version ids that Terraform takes."""
    parser = argparse.ArgumentParser(prog="make schedulers", description=__doc__)
    parser.add_argument("--env", required=True)
    environment = load_environment(Project(ROOT), parser.parse_args().env)
    if not environment.is_emr:
        raise UsageError(f"the environment '{environment.name}' does not run on EMR", fix="make schedulers ENV=prod")
    emr = environment.emr
    client = boto3.client("s3", region_name=emr.region)
    artifacts = Artifacts(client, f"{emr.artifacts}/{environment.name}")
    versions = artifacts.current()
    if not versions:
        raise UsageError("no package is deployed", where=artifacts.address, fix="headgate deploy")
    bucket = emr.artifacts.removeprefix("s3://").partition("/")[0]
    touched = publish(client, bucket, files(environment.name, artifacts.manifest(versions[0])))
    print(f"package {versions[0]}: {len(touched)} objects changed in s3://{bucket}")
    for variable, key in (("trigger_package_version", LAMBDA_KEY), ("airflow.requirements_version", REQUIREMENTS_KEY)):
        print(f'{variable} = "{client.head_object(Bucket=bucket, Key=key).get("VersionId", "")}"  # {key}')


if __name__ == "__main__":
    try:
        main()
    except UsageError as error:
        sys.exit(f"error[{error.code}]: {error}")
