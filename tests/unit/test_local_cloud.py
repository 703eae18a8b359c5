"""What the local cloud reads from a submitted job, and its fault switch."""

from __future__ import annotations

import pytest

from orchestration.local_cloud.faults import Fault, Faults
from orchestration.local_cloud.submission import parse


def test_a_steps_arguments_end_with_the_entry_point_and_its_arguments():
    job = parse(["--deploy-mode", "cluster", "--conf", "spark.a=b=c", "--verbose", "s3://b/e.py", "run", "--json"])
    assert (job.entry, job.arguments) == ("s3://b/e.py", ("run", "--json"))
    assert job.conf == {"spark.submit.deployMode": "cluster", "spark.a": "b=c"}
    assert job.local_conf == {"spark.a": "b=c"}


def test_a_job_run_names_its_entry_point_apart():
    job = parse(["--conf=spark.a=1"], "s3://b/e.py", ["run"])
    assert (job.entry, job.arguments, job.conf) == ("s3://b/e.py", ("run",), {"spark.a": "1"})


def test_files_are_taken_from_options_and_from_settings():
    job = parse(["--jars", "s3://b/a.jar,s3://b/b.jar", "--conf", "spark.archives=s3://b/v.tar.gz#environment"], "e.py")
    assert job.files == {"--jars": ("s3://b/a.jar", "s3://b/b.jar"), "--archives": ("s3://b/v.tar.gz#environment",)}
    assert job.local_conf == {}


@pytest.mark.parametrize("prefix", ["spark.emr-serverless.driverEnv", "spark.yarn.appMasterEnv"])
def test_the_drivers_variables_are_read(prefix):
    job = parse(["--conf", f"{prefix}.PYSPARK_PYTHON=./environment/bin/python"], "e.py")
    assert job.variables == {"PYSPARK_PYTHON": "./environment/bin/python"}


def test_sizes_become_resources():
    sizes = {"driver.cores": 2, "driver.memory": "4g", "executor.instances": 3, "executor.cores": 4}
    tokens = [token for name, value in sizes.items() for token in ("--conf", f"spark.{name}={value}")]
    job = parse([*tokens, "--executor-memory", "512m"], "e.py")
    assert (job.vcpus, job.memory_gb) == (14, 5.5)


@pytest.mark.parametrize("tokens", [["--conf"], ["--conf", "spark.a=b"], ["--proxy-user", "x", "e.py"]])
def test_arguments_that_are_no_job_are_refused(tokens):
    with pytest.raises(ValueError):
        parse(tokens)


def test_a_fault_is_met_as_often_as_it_says_by_its_operation_only():
    faults = Faults()
    faults.add(Fault("throttle", "StartJobRun", 2))
    assert faults.take("GetJobRun", "throttle") is None
    assert faults.take("StartJobRun", "no_capacity") is None
    assert [faults.take("StartJobRun", "throttle", "error") for _ in range(3)] == ["throttle", "throttle", None]


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="no fault 'rain'"):
        Faults().add(Fault("rain", "StartJobRun"))
