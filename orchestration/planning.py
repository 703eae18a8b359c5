"""The plan task: whether there is work, from the lake's logs, without Spark and without the tables' modules."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from headgate.contracts.environment import Environment, Receiver
from headgate.errors import EnvironmentConfigError
from headgate.planning.graph import Graph, graph_from
from headgate.planning.manifest import Manifest
from headgate.planning.plan import Planner

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedWork:
    """The tables that have work, in dependency order, each with its reason."""

    tables: dict[str, str]

    def __bool__(self) -> bool:
        return bool(self.tables)


def plan(manifest: Manifest, select: Sequence[str] = ()) -> PlannedWork:
    """The work of the selected tables. Raises HeadgateError if the lake or the manifest's graph cannot be read.

    The credentials are those of the process; on AWS, the role of the worker.
    """
    graph = _graph(manifest)
    works = Planner(environment_of(manifest), graph).plan(graph.select(select))
    tables = {work.table: f"{work.kind.value} {work.reason}".strip() for work in works if work.is_work}
    for table, reason in tables.items():
        log.info("%s: %s", table, reason)
    return PlannedWork(tables)


def _graph(manifest: Manifest) -> Graph:
    try:
        return graph_from(manifest.graph)
    except (KeyError, TypeError) as error:
        raise EnvironmentConfigError(
            f"the graph of package {manifest.version} was written by another version of Headgate: {error}",
            where="manifest: graph",
            fix="update Headgate in Airflow's environment to the version that deployed, or deploy again",
        ) from error


def environment_of(manifest: Manifest) -> Environment:
    """The environment as the planner needs it: the lake and how far back a landing list starts."""
    return Environment(
        name=manifest.environment,
        lake=manifest.lake,
        engine="local",
        spark={},
        lookback=timedelta(hours=manifest.lookback_hours),
        receiver=Receiver(),
        path=Path("manifest.json"),
    )


def plan_summary(planned: PlannedWork) -> dict[str, Any]:
    """The plan as JSON values, for XCom and the log."""
    return {"tables": planned.tables, "count": len(planned.tables)}
