"""The answer to a sender whose bytes had landed before: where they are, and the next step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def advice(shown: Mapping[str, Any]) -> str:
    """Returns one or two sentences for `shown`, the state of an upload as `Progress.of` or the receiver returns it."""
    if shown.get("state") == "quarantined":
        quarantined = shown.get("quarantined") or {}
        first = (quarantined.get("first") or [{}])[0]
        replay = f"headgate quarantine replay {first.get('table', 'TABLE')}"
        return (
            f"{_records(quarantined.get('records'))} in quarantine: the same bytes are rejected again. "
            f"Correct the records and send a new file, or correct the contract and replay them: {replay}"
        )
    if shown.get("state") == "done":
        return "all records were accepted: nothing to do"
    return "it waits for the next run: nothing to do"


def _records(count: int | None) -> str:
    if count is None:
        return "some records are"
    return "1 record is" if count == 1 else f"{count:,} records are"
