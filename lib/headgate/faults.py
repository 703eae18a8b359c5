"""Named points at which a run can be killed, so that "rerun is resume" is tested where it matters.

HEADGATE_KILL_AT holds a point's name; the process that reaches it dies as by `kill -9`. The points of a run are
`<moment>:<table>` or `<moment>:<upload>`, those of the receiver have a name alone. `headgate.testing.faults` stops a
test at them.
"""

import os
import signal
from collections.abc import Iterable, Iterator

from headgate.errors import UsageError, suggestion

VARIABLE = "HEADGATE_KILL_AT"

#: The moments of a table's work, in their order.
MOMENTS = {
    "listing": "while the landing list of a bronze table is read: punctual uploads are listed, late uploads are not",
    "planned": "after planning, before any data is read",
    "before_commit": "before the commit; files may be written already",
    "after_commit": "the commit is in the log, and the run has not processed it yet",
}
#: The moments of an upload's work, in the Python worker that reads it.
UPLOAD_MOMENTS = {"splitting": "a worker has fetched the upload and is about to split it into records"}
#: The steps of landing an upload.
RECEIVER = ("receiver.claimed", "receiver.landed", "receiver.marked")


def point(name: str) -> None:
    """Dies here where HEADGATE_KILL_AT says so; else nothing."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)


def points_of(tables: Iterable[str]) -> Iterator[str]:
    """The points that a run of tables comes to, in the order of `tables`."""
    for table in tables:
        yield from (f"{moment}:{table}" for moment in MOMENTS if moment != "listing" or table.startswith("bronze."))


def require_known(name: str, tables: Iterable[str]) -> None:
    """Raises UsageError, with the known ones, where nothing ever comes to the point `name`."""
    tables = list(tables)
    moment, _, upload = name.partition(":")
    if moment in UPLOAD_MOMENTS and upload:
        return
    known = [*points_of(tables), *RECEIVER]
    if name not in known:
        raise UsageError(
            f"no point '{name}'.{suggestion(name, known)}",
            where=VARIABLE,
            fix=f"use <moment>:<table>. Moments: {', '.join(MOMENTS)} (listing: of a bronze table). "
            f"Tables: {', '.join(tables)}. Or use {', '.join(RECEIVER)}, or splitting:<upload>",
        )
