"""Makes the deploy manifest from a project's graph and environment."""

from __future__ import annotations

import json

from headgate.contracts.environment import Environment
from headgate.planning.graph import Graph, graph_content
from headgate.planning.manifest import JobSettings, Manifest, ManifestTable


def manifest_of(project: str, version: str, environment: Environment, graph: Graph, job: JobSettings) -> Manifest:
    """The manifest of a package. `project` and `version` name it; `job` says how its jobs are submitted."""
    automation = environment.automation
    return Manifest(
        project=project,
        environment=environment.name,
        version=version,
        lake=environment.lake,
        job=job,
        tables=tables_of(graph),
        schedules=automation.schedules,
        topic_arn=automation.topic_arn,
        queue_url=automation.queue_url,
        dead_letter_queue_url=automation.dead_letter_queue_url,
        pool=automation.pool,
        quarantine_share=automation.quarantine_share,
        lookback_hours=environment.lookback.total_seconds() / 3600,
        graph=json.loads(json.dumps(graph_content(graph))),  # tuples as lists, as a reader gets them
    )


def tables_of(graph: Graph) -> tuple[ManifestTable, ...]:
    """The graph's tables as schedulers show them, in dependency order."""
    return tuple(
        ManifestTable(
            name=node.name,
            reads=node.sources,
            tags=node.tags,
            grain=node.grain,
            code_hash=node.code_hash,
            suite_hash=node.suite_hash,
            fresh_within=node.fresh_within,
        )
        for node in graph.nodes.values()
    )
