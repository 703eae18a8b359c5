"""Fixtures of all tiers. `spark` and `lake` come from the plugin headgate.testing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from headgate.contracts.environment import Environment, load_environment
from headgate.project import Project
from tests.s3.servers import Server, find_versitygw, moto, versitygw

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]

# The duration of an example depends more on the load of the machine than on the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def repository() -> Project:
    """This repository: a retailer's project."""
    return Project(ROOT)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lake", choices=("folder", "moto", "versitygw"), default="folder", help="where lakes live")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What tests recorded as `tried`, in whichever process they ran; and where the lakes were."""
    for report in terminalreporter.getreports(""):  # of the teardowns, where a test tells it
        for name, value in report.user_properties:
            if name == "tried":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")
    counts = (f"{len(terminalreporter.getreports(message))} {message}" for message in ("passed", "failed", "skipped"))
    if config.getoption("--lake") != "folder":
        terminalreporter.write_line(f"lake {config.getoption('--lake')}: {', '.join(counts)}")


@pytest.fixture(scope="session")
def s3_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The S3 server of `--lake`, to which AWS's variables point while it runs."""
    name = request.config.getoption("--lake")
    if name == "folder":
        pytest.skip("needs an S3 server: --lake moto or --lake versitygw")
    if name == "versitygw" and not find_versitygw():
        pytest.skip("versitygw is not installed: make test-s3 does that where Go is")
    starting = moto() if name == "moto" else versitygw(tmp_path_factory.mktemp("versitygw"))
    with starting as server, pytest.MonkeyPatch.context() as patch:
        for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
            patch.delenv(variable)
        for variable, value in server.variables.items():
            patch.setenv(variable, value)
        yield server


@pytest.fixture(scope="session")
def lake_of_tests(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a lake where `--lake` says; every test's lake is at such a place too."""
    from headgate.testing.lake import Lake
    from tests.s3.lakes import OnS3

    if request.config.getoption("--lake") == "folder":
        yield "lake"
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lake, "lakes", OnS3(request.getfixturevalue("s3_server")))
        yield Lake.lakes.address(Path("/spark"))


@pytest.fixture(scope="session")
def headgate_environment(headgate_project: Project, lake_of_tests: str) -> Environment:
    """The environment `local`, on a lake where `--lake` says: Spark is set up for it."""
    return load_environment(headgate_project, "local", environ={"HEADGATE_LAKE": lake_of_tests})
