"""The Lambda's package: it has all that the handler imports, and the same sources give the same bytes."""

import os
import subprocess
import sys

from bin.build_lambda import build

_HANDLE = """
import sys, on_arrival, headgate.aws.jobs
assert sys.argv[1] in headgate.aws.jobs.__file__, headgate.aws.jobs.__file__
print(on_arrival.handler({"Records": [{"messageId": "1", "body": "garbage"}]}))
"""


def test_the_handler_runs_from_its_package_alone(tmp_path):
    package = tmp_path / "on_arrival.zip"
    build(package)
    variables = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(
        [sys.executable, "-c", _HANDLE, str(package)],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{'batchItemFailures': [{'itemIdentifier': '1'}]}"


def test_the_same_sources_give_the_same_bytes(tmp_path):
    build(tmp_path / "a.zip")
    build(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
