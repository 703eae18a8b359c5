"""What every verb that writes with Spark does around its work: the lake's lock, and a session that ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.options import Target
from headgate.cli.output import progress

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def wait_option(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--no-wait`."""
    return click.option("--no-wait", is_flag=True, help="Fail at once where another run writes to the lake.")(verb)


@contextmanager
def spark_at_work(target: Target, *, wait: bool, small: bool = True) -> Iterator[SparkSession]:
    """A Spark session, while this process alone writes to the lake. Raises LakeBusy where `wait` is false."""
    from headgate.engine.lock import writing

    with (
        writing(target.environment, wait=wait, waiting=lambda text: click.echo(text, err=True)),
        spark_that_looks(target, small=small) as session,
    ):
        yield session


@contextmanager
def spark_that_looks(target: Target, *, small: bool = True) -> Iterator[SparkSession]:
    """A Spark session for what writes nothing."""
    from headgate.engine.session import start_session

    progress("starting Spark")
    session = start_session(target.environment, small=small)
    try:
        yield session
    finally:
        session.stop()
