"""Reads Dockerfiles: instructions with their arguments, and stages."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction. `stage` is the number of the FROM that it belongs to, -1 before the first."""

    name: str
    text: str
    stage: int

    @property
    def arguments(self) -> list[str]:
        """The words of the instruction without its flags; the elements of a JSON array."""
        if self.text.startswith("["):
            return json.loads(self.text)
        return [word for word in shlex.split(self.text) if not word.startswith("--")]

    @property
    def flags(self) -> dict[str, str]:
        """The flags, such as {"from": "build"}."""
        words = [word for word in self.text.split() if word.startswith("--")]
        return dict(word[2:].partition("=")[::2] for word in words)


def instructions(path: Path) -> list[Instruction]:
    """The instructions of a Dockerfile, in order."""
    lines, result, stage = path.read_text().splitlines(), [], -1
    text = ""
    for line in lines:
        if line.strip().startswith("#"):
            continue
        text += line.strip().removesuffix("\\") + " "
        if line.rstrip().endswith("\\") or not text.strip():
            continue
        name, _, rest = text.strip().partition(" ")
        stage += name == "FROM"
        result.append(Instruction(name, rest.strip(), stage))
        text = ""
    return result
