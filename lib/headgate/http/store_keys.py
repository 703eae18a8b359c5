"""The scopes of a store in the receiver's key file."""

from __future__ import annotations

from typing import Any

#: The schema of a store's scopes in a key file.
SCOPES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "datasets": {"type": "array", "items": {"type": "string"}, "x-wanted": "a list of datasets"},
        "per_minute": {"type": "integer", "minimum": 1, "x-wanted": "a whole number from 1"},
        "sandbox": {"type": "boolean"},
    },
}
