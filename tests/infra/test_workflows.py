"""GitHub's workflows: pinned actions, no write permission that a job does not need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

WORKFLOWS = sorted((Path(__file__).parents[2] / ".github" / "workflows").glob("*.yaml"))
EACH = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


@EACH
def test_every_action_is_pinned_by_its_commit(path):
    used = [job["uses"] for job in _jobs(path).values() if "uses" in job]
    used += [step["uses"] for job in _jobs(path).values() for step in job.get("steps", ()) if "uses" in step]
    assert used and [name for name in used if not re.fullmatch(r"\./.*|[\w./-]+@[0-9a-f]{40}", name)] == []


@EACH
def test_a_workflow_may_only_read_and_a_job_asks_for_more(path):
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}
    more = {
        name for job in _jobs(path).values() for name, level in job.get("permissions", {}).items() if level != "read"
    }
    assert more <= {"id-token", "contents"}
    assert "contents" not in more or path.stem == "release"


@EACH
def test_a_job_has_a_time_limit_and_keeps_no_credentials(path):
    for name, job in _jobs(path).items():
        assert "uses" in job or job["timeout-minutes"] <= 60, name
        checkouts = [step for step in job.get("steps", ()) if step.get("uses", "").startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts), name


def _jobs(path: Path) -> dict[str, dict]:
    return yaml.safe_load(path.read_text())["jobs"]
