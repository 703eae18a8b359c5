"""`headgate upload` and `headgate serve receiver`, as far as they need no server."""

import gzip
import json
import os
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from headgate.cli import serve, upload
from headgate.cli.options import Target
from headgate.contracts.environment import load_environment
from headgate.errors import SetupError, UsageError


@pytest.fixture
def run(repository, tmp_path, monkeypatch):
    """Runs `headgate upload` on this repository's project with a lake of its own; the result."""
    monkeypatch.setenv("HEADGATE_LAKE", str(tmp_path / "lake"))
    monkeypatch.delenv("HEADGATE_URL", raising=False)
    monkeypatch.delenv("HEADGATE_KEY", raising=False)

    def invoke(*arguments):
        where = ["--project", str(repository.root), "--dataset", "transactions"]
        return CliRunner().invoke(upload.command, [*map(str, arguments), *where])

    return invoke


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "batch.json"
    path.write_bytes(b'{"a":1}\n')
    return path


def test_direct_lands_once_however_often(run, file, landed):
    first, again = run(file, "--direct", "--store", "store-1"), run(file, "--direct", "--store", "store-1")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert first.output.startswith("created   transactions.") and again.output.startswith("replayed  transactions.")
    assert list(landed().values()) == [file.read_bytes()]


def test_a_gz_file_lands_as_it_is(run, tmp_path, landed):
    file = tmp_path / "batch.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"a":1}\n'))
    assert run(file, "--direct", "--store", "store-1").exit_code == 0
    ((path, content),) = landed().items()
    assert path.endswith(".jsonl") and content == file.read_bytes()


def test_one_bad_file_does_not_stop_the_others(run, file, tmp_path, landed):
    result = run(tmp_path / "missing", tmp_path, file, "--direct", "--store", "store-1", "--json")
    shown = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [item["file"] for item in shown["uploads"]] == [str(file)]
    assert [item["where"] for item in shown["failed"]] == [str(tmp_path / "missing"), str(tmp_path)]
    assert len(landed()) == 1


def test_a_reused_key_is_refused_directly_too(run, file, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"other")
    how = ("--direct", "--store", "store-1", "--idempotency-key", "k-1")
    assert run(file, *how).exit_code == 0
    result = run(other, *how)
    assert result.exit_code == 1 and "was used for an upload with other bytes" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--url"),
        (("--url", "http://127.0.0.1:1"), "--key"),
        (("--direct",), "store's name"),
        (("--url", "u", "--key", "k", "--store", "s"), "the key says which store"),
    ],
)
def test_what_is_missing_is_said(run, file, arguments, message):
    result = run(file, *arguments)
    assert isinstance(result.exception, UsageError) and message in str(result.exception)


def test_one_idempotency_key_for_two_files_is_refused(run, file):
    assert isinstance(run(file, file, "--idempotency-key", "k").exception, UsageError)


def test_the_local_receiver_stays_on_this_machine_unless_told(repository, monkeypatch):
    def target(host):
        return Target(repository, load_environment(repository, environ={"HEADGATE_RECEIVER_HOST": host}), False)

    serve._check_host(target("127.0.0.1"), None, "receiver", "127.0.0.1")
    serve._check_host(target("localhost"), None, "receiver", "localhost")
    serve._check_host(target("0.0.0.0"), "0.0.0.0", "receiver", "0.0.0.0")  # noqa: S104 - nothing listens
    with pytest.raises(UsageError, match="beyond this machine"):
        serve._check_host(target("0.0.0.0"), None, "receiver", "0.0.0.0")  # noqa: S104 - nothing listens


def test_gunicorn_replaces_the_process(repository, monkeypatch):
    seen = {}
    monkeypatch.setattr(serve.os, "execve", lambda path, argv, env: seen.update(path=path, argv=argv, env=env))
    result = CliRunner().invoke(serve.command, ["receiver", "--project", str(repository.root), "--port", "8123"])
    assert result.exit_code == 0 and "http://127.0.0.1:8123" in seen["env"]["_HEADGATE_ANNOUNCEMENT"]
    assert seen["path"] == sys.executable and "--bind=127.0.0.1:8123" in seen["argv"]
    assert str(repository.root) in seen["env"]["PYTHONPATH"]


def test_direct_needs_no_web_server():
    """The store's client is installed without Flask."""
    code = "import sys, ingest_api.landing.direct; sys.exit('flask' in sys.modules or 'pyspark' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        ).returncode
        == 0
    )


def test_a_busy_port_is_refused_before_an_address_is_printed(repository, monkeypatch):
    monkeypatch.setattr(serve.os, "execve", lambda *_: pytest.fail("it starts"))
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        result = CliRunner().invoke(serve.command, ["receiver", "--project", str(repository.root), "--port", port])
    assert isinstance(result.exception, SetupError) and "cannot listen" in str(result.exception)
    assert "http://" not in result.output
