"""`headgate admin`: operations on queues and stores."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from headgate.cli.admin.store import store
from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table
from headgate.errors import EnvironmentConfigError, SetupError

if TYPE_CHECKING:
    from headgate.aws.dead_letters import DeadLetter, DeadLetters

_WIDTH = 60


@click.group("admin")
def command() -> None:
    """Operate an environment."""


command.add_command(store)


@command.group()
def dlq() -> None:
    """Show and redrive the dead letters of the landing queue."""


@dlq.command("list")
@click.option("--limit", default=20, show_default=True, help="How many messages to show.")
@target_options
def list_letters(target: Target, limit: int) -> None:
    """Show messages of the dead letter queue. They stay there."""
    letters = _dead_letters(target).list(limit)
    if target.as_json:
        print_json({"messages": [letter.as_dict() for letter in letters]})
        return
    if not letters:
        click.echo("no dead letters")
        return
    print_table(["message", "sent", "receives", "uploads", "problem"], [_row(letter) for letter in letters])
    click.echo("\nnext: headgate admin dlq redrive, after the cause is corrected")


@dlq.command("redrive")
@click.option(
    "--unreadable", is_flag=True, help="Also move messages that are not S3 events; they return unless corrected."
)
@click.option("--dry-run", is_flag=True, help="Only count the messages, among the first 1,000.")
@target_options
def redrive(target: Target, unreadable: bool, dry_run: bool) -> None:
    """Move messages back to the landing queue, so that they start a run."""
    letters = _dead_letters(target)
    if dry_run:
        matches = letters.list(1000)
        kept = 0 if unreadable else sum(bool(letter.problem) for letter in matches)
        moved, said = len(matches) - kept, "would be moved"
    else:
        result = letters.redrive(unreadable=unreadable)
        moved, kept, said = result.moved, result.kept, "moved"
    if target.as_json:
        print_json({"moved": moved, "kept": kept, "dry_run": dry_run})
        return
    click.echo(f"{moved:,} {said}, {kept:,} kept because they are not S3 events")


def _dead_letters(target: Target) -> DeadLetters:
    automation = target.environment.automation
    if not (automation.dead_letter_queue_url and automation.queue_url):
        raise EnvironmentConfigError(
            "the environment names no landing queue, or no dead letter queue",
            where=f"{target.environment.path}: automation",
            fix="set automation.queue_url and automation.dead_letter_queue_url",
        )
    try:
        from headgate.aws.dead_letters import connect
    except ImportError as error:
        raise SetupError("boto3 is not installed", fix="pip install 'headgate[aws]'") from error
    return connect(automation.dead_letter_queue_url, automation.queue_url)


def _row(letter: DeadLetter) -> tuple[object, ...]:
    sent = datetime.fromtimestamp(letter.sent / 1000, UTC)
    uploads = ", ".join(f"{dataset} {count}" for dataset, count in letter.datasets.items())
    return letter.id, f"{sent:%Y-%m-%d %H:%M}", letter.receives, uploads, letter.problem[:_WIDTH]
