"""The workflows' script that tells Terraform which image each service has: it must not stop a service that runs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / ".github" / "scripts"
RUNNING = "registry/headgate-dev/receiver@sha256:1"

#: An AWS CLI for an account in which the receiver runs and the read API does not exist.
AWS = f"""#!/bin/sh
case "$*" in
  *describe-services*read-api*) echo None ;;
  *describe-services*) echo task:7 ;;
  *describe-task-definition*task:7*) echo {RUNNING} ;;
  *) exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), (RUNNING, None)),
        (("receiver=new@sha256:2", "read-api=new@sha256:3"), ("new@sha256:2", "new@sha256:3")),
        (("receiver=new@sha256:2", "read-api="), ("new@sha256:2", None)),
    ],
)
def test_a_service_keeps_its_image_unless_another_is_named(tmp_path, arguments, expected):
    aws = tmp_path / "aws"
    aws.write_text(AWS)
    aws.chmod(0o755)
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run([SCRIPTS / "service-images", "dev", *arguments], cwd=tmp_path, env=variables, check=True)
    written = json.loads((tmp_path / "images.auto.tfvars.json").read_text())
    assert (written["receiver_image_uri"], written["read_api_image_uri"]) == expected


def test_no_workflow_sets_an_image_in_a_way_that_terraform_tfvars_overrides():
    for path in (SCRIPTS.parent / "workflows").glob("*.yaml"):
        assert "TF_VAR_" not in path.read_text(), path.name
