"""The mutants: one fault each, the invariant that it breaks, and the tests that must notice it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A fault: in `file`, the only place with the text `old` becomes `new`.

    invariant: what the fault breaks. tests: pytest's names of the tests that must fail. reason: why no test can notice
    it; empty where one must.
    """

    file: str
    old: str
    new: str
    invariant: str
    tests: tuple[str, ...]
    reason: str = ""


_LANDING, _PLANNING, _RETENTION = (
    "tests/unit/test_landing.py",
    "tests/unit/test_planning.py",
    "tests/unit/test_retention.py",
)
_LEDGER, _METADATA, _COUNTS = (
    "tests/unit/test_ledger.py",
    "tests/unit/test_metadata.py",
    "tests/unit/test_record_table.py",
)
_RECORDS, _FILES, _GATE = "tests/unit/test_records.py", "tests/unit/test_files.py", "tests/unit/test_gate.py"
_LATE, _UPLOADS, _DURABLE = (
    "tests/receiver/test_late.py",
    "tests/receiver/test_uploads.py",
    "tests/receiver/test_durable.py",
)
_HOSTILE, _PARTITIONS = "tests/receiver/test_hostile.py", "tests/unit/test_partition_text.py"


def _landing(old: str, new: str, invariant: str, test: str = _LANDING) -> Mutant:
    return Mutant("lib/headgate/lake/landing.py", old, new, invariant, (test,))


def _identity(old: str, new: str, invariant: str, test: str = _LANDING) -> Mutant:
    return Mutant("lib/headgate/lake/upload_identity.py", old, new, invariant, (test,))


def _plan(old: str, new: str, invariant: str) -> Mutant:
    return Mutant("lib/headgate/planning/plan.py", old, new, invariant, (_PLANNING,))


def _retention(old: str, new: str, invariant: str) -> Mutant:
    return Mutant("lib/headgate/planning/retention.py", old, new, invariant, (_RETENTION,))


def _ledger(old: str, new: str, invariant: str) -> Mutant:
    return Mutant("lib/headgate/ledger/ledger.py", old, new, invariant, (_LEDGER,))


def _land(old: str, new: str, invariant: str, test: str) -> Mutant:
    return Mutant("ingest_api/landing/land.py", old, new, invariant, (test,))


def _folder(old: str, new: str, invariant: str) -> Mutant:
    return Mutant("ingest_api/storage/folder.py", old, new, invariant, (_DURABLE,))


def _records(old: str, new: str, invariant: str, test: str) -> Mutant:
    return Mutant("lib/headgate/formats/records.py", old, new, invariant, (f"{_RECORDS}::{test}",))


def _csv(old: str, new: str, invariant: str, test: str) -> Mutant:
    return Mutant("lib/headgate/formats/csv_rows.py", old, new, invariant, (f"{_RECORDS}::{test}",))


def _statistics(old: str, new: str, invariant: str) -> Mutant:
    return Mutant("lib/headgate/engine/delta/statistics.py", old, new, invariant, (_FILES,))


def _gate(old: str, new: str, invariant: str) -> Mutant:
    return Mutant("lib/headgate/engine/gate/gate.py", old, new, invariant, (_GATE,))


