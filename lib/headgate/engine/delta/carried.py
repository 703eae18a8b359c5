"""Metadata for commits that Delta's own verbs make: OPTIMIZE, VACUUM, RESTORE and MERGE take it from the session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession

from headgate.ledger.ledger import Head
from headgate.ledger.metadata import USER_METADATA, CommitMetadata
from headgate.ledger.run_id import new_run_id

#: The session's setting that holds the metadata of the next commits.
METADATA_CONF = f"spark.databricks.delta.commitInfo.{USER_METADATA}"


@contextmanager
def carrying(session: SparkSession, metadata: CommitMetadata | None) -> Iterator[None]:
    """A block whose commits carry `metadata`: for OPTIMIZE, VACUUM and RESTORE, which take it from the session."""
    with session_confs(session, {METADATA_CONF: metadata.to_json()} if metadata else {}):
        yield


def taken_over(metadata: CommitMetadata, head: Head, **differs: Any) -> CommitMetadata:
    """Returns the metadata of a commit that copies a position at `head`; see `CommitMetadata.taken_over`."""
    return metadata.taken_over(new_run_id(), head.version, **differs)


@contextmanager
def session_confs(session: SparkSession, confs: Mapping[str, str]) -> Iterator[None]:
    """A block in which the session has these settings; they are unset at its end."""
    for key, value in confs.items():
        session.conf.set(key, value)
    try:
        yield
    finally:
        for key in confs:
            session.conf.unset(key)
