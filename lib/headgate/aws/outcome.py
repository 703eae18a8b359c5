"""What a job did, read from the lake after it ended: its exit code, its tables, and why it failed.

EMR says only that a job run failed. The job writes its own end as `jobs/<run>.json`, and the run's report is
`runs/dt=<day>/<run>.json`. If neither exists, the driver did not get that far, and EMR's own reason is all there is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from headgate.aws.jobs import JobState, JobStatus

RETRY = 75  # EX_TEMPFAIL
_DAYS = 3  # a run's report is filed under the day on which it ended


@dataclass(frozen=True)
class Failure:
    """One reason. `code` is a code of docs/errors.md; `table` is empty if the failure is of the whole job."""

    code: str
    message: str
    table: str = ""
    where: str = ""
    fix: str = ""

    def __str__(self) -> str:
        parts = [self.table, f"[{self.code}]", self.message]
        return " ".join(part for part in parts if part) + (f" ({self.where})" if self.where else "")


@dataclass(frozen=True)
class Outcome:
    """What a job did. `exit_code` is None if the job did not write it. `tables` are the run report's tables."""

    run: str
    exit_code: int | None
    failures: Sequence[Failure] = ()
    tables: Sequence[Mapping[str, Any]] = ()
    log: str = ""

    @property
    def retryable(self) -> bool:
        """Whether running again can help: the job said so, or it ended before it could say anything."""
        return self.exit_code in (None, RETRY)

    @property
    def changed(self) -> list[str]:
        """The tables to which the job committed rows."""
        return [table["table"] for table in self.tables if table.get("status") == "done"]

    def message(self, job: JobStatus) -> str:
        """The failure in a few lines: the job, each reason, the location of the log, and the next step."""
        lines = [f"job {job.id} {job.platform_state}" + (f", exit code {self.exit_code}" if self.exit_code else "")]
        lines += [str(failure) for failure in self.failures]
        if not self.failures:
            lines.append(job.detail or "EMR gives no reason")
        if job.log or self.log:
            lines.append(f"log: {self.log or job.log}")
        fixes = list(dict.fromkeys(failure.fix for failure in self.failures if failure.fix))
        return "\n".join([*lines, *(f"to do: {fix}" for fix in fixes)])

    def as_dict(self) -> dict[str, Any]:
        """The parts of the outcome that a notification shows, as JSON values."""
        keys = ("table", "status", "written", "quarantined", "rows_in", "version", "seconds")
        tables = [{key: table.get(key) for key in keys} for table in self.tables if table.get("status") != "current"]
        return {"run": self.run, "exit_code": self.exit_code, "tables": tables}


@dataclass(frozen=True)
class Lake:
    """A lake on S3, read through a boto3 `s3` client. `address` is s3://bucket/prefix."""

    client: Any
    address: str
    today: datetime = field(default_factory=lambda: datetime.now(UTC))

    def outcome(self, run: str, job: JobStatus) -> Outcome:
        """What the job `job` did under the run id `run`. Raises ClientError if the lake cannot be read."""
        end = self._json(f"jobs/{run}.json") or {}
        run = end.get("run") or run  # the job has its own name; the run's report is filed under the run's
        report = self._report(run) or {}
        tables = report.get("tables", [])
        failures = [_of_table(table) for table in tables if table.get("error")]
        if not failures and end.get("error"):
            failures = [_of_error(end["error"])]
        exit_code = end.get("exit_code")
        if exit_code is None and job.state is JobState.SUCCEEDED:
            exit_code = 0
        return Outcome(run, exit_code, failures, tables, end.get("log", ""))

    def _report(self, run: str) -> Mapping[str, Any] | None:
        days = (self.today - timedelta(days=back) for back in range(_DAYS))
        reports = (self._json(f"runs/dt={day:%Y-%m-%d}/{run}.json") for day in days)
        return next((report for report in reports if report), None)

    def _json(self, path: str) -> Mapping[str, Any] | None:
        bucket, _, prefix = self.address.removeprefix("s3://").partition("/")
        key = f"{prefix}/{path}" if prefix else path
        try:
            return json.loads(self.client.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                return None
            raise
        except ValueError:
            return None


def _of_table(table: Mapping[str, Any]) -> Failure:
    error = table["error"]
    failed = [result for result in table.get("quality") or () if not result.get("success")]
    names = ", ".join(str(result.get("expectation") or result.get("name") or "") for result in failed)
    message = error["what"] + (f"; failed expectations: {names}" if names.strip(", ") else "")
    return Failure(error["code"], message, table["table"], error.get("where", ""), error.get("fix", ""))


def _of_error(error: Mapping[str, Any]) -> Failure:
    return Failure(
        error.get("code", "internal"), error.get("what", ""), "", error.get("where", ""), error.get("fix", "")
    )
