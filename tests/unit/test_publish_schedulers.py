"""`make schedulers`: what it uploads, that it uploads only what changed, and one pin for each library."""

from __future__ import annotations

import re
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from bin.publish_schedulers import DAGS_PREFIX, LAMBDA_KEY, REQUIREMENTS_KEY, files, publish, requirements

ROOT = Path(__file__).parents[2]


@pytest.fixture
def s3(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="artifacts")
        yield client


def test_the_dags_folder_has_dags_the_manifest_and_no_engine():
    names = [key.removeprefix(f"{DAGS_PREFIX}/") for key in files("prod", "{}") if key.startswith(DAGS_PREFIX)]
    assert {"headgate_dags.py", ".airflowignore", "manifests/prod.json", "orchestration/pools.json"} <= set(names)
    assert not [name for name in names if "/engine/" in name or "local_cloud" in name]


def test_a_second_upload_sends_only_what_changed_and_removes_what_is_gone(s3):
    objects = {
        LAMBDA_KEY: b"zip",
        f"{DAGS_PREFIX}/orchestration/a.py": b"a",
        f"{DAGS_PREFIX}/manifests/prod.json": b"1",
    }
    assert publish(s3, "artifacts", objects) == list(objects)
    s3.put_object(Bucket="artifacts", Key=f"{DAGS_PREFIX}/manifests/other.json", Body=b"another environment's")
    assert publish(s3, "artifacts", objects) == []
    changed = {LAMBDA_KEY: b"new", f"{DAGS_PREFIX}/manifests/prod.json": b"1"}
    assert publish(s3, "artifacts", changed) == [LAMBDA_KEY, f"{DAGS_PREFIX}/orchestration/a.py"]


def test_the_requirements_for_mwaa_are_pins_without_airflow_and_test_tools():
    lines = requirements().splitlines()
    assert all(re.fullmatch(r"[a-z-]+==[\w.]+", line) for line in lines) and REQUIREMENTS_KEY.endswith(".txt")
    names = [line.partition("==")[0] for line in lines]
    assert "deltalake" in names and not {"apache-airflow", "pytest"} & set(names)


def test_a_library_has_one_pin():
    pins: dict[str, set[str]] = {}
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-airflow.txt"):
        for library in re.findall(r"^([A-Za-z-]+)(?:\[\w+\])?==", (ROOT / name).read_text(), re.MULTILINE):
            pins.setdefault(library.lower(), set()).add(name)
    assert {library: names for library, names in pins.items() if len(names) > 1} == {}


def test_both_environments_have_the_same_version_of_what_they_share():
    shared = re.findall(r"^([A-Za-z-]+)$", (ROOT / "requirements-airflow.txt").read_text(), re.MULTILINE)
    versions = [
        dict(re.findall(r"^([\w.-]+)==(.*)$", (ROOT / name).read_text().lower(), re.MULTILINE))
        for name in ("constraints.txt", "constraints-airflow.txt")
    ]
    assert shared
    assert {name: versions[0][name.lower()] for name in shared} == {name: versions[1][name.lower()] for name in shared}
