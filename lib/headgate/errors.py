"""Every error that a user can meet: one tree, each with a stable code that docs/errors.md explains.

A message has the problem, the place (file, line, field, upload) and the correction.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: The exit code when a retry of the same command may help (EX_TEMPFAIL of sysexits.h).
EXIT_RETRY = 75


class HeadgateError(Exception):
    """The root of all errors.

    `code` is stable. `retryable` says whether the same command may succeed later without a change by a person.
    `exit_code` is the exit code of the command line: 1 failed, 2 wrong usage or configuration, 75 a retry may help.
    """

    code = "internal"
    retryable = False
    _exit_code = 1

    def __init__(self, message: str, *, where: str = "", fix: str = "", retryable: bool | None = None) -> None:
        super().__init__(message)
        self.message, self.where, self.fix = message, where, fix
        self.problems: Sequence[Any] = ()  # of an error that reports several: `headgate.document.Problem`
        if retryable is not None:
            self.retryable = retryable

    @property
    def exit_code(self) -> int:
        """The exit code that tells a scheduler whether to retry."""
        return EXIT_RETRY if self.retryable else self._exit_code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\n  to do: {self.fix}" if self.fix else ""
        return f"{place}{self.message}{advice}"

    def as_dict(self) -> dict[str, Any]:
        """Returns the error as `--json` and the run's report show it."""
        return {
            "code": self.code,
            "what": self.message,
            "where": self.where,
            "fix": self.fix,
            "retryable": self.retryable,
        }


class InternalError(HeadgateError):
    """A fault of Headgate itself. Its traceback is in the run's log."""

    code = "internal"


class UsageError(HeadgateError):
    """Wrong use of a command: an unknown table, a bad selector, a project that is none."""

    code = "usage"
    _exit_code = 2


class EnvironmentConfigError(HeadgateError):
    """An environment file, or a HEADGATE_ variable, that is wrong or missing."""

    code = "environment"
    _exit_code = 2


class ContractError(HeadgateError):
    """A contract that is not valid ODCS, or that uses an unsupported feature."""

    code = "contract"
    _exit_code = 2


class TableDefinitionError(HeadgateError):
    """A table module that cannot be loaded, or declares an illegal pair."""

    code = "table-definition"
    _exit_code = 2


class SuiteError(HeadgateError):
    """An expectation suite that is not valid, names a missing column, or needs a check that Spark does not support."""

    code = "suite"
    _exit_code = 2


class SetupError(HeadgateError):
    """Java, jars or Python are missing or of the wrong version."""

    code = "setup"
    _exit_code = 2


class StorageError(HeadgateError):
    """The lake could not be read or written. A retry may help where the store was away; not where access is denied."""

    code = "storage"


class TableError(HeadgateError):
    """A table's function failed, or gave rows that its declaration does not allow."""

    code = "table"


class ContractChanged(TableError):
    """A contract changed in a way that a table's old rows do not follow."""

    code = "contract-changed"


class BatchRefused(TableError):
    """The gate refused a batch; the target is unchanged. `results` are the results of its suite, as plain values."""

    code = "batch-refused"
    results: Sequence[Mapping[str, Any]] = ()


class WrongCommit(HeadgateError):
    """A commit has other numbers of rows than the batch that the gate passed: the table has changed."""

    code = "wrong-commit"


class LostRace(HeadgateError):
    """Another run committed to the table between this run's plan and its commit."""

    code = "lost-race"
    retryable = True


class LakeBusy(HeadgateError):
    """Another writer has the folder's lock, and the command has `--no-wait`."""

    code = "lake-busy"
    retryable = True


class ClusterError(HeadgateError):
    """The Spark cluster is not there, could not be started, or went away."""

    code = "cluster"
    retryable = True


class AwsError(HeadgateError):
    """A call to AWS failed. `retryable` says whether a retry can help."""

    code = "aws"


class UploadRefused(HeadgateError):
    """The receiver refused an upload, or could not be reached."""

    code = "upload-refused"


class ReadRefused(HeadgateError):
    """The read API refused a request, or could not be reached."""

    code = "read-refused"


def suggestion(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the nearest of `known`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""
