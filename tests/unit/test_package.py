"""The package for EMR: equal input gives equal bytes, pins fit the release, and spark-submit finds every part."""

from __future__ import annotations

import ast
import shlex
import tarfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from headgate.aws.package.archive import digest, write_tar, write_zip
from headgate.aws.package.package import Package, PackageFile, pinned
from headgate.aws.package.python_environment import PROVIDED, locked
from headgate.aws.package.releases import RELEASES, require_fit
from headgate.aws.submission import parameters
from headgate.cli.job import parse
from headgate.cli.submit import job_arguments
from headgate.contracts.emr import Emr
from headgate.engine.runtime.jars import DELTA, S3A
from headgate.engine.runtime.versions import DeltaJar, require_one_delta, version_of
from headgate.errors import EnvironmentConfigError, SetupError, UsageError
from orchestration.local_cloud.submission import parse as parse_submission

ROOT = Path(__file__).parents[2]
PACKAGE = Package(
    "abc",
    tuple(
        PackageFile(name, Path(name), "0" * 64, 1)
        for name in ("app-1.zip", "entry.py", "environment-1.tar.gz", "jars/1-headgate.jar")
    ),
    (),
    "emr-spark-8.1.0",
    "x86_64",
)


def test_archives_of_equal_content_are_equal_bytes(tmp_path):
    for folder, order in (("one", "ab"), ("two", "ba")):
        for name in order:
            path = tmp_path / folder / name / "f.py"
            path.parent.mkdir(parents=True)
            path.write_text(name)
        (tmp_path / folder / "python").symlink_to("/usr/bin/python3.11")
        write_tar(tmp_path / f"{folder}.tar.gz", tmp_path / folder)
        write_zip(tmp_path / f"{folder}.zip", {name: name.encode() for name in order})
    for suffix in ("tar.gz", "zip"):
        assert digest(tmp_path / f"one.{suffix}") == digest(tmp_path / f"two.{suffix}")
    with tarfile.open(tmp_path / "one.tar.gz") as archive:
        assert archive.getmember("python").linkname == "/usr/bin/python3.11"


def test_the_lock_is_complete_exact_and_without_what_the_release_brings():
    lock = dict(line.split("==") for line in locked())
    assert {"deltalake", "great-expectations", "pydantic-core", "numpy"} <= set(lock)
    assert not set(lock) & {*PROVIDED, "flask", "pytest"}


def test_the_pins_fit_the_default_release():
    assert require_fit(Emr().release, pinned(Emr(), DELTA, S3A)) == RELEASES[Emr().release]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Emr(release="emr-7.14.0"), "Spark: the release has 3.5.6, Headgate is pinned to 4.1.1"),
        (Emr(release="emr-spark-8.1"), "Did you mean 'emr-spark-8.1.0'"),
        (Emr(python="/usr/bin/python3.12"), "Python: the release has 3.11 and 3.13, the package needs 3.12"),
    ],
)
def test_a_release_that_does_not_fit_is_refused(settings, message):
    with pytest.raises(EnvironmentConfigError, match=message):
        require_fit(settings.release, pinned(settings, DELTA, S3A))


@pytest.mark.parametrize(
    ("kind", "prefix"), [("serverless", "spark.emr-serverless.driverEnv"), ("steps", "spark.yarn.appMasterEnv")]
)
def test_spark_submit_finds_every_part_of_the_package(kind, prefix):
    emr = Emr(kind=kind, region="eu-central-1")
    spark = {"spark.executor.cores": "4", "spark.x": "a b"}
    job = parse_submission(shlex.split(parameters(emr, spark, PACKAGE, "s3://b/p")), "s3://b/entry.py")
    assert job.files == {
        "--archives": ("s3://b/p/environment-1.tar.gz#environment", "s3://b/p/app-1.zip#app"),
        "--jars": ("s3://b/p/jars/1-headgate.jar",),
    }
    assert job.conf["spark.x"] == "a b" and f"{prefix}.PYSPARK_PYTHON" in job.conf
    assert job.variables["PYSPARK_DRIVER_PYTHON"] == "./environment/bin/python"


def test_the_releases_own_delta_is_used_where_the_environment_says_so():
    job = parse_submission(shlex.split(parameters(Emr(delta="release"), {}, PACKAGE, "s3://b/p")), "s3://b/entry.py")
    assert "/usr/share/aws/delta/lib/delta-spark.jar" in job.files["--jars"]


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        ([], "no Delta"),
        (["/a/delta-spark_4.1_2.13-4.2.0.jar", "/usr/share/aws/delta/lib/delta-spark.jar"], "more than one Delta"),
        (["/a/delta-spark_2.13-4.0.1.jar"], "Delta 4.0.1 is on Spark's class path"),
    ],
)
def test_another_delta_than_the_tested_one_is_refused(addresses, message):
    with pytest.raises(SetupError, match=message):
        require_one_delta([DeltaJar(address, version_of(address)) for address in addresses])


@pytest.mark.parametrize("address", ["/a/1-io.delta_delta-spark_4.1_2.13-4.2.0.jar", "/usr/lib/delta-spark.jar"])
def test_the_tested_delta_and_one_without_a_version_are_accepted(address):
    assert require_one_delta([DeltaJar(address, version_of(address))]).address == address


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--env", "prod", "-s", "tag:x", "--json"],
        ["run", "--project", "/here", "-s", "tag:x", "--detach", "--env", "prod"],
        ["run", "--run-id=a", "-s", "tag:x", "--on-interrupt", "cancel"],
    ],
)
def test_a_job_gets_the_command_without_options_of_this_machine(arguments):
    assert sorted(job_arguments(arguments, "prod")) == sorted(["run", "-s", "tag:x", "--env", "prod"])


def test_a_job_knows_its_name_environment_and_command():
    command = parse(["--run-id", "a-1", "run", "--env", "prod"])
    assert (command.job, command.environment, command.arguments) == ("a-1", "prod", ("run", "--env", "prod"))


@pytest.mark.parametrize(
    "arguments", [[], ["run", "--env", "x"], ["--run-id", "../x", "run", "--env", "p"], ["--run-id", "a", "run", "-v"]]
)
def test_a_job_without_name_or_environment_is_refused(arguments):
    with pytest.raises(UsageError):
        parse(arguments)


#: What only other processes than a job import: servers, the submitting side, the test kit, generated data.
_NOT_IN_A_JOB = {"boto3", "botocore", "packaging", "flask", "gunicorn", "prometheus-client", "flask-openapi3-swagger"}
_NOT_IN_A_JOB |= {"duckdb", "sqlglot", "pytest", "chispa", "rstr", "werkzeug", "pyspark", "py4j"}


def test_the_environment_of_a_job_has_every_library_that_headgate_imports():
    files = [path for path in (ROOT / "lib" / "headgate").rglob("*.py") if "templates" not in path.parts]
    roots = {root for path in files for root in _imported(ast.parse(path.read_text()))}
    distributions = packages_distributions()
    needed = {canonicalize_name(distributions[root][0]) for root in roots if root in distributions}
    packaged = {pin.partition("==")[0] for pin in locked()}
    assert needed - packaged - _NOT_IN_A_JOB - {"headgate"} == set()


def _imported(tree: ast.AST) -> set[str]:
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names}
