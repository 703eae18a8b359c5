"""The common options of verbs, and their resolution."""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from headgate.cli.output import json_text
from headgate.contracts.environment import Environment, load_environment
from headgate.logs import set_up_logging
from headgate.project import Project, find_project


@dataclass(frozen=True)
class Target:
    """What a verb works on: a project, an environment of it, and how to print."""

    project: Project
    environment: Environment
    as_json: bool


def place_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--project`, `--env`, `--json` (the verb receives `folder`, `env`, `as_json`), `--verbose` and `--debug`."""
    folder = click.Path(path_type=Path)
    verb = click.option("--debug", is_flag=True, expose_value=False, callback=_debug, help="Log every step.")(verb)
    verb = click.option("--verbose", is_flag=True, expose_value=False, callback=_verbose, help="Log progress.")(verb)
    verb = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(verb)
    verb = click.option(
        "--env", "env", default="local", show_default=True, envvar="HEADGATE_ENV", help="The environment to use."
    )(verb)
    return click.option(
        "--project", "folder", type=folder, help="The project's folder. [default: the current or a parent folder]"
    )(verb)


def _verbose(context: click.Context, option: click.Parameter, chosen: bool) -> None:
    if chosen:
        set_up_logging(logging.INFO)


def _debug(context: click.Context, option: click.Parameter, chosen: bool) -> None:
    if chosen:
        set_up_logging(logging.DEBUG)


def target_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--project`, `--env` and `--json`; the verb gets a Target as its first argument."""

    @place_options
    @functools.wraps(verb)
    def with_target(folder: Path | None, env: str, as_json: bool, **rest: Any) -> Any:
        project = find_project(folder)
        return verb(Target(project, load_environment(project, env), as_json), **rest)

    return with_target


def print_json(value: Any) -> None:
    """One JSON document on standard output; times in ISO 8601, paths and decimals as text."""
    click.echo(json_text(value))
