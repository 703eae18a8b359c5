"""Terraform, checkov, hadolint and actionlint judge the code: make test-infra. `-k quick` is the part for .ci/run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-infra" / "bin"
MODULES = sorted(path.name for path in (ROOT / "terraform" / "modules").iterdir() if path.is_dir())
ENVIRONMENTS = ["dev", "staging", "prod"]

pytestmark = pytest.mark.infra


def run(command: Sequence[str | Path], cwd: Path = ROOT, **variables: str) -> str:
    """Runs a tool and returns its output. Fails the test with that output if the tool fails."""
    environment = {**os.environ, "TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": "-no-color", **variables}
    # A setting for another machine would stop Terraform before it starts.
    if not Path(environment.get("TF_CLI_CONFIG_FILE", "/")).exists():
        del environment["TF_CLI_CONFIG_FILE"]
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        pytest.fail(
            f"{' '.join(map(str, command))} in {cwd}: exit code {done.returncode}\n{done.stdout}", pytrace=False
        )
    return done.stdout


def tool(name: str) -> Path:
    """The path of a tool of .venv-infra; skips the test if it is missing."""
    if not (TOOLS / name).exists():
        pytest.skip(f"{name} is not installed: make test-infra installs it where a registry offers it")
    return TOOLS / name


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of terraform/, so that no test leaves files in the repository."""
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed")
    copy = tmp_path_factory.mktemp("infra") / "terraform"
    shutil.copytree(ROOT / "terraform", copy, ignore=shutil.ignore_patterns(".terraform"))
    shutil.copytree(
        ROOT / "conf" / "queries", copy.parent / "conf" / "queries"
    )  # the platform makes them named queries
    folder = copy / "modules" / "budget"
    done = subprocess.run(
        ["terraform", f"-chdir={folder}", "init", "-backend=false"], capture_output=True, text=True, env=_clean()
    )
    if done.returncode and "provider" in done.stderr:
        pytest.skip(
            "the aws provider is not available here: connect to registry.terraform.io, or set "
            "TF_CLI_ARGS_init=-plugin-dir=FOLDER with a folder of providers"
        )
    assert done.returncode == 0, done.stderr
    return copy


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "TF_CLI_CONFIG_FILE" or Path(value).exists()}


def initialized(folder: Path) -> Path:
    """A module or environment with its providers and modules; its state stays local."""
    run(["terraform", "init", "-backend=false", "-input=false"], folder)
    return folder


def test_quick_terraform_files_are_formatted(terraform):
    run(["terraform", "fmt", "-check", "-diff", "-recursive"], terraform)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "platform"])
def test_a_module_is_valid_and_its_plan_tests_pass(terraform, module):
    folder = initialized(terraform / "modules" / module)
    run(["terraform", "validate"], folder)
    output = run(["terraform", "test"], folder)
    assert "0 failed" in output and "0 passed" not in output


def test_the_platform_is_valid_and_its_plan_tests_pass(terraform):
    folder = initialized(terraform / "modules" / "platform")
    run(["terraform", "validate"], folder)
    output = run(["terraform", "test"], folder)
    assert "0 failed" in output and "0 passed" not in output


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_valid_and_plans_with_its_own_values(terraform, name):
    folder = initialized(terraform / "envs" / name)
    run(["terraform", "validate"], folder)
    output = run(["terraform", "test", "-var-file=terraform.tfvars"], folder)
    assert "0 failed" in output and "0 passed" not in output


def test_the_bootstrap_is_valid(terraform):
    run(["terraform", "validate"], initialized(terraform / "bootstrap"))


def test_quick_hadolint_has_no_finding():
    hadolint = tool("hadolint")
    for path in sorted((ROOT / "docker").glob("*.Dockerfile")):
        run([hadolint, "--failure-threshold", "info", path])


def test_quick_actionlint_has_no_finding():
    run([tool("actionlint"), *sorted((ROOT / ".github" / "workflows").glob("*.yaml"))])


def test_quick_terragrunt_files_parse_and_include_the_root():
    code = "import hcl2, json, sys; print(json.dumps([hcl2.load(open(path)) for path in sys.argv[1:]]))"
    folder = ROOT / "terraform" / "envs"
    files = [folder / "root.hcl", *(folder / name / "terragrunt.hcl" for name in ENVIRONMENTS)]
    root, *children = json.loads(run([tool("python"), "-c", code, *files]))
    assert root["remote_state"][0]["config"][0]["use_lockfile"] is True
    assert all("root" in child["include"][0] for child in children)


def test_checkov_has_no_finding_without_a_reason():
    waived = yaml.safe_load((ROOT / "terraform" / "checkov.yaml").read_text())["skip-check"]
    command = [
        tool("checkov"),
        "--config-file",
        "terraform/checkov.yaml",
        "--directory",
        "terraform",
        "--output",
        "json",
    ]
    environment = {**_clean(), "LOG_LEVEL": "ERROR"}
    done = subprocess.run([str(word) for word in command], cwd=ROOT, env=environment, capture_output=True, text=True)
    reports = json.loads(done.stdout)
    reports = reports if isinstance(reports, list) else [reports]
    failed = [
        f"{check['check_id']} {check['check_name']}: {check['resource']} in {check['file_path']}"
        for report in reports
        for check in report["results"]["failed_checks"]
    ]
    passed = sum(report["summary"]["passed"] for report in reports)
    assert not failed, "\n" + "\n".join(failed)
    assert passed > 300 and waived
