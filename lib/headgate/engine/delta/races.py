"""Lost races: how the exceptions of Delta and deltalake are recognised."""

from __future__ import annotations

from py4j.protocol import Py4JJavaError


def is_race(error: Exception) -> bool:
    """Whether a commit failed because another commit came first."""
    text = str(error.java_exception.toString()) if isinstance(error, Py4JJavaError) else str(error)
    return any(
        name in text or name in type(error).__name__
        for name in (
            "ConcurrentTransaction",
            "ConcurrentWrite",
            "ConcurrentAppend",
            "ConcurrentDelete",
            "MetadataChanged",
            "ProtocolChanged",
            "DELTA_CONCURRENT",
            "CommitFailedError",
            "table already exists at that location",
        )
    )
