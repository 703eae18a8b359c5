"""The shape of the Terraform code: files, descriptions, types, validations, and generated files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "terraform"
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())
ENVIRONMENTS = [TERRAFORM / "envs" / name for name in ("dev", "staging", "prod")]
EACH = pytest.mark.parametrize("module", [*MODULES, TERRAFORM / "bootstrap"], ids=lambda path: path.name)

BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}\n', re.MULTILINE | re.DOTALL)

#: Variables for which any value of the type is right.
ANY_VALUE = {
    "airflow_name", "capacity_provider", "command", "load_balancer", "package_version",
    "requirements_version", "tags", "trigger_function_name",
}  # fmt: skip


def blocks(module: Path, kind: str) -> dict[str, str]:
    text = "\n".join(path.read_text() for path in sorted(module.glob("*.tf")))
    return {name: body for result, name, body in BLOCK.findall(text) if result == kind}


@EACH
def test_a_module_has_its_five_files(module):
    names = {path.name for path in module.iterdir()}
    assert {"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"} <= names


@EACH
def test_every_variable_is_described_typed_and_validated(module):
    for name, body in blocks(module, "variable").items():
        assert re.search(r'^  description\s*= ".{10,}\."', body, re.MULTILINE), f"{name}: no description"
        assert re.search(r"^  type\s*=", body, re.MULTILINE), f"{name}: no type"
        is_bool = re.search(r"^  type\s*= bool$", body, re.MULTILINE)
        assert "validation {" in body or is_bool or name in ANY_VALUE, f"{name}: no validation"


@EACH
def test_every_output_is_described(module):
    for name, body in blocks(module, "output").items():
        assert re.search(r'^  description\s*= ".{10,}[.)a-z]"', body, re.MULTILINE), f"{name}: no description"


@EACH
def test_every_variable_is_used(module):
    text = "\n".join(path.read_text() for path in module.glob("*.tf"))
    unused = [name for name in blocks(module, "variable") if not re.search(rf"\bvar\.{name}\b", _without(text, name))]
    assert not unused


def _without(text: str, name: str) -> str:
    """The code of a module without the block of one variable, whose validation mentions it."""
    return BLOCK.sub(lambda match: "" if match.group(1, 2) == ("variable", name) else match.group(0), text)


@pytest.mark.parametrize("module", [m for m in MODULES if m.name != "platform"], ids=lambda path: path.name)
def test_a_module_has_a_plan_test(module):
    tests = list((module / "tests").glob("*.tftest.hcl"))
    assert tests and "mock_provider" in tests[0].read_text()


def test_generated_files_are_up_to_date():
    command = [sys.executable, str(TERRAFORM / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + "\nrun: python3 terraform/generate.py"


def test_environments_differ_by_their_values_only():
    first, *others = ({path.name: path.read_text() for path in folder.glob("*.tf")} for folder in ENVIRONMENTS)
    assert all(files == first for files in others)


def test_each_environment_has_an_account_of_its_own():
    accounts = [
        re.search(r'^account_id\s*= "(\d{12})"', (folder / "terraform.tfvars").read_text(), re.MULTILINE)
        for folder in ENVIRONMENTS
    ]
    assert len({match.group(1) for match in accounts if match}) == 3


def test_no_module_is_left_out_of_the_platform():
    platform = "\n".join(path.read_text() for path in (TERRAFORM / "modules" / "platform").glob("*.tf"))
    used = set(re.findall(r'source\s*= "\.\./(\w+)"', platform))
    assert used == {module.name for module in MODULES} - {"platform", "bucket"}


def test_no_output_of_a_module_is_unused():
    """An orphan output is a setting that nothing reads. Those of `platform` are for people and CI."""
    text = {m.name: "\n".join(path.read_text() for path in m.glob("*.tf")) for m in MODULES}
    for module in MODULES:
        if module.name == "platform":
            continue
        for name in blocks(module, "output"):
            users = [other for other, code in text.items() if other != module.name and f".{name}" in code]
            assert users or name in FOR_PEOPLE.get(module.name, ()), f"{module.name}.{name} is used by nobody"


#: Outputs that people and runbooks read, by module.
FOR_PEOPLE = {
    "audit": ("trail_arn",),
    "budget": ("budget_name",),
    "ecr": ("repository_arns",),
    "edge": ("web_acl_name", "zone_id"),
    "emr_ec2": ("cluster_arn",),
    "encryption": ("key_id",),
    "github": ("boundary_arn",),
    "lake": ("create_only_prefixes",),
    "monitoring": ("alarm_names",),
    "mwaa": ("arn",),
    "network": ("s3_endpoint_id",),
    "quicksight": ("data_source_arn",),
    "redshift": ("endpoint", "workgroup_name"),
    "stream": ("stream_arn", "stream_name"),
    "transfer": ("endpoint", "server_id"),
    "trigger": ("function_arn",),
}
