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
    with lake_to_itself(target, wait=wait), spark_that_looks(target, small=small) as session:
        yield session


@contextmanager
def lake_to_itself(target: Target, *, wait: bool) -> Iterator[bool]:
    """This process alone writes to the lake; gives whether it had to wait for another, which may have done its work.

    Raises LakeBusy where `wait` is false.
    """
    from headgate.engine.runtime.lock import writing

    waited = []

    def tell(text: str) -> None:
        waited.append(text)
        click.echo(text, err=True)

    with writing(target.environment, wait=wait, waiting=tell):
        yield bool(waited)


@contextmanager
def spark_that_looks(target: Target, *, small: bool = True) -> Iterator[SparkSession]:
    """A Spark session for what writes nothing. What a disk or a cluster did in the block is told as theirs."""
    from headgate.engine.runtime.platform_errors import platform_error
    from headgate.engine.runtime.session import start_session, stop_session

    progress("starting Spark")
    session = start_session(target.environment, small=small)
    try:
        yield session
    except Exception as error:
        if told := platform_error(error, target.environment):
            raise told from error
        raise
    finally:
        stop_session(session)
