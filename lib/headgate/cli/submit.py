"""Submits a headgate command to EMR and follows the job: progress, report, cost, and the exit code of the command."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.deploy import artifacts_of, require_emr
from headgate.cli.job import progress_path
from headgate.cli.options import Target, print_json
from headgate.cli.output import print_table
from headgate.errors import AwsError, UsageError
from headgate.planning.manifest import Manifest

if TYPE_CHECKING:
    from headgate.aws.jobs import Jobs, JobStatus
    from headgate.aws.outcome import Outcome

_RETRY = 75
_POLL_SECONDS = (1.0, 10.0)  # at first, and after a minute
_LOG_LINES = 40
_ATTEMPTS = 20
_COLUMNS = ["table", "status", "work", "rows in", "written", "quarantined", "version", "seconds"]
#: Options of this machine, which a job does not get; True where a value follows.
_LOCAL_OPTIONS = {"--project": True, "--json": False, "--detach": False, "--on-interrupt": True, "--run-id": True}


@dataclass(frozen=True)
class Options:
    """How a command is submitted. `run_id` names the job; empty lets the work name it."""

    run_id: str = ""
    detach: bool = False
    cancel_on_interrupt: bool = False


@dataclass(frozen=True)
class Followed:
    """A job that has ended, its outcome, and an estimate of its cost in US dollars, None where there is none."""

    status: JobStatus
    outcome: Outcome
    dollars: float | None


def submit(target: Target, arguments: Sequence[str], identity: str, options: Options) -> int:
    """Runs a headgate command line as an EMR job; returns its exit code.

    Equal `identity` and package give the same job as long as it has not failed, so that a repeated submit attaches.
    """
    require_emr(target)
    from headgate.aws.clients import BotoClients, aws_errors
    from headgate.aws.jobs import jobs_of

    manifest = _manifest(target)
    jobs = jobs_of(manifest.job, BotoClients(manifest.job.region))
    command = job_arguments(arguments, target.environment.name)
    with aws_errors(f"environment {target.environment.name}"):
        token, job = _start(jobs, command, options.run_id, identity or manifest.version, manifest.version)
        _announce(target, jobs.status(job), token, options)
        if options.detach:
            return 0
        try:
            status = _follow(target, jobs, job, token)
        except KeyboardInterrupt:
            return _interrupted(target, jobs, job, token, options)
        followed = _outcome(target, manifest, status, token)
    _print(target, followed, token)
    return _exit_code(followed)


def job_arguments(arguments: Sequence[str], environment: str) -> list[str]:
    """The command line as the job gets it: without options of this machine, with the environment by name."""
    kept, rest = [], list(arguments)
    while rest:
        word = rest.pop(0)
        name, _, value = word.partition("=")
        if name in _LOCAL_OPTIONS:
            if _LOCAL_OPTIONS[name] and not value and rest:
                rest.pop(0)
            continue
        kept.append(word)
    return kept if "--env" in kept else [*kept, "--env", environment]


def _manifest(target: Target) -> Manifest:
    """The manifest of the current package. Raises UsageError where none is deployed."""
    from headgate.aws.clients import aws_errors

    artifacts = artifacts_of(target)
    with aws_errors(artifacts.address):
        versions = artifacts.current()
        if not versions:
            raise UsageError(
                "no package is deployed",
                where=artifacts.address,
                fix=f"headgate deploy --env {target.environment.name}",
            )
        manifest = Manifest.from_json(artifacts.manifest(versions[0]), artifacts.address)
    if manifest.lake != target.environment.lake:
        raise UsageError(
            f"the deployed package works on {manifest.lake}, and this command on {target.environment.lake}",
            where=f"package {versions[0]}",
            fix="deploy again, or unset HEADGATE_LAKE",
        )
    return manifest


def _start(jobs: Jobs, command: list[str], run_id: str, identity: str, version: str) -> tuple[str, str]:
    """Starts the job of this work, or attaches to it; returns its token and its id.

    A job of the same work that has failed or was cancelled is not attached to: the next attempt has a token of its own.
    """
    from headgate.aws.jobs import JobState, token_of

    label = f"headgate {command[0]}"
    for attempt in range(_ATTEMPTS):
        token = run_id if run_id else token_of("command", version, *command, identity, attempt)
        before = time.time()
        job = jobs.submit(label, ["--run-id", token, *command], token)
        status = jobs.status(job)
        ended_before = status.ended is not None and status.ended.timestamp() < before
        if run_id or status.state is JobState.SUCCEEDED or not (status.state.is_final and ended_before):
            return token, job
    raise AwsError(f"{_ATTEMPTS} jobs of this work have failed", where=label, fix="choose a name: --run-id ID")


def _announce(target: Target, status: JobStatus, token: str, options: Options) -> None:
    if target.as_json and options.detach:
        print_json({"job": status.id, "run_id": token, "state": status.state})
        return
    click.echo(f"job {status.id} {status.platform_state}  (attach again: --run-id {token})", err=True)
    if options.detach:
        click.echo(f"log: {status.log}", err=True)


# --- following


def _follow(target: Target, jobs: Jobs, job: str, token: str) -> JobStatus:
    """Waits until the job has ended, and prints each new state and each line of its progress."""
    store, path = target.environment.object_store(), progress_path(token)
    started, state, lines = time.monotonic(), "", 0
    while True:
        status = jobs.status(job)
        if status.platform_state != state:
            state = status.platform_state
            _say(
                target, f"{state.lower()}{f': {status.detail}' if status.detail and not status.state.is_final else ''}"
            )
        lines = _new_lines(store, path, lines, lambda text: _say(target, text))
        if status.state.is_final:
            return status
        first, later = _POLL_SECONDS
        time.sleep(first if time.monotonic() - started < 60 else later)


def _new_lines(store: Any, path: str, seen: int, say: Callable[[str], None]) -> int:
    """Prints the lines of a job's progress after the first `seen`; returns how many there are now."""
    import obstore

    try:
        lines = json.loads(bytes(obstore.get(store, path).bytes()))["lines"]
    except Exception:  # not written yet, or the lake does not respond: progress is optional
        return seen
    for line in lines[seen:]:
        say(line)
    return len(lines)


