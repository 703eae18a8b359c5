"""Marks: which rules judged a row and which it failed, as bits in columns of their own.

They are computed in the same pass as the batch. A row that passes costs nothing more; the reasons of a rejected row
are derived from its bits and columns afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.engine.gate.rules import Rule
from headgate.engine.read.typed_records import SHOWN
from headgate.engine.runtime.materialize import local_rows
from headgate.ledger.record_table import REASON_TYPE

_BITS = 63  # of a bigint, without its sign
_JUDGED, _FAILED = "_judged", "_failed"


@dataclass(frozen=True)
class Marks:
    """The row rules of a table. A row that fails a rule named in `rejecting` is rejected."""

    rules: tuple[Rule, ...]
    rejecting: frozenset[str]

    def on(self, rows: DataFrame) -> DataFrame:
        """`rows` with their bits."""
        judged, failed = self._masks(_JUDGED, lambda r: r.judged), self._masks(_FAILED, lambda r: r.failing)
        return rows.select("*", *judged, *failed)

    def off(self, rows: DataFrame) -> DataFrame:
        """Marked rows without their bits."""
        return rows.drop(*(f"{prefix}_{part}" for prefix in (_JUDGED, _FAILED) for part in range(self._parts)))

    def sound(self, rows: DataFrame) -> DataFrame:
        """The rows, not marked yet, that no rule rejects."""
        return self.off(self.on(rows).filter(~self.rejects))

    @property
    def rejects(self) -> Column:
        """Whether a marked row fails a rule that rejects: never null."""
        bits = [0] * self._parts
        for number, rule in enumerate(self.rules):
            if rule.name in self.rejecting:
                bits[number // _BITS] |= 1 << number % _BITS
        wanted = (F.col(f"{_FAILED}_{part}").bitwiseAND(F.lit(mask)) != 0 for part, mask in enumerate(bits) if mask)
        return reduce(lambda left, right: left | right, wanted, F.lit(False))

    @property
    def reasons(self) -> Column:
        """Of a marked row, a reason for each rejecting rule that it fails, as an array."""
        rejecting = ((number, rule) for number, rule in enumerate(self.rules) if rule.name in self.rejecting)
        reasons = [F.when(self._bit(_FAILED, number), _reason(rule)) for number, rule in rejecting]
        return F.filter(F.array(*reasons), lambda reason: reason.isNotNull()).cast(f"array<{REASON_TYPE}>")

    def failed(self, name: str) -> Column:
        """Whether a marked row fails the rule `name`."""
        return self._bit(_FAILED, self._number(name))

    def counts(self, rows: DataFrame, names: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Rule -> of marked rows, how many it judged and how many failed it.

        One Spark job, and none where the rows are in the plan.
        """
        if not names:
            return {}
        numbers = [self._number(name) for name in names]
        bits = [self._bit(prefix, number) for number in numbers for prefix in (_JUDGED, _FAILED)]
        flags = rows.select(*(bit.cast("bigint").alias(f"n{i}") for i, bit in enumerate(bits)))
        details = local_rows(flags)
        if details is None:
            details = flags.agg(*(F.sum(name) for name in flags.columns)).collect()
        counts = [sum(int(row[i] or 0) for row in details) for i in range(len(bits))]
        return {name: (counts[2 * i], counts[2 * i + 1]) for i, name in enumerate(names)}

    @property
    def _parts(self) -> int:
        return -(-len(self.rules) // _BITS)

    def _number(self, name: str) -> int:
        return next(number for number, rule in enumerate(self.rules) if rule.name == name)

    def _bit(self, prefix: str, number: int) -> Column:
        return F.col(f"{prefix}_{number // _BITS}").bitwiseAND(F.lit(1 << number % _BITS)) != 0

    def _masks(self, prefix: str, condition_of: Callable[[Rule], Column]) -> Iterable[Column]:
        for part in range(self._parts):
            rules = self.rules[part * _BITS : (part + 1) * _BITS]
            bits = (F.when(condition_of(rule), F.lit(1 << bit)).otherwise(F.lit(0)) for bit, rule in enumerate(rules))
            mask = reduce(lambda left, right: left.bitwiseOR(right), (bit.cast("bigint") for bit in bits))
            yield mask.alias(f"{prefix}_{part}")


def _reason(rule: Rule) -> Column:
    """The reason why a row fails a rule: the value of its column, or with several columns `name=value` of each."""
    shown = [F.col(name).cast("string") for name in rule.columns]
    if len(shown) > 1:
        texts = (F.coalesce(text, F.lit("null")) for text in shown)
        named = (F.concat(F.lit(f"{name}="), text) for name, text in zip(rule.columns, texts, strict=True))
        value = F.concat_ws(", ", *named)
    else:
        value = shown[0] if shown else F.lit(None)
    return F.struct(
        F.lit(", ".join(rule.columns)).alias("column"),
        F.lit(rule.name).alias("rule"),
        F.substring(value.cast("string"), 1, SHOWN).alias("value"),
    )
