"""Clients of the two HTTP APIs, without Spark: `send` and `send_file` upload, `read` reads gold tables."""

from headgate.client.table import TableRead, read
from headgate.client.upload import RESUMABLE_BYTES, Receipt, describe, digest_of, follow, send, send_file

__all__ = [
    "RESUMABLE_BYTES",
    "Receipt",
    "TableRead",
    "describe",
    "digest_of",
    "follow",
    "read",
    "send",
    "send_file",
]
