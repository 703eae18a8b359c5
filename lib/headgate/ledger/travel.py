"""Time travel: the version of a table that a person asks for, by its number or by a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headgate.errors import UsageError
from headgate.ledger.ledger import Head, Ledger


def moment_of(text: str) -> datetime:
    """The time that a text in ISO 8601 names; a date alone is its midnight. Without a zone it is in UTC.

    Raises UsageError.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"'{text}' is not a time", where="--as-of", fix="write 2026-03-01T18:00, or 2026-03-01T18:00+01:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def checked_version(ledger: Ledger, table: str, version: int) -> int:
    """`version`, where the table has it. Raises UsageError where it has not, or not any more."""
    newest = _newest(ledger, table)
    if not 0 <= version <= newest:
        raise _refused(table, f"there is no version {version}: the versions are 0 to {newest}")
    if ledger.open(table, version) is None:
        raise _refused(table, f"version {version} is gone: its log was cleaned up")
    return version


def version_at(ledger: Ledger, table: str, moment: datetime, now: datetime) -> int:
    """The version that stood at `moment`: the newest that was committed by then. A whole second includes all of it.

    Raises UsageError where the table did not exist yet, the log does not go back so far, or the time is to come.
    """
    if moment > now:
        raise _refused(table, f"{_shown(moment)} is to come")
    _newest(ledger, table)
    # `history` shows whole seconds, and a time that is copied from it means the commit of that line.
    end = moment if moment.microsecond else moment + timedelta(milliseconds=999)
    oldest = None
    for commit in ledger.history(table):
        if commit.timestamp <= end.timestamp() * 1000:
            return checked_version(ledger, table, commit.version)
        oldest = commit
    if oldest is not None and oldest.version == 0:
        first = datetime.fromtimestamp(oldest.timestamp / 1000, UTC)
        raise _refused(table, f"there was no version yet at {_shown(moment)}: the first is of {_shown(first)}")
    raise _refused(table, f"the log of {_shown(moment)} was cleaned up")


def version_before(ledger: Ledger, head: Head, to: str) -> int:
    """The version that `to`, a version or a run's name, means. Raises UsageError where it is not before the head."""
    version = int(to) if to.isdigit() else ledger.version_of(head.table, to)
    if version is None:
        raise UsageError(f"no commit of {head.table} was made by run '{to}'", fix=f"headgate history {head.table}")
    if version >= head.version:
        raise UsageError(
            f"{head.table} is at version {head.version}: there is nothing to take back to version {version}",
            fix=f"headgate history {head.table} shows its versions",
        )
    return version


def vacuumed(table: str, version: int) -> UsageError:
    """What to say where the files of a version that the log still knows are gone."""
    return _refused(table, f"version {version} cannot be read: its files were vacuumed")


def _newest(ledger: Ledger, table: str) -> int:
    newest = ledger.open(table)
    if newest is None:
        raise UsageError(f"{table} is not built yet", fix="headgate run")
    return int(newest.version())


def _refused(table: str, message: str) -> UsageError:
    return UsageError(message, where=table, fix=f"headgate history {table} --limit 0 lists all versions")


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
