"""`headgate admin store`: the keys with which stores upload, in the environment's key file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import yaml

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table
from headgate.document import Invalid, as_error, load_document
from headgate.errors import EnvironmentConfigError, UsageError, suggestion
from headgate.http.keys import digest_of, new_key, read_keys
from headgate.http.secret_keys import SECRET_PREFIX
from headgate.http.store_keys import SCOPES

_HEAD = "# Keys of stores, as SHA-256 digests. Change it by `headgate admin store`; receivers read it again.\n"


@click.group("store")
def store() -> None:
    """Add, rotate, disable and list the stores that may upload."""


@store.command("add")
@click.argument("name")
@click.option("--dataset", "datasets", multiple=True, help="A dataset that it may upload; repeatable.  [default: all]")
@click.option("--per-minute", type=click.IntRange(1), help="The most uploads a minute.  [default: no limit]")
@click.option("--sandbox", is_flag=True, help="A key for tests: its uploads land where no pipeline reads.")
@target_options
def add(target: Target, name: str, datasets: tuple[str, ...], per_minute: int | None, sandbox: bool) -> None:
    """Add a store, and print its key. The key is shown once: only its digest is kept."""
    _check_datasets(target, datasets)
    scopes: dict[str, Any] = {}
    if datasets:
        scopes["datasets"] = sorted(datasets)
    if per_minute:
        scopes["per_minute"] = per_minute
    if sandbox:
        scopes["sandbox"] = True
    with _changing(target) as clients:
        if name in clients:
            raise UsageError(f"the store '{name}' exists", fix="headgate admin store rotate gives it a new key")
        key = new_key()
        clients[name] = {"keys": [_entry(key)], **({"scopes": scopes} if scopes else {})}
    _show_key(target, name, key)


@store.command("rotate")
@click.argument("name")
@click.option("--keep-hours", default=72, show_default=True, help="How long the old keys stay valid.")
@target_options
def rotate(target: Target, name: str, keep_hours: int) -> None:
    """Give a store a new key, and print it. The old keys expire later, so that the store can change over."""
    with _changing(target) as clients:
        client = _client(clients, name)
        end = datetime.now(UTC) + timedelta(hours=keep_hours)
        for entry in client["keys"]:
            entry["expires"] = min(entry.get("expires", _text(end)), _text(end))
        client["keys"] = [entry for entry in client["keys"] if entry["expires"] > _text(datetime.now(UTC))]
        key = new_key()
        client["keys"].append(_entry(key))
        client.pop("disabled", None)
    _show_key(target, name, key)


@store.command("disable")
@click.argument("name")
@target_options
def disable(target: Target, name: str) -> None:
    """Refuse all keys of a store. What it uploaded stays."""
    with _changing(target) as clients:
        _client(clients, name)["disabled"] = True
    if target.as_json:
        print_json({"store": name, "disabled": True})
    else:
        click.echo(f"{name} is disabled; receivers refuse its keys within a second or so")


@store.command("list")
@target_options
def list_stores(target: Target) -> None:
    """List the stores with their limits, without keys."""
    settings = target.environment.receiver
    clients = _read(_key_file(target)) if settings.key_file else {}
    rows = [_row(name, client) for name, client in sorted(clients.items())]
    rows += [
        {"store": name, "keys": len(digests), "datasets": "all", "per_minute": None, "state": "in the environment"}
        for name, digests in sorted(settings.store_keys.items())
    ]
    if target.as_json:
        print_json({"stores": rows})
    elif rows:
        print_table(list(rows[0]), [["" if value is None else str(value) for value in row.values()] for row in rows])
    else:
        click.echo("no stores; add a store: headgate admin store add NAME")


def _row(name: str, client: dict[str, Any]) -> dict[str, Any]:
    scopes = client.get("scopes", {})
    state = "disabled" if client.get("disabled") else "sandbox" if scopes.get("sandbox") else "active"
    return {
        "store": name,
        "keys": len(client["keys"]),
        "datasets": ", ".join(scopes["datasets"]) if "datasets" in scopes else "all",
        "per_minute": scopes.get("per_minute"),
        "state": state,
    }


def _check_datasets(target: Target, datasets: tuple[str, ...]) -> None:
    known = [path.stem for path in sorted(target.project.datasets.glob("*.yaml"))]
    for name in datasets:
        if name not in known:
            raise UsageError(
                f"no dataset '{name}'.{suggestion(name, known)}",
                where="--dataset",
                fix=f"there are: {', '.join(known)}",
            )


def _client(clients: dict[str, Any], name: str) -> dict[str, Any]:
    if name not in clients:
        raise UsageError(f"no store '{name}'.{suggestion(name, clients)}", fix="headgate admin store list shows them")
    client: dict[str, Any] = clients[name]
    return client


def _entry(key: str) -> dict[str, str]:
    moment = datetime.now(UTC)
    return {"id": f"k{moment:%Y%m%d%H%M%S}", "sha256": digest_of(key)}


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _show_key(target: Target, name: str, key: str) -> None:
    if target.as_json:
        print_json({"store": name, "key": key})
        return
    click.echo(f"the key of {name}, shown this once:\n\n  {key}\n")
    click.echo("receivers take it within a second; for AWS Secrets Manager copy the key file into the secret")


def _key_file(target: Target) -> Path:
    place = target.environment.receiver.key_file
    if not place or place.startswith(SECRET_PREFIX):
        raise EnvironmentConfigError(
            "the environment has no key file" if not place else "the keys are in a secret, which is not changed here",
            where=f"{target.environment.path}: receiver.key_file",
            fix="set receiver.key_file to a file outside of the repository, or HEADGATE_RECEIVER_KEY_FILE",
        )
    return Path(place)


@contextmanager
def _changing(target: Target) -> Iterator[dict[str, Any]]:
    """The clients of the key file, written back at the end of the block; the file is replaced as a whole."""
    file = _key_file(target)
    with _locked(file):
        clients = _read(file)
        yield clients
        text = _HEAD + yaml.safe_dump({"format": 1, "clients": clients}, sort_keys=True, allow_unicode=True)
        _replace(file, text)


def _read(file: Path) -> dict[str, Any]:
    """Returns the clients of a key file; none if there is no file. Raises EnvironmentConfigError."""
    if not file.exists():
        return {}
    try:
        document = load_document(file, str(file))
        read_keys(document, SCOPES)
    except Invalid as invalid:
        raise as_error(EnvironmentConfigError, invalid.problems) from None
    clients: dict[str, Any] = json.loads(json.dumps(document.value["clients"]))
    return clients


def _replace(file: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(descriptor, "w") as output:  # mkstemp makes it readable by this user alone
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    Path(temporary).replace(file)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keeps two of these commands from losing each other's change."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.with_name(f".{file.name}.lock")
    try:
        descriptor = os.open(lock, os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        raise UsageError(
            "another command is changing the keys", where=str(lock), fix="try again; remove the file if none is running"
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            lock.unlink()
