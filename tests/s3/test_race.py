"""Two processes that commit the same versions at the same moments: each version is committed by exactly one process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import obstore
import pytest

from bin.build_jar import compile_java
from headgate.contracts.environment import Environment, load_environment
from headgate.engine.runtime.s3a import LOG_STORE, s3_settings
from headgate.engine.runtime.session import class_path
from headgate.java import find_java
from headgate.project import Project
from tests.s3.lakes import OnS3
from tests.s3.servers import Server

VERSIONS = 100
WRITERS = ("a", "b")
AT_LEAST = 70
AHEAD_NS = 5_000_000


@dataclass(frozen=True)
class Commit:
    version: int
    began: int
    ended: int
    won: bool


@dataclass(frozen=True)
class Race:
    """The result of each writer for each version, and the content of the log."""

    results: dict[str, list[Commit]]
    winners: list[str]

    @property
    def overlapping(self) -> list[tuple[Commit, ...]]:
        pairs = zip(*self.results.values(), strict=True)
        return [pair for pair in pairs if max(c.began for c in pair) < min(c.ended for c in pair)]

    @property
    def won_twice(self) -> int:
        return sum(all(commit.won for commit in pair) for pair in self.overlapping)


def raced(racing: Path, environment: Environment, store: str, log: str) -> Race:
    """Two JVMs that race for the same versions."""
    with ExitStack() as stack:
        racers = {w: stack.enter_context(_racer(racing, environment, store, log, w)) for w in WRITERS}
        for racer in racers.values():
            assert racer.stdout.readline() == "ready\n"
        rounds = [_round(racers) for _ in range(VERSIONS)]
        for racer in racers.values():
            racer.stdin.close()
    details = {writer: [item[writer] for item in rounds] for writer in WRITERS}
    files = [f"{log}/{version:020d}.json" for version in range(VERSIONS)]
    existing = [json.loads(bytes(obstore.get(environment.object_store(), file).bytes()))["writer"] for file in files]
    return Race(details, existing)


def _round(racers: Mapping[str, subprocess.Popen[str]]) -> dict[str, Commit]:
    """Both commit their next version at the same moment."""
    moment = time.monotonic_ns() + AHEAD_NS
    for racer in racers.values():
        racer.stdin.write(f"{moment}\n")
        racer.stdin.flush()
    return {writer: _commit(racer.stdout.readline()) for writer, racer in racers.items()}


def _racer(racing: Path, environment: Environment, store: str, log: str, writer: str) -> subprocess.Popen[str]:
    import pyspark

    spark = Path(pyspark.__file__).parent / "jars" / "*"
    hadoop = {name.removeprefix("spark.hadoop."): value for name, value in s3_settings().items()}
    settings = [f"{name}={value}" for name, value in hadoop.items() if name.startswith("fs.")]
    text = os.pathsep.join([str(racing), str(spark), class_path(environment)])
    program = [str(find_java()), "-cp", text, "Race"]
    return subprocess.Popen(
        [*program, store, f"{environment.lake}/{log}", writer, *settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _commit(line: str) -> Commit:
    version, began, ended, won = line.split()
    return Commit(int(version), int(began), int(ended), won == "true")


@pytest.fixture(scope="module")
def racing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled racer."""
    if not shutil.which("javac"):
        pytest.skip("there is no javac to build the racer with")
    folder = tmp_path_factory.mktemp("race")
    compile_java([Path(__file__).with_name("Race.java")], folder)
    return folder


@pytest.fixture
def environment(s3_server: Server, repository: Project, tmp_path: Path) -> Environment:
    return load_environment(repository, environ={"HEADGATE_LAKE": OnS3(s3_server).address(tmp_path)})


def test_of_two_that_commit_a_version_at_the_same_moment_one_wins(
    racing: Path, environment: Environment, capsys: pytest.CaptureFixture
) -> None:
    race = raced(racing, environment, LOG_STORE, "table/_delta_log")
    with capsys.disabled():
        print(f"\n{len(race.overlapping)} overlapping commits by {LOG_STORE}: {race.won_twice} won twice")
    assert len(race.overlapping) >= AT_LEAST
    winners = [[w for w in WRITERS if race.results[w][version].won] for version in range(VERSIONS)]
    assert winners == [[existing] for existing in race.winners]


def test_by_deltas_own_log_store_both_win(
    racing: Path, environment: Environment, capsys: pytest.CaptureFixture
) -> None:
    """Which is why another is refused; and that the race above can be lost."""
    store = "io.delta.storage.S3SingleDriverLogStore"
    race = raced(racing, environment, store, "table/_delta_log")
    with capsys.disabled():
        print(f"\n{len(race.overlapping)} overlapping commits by {store}: {race.won_twice} won twice")
    assert race.won_twice > 0
