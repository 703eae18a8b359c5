"""`headgate upload` as a store's IT person uses it: no project, resume, watched folders, what became of known bytes."""

import hashlib
import json
import random
import re
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

import headgate.client
from headgate.cli import upload
from headgate.client import follow, send_file
from headgate.errors import UploadRefused
from headgate.views import known_bytes
from tests.receiver.test_resume import receiver


class Line:
    """A receiver behind a bad line: the connection breaks after so many bytes of a body, several times."""

    def __init__(self, app, *cuts):
        self.inner, self.cuts, self.sent = httpx.WSGITransport(app=app), list(cuts), 0

    def handle_request(self, request):
        body = request.read()
        if request.method == "PATCH" and self.cuts:
            kept = body[: self.cuts.pop(0)]
            headers = {**request.headers, "Upload-Complete": "?0", "Content-Length": str(len(kept))}
            self.inner.handle_request(httpx.Request("PATCH", request.url, headers=headers, content=kept))
            self.sent += len(kept)
            raise httpx.WriteError("the line broke")
        if request.method == "PATCH":
            self.sent += len(body)
        return self.inner.handle_request(
            httpx.Request(request.method, request.url, headers=request.headers, content=body)
        )

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def large(tmp_path):
    file = tmp_path / "large.jsonl"
    file.write_bytes(random.Random(3).randbytes(9_000_000))  # noqa: S311 - no secret
    return file


def test_a_large_file_goes_on_where_the_line_broke(environment, clock, large, landed):
    sender = receiver(environment, None, clock)
    line = Line(sender.client.application, 1_000_000, 3_000_000, 10)
    seen = []
    with httpx.Client(transport=line) as http:
        receipt = send_file(
            "http://r", "key-1", "transactions", large, http=http, sleep=lambda _: None, progress=seen.append
        )
    assert receipt.sha256 == hashlib.sha256(large.read_bytes()).hexdigest()
    assert list(landed().values()) == [large.read_bytes()]
    assert line.sent == 9_000_000  # no byte was sent twice
    assert seen[-1] == 9_000_000


def test_a_line_that_never_gets_further_is_given_up(environment, clock, large):
    sender = receiver(environment, None, clock)
    line = Line(sender.client.application, *[0] * 50)
    with httpx.Client(transport=line) as http, pytest.raises(UploadRefused, match="after 3 tries"):
        send_file("http://r", "key-1", "transactions", large, http=http, tries=3, sleep=lambda _: None)


@pytest.fixture
def run(environment, clock, monkeypatch, tmp_path):
    """Runs `headgate upload` outside of any project against a receiver in this process; the result."""
    app = receiver(environment, None, clock).client.application
    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **_: real(transport=httpx.WSGITransport(app=app)))
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        where = ["--dataset", "transactions", "--url", "http://r", "--key", "key-1"]
        return CliRunner().invoke(upload.command, [*map(str, arguments), *where])

    return invoke


def test_an_upload_needs_no_project(run, tmp_path, landed):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"{}\n")
    result = run(file)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("created   transactions.")
    assert list(landed().values()) == [b"{}\n"]


def test_known_bytes_say_in_which_state_they_are(run, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"{}\n")
    run(file)
    again = run(file)
    assert again.output.startswith("replayed  transactions.")
    assert "known already (landed): it waits for the next run: nothing to do" in again.output


@pytest.mark.parametrize(
    ("shown", "advice"),
    [
        ({"state": "done"}, "all records were accepted: nothing to do"),
        (
            {"state": "quarantined", "quarantined": {"records": 3, "first": [{"table": "silver.sales"}]}},
            "3 records are in quarantine",
        ),
    ],
)
def test_the_advice_follows_the_state(shown, advice):
    assert advice in known_bytes.advice(shown)


def test_a_watched_folder_is_sent_once_and_sorted(run, tmp_path, landed):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.jsonl").write_bytes(b"{}\n")
    (inbox / "b.jsonl.part").write_bytes(b"half")
    (inbox / "c.jsonl").write_bytes(b"x" * 2)
    result = run("--watch", inbox, "--once")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (inbox / "sent").iterdir()} == {"a.jsonl", "c.jsonl"}
    assert (inbox / "b.jsonl.part").exists() and len(landed()) == 2


def test_a_refused_file_is_moved_aside(run, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.jsonl").write_bytes(b"first")
    run("--watch", inbox, "--once", "--json")
    (inbox / "big.jsonl").write_bytes(b"")
    result = run("--watch", inbox, "--once", "--json")
    assert result.exit_code == 0 and json.loads(result.output.splitlines()[-1])["bytes"] == 0


def test_what_became_of_an_upload_is_shown_to_the_client(run, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"{}\n")
    upload_id = run(file).output.split()[1]
    assert follow("http://r", "key-1", upload_id)["state"] == "landed"
    assert headgate.client.describe("http://r", "key-1", "transactions")["media_types"][0] == "application/x-ndjson"


def test_the_python_of_the_stores_page_sends_a_file(run, tmp_path, landed):
    page = (Path(__file__).parents[2] / "docs" / "stores.md").read_text()
    [code] = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "batch.jsonl").write_bytes(b"{}\n")
    names = {"url": "http://r", "key": "key-1"}
    exec(compile(code, "docs/stores.md", "exec"), names)  # noqa: S102 - our own page
    assert names["state"] == "landed" and list(landed().values()) == [b"{}\n"]
