"""The LogStore of a lake on S3, as Delta calls it: on the server of `--lake`, and on a server with faults."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from bin.build_jar import build, javac
from headgate.engine.runtime.jars import HEADGATE
from tests.s3.servers import BUCKET, faulty_moto

EXISTS = "java.nio.file.FileAlreadyExistsException"


class Log:
    """A log's folder, and the LogStore on it."""

    def __init__(self, spark: SparkSession, folder: str, **settings: str) -> None:
        self._jvm: Any = spark._jvm
        self._conf = self._jvm.org.apache.hadoop.conf.Configuration(spark._jsc.hadoopConfiguration())
        for name, value in settings.items():
            self._conf.set(f"fs.s3a.{name.replace('_', '.')}", value)
        self._store, self._folder = self._jvm.headgate.ConditionalLogStore(self._conf), folder

    def path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(f"{self._folder}/{name}")

    def write(self, name: str, *lines: str, overwrite: bool = False) -> str:
        """The class of its final exception; empty without an exception."""
        actions = self._jvm.java.util.ArrayList()
        for line in lines:
            actions.add(line)
        try:
            self._store.write(self.path(name), actions.iterator(), overwrite, self._conf)
        except Py4JJavaError as error:
            return str(error.java_exception.getClass().getName())
        return ""

    def read(self, name: str) -> list[str]:
        lines = self._store.read(self.path(name), self._conf)
        return list(iter(lambda: lines.next() if lines.hasNext() else None, None))

    def list_from(self, name: str) -> list[str]:
        result = self._store.listFrom(self.path(name), self._conf)
        return list(iter(lambda: result.next().getPath().getName() if result.hasNext() else None, None))

    def shows_partial_writes(self) -> bool:
        return self._store.isPartialWriteVisible(self.path("1"), self._conf)


@pytest.fixture
def log(spark: SparkSession, tmp_path: Path) -> Log:
    return Log(spark, f"s3://{BUCKET}{tmp_path}")


@pytest.fixture
def faults() -> dict[str, list[str]]:
    """The faults of the puts of a key, in order."""
    return {}


@pytest.fixture
def faulty(spark: SparkSession, faults: dict[str, list[str]], tmp_path: Path) -> Iterator[Log]:
    """A log on a server of its own, at which puts meet `faults`."""
    with faulty_moto(faults) as endpoint:
        settings = {"endpoint": endpoint, "retry_interval": "10ms", "impl_disable_cache": "true"}
        yield Log(spark, f"s3a://{BUCKET}{tmp_path}", **settings)


def test_a_file_that_is_there_is_kept(log: Log) -> None:
    assert log.write("1.json", "first", "line") == ""
    assert log.write("1.json", "second") == EXISTS
    assert log.read("1.json") == ["first", "line"]


def test_what_may_be_overwritten_is(log: Log) -> None:
    log.write("_last_checkpoint", "first", "line")
    assert log.write("_last_checkpoint", "second", overwrite=True) == ""
    assert log.read("_last_checkpoint") == ["second"]


def test_a_listing_begins_at_a_name_and_goes_by_names(log: Log) -> None:
    for name in ("3.json", "1.json", "2.json"):
        log.write(name, "")
    assert log.list_from("2.json") == ["2.json", "3.json"]


def test_no_reader_sees_a_part_of_a_file(log: Log) -> None:
    assert log.shows_partial_writes() is False


def test_a_put_whose_answer_was_lost_is_known_as_done(faulty: Log, faults: dict[str, list[str]]) -> None:
    faults["1.json"] = ["lost"]
    assert faulty.write("1.json", "ours") == ""
    assert faulty.read("1.json") == ["ours"]
    assert faults["1.json"] == []


def test_a_lost_answer_of_a_put_that_came_second_is_no_success(faulty: Log, faults: dict[str, list[str]]) -> None:
    faulty.write("1.json", "theirs")
    faults["1.json"] = ["lost"]
    assert faulty.write("1.json", "ours") == EXISTS
    assert faulty.read("1.json") == ["theirs"]


def test_a_put_beside_another_that_fails_is_tried_again(faulty: Log, faults: dict[str, list[str]]) -> None:
    faults["1.json"] = ["conflict", "conflict"]
    assert faulty.write("1.json", "ours") == ""
    assert faulty.read("1.json") == ["ours"]
    assert faults["1.json"] == []


def test_what_the_store_denies_is_no_file_that_exists(faulty: Log, faults: dict[str, list[str]]) -> None:
    faults["1.json"] = ["denied"]
    assert faulty.write("1.json", "ours") == "java.nio.file.AccessDeniedException"


def test_the_jars_bytes_are_those_that_the_sources_build(tmp_path: Path) -> None:
    if not shutil.which("javac"):
        pytest.skip("there is no javac; the digest of the sources in the jar is tested in tests/unit")
    with zipfile.ZipFile(HEADGATE) as jar:
        built_by = jar.read("META-INF/MANIFEST.MF").decode().partition("Built-By: javac ")[2].strip()
    if javac() != built_by:
        pytest.skip(f"javac is {javac()}, the jar was built by {built_by}; the sources' digest is tested in tests/unit")
    build(tmp_path / "again.jar")
    assert (tmp_path / "again.jar").read_bytes() == HEADGATE.read_bytes()
