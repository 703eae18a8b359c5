"""The headgate command lines that the DAGs submit: those of a schedule, and those of a backfill.

Imports no Airflow, so that a test parses each of them with the command line's own parser.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.contracts.automation import Schedule
from headgate.errors import UsageError, suggestion
from headgate.planning.manifest import Manifest

_EVERY_TABLE = ("*",)


def schedule_command(manifest: Manifest, schedule: Schedule, verb: str) -> list[str]:
    """The command line of one verb of a schedule, limited to the schedule's selection.

    `check` judges the built tables by their suites: it takes its tables by `--table`, the other verbs by `-s`.
    """
    if verb == "check":
        selection = [text for selector in schedule.select or _EVERY_TABLE for text in ("--table", selector)]
    else:
        selection = [text for selector in schedule.select for text in ("-s", selector)]
    return [verb, "--env", manifest.environment, *selection]


def backfill_command(manifest: Manifest, parameters: Mapping[str, Any], *, dry_run: bool) -> list[str]:
    """`headgate backfill ...` for the parameters. Raises UsageError if the table is unknown or nothing is chosen."""
    table, known = parameters["table"], [table.name for table in manifest.tables]
    if table not in known:
        raise UsageError(f"no table '{table}'.{suggestion(table, known)}", fix="set the parameter `table`")
    options = [
        *(f"--upload={upload}" for upload in parameters["uploads"]),
        *(f"--by={slice_}" for slice_ in parameters["by"]),
        *(f"--{name}={parameters[name]}" for name in ("store", "from", "to") if parameters[name]),
    ]
    if not options:
        raise UsageError("nothing is chosen", fix="set one of the parameters uploads, by, store, from, to")
    return ["backfill", table, "--env", manifest.environment, *options, *(["--dry-run"] if dry_run else [])]
