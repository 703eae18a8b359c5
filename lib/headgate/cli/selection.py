"""`--select` and `--exclude`, as every verb that works on tables takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from headgate import reports
from headgate.environment import Environment
from headgate.graph import STATES, Graph, core_of, selectors_of
from headgate.ledger import Ledger
from headgate.state import modified

#: How many of the newest runs tell what became of a table: one that an older run left failed is not remembered.
RUNS = 20


def selection_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `-s/--select` and `--exclude`, each repeatable."""
    help_text = (
        "Tables: a name, a pattern with *, tag:NAME, state:modified, result:error; "
        "+x adds what x reads, x+ what reads x. Repeatable."
    )
    verb = click.option("--exclude", multiple=True, help="Tables to leave out, selected likewise.")(verb)
    return click.option("-s", "--select", "selectors", multiple=True, help=help_text)(verb)


def selected(environment: Environment, graph: Graph, selectors: Iterable[str], exclude: Iterable[str]) -> list[str]:
    """The tables that the options name; how the lake stands is looked at only where a selector asks for it."""
    asked = {core_of(selector) for selector in selectors_of([*selectors, *exclude])}
    finders = {"state:modified": _modified, "result:error": failed}
    states = {name: finders[name](environment, graph) for name in STATES if name in asked}
    return graph.select(selectors, exclude, states)


def failed(environment: Environment, graph: Graph) -> dict[str, Mapping[str, Any]]:
    """The tables that failed when they last took part in a run, each with what its report says."""
    outcomes = reports.last_outcomes(reports.newest(environment.object_store(), RUNS))
    return {name: told for name, told in outcomes.items() if name in graph.nodes and told["status"] == "failed"}


def _modified(environment: Environment, graph: Graph) -> set[str]:
    return modified(graph, Ledger(environment))
