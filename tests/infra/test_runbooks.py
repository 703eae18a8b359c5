"""The runbooks' commands fit the command line, Terraform's outputs, the Makefile and the AWS API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.infra.commands import commands_of, problems_of

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted((ROOT / "docs" / "operate").glob("*.md")),
    ROOT / "docs" / "security.md",
    ROOT / "docs" / "analysts.md",
    ROOT / "docs" / "connect-bi.md",
    ROOT / "terraform" / "README.md",
]
RUNBOOKS = ["deploy", "roll-back", "rotate-keys", "replay", "backfill", "restore-table", "lost-region", "cost"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_possible(page):
    problems = [f"{command}: {problem}" for command in commands_of(page) for problem in problems_of(command)]
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_has_commands_and_says_how_to_see_that_it_worked(name):
    page = ROOT / "docs" / "operate" / f"{name}.md"
    assert len(commands_of(page)) >= 3
    assert "## See that it worked" in page.read_text() or name == "cost"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_alarm_is_in_the_operations_page():
    monitoring = (ROOT / "terraform" / "modules" / "monitoring" / "main.tf").read_text()
    names = re.findall(r'alarm_name\s*= "\$\{var\.name_prefix\}-([a-z-]+)"', monitoring)
    page = (ROOT / "docs" / "operate" / "README.md").read_text()
    assert names and all(f"`{name}`" in page for name in names)


def test_a_wrong_command_is_noticed():
    assert list(problems_of("headgate rollback gold.t --too 3")) == ["no option --too"]
    assert list(problems_of("headgate rolback gold.t")) == ["there is no verb 'rolback'"]
    assert list(problems_of("terraform -chdir=terraform/envs/$ENV output -raw lake")) == ["no output lake"]
    assert list(problems_of("aws sqs start-message-move-task --source q")) == [
        "no option --source",
        "--source-arn is missing",
    ]
    assert list(problems_of("make test-nothing")) == ["no target test-nothing"]
