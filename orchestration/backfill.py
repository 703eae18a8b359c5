"""The command line of a backfill, from the parameters of a DAG run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.errors import UsageError, suggestion
from headgate.planning.manifest import Manifest


def command_of(manifest: Manifest, parameters: Mapping[str, Any]) -> list[str]:
    """`headgate backfill ...` for the parameters. Raises UsageError if the table is unknown or nothing is chosen."""
    table, known = parameters["table"], [table.name for table in manifest.tables]
    if table not in known:
        raise UsageError(f"no table '{table}'.{suggestion(table, known)}", fix="set the parameter `table`")
    options = [
        *(text for upload in parameters["uploads"] for text in ("--upload", upload)),
        *(text for slice_ in parameters["by"] for text in ("--by", slice_)),
        *(text for name in ("store", "from", "to") if parameters[name] for text in (f"--{name}", parameters[name])),
    ]
    if not options:
        raise UsageError("nothing is chosen", fix="set one of the parameters uploads, by, store, from, to")
    return ["backfill", table, "--env", manifest.environment, *options]