def _say(target: Target, text: str) -> None:
    if not target.as_json:
        click.echo(f"... {text}", err=True)


def _interrupted(target: Target, jobs: Jobs, job: str, token: str, options: Options) -> int:
    """After Ctrl-C: cancels the job, or leaves it alone and says how to come back to it."""
    if options.cancel_on_interrupt:
        jobs.cancel(job)
        click.echo(f"\njob {job}: cancelled; committed tables stay. Run again to continue", err=True)
        return 1
    name = target.environment.name
    click.echo(f"\njob {job} goes on; attach again: headgate run --env {name} --run-id {token}", err=True)
    return 130


# --- the end


def _outcome(target: Target, manifest: Manifest, status: JobStatus, token: str) -> Followed:
    from headgate.aws.clients import BotoClients
    from headgate.aws.outcome import Lake

    client = BotoClients(manifest.job.region).client("s3")
    outcome = Lake(client, target.environment.lake).outcome(token, status)
    return Followed(status, outcome, dollars(target, status))


def dollars(target: Target, status: JobStatus) -> float | None:
    """What a job run costs by the environment's prices, or EMR Serverless's list prices; None without a measure."""
    from headgate.aws.prices import price_of

    if not (status.vcpu_hours or status.memory_gb_hours):
        return None
    return price_of(target.environment.emr, status.vcpu_hours, status.memory_gb_hours)


def _exit_code(followed: Followed) -> int:
    """The command's exit code; 75 where the job ended before the command did, because a retry may help."""
    from headgate.aws.jobs import JobState

    if followed.outcome.exit_code is not None:
        return followed.outcome.exit_code
    return 1 if followed.status.state is JobState.CANCELLED else _RETRY


def _print(target: Target, followed: Followed, token: str) -> None:
    status, outcome = followed.status, followed.outcome
    if target.as_json:
        details = {"run": outcome.run, "run_id": token, "job": status.id, "state": status.state, "log": status.log}
        failures = [vars(failure) for failure in outcome.failures]
        cost = {"dollars": followed.dollars, "vcpu_hours": status.vcpu_hours, "gb_hours": status.memory_gb_hours}
        print_json({**details, "tables": outcome.tables, "failures": failures, "cost": cost})
        return
    if outcome.tables:
        _print_tables(outcome.tables)
    elif outcome.exit_code == 0:  # a command without a run report: its output is its result
        _print_log(target, status, "the end of the job's output:")
    click.echo(f"\nrun {outcome.run}, job {status.id} {status.platform_state}")
    if followed.dollars is not None:
        use = f"{status.vcpu_hours:.3f} vCPU hours, {status.memory_gb_hours:.3f} GB hours"
        click.echo(f"cost: about ${followed.dollars:.4f} ({use})")
    if code := _exit_code(followed):
        click.echo(f"\n{outcome.message(status)}", err=True)
        if not outcome.failures:
            _print_log(target, status, "the end of the driver's log:")
        if code == _RETRY:
            click.echo("a retry may help: run the same command again", err=True)


def _print_tables(tables: Iterable[Mapping[str, Any]]) -> None:
    done = [table for table in tables if table["status"] != "current"]
    keys = ("table", "status", "work", "rows_in", "written", "quarantined", "version")
    rows = [(*(table.get(key) for key in keys), f"{table.get('seconds', 0):.1f}") for table in done]
    if rows:
        print_table(_COLUMNS, rows, numeric=_COLUMNS[3:])


def _print_log(target: Target, status: JobStatus, title: str) -> None:
    """Prints the end of the driver's output, if EMR has written it already."""
    from headgate.aws.clients import BotoClients
    from headgate.aws.logs import tail

    lines = tail(BotoClients(target.environment.emr.region).client("s3"), status.log, _LOG_LINES)
    if lines:
        click.echo(f"\n{title}", err=True)
        click.echo("\n".join(f"  {line}" for line in lines), err=True)
    sys.stderr.flush()
