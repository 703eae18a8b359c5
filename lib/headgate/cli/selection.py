"""`--select` and `--exclude`, as every verb that works on tables takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def selection_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `-s/--select` and `--exclude`, each repeatable."""
    help_text = "Tables: a name, a pattern with *, tag:NAME; +x adds what x reads, x+ what reads x. Repeatable."
    verb = click.option("--exclude", multiple=True, help="Tables to leave out, selected likewise.")(verb)
    return click.option("-s", "--select", "selectors", multiple=True, help=help_text)(verb)
