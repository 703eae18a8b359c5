"""The results of expectations: the values that reports, the commit's metadata and the history share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: Values that failed, as many as a result shows.
MOST_EXAMPLES = 5


@dataclass(frozen=True)
class Acceptance:
    """A person's decision to publish a batch although an expectation failed, with the reason."""

    expectation: str
    by: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        """As the commit's metadata has it."""
        return asdict(self)


@dataclass(frozen=True)
class Result:
    """One expectation of a suite on one batch, or on a whole table.

    judged: the number of checked rows; None if an expectation does not count rows. unexpected: the number of
    failing rows. observed: the observed value as text; None if there are only counts. examples: at most MOST_EXAMPLES.
    """

    expectation: str
    type: str
    columns: tuple[str, ...]
    kind: str
    severity: str
    success: bool
    judged: int | None = None
    unexpected: int | None = None
    observed: str | None = None
    examples: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """A failure in one line, as a person reads it."""
        text = f"{self.expectation} failed"
        if self.judged is not None and self.unexpected:
            text += f": {self.unexpected:,} of {self.judged:,} rows"
        if self.observed is not None:
            text += f": observed {self.observed}"
        return text + (f", such as {'; '.join(self.examples[:2])}" if self.examples else "")

    def as_dict(self) -> dict[str, Any]:
        """The result as plain JSON values; `from_dict` is the way back."""
        return {**asdict(self), "columns": list(self.columns), "examples": list(self.examples)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Result:
        """The result that `as_dict` gave. Raises TypeError or KeyError for anything else."""
        return cls(**{**value, "columns": tuple(value["columns"]), "examples": tuple(value["examples"])})


@dataclass(frozen=True)
class Judgement:
    """The results of a suite on a batch that may be committed, and the failures that a person accepted."""

    results: tuple[Result, ...] = ()
    accepted: tuple[Acceptance, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of the commit's metadata."""
        return {"quality": self.results, "accepted": self.accepted}


#: Of a batch that no suite judges.
NOT_JUDGED = Judgement()
