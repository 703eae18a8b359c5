"""The settings of code and of Terraform are the same: no address that nothing makes, and none that nothing reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from bin.publish_schedulers import DAGS_PREFIX, LAMBDA_KEY, REQUIREMENTS_KEY
from headgate.aws.artifacts import Artifacts
from headgate.contracts import environment, environment_variables
from headgate.planning.manifest import CURRENT

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "terraform" / "modules"
PLATFORM = MODULES / "platform"

#: Settings that name a resource although their name does not say so.
ADDRESSES = {
    "receiver.key_file",
    "read_api.keys_file",
    "lake",
    "emr.artifacts",
    "emr.logs",
    "emr.execution_role",
    "emr.region",
    "emr.release",
    "emr.architecture",
}
#: Resources that only one of two platforms has, or that a person adds in `settings`.
OPTIONAL = {"emr.cluster_id"}


def schema_keys(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield prefix + name
        yield from schema_keys(inner, f"{prefix}{name}.")


def written_keys() -> set[str]:
    """The keys that environment.tf writes, as a.b, from its `from_resources`."""
    text = (PLATFORM / "environment.tf").read_text()
    body = text[text.index("from_resources = {") : text.index("# Objects are merged")]
    keys, trail = set(), []
    for line in body.splitlines()[1:]:
        if match := re.match(r"\s*(\w+)\s*= (.*)$", line):
            keys.add(".".join([*trail, match.group(1)]))
            if match.group(2) == "{":
                trail.append(match.group(1))
        elif line.strip() == "}" and trail:
            trail.pop()
    return keys


def test_terraform_writes_only_keys_that_an_environment_has():
    assert written_keys() <= set(schema_keys(environment._SCHEMA))


def test_every_setting_that_names_a_resource_is_written_by_terraform():
    named = {key for key in schema_keys(environment._SCHEMA) if re.search(r"_(arn|url|id)$", key)} | ADDRESSES
    assert named - OPTIONAL <= written_keys()


def test_the_variables_of_services_are_ones_that_the_code_reads():
    text = (PLATFORM / "services.tf").read_text()
    names = set(re.findall(r"(HEADGATE_\w+)\s*=", text))
    keys = {"HEADGATE_" + key.upper().replace(".", "_") for key in schema_keys(environment._SCHEMA)}
    assert names and names <= keys | set(environment_variables.RESERVED)


def test_the_function_has_the_variables_and_the_handler_that_its_code_names():
    code = (ROOT / "orchestration" / "lambda" / "on_arrival.py").read_text()
    schedule = (PLATFORM / "schedule.tf").read_text()
    assert set(re.findall(r'os\.environ\["(\w+)"\]', code)) == set(re.findall(r"\{ (\w+) = ", schedule))
    variables = (ROOT / "terraform" / "modules" / "trigger" / "variables.tf").read_text()
    assert '"on_arrival.handler"' in variables and "def handler(" in code


def test_terraform_reads_the_objects_that_deploy_and_make_schedulers_write():
    environment_tf = (PLATFORM / "environment.tf").read_text()
    prefix = re.search(r'artifacts_prefix = "(.*)"', environment_tf)
    current = re.search(r'current_key      = "(.*?)"', environment_tf)
    assert prefix and current
    key = current[1].replace("${local.artifacts_prefix}", prefix[1]).replace("${var.environment}", "prod")
    assert f"s3://bucket/{key}" == f"{Artifacts(None, f's3://bucket/{prefix[1]}/prod').address}/{CURRENT}"
    assert f'"{LAMBDA_KEY}"' in (MODULES / "trigger" / "variables.tf").read_text()
    mwaa = (MODULES / "mwaa" / "main.tf").read_text()
    assert f'= "{DAGS_PREFIX}"' in mwaa and f': "{REQUIREMENTS_KEY}"' in mwaa


def test_every_variable_of_a_container_image_is_read():
    for path in (ROOT / "docker").glob("*.Dockerfile"):
        names = set(re.findall(r"\b(HEADGATE_\w+)=", path.read_text()))
        assert names <= set(environment_variables.RESERVED), path.name


def test_notification_kinds_are_those_that_the_code_sends():
    variables = (ROOT / "terraform" / "modules" / "events" / "variables.tf").read_text()
    allowed = re.search(r"\]\), \[(.*?)\]\)\) == 0", variables)
    kinds = set(re.findall(r'"(\w+)"', allowed.group(1) if allowed else ""))
    code = "".join(path.read_text() for path in (ROOT / "orchestration").glob("*.py"))
    sent = set(re.findall(r'Notification\("(\w+)"', code)) | set(re.findall(r'"kind": "(\w+)"', code))
    assert sent and sent <= kinds


# --- secrets, paths, endpoints and variables


def terraform(module: str, *files: str) -> str:
    """The text of a module's files; of all of them by default."""
    paths = [MODULES / module / name for name in files] or sorted((MODULES / module).glob("*.tf"))
    return "\n".join(path.read_text() for path in paths)


