"""A landed object's path says nothing about compression: bronze looks at its first bytes."""

import gzip

import pytest

from headgate.engine.read.bronze import is_gzip


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("x.jsonl", gzip.compress(b"{}", mtime=0), True),
        ("x.jsonl", b"{}", False),
        ("x.jsonl", b"", False),
        ("x.jsonl.gz", b"not gzip", True),  # landed by an earlier version: bronze says that it is damaged
        ("x.parquet", b"PAR1", False),
    ],
    ids=["gzip bytes", "plain", "empty", "an old name", "parquet"],
)
def test_gzip_is_seen_by_the_first_bytes_or_by_an_old_name(path, body, expected):
    assert is_gzip(path, body) is expected
