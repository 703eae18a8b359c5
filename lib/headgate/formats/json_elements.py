"""Finds where each element of a JSON array begins and ends, also of an element that is not JSON itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
# Numbers stay text: Python refuses to parse a number with thousands of digits.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
#: What decides where an element ends: whole texts, brackets, commas; and a quote that opens a text without an end.
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},"]', re.DOTALL)
_CLOSING = {"[": "]", "{": "}"}


class NotAnArray(Exception):
    """The text is not a complete JSON array."""


def elements(text: str) -> Iterator[tuple[int, int]]:
    """Yields the bounds of each element. Raises NotAnArray where the text is not an array, or is cut."""
    at = _skip_space(text, 0)
    if not text.startswith("[", at):
        raise NotAnArray("not a JSON array: it begins with " + repr(text[at : at + 1]))
    at = _skip_space(text, at + 1)
    if text.startswith("]", at):
        return _check_end(text, at + 1)
    while True:
        end = _end_of_element(text, at)
        yield at, end
        at = _skip_space(text, end)
        if text.startswith("]", at):
            return _check_end(text, at + 1)
        if not text.startswith(",", at):
            raise NotAnArray(f"not a whole JSON array: no ',' or ']' at character {at}")
        at = _skip_space(text, at + 1)


def _end_of_element(text: str, at: int) -> int:
    try:
        return _DECODER.raw_decode(text, at)[1]
    except (ValueError, RecursionError) as error:
        end = _end_by_brackets(text, at)
        if end is None:
            raise NotAnArray(f"not a whole JSON array: {error}") from error
        return end


def _end_by_brackets(text: str, at: int) -> int | None:
    """The end of an element that is not JSON, by its brackets and quotes; None where it is not certain."""
    open_brackets: list[str] = []
    for mark in _MARKS.finditer(text, at):
        kind = mark[0]
        if kind == '"':
            return None
        if kind in _CLOSING:
            open_brackets.append(_CLOSING[kind])
        elif open_brackets:
            if kind in "]}" and kind != open_brackets.pop():
                return None
        elif kind in ",]":
            end = len(text[at : mark.start()].rstrip()) + at
            return end if end > at else None
        elif kind == "}":
            return None
    return None


def _check_end(text: str, at: int) -> None:
    if _skip_space(text, at) != len(text):
        raise NotAnArray(f"more than one JSON array: text continues at character {at}")


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
