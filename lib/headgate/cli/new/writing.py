"""Writes files that must not exist yet."""

from pathlib import Path

from headgate.errors import StorageError, UsageError


def check_new(path: Path) -> None:
    """Raises UsageError where the file exists."""
    if path.exists():
        raise UsageError("the file exists, and is never overwritten", where=str(path), fix="rename or remove it first")


def write_new(path: Path, text: str) -> None:
    """Writes a new file and its folder. Raises UsageError where it exists, StorageError where it cannot be written."""
    check_new(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StorageError(f"cannot write: {error.strerror}", where=str(path), fix="check the permissions") from error
