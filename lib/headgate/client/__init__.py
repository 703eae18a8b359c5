"""Clients of the two HTTP APIs, without Spark: `send` uploads to the receiver, `read` reads gold tables."""

from headgate.client.table import TableRead, read
from headgate.client.upload import Receipt, send

__all__ = ["Receipt", "TableRead", "read", "send"]