def test_every_secret_is_read_and_every_secret_that_is_read_exists():
    made = set(re.findall(r'^    ([a-z-]+)\s*= "', terraform("secrets", "variables.tf"), re.MULTILINE))
    used = set(re.findall(r'module\.secrets\.\w+\["([a-z-]+)"\]', terraform("platform")))
    assert made and made == used


def patterns_of(service: str) -> list[str]:
    text = terraform("platform", "services.tf")
    match = re.search(rf"      {service} = {{.*?path_patterns = (\[.*?\])", text, re.DOTALL)
    assert match, service
    return json.loads(match[1])


def goes_to(path: str) -> str:
    """The service to which the load balancer sends a path; empty where no rule matches."""
    services = ("receiver", "read-api")  # in the order of their priorities
    return next((name for name in services if any(fnmatchcase(path, pattern) for pattern in patterns_of(name))), "")


@pytest.mark.parametrize(("service", "folder"), [("receiver", "ingest_api"), ("read-api", "read_api")])
def test_the_load_balancer_sends_each_path_to_the_service_that_answers_it(service, folder):
    routes = "\n".join(path.read_text() for path in (ROOT / folder).glob("*.py"))
    paths = {re.sub(r"<.*?>", "x", path) for path in re.findall(r'"(/v1/[^"?]*)"', routes) if "{" not in path}
    assert len(paths) > 3
    inside = {"/v1/openapi.json"} if service == "read-api" else set()  # the receiver's document has this path outside
    assert {path for path in paths - inside if goes_to(path) != service} == set()
    assert len(patterns_of(service)) <= 5, "a listener rule takes five values"


def test_the_smoke_test_and_the_runbooks_ask_for_a_path_that_the_load_balancer_knows():
    pages = [ROOT / ".github" / "scripts" / "smoke-test", *(ROOT / "docs" / "operate").glob("*.md")]
    paths = {path for page in pages for path in re.findall(r"\$HEADGATE_URL(/[\w/.-]+)", page.read_text())}
    assert paths and {path for path in paths if not goes_to(path)} == set()


@pytest.mark.parametrize("component", ["receiver", "read_api", "engine", "trigger"])
def test_without_nat_each_service_that_a_component_calls_has_an_endpoint(component):
    recorded = json.loads((Path(__file__).parent / "recorded" / f"{component}.json").read_text())["calls"]
    services = {call["action"].partition(":")[0] for call in recorded} - {"s3", "iam"}  # S3's is a gateway
    values = (ROOT / "terraform" / "envs" / "dev" / "terraform.tfvars").read_text()
    endpoints = re.search(r"^interface_endpoints = (\[.*?\])", values, re.MULTILINE)
    assert endpoints and 'nat_gateways        = "none"' in values
    assert services | {"ecr.api", "ecr.dkr", "logs", "kms"} <= set(json.loads(endpoints[1]))


def test_every_variable_without_a_default_that_deployed_code_reads_is_set_by_terraform():
    folders = ["lib/headgate", "ingest_api", "read_api", "orchestration/lambda", "orchestration/dags"]
    code = "\n".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))
    required = set(re.findall(r'os\.environ\["(\w+)"\](?! =|\])', code)) - {"PYSPARK_PYTHON"}
    assert required and all(re.search(rf"\b{name}\b", terraform("platform")) for name in required), required


def test_every_reserved_variable_is_read():
    files = (path for folder in ("lib", "ingest_api", "read_api") for path in (ROOT / folder).rglob("*.py"))
    code = "\n".join(path.read_text() for path in files if path.name != "environment_variables.py")
    assert [name for name in environment_variables.RESERVED if f'"{name}"' not in code] == []
