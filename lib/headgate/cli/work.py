"""What every verb that writes with Spark does around its work: the lake's lock, and a session that ends."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.options import Target
from headgate.cli.output import progress

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def wait_option(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--no-wait`, and the options for EMR jobs: `--run-id`, `--detach` and `--on-interrupt`."""
    for name, values, text in _JOB_OPTIONS:
        verb = click.option(name, **values, expose_value=False, callback=_keep_option, help=text)(verb)
    return click.option("--no-wait", is_flag=True, help="Fail at once where another run writes to the lake.")(verb)


_JOB_OPTIONS: tuple[tuple[str, dict[str, Any], str], ...] = (
    (
        "--on-interrupt",
        {"type": click.Choice(["detach", "cancel"]), "default": "detach"},
        "On EMR: the effect of Ctrl-C.",
    ),
    ("--detach", {"is_flag": True}, "On EMR: return when the job is submitted."),
    ("--run-id", {"metavar": "ID"}, "On EMR: the job's name. Submitting a name again attaches to its job."),
)


def _keep_option(context: click.Context, option: click.Parameter, value: Any) -> None:
    context.meta[f"headgate.{option.name}"] = value


def submit_if_remote(target: Target, identity: str = "") -> None:
    """Where the environment runs on EMR: submits this command as a job, and exits with the job's exit code.

    `identity` names the work, so that a repeated command attaches to its job; without it every command is a new job.
    """
    if not target.environment.is_emr:
        return
    from headgate.cli.submit import Options, submit

    context = click.get_current_context()
    meta = context.meta
    options = Options(
        meta.get("headgate.run_id") or "",
        meta.get("headgate.detach", False),
        meta.get("headgate.on_interrupt") == "cancel",
    )
    sys.exit(submit(target, context.find_root().obj, identity or secrets.token_hex(8), options))


@contextmanager
def spark_at_work(target: Target, *, wait: bool, small: bool = True) -> Iterator[SparkSession]:
    """A Spark session, while this process alone writes to the lake. Raises LakeBusy where `wait` is false."""
    with lake_to_itself(target, wait=wait), spark_that_looks(target, small=small) as session:
        yield session


@contextmanager
def lake_to_itself(target: Target, *, wait: bool) -> Iterator[bool]:
    """This process alone writes to the lake; gives whether it had to wait for another, which may have done its work.

    Raises LakeBusy where `wait` is false.
    """
    submit_if_remote(target)
    from headgate.engine.runtime.lock import writing

    waited = []

    def tell(text: str) -> None:
        waited.append(text)
        click.echo(text, err=True)

    with writing(target.environment, wait=wait, waiting=tell):
        yield bool(waited)


@contextmanager
def spark_that_looks(target: Target, *, small: bool = True) -> Iterator[SparkSession]:
    """A Spark session for reading. Failures of the disk or the cluster in the block are reported as such."""
    submit_if_remote(target)
    from headgate.engine.runtime.platform_errors import platform_error
    from headgate.engine.runtime.session import start_session, stop_session

    progress("starting Spark")
    session = start_session(target.environment, small=small)
    try:
        yield session
    except Exception as error:
        if details := platform_error(error, target.environment):
            raise details from error
        raise
    finally:
        stop_session(session)
