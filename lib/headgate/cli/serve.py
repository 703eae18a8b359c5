"""`headgate serve`: starts a server in the foreground."""

import ipaddress
import os
import secrets
import signal
import socket
import sys
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import json_text
from headgate.contracts.contract import load_contracts
from headgate.contracts.environment import Cluster
from headgate.contracts.table_contract import load_table_contracts
from headgate.errors import SetupError, UsageError
from headgate.http.announcement import VARIABLE
from headgate.installed import require_installed


@click.group()
def command() -> None:
    """Start a server."""


@command.command()
@click.option("--host", help="The address to listen on.  [default: the environment's]")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on.  [default: the environment's]")
@target_options
def receiver(target: Target, host: str | None, port: int | None) -> None:
    """Take uploads over HTTP: gunicorn, until it is stopped. SIGTERM lets uploads under way end."""
    settings = target.environment.receiver
    _check_host(target, host, "receiver", settings.host)
    require_installed("flask", "gunicorn", "ingest_api", extra="receiver", where="receiver")
    address = _address(host or settings.host, port or settings.port)
    _check_lake(target)
    _check_port(host or settings.host, port or settings.port)
    contracts = load_contracts(target.project)  # a wrong contract is said here, not by each worker
    dataset = next(iter(sorted(contracts)), "DATASET")
    arguments = _gunicorn(target, address)
    metrics = os.environ.get("PROMETHEUS_MULTIPROC_DIR") or tempfile.mkdtemp(
        prefix="headgate-metrics-", dir=_memory_folder()
    )
    try_it = f"try it: headgate upload FILE --dataset {dataset} --url http://{address} --key KEY"
    variables = {
        **os.environ,
        "PYTHONPATH": _python_path(),
        "PROMETHEUS_MULTIPROC_DIR": metrics,
        VARIABLE: _announcement(target, "receiver", address, try_it),
    }
    # Replaces this process, so that signals reach gunicorn itself.
    os.execve(sys.executable, arguments, variables)


def _memory_folder() -> str | None:
    """A folder in memory for the metrics of workers: their memory-mapped files crash a worker on a full disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # mkdtemp makes a private folder in it


@command.command()
@click.option("--host", help="The address to listen on.  [default: the environment's]")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on.  [default: the environment's]")
@target_options
def api(target: Target, host: str | None, port: int | None) -> None:
    """Serve gold tables to programs over HTTP: gunicorn, until it is stopped. No Spark is needed."""
    settings = target.environment.read_api
    _check_host(target, host, "read_api", settings.host)
    require_installed("flask", "gunicorn", "duckdb", "read_api", extra="api", where="api")
    address = _address(host or settings.host, port or settings.port)
    load_table_contracts(target.project)  # a wrong contract is reported here, not by each worker
    application = f"read_api.app:for_project({str(target.project.root)!r}, {target.environment.name!r})"
    options = {"bind": address, "workers": settings.workers, "threads": settings.threads}
    arguments = ["--config=python:read_api.gunicorn_conf", *(f"--{name}={value}" for name, value in options.items())]
    variables = {
        # Cursors must be valid in every worker; set the variable to keep them valid over restarts and hosts.
        "HEADGATE_CURSOR_SECRET": os.environ.get("HEADGATE_CURSOR_SECRET") or secrets.token_hex(32),
        "PROMETHEUS_MULTIPROC_DIR": tempfile.mkdtemp(prefix="headgate-metrics-", dir=_memory_folder()),
        "PYTHONPATH": _python_path(),
        VARIABLE: _announcement(target, "read API", address, f"read and try it: http://{address}/v1/docs"),
    }
    command_line = [sys.executable, "-m", "gunicorn", *arguments, application]
    os.execve(sys.executable, command_line, {**os.environ, **variables})


def _check_host(target: Target, host: str | None, key: str, configured: str) -> None:
    """The local environment's keys are for demonstration: it listens beyond this machine only if the user says so."""
    if host is None and target.environment.name == "local" and not _is_loopback(configured):
        raise UsageError(
            f"the environment 'local' would listen on {configured}, beyond this machine",
            where=f"{key}.host",
            fix=f"set it to 127.0.0.1, or say so: --host {configured}",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_lake(target: Target) -> None:
    """Tests before the first upload that the S3 service cannot lose uploads."""
    if not target.environment.is_folder:
        from ingest_api.storage import open_storage

        open_storage(target.environment).probe()


def _check_port(host: str, port: int) -> None:
    """Raises SetupError where the address cannot be bound: uploads could reach whatever else listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen(1)
        except OSError as error:
            raise SetupError(
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                where="receiver",
                fix="stop the process on that port, or choose another port: --port",
            ) from error


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _announcement(target: Target, name: str, address: str, try_it: str) -> str:
    """What the server prints once it accepts connections."""
    environment = target.environment
    if target.as_json:
        return json_text({"url": f"http://{address}", "environment": environment.name})
    return f"{name} for {environment.name}: http://{address}  (lake: {environment.lake})\n{try_it}"


def _gunicorn(target: Target, address: str) -> list[str]:
    """Returns the command: this Python, gunicorn, and the application, which each worker creates."""
    settings = target.environment.receiver
    application = f"ingest_api.app:for_project({str(target.project.root)!r}, {target.environment.name!r})"
    options = {"bind": address, "workers": settings.workers, "threads": settings.threads}
    values = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "gunicorn", "--config=python:ingest_api.gunicorn_conf", *values, application]


def _python_path() -> str:
    """Where this process finds the packages, so that the server finds the same ones from any folder."""
    result = (find_spec(name) for name in ("headgate", "ingest_api", "read_api"))
    places = [str(Path(spec.origin).parents[1]) for spec in result if spec and spec.origin]
    inherited = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    return os.pathsep.join(dict.fromkeys([*places, *inherited]))


_PORT = click.IntRange(1, 65535)
_COUNT = click.IntRange(min=1)
_ENVIRONMENTS = "  [default: the environment's]"


@command.command()
@click.option("--port", type=_PORT, help="The master's port on 127.0.0.1." + _ENVIRONMENTS)
@click.option("--ui-port", type=_PORT, help="The port of its web page." + _ENVIRONMENTS)
@click.option("--workers", type=_COUNT, help="How many workers." + _ENVIRONMENTS)
@click.option("--worker-cores", type=_COUNT, help="The cores of each." + _ENVIRONMENTS)
@click.option("--worker-memory-gb", type=_COUNT, help="The memory of each, in GB." + _ENVIRONMENTS)
@target_options
def cluster(target: Target, **options: int | None) -> None:
    """Start a Spark master and workers on this machine, until they are stopped. A worker that dies is started again."""
    from headgate.engine.runtime.standalone import Standalone

    settings = replace(target.environment.cluster, **{name: value for name, value in options.items() if value})
    folder = target.project.cache / "cluster" / str(settings.port)
    standalone = Standalone(settings, folder, lambda text: click.echo(f"headgate: {text}", err=True))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: child processes are stopped
    try:
        with standalone.running():
            _announce_cluster(target, settings, folder)
            standalone.watch()
    except KeyboardInterrupt:
        return


def _announce_cluster(target: Target, settings: Cluster, folder: Path) -> None:
    if target.as_json:
        details = {"master": settings.master, "ui": settings.ui, "workers": settings.workers, "logs": str(folder)}
        print_json({**details, "environment": target.environment.name})
        return
    size = f"{settings.worker_cores} core{'s' * (settings.worker_cores > 1)}, {settings.worker_memory_gb} GB each"
    click.echo(f"cluster: {settings.master}  ({settings.workers} workers registered, {size}; logs: {folder})")
    click.echo(f"its page: {settings.ui}")
    click.echo(f"run on it: {_run_on(target, settings)}")


def _run_on(target: Target, settings: Cluster) -> str:
    """Returns the command that runs the tables on the cluster, with options only where they differ from defaults."""
    environment = target.environment
    variables = {} if environment.is_cluster else {"HEADGATE_ENGINE": "cluster"}
    for name in ("port", "ui_port", "workers", "worker_cores", "worker_memory_gb"):
        if (value := getattr(settings, name)) != getattr(environment.cluster, name):
            variables[f"HEADGATE_CLUSTER_{name.upper()}"] = str(value)
    set_first = "".join(f"{name}={value} " for name, value in variables.items())
    return f"{set_first}headgate run --env {environment.name}"


@command.command()
@click.option("--port", type=_PORT, default=5555, show_default=True, help="The port on 127.0.0.1.")
@click.option("--folder", type=click.Path(path_type=Path), help="For jobs and their logs.  [default: .headgate/cloud]")
@click.option("--keep", is_flag=True, help="Keep the objects of S3 in the folder, for the next start.")
@click.option("--slots", type=_COUNT, default=1, show_default=True, help="How many jobs run at a time.")
@click.option("--region", default="eu-central-1", show_default=True, help="The region that it answers for.")
@target_options
def cloud(target: Target, port: int, folder: Path | None, keep: bool, slots: int, region: str) -> None:
    """Start a local stand-in for the AWS APIs: S3, SQS, SNS, Glue, Secrets Manager, EMR and EMR Serverless.

    A job run or step that is submitted to it really starts spark-submit. It makes the buckets that the environment
    names, and a queue that receives an event for each upload.
    """
    from headgate.engine.runtime.jars import ensure_s3_jars

    require_installed("moto", "boto3", extra="cloud", where="local cloud")
    jars = ensure_s3_jars()
    arguments = [sys.executable, "-m", "orchestration.local_cloud", "--port", str(port), "--region", region]
    arguments += ["--folder", str(folder or target.project.cache / "cloud"), "--slots", str(slots), "--jars", str(jars)]
    arguments += [*_buckets(target), *["--keep"] * keep, *["--json"] * target.as_json]
    os.execve(sys.executable, arguments, {**os.environ, "PYTHONPATH": _python_path()})


def _buckets(target: Target) -> list[str]:
    """The options that create the environment's buckets, and events for uploads to its lake."""
    lake = target.environment.lake
    if target.environment.is_folder:
        return []
    bucket, _, prefix = lake.removeprefix("s3://").partition("/")
    landing = f"{bucket}/{prefix}/landing/" if prefix else f"{bucket}/landing/"
    return ["--bucket", bucket, "--landing", landing]
