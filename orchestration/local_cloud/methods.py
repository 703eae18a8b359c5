"""Replaces methods of moto's classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def as_method(replacement: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that can be a method of a class: it passes the instance to `replacement` first."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return replacement(self, *args, **kwargs)

    return method
