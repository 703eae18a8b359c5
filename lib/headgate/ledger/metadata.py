"""The metadata that every commit of Headgate carries in `userMetadata`: a typed, versioned document.

`CommitMetadata` is the only code that knows the keys of its JSON. Format 1 is the document without a `format` number;
format 2 adds the number. A reader of this version reads both, ignores keys that it does not know, and refuses a newer
format: a change that an older reader must not ignore raises `FORMAT`, any other change only adds a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headgate import __version__
from headgate.errors import SetupError, StorageError
from headgate.ledger.position import Position
from headgate.ledger.record_table import RecordCounts
from headgate.suites.quality import Acceptance, Result

#: The newest format that this version reads, and the format that it writes.
FORMAT = 2
#: The key of Delta's commit information that holds the metadata.
USER_METADATA = "userMetadata"
#: Fields of `CommitMetadata` that JSON has as they are.
_PLAIN = ("run", "planned", "declared", "code", "contract", "suite", "copied_from", "copied_version")


@dataclass(frozen=True)
class Replay:
    """A replay: its condition, how many records left the quarantine, and how many of each of the first uploads."""

    where: str
    released: int
    uploads: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Returns the replay as JSON values."""
        return {"where": self.where, "released": self.released, "uploads": dict(self.uploads)}


@dataclass(frozen=True)
class CommitMetadata:
    """The metadata of a commit: about itself, the rows of the table, and their sources.

    table, run: the table, and the run that committed. position: how far the table has read its sources.
    planned: the version that the run planned against. declared: the table's declaration (`plan.declaration`).
    code, codes: hashes of the code of this commit, and of all code that made the table's rows.
    suite, suites: the same of the suites that judged the rows. contract: the shape of the contract that it read by.
    changes_rows: whether live rows may differ from the version before. counts: rows and records, by name.
    quality, accepted: the suite's results of the batch, and the failures that a person accepted.
    replay: of a replay. rolled_back: of a rollback, the versions before and after. copied_from: of maintenance, the
    version whose metadata this is a copy of. copied_version: the version of another lake's table that was copied.
    """

    table: str = ""
    run: str = ""
    position: Position | None = None
    planned: int | None = None
    declared: str | None = None
    code: str | None = None
    codes: tuple[str, ...] = ()
    contract: Mapping[str, Any] | None = None
    suite: str = ""
    suites: tuple[str, ...] = ()
    changes_rows: bool = True
    counts: Mapping[str, int] = field(default_factory=dict)
    quality: tuple[Result, ...] = ()
    accepted: tuple[Acceptance, ...] = ()
    replay: Replay | None = None
    rolled_back: tuple[int, int] | None = None
    copied_from: int | None = None
    copied_version: int | None = None
    headgate: str = __version__  # the version of Headgate that committed

    @property
    def record_counts(self) -> RecordCounts | None:
        """The counts of a commit that took uploads into a `Merge` or `Append` table; None for any other."""
        return RecordCounts.from_dict(self.counts) if "records" in self.counts else None

    def taken_over(self, run: str, planned: int, **differs: Any) -> CommitMetadata:
        """Returns the metadata of a commit by `run` that copies this position and makes no batch of its own.

        `differs` are the fields that say why: `copied_from` or `rolled_back`, and `changes_rows`.
        """
        of_the_table = replace(
            self, counts={}, quality=(), accepted=(), replay=None, rolled_back=None, copied_from=None
        )
        return replace(of_the_table, run=run, planned=planned, headgate=__version__, **differs)

    def to_json(self) -> str:
        """Returns the text for `userMetadata`. Values that are missing or empty are left out."""
        always = {"headgate": self.headgate, "format": FORMAT, "table": self.table, "changes_rows": self.changes_rows}
        values: dict[str, Any] = {
            **{name: getattr(self, name) for name in _PLAIN},
            "codes": list(self.codes),
            "suites": list(self.suites),
            "counts": dict(self.counts),
            "quality": [result.as_dict() for result in self.quality],
            "accepted": [acceptance.as_dict() for acceptance in self.accepted],
            "replay": self.replay and self.replay.as_dict(),
            "rolled_back": self.rolled_back and list(self.rolled_back),
        }
        present = {name: value for name, value in values.items() if value not in (None, "", [], {})}
        if self.position is not None:
            present["position"] = self.position.as_dict()  # kept also where the table reads nothing
        return json.dumps(always | present)

    @classmethod
    def from_json(cls, text: str | None, where: str = "") -> CommitMetadata | None:
        """Returns the metadata in `userMetadata`; None where the commit is not Headgate's. `where` is for messages.

        Raises SetupError for a newer format, StorageError where the document is damaged.
        """
        try:
            value = json.loads(text or "")
        except ValueError:
            return None
        if not isinstance(value, dict) or "headgate" not in value:
            return None
        number = value.get("format", 1)
        if not isinstance(number, int) or number > FORMAT:
            raise SetupError(
                f"the commit metadata has format {number}; this version of Headgate reads formats 1 to {FORMAT}",
                where=where,
                fix=f"upgrade Headgate from {__version__} to {value['headgate']} or newer",
            )
        try:
            return cls._from_dict(_from_format_1(value) if number < FORMAT else value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StorageError(
                f"the commit metadata cannot be read: {type(error).__name__}: {error}",
                where=where,
                fix="headgate history names the commit; headgate rollback to the version before it",
            ) from error

    @classmethod
    def _from_dict(cls, value: Mapping[str, Any]) -> CommitMetadata:
        """Returns the metadata of a document of the current format."""
        plain = (*_PLAIN, "headgate", "table", "changes_rows")
        rolled_back = value.get("rolled_back")
        return cls(
            **{name: value[name] for name in plain if name in value},
            position=Position.from_dict(value["position"]) if value.get("position") is not None else None,
            codes=tuple(value.get("codes", ())),
            suites=tuple(value.get("suites", ())),
            counts=dict(value.get("counts", {})),
            quality=tuple(map(Result.from_dict, value.get("quality", ()))),
            accepted=tuple(Acceptance(**acceptance) for acceptance in value.get("accepted", ())),
            replay=Replay(**value["replay"]) if value.get("replay") else None,
            rolled_back=(int(rolled_back[0]), int(rolled_back[1])) if rolled_back else None,
        )


def row_facts(inserted: int, deleted: int) -> dict[str, Any]:
    """Returns the fields of `CommitMetadata` that count the rows a `Replace` or `History` table gained and lost."""
    return {"counts": {"inserted": inserted, "deleted": deleted}, "changes_rows": inserted > 0 or deleted > 0}


def _from_format_1(value: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a document from format 1 to format 2. The oldest commits name only the code of their own batch."""
    codes = value.get("codes") or ([value["code"]] if value.get("code") else [])
    return {**value, "codes": codes}
