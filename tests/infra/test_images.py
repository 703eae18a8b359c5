"""The Dockerfiles and the compose file, as far as they can be judged without a docker engine."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from tests.distribution import setup_arguments
from tests.infra.dockerfiles import Instruction, instructions

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
SERVICES = [path for path in DOCKERFILES if path.stem != "emr-serverless"]


def of(path: Path, name: str) -> list[Instruction]:
    return [item for item in instructions(path) if item.name == name]


def name_of(path: Path) -> str:
    return path.stem


EACH = pytest.mark.parametrize("path", DOCKERFILES, ids=name_of)
EACH_SERVICE = pytest.mark.parametrize("path", SERVICES, ids=name_of)


@EACH
def test_each_copied_source_exists_and_reaches_the_build(path):
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    kept = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    for copy in of(path, "COPY"):
        if "from" in copy.flags:
            continue
        for source in copy.arguments[:-1]:
            assert (ROOT / source).exists(), f"{path.name}: {source} does not exist"
            assert any(fnmatch(source.split("/")[0], pattern) for pattern in kept), f"{source} is in .dockerignore"


@EACH
def test_the_last_stage_does_not_run_as_root(path):
    last = max(item.stage for item in instructions(path))
    users = [item.text for item in of(path, "USER") if item.stage == last]
    assert users[-1] in ("10001:10001", "hadoop:hadoop")


@EACH_SERVICE
def test_a_service_is_built_in_stages_and_has_a_health_check_and_a_command(path):
    assert max(item.stage for item in instructions(path)) == 1
    assert len(of(path, "HEALTHCHECK")) == len(of(path, "CMD")) == 1


@EACH
def test_bases_are_pinned_by_version(path):
    images = [item.text.partition("=")[2] for item in of(path, "ARG") if item.text.split("=")[0].endswith("_IMAGE")]
    assert len(images) == 1
    name, _, tag = images[0].rpartition(":")
    assert re.search(r"\d+\.\d+\.\d+", f"{name} {tag}"), images[0]


@EACH
def test_packages_are_installed_with_the_constraints(path):
    for item in of(path, "RUN"):
        for command in re.findall(r"pip install ([^&]*)", item.text):
            assert "-c constraints" in command or "--no-deps" in command, command


def test_every_package_is_in_the_distribution():
    folders = [ROOT / folder for folder in setup_arguments()["package_dir"].values()]
    paths = (path for folder in folders for path in folder.rglob("__init__.py"))
    packages = {path.parent for path in paths if "templates" not in path.parts}
    names = {path.relative_to(ROOT).as_posix().removeprefix("lib/").replace("/", ".") for path in packages}
    assert names == set(setup_arguments()["packages"])
    assert {"headgate", "ingest_api.storage", "read_api"} <= names


@EACH_SERVICE
def test_every_package_of_the_project_is_copied_before_it_is_installed(path):
    folders = set(setup_arguments()["package_dir"].values())
    copied = {copy.arguments[0] for copy in of(path, "COPY") if copy.stage == 0}
    assert folders and {folder.split("/")[0] for folder in folders} <= copied


def test_every_service_of_the_compose_file_is_hardened():
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert (ROOT / service["build"]["dockerfile"]).exists(), name


def test_the_compose_file_publishes_ports_on_loopback_only():
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_a_health_check_asks_the_port_that_the_command_opens():
    for path in SERVICES:
        port = of(path, "EXPOSE")[0].text
        assert f"127.0.0.1:{port}/" in of(path, "HEALTHCHECK")[0].text, path.name


def test_the_receiver_image_and_the_task_definition_use_the_same_port_and_user():
    services = (ROOT / "terraform" / "modules" / "platform" / "services.tf").read_text()
    receiver = ROOT / "docker" / "receiver.Dockerfile"
    assert f"receiver_port = {of(receiver, 'EXPOSE')[0].text}" in services
    service = (ROOT / "terraform" / "modules" / "service" / "main.tf").read_text()
    assert f'"{of(receiver, "USER")[-1].text}"' in service
