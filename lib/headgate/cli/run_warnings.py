"""What `headgate run` warns of on standard error, whatever its output's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from headgate.views import unreadable

if TYPE_CHECKING:
    from headgate.engine.verbs.table_report import Report


def warn_of_unreadable(reports: Sequence[Report]) -> None:
    """Warns of each table that rejected uploads as a whole; of bronze where no table read them."""
    rejecting = [report for report in reports if report.counts.get("unreadable")]
    typed = [report for report in rejecting if not report.table.startswith("bronze.")]
    for report in typed or rejecting:
        click.echo(f"\nwarning: {report.table}: {_in_words(report)}", err=True)
        if typed:
            click.echo(f'  why: headgate quarantine show {report.table} --where "{unreadable.WHERE}"', err=True)
            fix = f"correct the contract or the reader, then headgate quarantine replay {report.table}"
            click.echo(f"  to do: {fix}: the uploads are split again", err=True)


def _in_words(report: Report) -> str:
    counts = report.counts
    if "unreadable_bytes" not in counts:
        return f"{counts['unreadable']:,} uploads could not be split into records"
    size, records = counts["unreadable_bytes"], counts["unreadable_records"]
    whole = {"uploads": counts["unreadable"], "bytes": size, "records": records}
    return unreadable.in_words({**whole, "uncounted": int(not records)})