MUTANTS: tuple[Mutant, ...] = (
    # --- landing: an acknowledged upload is listed by a later run, and one upload is one object
    _plan(
        "since = head.position.listed_at - self._environment.lookback",
        "since = head.position.listed_at",
        "no acknowledged upload is missed: the listing begins before the last one",
    ),
    _landing("yield from _list_markers(store, dataset, since)", "pass", "a late upload is listed by its marker"),
    _landing(
        'if first and name < f"dt={first:%Y-%m-%d}":',
        'if first and name <= f"dt={first:%Y-%m-%d}":',
        "the day of the listing's first hour is listed",
    ),
    _identity(
        "return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)",
        "return moment.astimezone(UTC).replace(second=0, microsecond=0)",
        "an hour is whole: a listing begins with all of its first hour",
    ),
    Mutant(
        "lib/headgate/lake/upload_identity.py",
        'b"".join(len(p).to_bytes(4, "big") + p for p',
        'b"".join(p for p',
        "two uploads never have one path",
        (_LANDING,),
        reason="paths and claims name store and dataset beside the hash, so only the key can differ within one",
    ),
    _identity(
        "return whole_hour(moment) if moment.year in _KEY_YEARS else None",
        "return whole_hour(moment)",
        "a random key that looks like a time far away gets a claim, so that it is listed",
    ),
    _identity(
        "return upload if upload.id == upload_id else None",
        "return upload",
        "an upload has one id: another spelling is none",
    ),
    # --- the receiver: acknowledged is durable and whole, and once
    _land(
        "    mark_late(storage, upload, path, clock)\n    return Landing",
        "    return Landing",
        "a late upload has its marker when it is acknowledged",
        _LATE,
    ),
    _land(
        "            mark_late(storage, upload, path, clock)\n",
        "",
        "a receipt that is asked for is an acknowledgement, too",
        _LATE,
    ),
    _land(
        "_LATE = timedelta(hours=1)",
        "_LATE = timedelta(hours=3)",  # two hours are still safe, by the lookback: one is for clocks that differ
        "an upload is marked before a listing can have passed its hour",
        _LATE,
    ),
    _land(
        "while (moment := clock()) - listed > _LATE:",
        "if (moment := clock()) - listed > _LATE:",
        "a receiver that stalls marks again",
        _LATE,
    ),
    _land(
        "stored.size != size or _digest(storage, path, stored) != sha256",
        "stored.size != size",
        "other bytes under a used key are refused, also of the same length",
        f"{_UPLOADS}::test_other_bytes_under_the_same_key_are_refused",
    ),
    _land(
        'return datetime.fromisoformat(claim["hour"]), claim["suffix"]',
        "return upload.hour, suffix",
        "a retry in a later hour lands at the claimed path",
        f"{_UPLOADS}::test_a_replay_in_a_later_hour_is_still_the_same_object",
    ),
    Mutant(
        "ingest_api/landing/body.py",
        "if self._declared is not None and self.size != self._declared:",
        "if False:",
        "a body that was cut does not land",
        (f"{_UPLOADS}::test_a_body_shorter_than_declared_does_not_land",),
    ),
    Mutant(
        "ingest_api/landing/body.py",
        "if self._expected and not self._expected.matches():",
        "if False:",
        "a body that is not as its digest says does not land",
        (f"{_HOSTILE}::test_a_wrong_content_digest_is_refused",),
    ),
    _folder("            os.fsync(self._file.fileno())\n", "", "a file is synced before it has its name"),
    _folder(
        "            created = False\n        self.sync(path)\n",
        "            created = False\n",
        "folders are synced before an upload is acknowledged",
    ),
    _folder(
        "            self.sync(path)  # another",
        "            pass  # another",
        "what another process made is synced before a receipt names it",
    ),
    _folder(
        "        for inside in place.relative_to(self._folder).parents:\n            _sync(self._folder / inside)\n",
        "",
        "every new folder above an object is synced",
    ),
    # --- the ledger: the position is in the commit of the output
    _ledger(
        "if commit.metadata is not None and not _is_stale_copy(commit):",
        "if commit.metadata is not None:",
        "a stale copy of a position does not count",
    ),
    _ledger(
        'if between is None or between.operation == "RESTORE":',
        "if between is None:",
        "a RESTORE between plan and commit voids the position",
    ),
    _ledger(
        "            return int(restored)\n",
        "            return commit.version - 1\n",
        "after a RESTORE the position is that of the restored version",
    ),
    _ledger(
        'return any(is_live(file.get("partitionValues", {})) for file in removed if file.get("dataChange", True))',
        'return any(is_live(file.get("partitionValues", {})) for file in removed)',
        "compaction takes no rows away",
    ),
    _ledger(
        '        if self.operation == "RESTORE":\n            return True\n', "", "a RESTORE by others changes rows"
    ),
    Mutant(
        "lib/headgate/ledger/metadata.py",
        "if not isinstance(number, int) or number > FORMAT:",
        "if not isinstance(number, int):",
        "an unknown newer format is refused",
        (_METADATA,),
    ),
    Mutant(
        "lib/headgate/ledger/record_table.py",
        "self.no_row >= 0 and self.unread == 0",
        "self.no_row >= 0",
        "nothing is dropped: a record that was not read breaks the balance",
        (_COUNTS,),
    ),
    Mutant(
        "lib/headgate/ledger/record_table.py",
        "return records == self.records and rows == self.rows",
        "return records == self.records",
        "nothing is dropped: each row has one verdict",
        (_COUNTS,),
    ),
    # --- planning: an increment is only made where it gives what a whole build gives
    _plan(
        "return [listed[upload] for upload in listed.keys() - known]",
        "return list(listed.values())",
        "an upload is taken in once",
    ),
    _plan("if at.exists and at.id != source.id:", "if False:", "another table under the same name rebuilds"),
    _plan("if at.version > source.version:", "if False:", "a source that went back rebuilds"),
    _plan(
        "if insert_only and any(commit.takes_rows_away for commit in known):",
        "if False:",
        "rows that went away from an insert-only source rebuild",
    ),
    _plan("if any(commit is None for commit in commits):", "if False:", "a log that was cleaned up rebuilds"),
    _plan(
        "if not self._same_partitions(source, since, known):",
        "if False:",
        "a source that is partitioned in another way rebuilds",
    ),
    _plan(
        'if any(commit.operation == "VACUUM END" for commit in known) and not self._files_remain(source, known):',
        "if False:",
        "change data that was vacuumed rebuilds",
    ),
    # --- retention: what a reader or a promise needs is kept
    _retention("_SLACK = timedelta(hours=1)", "_SLACK = timedelta(0)", "files are kept an hour beyond the bound"),
    _retention("return max(0, math.ceil(", "return max(0, int(", "hours are rounded up"),
    _retention(
        "        if at is not None and at.exists:\n", "        if False:\n", "what a reader has yet to read is kept"
    ),
    _retention("if at <= now - time_travel)", "if at <= now)", "promised time travel is kept"),
    _retention(
        "int(match[1]) < kept_from)", "int(match[1]) <= kept_from)", "the checkpoint that replaces a log is kept"
    ),
    _retention("if version <= bound.version), default=0)", "), default=0)", "no log after the bound goes"),
    _retention(
        "return Bound(min(bound.version for bound in bounds)",
        "return Bound(max(bound.version for bound in bounds)",
        "the oldest version that is needed counts",
    ),
    # --- records: every record is accepted or rejected, and none is altered
    _records(
        "            if count > most:\n",
        "            if False:\n",
        "an upload with too many records is refused whole",
        "test_an_upload_with_too_many_records_is_refused_whole",
    ),
    _records(
        "            if total > most:\n",
        "            if False:\n",
        "a bomb is refused",
        "test_a_bomb_is_refused_and_kept_as_it_was_sent",
    ),
    _records(
        "        at -= len(reader.unused_data)\n",
        "",
        "each member of a gzip is read",
        "test_many_tiny_members_take_time_by_their_number",
    ),
    _records(
        '        if not reader.eof:\n            raise Unreadable(f"gzip, but cut',
        '        if False:\n            raise Unreadable(f"gzip, but cut',
        "a cut gzip gives no record",
        "test_a_cut_gzip_gives_none_of_its_records",
    ),
    _records(
        "    if len(values) != len(header):\n",
        "    if False:\n",
        "a row of too few or too many values is rejected",
        "test_a_line_of_too_few_or_too_many_values_is_rejected_alone",
    ),
    _records(
        "    if [values[0].removeprefix(",
        "    if False and [values[0].removeprefix(",
        "a header in the middle is no record",
        "test_files_that_were_joined_leave_no_header_and_no_byte_order_mark_in_a_record",
    ),
    _records(
        'return Record(raw, None if isinstance(value, dict) else "not a JSON object")',
        "return Record(raw, None)",
        "what is no object is rejected",
        "test_a_line_that_is_no_object_is_rejected_alone",
    ),
    _csv(
        "problem = QUOTE_INSIDE if is_bare else problem",
        "problem = None",
        "a quote inside an unquoted value rejects its row",
        "test_a_quote_inside_an_unquoted_value_rejects_its_row_because_a_separator_may_be_lost",
    ),
    _csv(
        "if end < len(self._text) and self._text[end] not in",
        "if False and self._text[end] not in",
        "text after a closing quote is refused",
        "test_text_after_a_closing_quote_is_refused_under_every_escape",
    ),
    _csv(
        'self._escaped_inside = re.compile(f"{escape}({quote}|{escape})")',
        'self._escaped_inside = re.compile(f"{escape}((?s:.))")',
        "an escape before another character stays",
        "test_an_escape_that_is_not_the_quote_alters_no_other_character",
    ),
    # --- statistics: no reader skips a row that it asks for
    _statistics("high[:PREFIX] + _GREATEST", "high[:PREFIX]", "the upper bound of a long text holds"),
    _statistics(
        "if any(_shown(value) is None for value in values):",
        "if False:",
        "a value too long for statistics leaves no bounds",
    ),
    _statistics(
        "        if all(item.has_null_count for item in details):\n",
        "        if True:\n",
        "nulls are counted only where every row group counts them",
    ),
    _statistics(
        "        case str() | int():\n",
        "        case str() | int() | float():\n",
        "a float has no bounds: NaN is in none of them",
    ),
    # --- partitions: any text comes back the same
    Mutant(
        "lib/headgate/engine/delta/partition_text.py",
        'if text in ("", HIVE_NULL) or "\\0" in text:',
        'if text == HIVE_NULL or "\\0" in text:',
        "an empty text never becomes null",
        (_PARTITIONS,),
    ),
    Mutant(
        "lib/headgate/engine/delta/partition_text.py",
        ".encode()) > MOST_BYTES",
        ".encode()) > 10 * MOST_BYTES",
        "a text that is too long for a folder's name stays in an ordinary column",
        (_PARTITIONS,),
    ),
    # --- the gate: a failed batch changes nothing
    _gate(
        '    if expectation.severity != "critical":\n        return False\n',
        '    if expectation.severity == "critical":\n        return False\n',
        "what is critical stops a batch, and nothing else",
    ),
    _gate("        return not result.success\n", "        return False\n", "a batch that fails is stopped"),
    _gate(
        "too_many = expectation.mostly < 1 and not result.success",
        "too_many = False",
        "more rejected records than allowed stop a batch",
    ),
    _gate(
        '(expectation.on_failure == "fail" and bool(result.unexpected))',
        "False",
        "a suite may stop a batch for one record",
    ),
)
