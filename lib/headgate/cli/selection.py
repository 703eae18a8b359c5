"""`--select` and `--exclude`, as every verb that works on tables takes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import click

from headgate.contracts.environment import Environment
from headgate.ledger.ledger import Ledger
from headgate.planning.graph import STATES, Graph, core_of, selectors_of
from headgate.planning.state import modified
from headgate.views import reports


def selection_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `-s/--select` and `--exclude`, each repeatable."""
    help_text = (
        "Tables: a name, a pattern with *, tag:NAME, state:modified, result:error; "
        "+x adds the sources of x, x+ the tables that read x. Repeatable."
    )
    verb = click.option("--exclude", multiple=True, help="Tables to leave out, selected likewise.")(verb)
    return click.option("-s", "--select", "selectors", multiple=True, help=help_text)(verb)


def selected(environment: Environment, graph: Graph, selectors: Iterable[str], exclude: Iterable[str]) -> list[str]:
    """Returns the selected tables. The state of the lake is read only if a selector needs it."""
    requested = {core_of(selector) for selector in selectors_of([*selectors, *exclude])}
    finders = {"state:modified": _modified, "result:error": _failed}
    states = {name: finders[name](environment, graph) for name in STATES if name in requested}
    return graph.select(selectors, exclude, states)


def _failed(environment: Environment, graph: Graph) -> Collection[str]:
    return reports.failed(reports.newest(environment.object_store(), reports.RUNS), graph.nodes)


def _modified(environment: Environment, graph: Graph) -> set[str]:
    return modified(graph, Ledger(environment))
