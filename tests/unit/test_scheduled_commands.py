"""Every command that a DAG or the Lambda can submit is accepted by the parser of the command line."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from itertools import product
from pathlib import Path

import click
import pytest

from headgate.cli.job import parse
from headgate.cli.main import headgate
from headgate.contracts.automation import VERBS, Schedule
from headgate.errors import UsageError
from headgate.planning.manifest import SERVERLESS, JobSettings, Manifest, ManifestTable
from orchestration.commands import backfill_command, schedule_command

MANIFEST = Manifest(
    "retail",
    "prod",
    "1",
    "s3://lake/prod",
    JobSettings(SERVERLESS, "eu-west-1", "s3://artifacts/entry.py"),
    tables=(ManifestTable("silver.transactions"), ManifestTable("gold.daily_sales")),
)
CHOICES = {
    "uploads": [[], ["0197-a", "--rebuild"]],
    "by": [[], ["sale_date=2026-03-02", "store_id=store-1"]],
    "store": ["", "store-1", "-x"],
    "from": ["", "2026-03-01"],
    "to": ["", "2026-03-02"],
}


def parsed(arguments: list[str]) -> dict:
    """What the command line's parser makes of the arguments of a job, as the job itself would parse them."""
    command = parse(["--run-id", "0d4f4f0a", *arguments]).arguments
    verb = headgate.get_command(click.Context(headgate), command[0])
    assert verb is not None, command
    return verb.make_context(command[0], list(command[1:])).params


@pytest.mark.parametrize("select", [(), ("gold.*",), ("+gold.daily_sales", "tag:sales")])
@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_of_a_schedule_is_parsed_with_its_selection(verb, select):
    params = parsed(schedule_command(MANIFEST, Schedule("nightly", verbs=VERBS, select=select), verb))
    assert params["env"] == "prod"
    if verb == "check":
        assert params["tables"] == (select or ("*",))
    else:
        assert params["selectors"] == select


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("values", list(product(*CHOICES.values())), ids=str)
def test_each_choice_of_a_backfill_is_parsed_or_refused(values, dry_run):
    parameters = {"table": "silver.transactions", **dict(zip(CHOICES, values, strict=True))}
    if not any(values):
        with pytest.raises(UsageError, match="nothing is chosen"):
            backfill_command(MANIFEST, parameters, dry_run=dry_run)
        return
    params = parsed(backfill_command(MANIFEST, parameters, dry_run=dry_run))
    assert (params["table"], params["env"], params["dry_run"]) == ("silver.transactions", "prod", dry_run)
    assert params["uploads"] == tuple(parameters["uploads"])


def test_a_backfill_of_an_unknown_table_is_refused_with_a_suggestion():
    parameters = {"table": "silver.transaction", "uploads": ["a"], "by": [], "store": "", "from": "", "to": ""}
    with pytest.raises(UsageError, match=r"Did you mean.*silver\.transactions"):
        backfill_command(MANIFEST, parameters, dry_run=True)


def test_the_command_of_the_lambda_is_parsed():
    path = Path(__file__).parents[2] / "orchestration" / "lambda" / "on_arrival.py"
    spec = importlib.util.spec_from_file_location("on_arrival", path)
    on_arrival = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(on_arrival)
    params = parsed(on_arrival.command_of(replace(MANIFEST, schedules=(Schedule("on_arrival", select=("gold.*",)),))))
    assert (params["env"], params["selectors"]) == ("prod", ("gold.*",))
