"""`headgate admin store`: keys that a receiver takes at once."""

import json
import stat

import pytest
from click.testing import CliRunner

from headgate.cli import admin
from headgate.errors import UsageError
from headgate.http.keys import KeyFile, digest_of
from headgate.http.store_keys import SCOPES


@pytest.fixture
def run(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("HEADGATE_RECEIVER_KEY_FILE", str(tmp_path / "keys.yaml"))

    def invoke(*arguments):
        return CliRunner().invoke(admin.command, ["store", *arguments, "--json", "--project", str(repository.root)])

    return invoke


def key_of(result):
    assert result.exit_code == 0, result.exception
    return json.loads(result.output)["key"]


def store_of(tmp_path, key):
    return KeyFile(tmp_path / "keys.yaml", SCOPES).ring().authenticate(f"Bearer {key}").client


def test_an_added_store_uploads_with_its_key_and_only_the_digest_is_kept(run, tmp_path):
    key = key_of(run("add", "till-1", "--dataset", "transactions", "--per-minute", "60"))
    file = tmp_path / "keys.yaml"
    assert store_of(tmp_path, key) == "till-1"
    assert key not in file.read_text() and digest_of(key) in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_rotation_leaves_the_old_key_valid_for_a_while(run, tmp_path):
    old = key_of(run("add", "till-1"))
    new = key_of(run("rotate", "till-1"))
    assert store_of(tmp_path, old) == store_of(tmp_path, new) == "till-1"
    newest = key_of(run("rotate", "till-1", "--keep-hours", "0"))
    assert store_of(tmp_path, newest) == "till-1"
    with pytest.raises(Exception, match=r"expired|not known"):
        store_of(tmp_path, old)


def test_a_disabled_store_is_refused_and_listed(run, tmp_path):
    key = key_of(run("add", "till-1"))
    run("disable", "till-1")
    with pytest.raises(Exception, match="not known"):
        store_of(tmp_path, key)
    rows = {row["store"]: row for row in json.loads(run("list").output)["stores"]}
    assert rows["till-1"]["state"] == "disabled"


@pytest.mark.parametrize("arguments", [("rotate", "none"), ("disable", "none"), ("add", "x", "--dataset", "nope")])
def test_what_is_not_there_is_said(run, arguments):
    assert isinstance(run(*arguments).exception, UsageError)


def test_a_store_is_added_once(run):
    run("add", "till-1")
    assert isinstance(run("add", "till-1").exception, UsageError)
