"""Failures of a disk are reported as errors of the lake with the place, failures of a lost cluster as its errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.contracts.environment import load_environment
from headgate.engine.runtime.platform_errors import platform_error
from headgate.errors import BatchRefused
from headgate.project import Project

REPOSITORY = Project(Path(__file__).parents[2])
LAKE = "/srv/lake"
ENVIRONMENTS = {n: load_environment(REPOSITORY, n, {"HEADGATE_LAKE": LAKE}) for n in ("local", "cluster")}
LOCAL = ENVIRONMENTS["local"]
TOLD = {
    "java.io.IOException: No space left on device": (LAKE, "No space left on device"),
    "java.io.FileNotFoundException: /srv/lake/gold/x/part-0.parquet (Read-only file system)": (
        "/srv/lake/gold/x/part-0.parquet",
        "Read-only file system",
    ),
    "OSError: Unable to copy data to file /srv/lake/a#1: No space left on device (os error 28)": (
        "/srv/lake/a#1",
        "No space left on device",
    ),
    "a deep trace\n\tat org.apache.Something\nCaused by: Disk quota exceeded": (LAKE, "Disk quota exceeded"),
    "[Errno 13] Permission denied: '/srv/lake/gold'": ("/srv/lake/gold", "Permission denied"),
}


@pytest.mark.parametrize("text", TOLD)
def test_the_systems_words_are_found_wherever_they_stand(text):
    result = platform_error(RuntimeError(text), LOCAL)
    assert result is not None
    assert (result.code, result.where, result.message.rpartition(": ")[2]) == ("storage", *TOLD[text])


def test_they_are_found_in_the_cause():
    error = RuntimeError("the task failed")
    error.__cause__ = OSError(28, "No space left on device")
    assert platform_error(error, LOCAL) is not None


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no space between words"),
        RuntimeError("[Errno 13] Permission denied: '/home/author/rates.csv'"),
        BatchRefused("rows such as name=Permission denied: /srv/lake"),
    ],
)
def test_every_other_error_stays_what_it_is(error):
    assert platform_error(error, LOCAL) is None


def test_an_application_that_was_ended_lost_its_cluster_where_it_had_one():
    error = RuntimeError("Job 7 cancelled because SparkContext was shut down")
    result = platform_error(error, ENVIRONMENTS["cluster"])
    assert result is not None
    assert (result.code, result.where) == ("cluster", "spark://127.0.0.1:7077")
    assert platform_error(error, LOCAL) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AWSS3IOException: PUT: InternalError: We encountered an internal error", True),
        ("put object: (Service: S3, Status Code: 503, Request ID: x)", True),
        ("Traceback\n  File x.py, line 1\nheadgate.errors.InternalError: bronze has no such row", False),
    ],
)
def test_only_the_services_own_internal_error_is_an_error_of_s3(text, expected):
    on_s3 = load_environment(REPOSITORY, "local", {"HEADGATE_LAKE": "s3://bucket/lake"})
    assert (platform_error(RuntimeError(text), on_s3) is not None) == expected
