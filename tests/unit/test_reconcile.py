"""`reconcile` names missing and duplicate records, on small lakes written without Spark."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from headgate.cli import reconcile as verb
from headgate.contracts.contract import load_contracts
from headgate.contracts.environment import load_environment
from headgate.lake.query import Query, passes
from headgate.lake.upload_identity import Upload, hash_of_key
from headgate.planning.graph import Graph, Node
from headgate.planning.plan import declaration
from headgate.project import Project
from headgate.reconcile import Check, Finding, Level, Reconciler, landing, records, slices
from headgate.reconcile.checks import BEHIND, UNREADABLE
from headgate.reconcile.finding import Kind
from headgate.table import Affected, Append, Changes, History, Merge, Read, Replace, Snapshot, Write

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
DAYS = (datetime(2026, 3, 8, 9, tzinfo=UTC), datetime(2026, 3, 9, 9, tzinfo=UTC), datetime(2026, 3, 10, 9, tzinfo=UTC))
BRONZE, SILVER, GOLD = "bronze.sales", "silver.sales", "gold.days"

SOURCE = pa.struct([("upload", pa.string()), ("record", pa.int64())])
COUNTS = (
    "records",
    "unparsable",
    "rejected",
    "no_row",
    "accepted",
    "inserted",
    "updated",
    "deleted",
    "superseded",
    "unchanged",
)
SCHEMAS = {
    BRONZE: pa.schema(
        [
            ("upload", pa.string()),
            ("object", pa.string()),
            ("record", pa.int64()),
            ("receipt", pa.struct([("bytes", pa.int64()), ("sha256", pa.string()), ("records", pa.int64())])),
            ("dt", pa.date32()),
            ("_state", pa.string()),
        ]
    ),
    SILVER: pa.schema(
        [
            ("day", pa.date32()),
            ("_key", pa.string()),
            ("_source", SOURCE),
            ("_state", pa.string()),
            ("_receipt", pa.struct([(name, pa.int64()) for name in COUNTS])),
        ]
    ),
    GOLD: pa.schema([("day", pa.date32()), ("total", pa.int64())]),
}
PARTITIONS = {BRONZE: ["dt", "_state"], SILVER: ["_state"], GOLD: []}


def identity(key: str, hour: datetime) -> Upload:
    return Upload("sales", "store-1", hour, hash_of_key("store-1", "sales", key))


A, B, C = (identity(key, hour) for key, hour in zip("abc", DAYS, strict=True))


class Lake:
    """A lake in which all is well, as rows that a test damages before it is written.

    A has records 0 to 2, of which 2 is rejected; B corrects A's first and adds another; C is empty.
    """

    def __init__(self, repository: Project, folder: Path) -> None:
        self.folder = folder
        self.environment = load_environment(repository, "local", environ={"HEADGATE_LAKE": str(folder)})
        self.contract = replace(load_contracts(repository)["transactions"], dataset="sales")
        self.nodes = {
            BRONZE: node(BRONZE, {}, None),
            SILVER: node(SILVER, {"rows": Changes(BRONZE)}, Merge(keys=["k"])),
            GOLD: node(GOLD, {"rows": Affected(SILVER, by=["day"])}, Replace(by=["day"])),
        }
        self.positions: dict[str, int] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {
            BRONZE: [*in_bronze(A, 3), *in_bronze(B, 2), *in_bronze(C, 0)],
            SILVER: [
                row("k:1", B, 0, DAYS[0]),
                row("k:2", A, 1, DAYS[0]),
                row("k:3", B, 1, None),
                {**row("r:a2", A, 2, None), "_state": "rejected"},
                receipt(A, records=3, rejected=1, accepted=2, inserted=2),
                receipt(B, records=2, accepted=2, inserted=1, updated=1),
                receipt(C),
            ],
            GOLD: [{"day": DAYS[0].date(), "total": 2}, {"day": None, "total": 1}],
        }
        for upload in (A, B, C):
            self.land(upload.path(".jsonl"), upload.hour)

    def land(self, path: str, at: datetime, content: bytes = b"12345") -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (at.timestamp(), at.timestamp()))
        return file

    def write(self) -> None:
        for name in [name for name in self.rows if name in self.nodes]:
            self._write(name, pa.Table.from_pylist(self.rows[name], SCHEMAS[name]))

    def _write(self, name: str, content: pa.Table, **facts: Any) -> None:
        position: dict[str, Any] = {"landing": {"listed_at": (NOW - timedelta(minutes=10)).isoformat()}}
        if sources := self.nodes[name].sources:
            position = {source: self.at(source) for source in sources}
        own = {"headgate": "0", "position": position, "declared": declaration(self.nodes[name]), "changes_rows": True}
        own |= facts
        properties = CommitProperties(
            custom_metadata={"userMetadata": json.dumps(own)}, app_transactions=[Transaction(name, 1)]
        )
        write_deltalake(
            self.uri(name), content, partition_by=PARTITIONS.get(name, []), commit_properties=properties, mode="append"
        )

    def at(self, source: str) -> dict[str, Any]:
        if not DeltaTable.is_deltatable(self.uri(source)):
            return {"id": "", "version": -1}
        delta = DeltaTable(self.uri(source))
        return {"id": str(delta.metadata().id), "version": delta.version()}

    def uri(self, name: str) -> str:
        return self.environment.table_uri(name)

    def reconciler(self, **options: Any) -> Reconciler:
        graph = Graph(self.nodes, {"sales": self.contract})
        return Reconciler(self.environment, graph, clock=lambda: NOW, **options)

    def checks(self, **options: Any) -> list[Check]:
        return list(self.reconciler(**options).checks(self.nodes))

    def findings(self, **options: Any) -> dict[str, Finding]:
        """The findings, by message."""
        return {finding.kind.message: finding for check in self.checks(**options) for finding in check.findings}


def node(name: str, reads: dict[str, Read], writes: Write | None) -> Node:
    return Node(name, reads, writes, module="", line=1, grain="", tags=(), code_hash="")


def in_bronze(upload: Upload, count: int) -> list[dict[str, Any]]:
    base = {"upload": upload.id, "object": upload.path(".jsonl"), "dt": upload.hour.date()}
    details = {
        "bytes": 5,
        "sha256": "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5",
        "records": count,
    }
    rows = [{**base, "record": number, "_state": "live"} for number in range(count)]
    return [*rows, {**base, "receipt": details, "_state": "receipt"}]


def row(key: str, upload: Upload, record: int, day: datetime | None) -> dict[str, Any]:
    source = {"upload": upload.id, "record": record}
    return {"_key": key, "_source": source, "_state": "live", "day": day.date() if day else None}


def receipt(upload: Upload, **counts: int) -> dict[str, Any]:
    details = {name: counts.get(name, 0) for name in COUNTS}
    source = {"upload": upload.id, "record": None}
    return {"_key": f"u:{upload.id}", "_source": source, "_state": "receipt", "_receipt": details}


@pytest.fixture
def lake(repository: Project, tmp_path: Path) -> Lake:
    return Lake(repository, tmp_path / "lake")


def test_there_are_no_findings_without_damage(lake: Lake) -> None:
    lake.write()
    checks = lake.checks(digest=True)
    assert [check.findings for check in checks if check.findings] == []
    assert [check.not_checked for check in checks if check.not_checked] == []
    compared = {(check.name, check.table): check.compared for check in checks}
    assert compared[landing.NAME, BRONZE] == compared[records.NAME, SILVER] == 3
    assert compared[slices.NAME, GOLD] == 2


def test_there_are_no_findings_in_an_empty_lake(repository: Project, tmp_path: Path) -> None:
    lake = Lake(repository, tmp_path / "other")
    lake.folder = tmp_path / "empty"
    lake.environment = replace(lake.environment, lake=str(lake.folder))
    assert lake.findings() == {}


def test_an_upload_that_the_next_run_lists_waits(lake: Lake) -> None:
    lake.write()
    new = identity("new", NOW.replace(minute=0))
    lake.land(new.path(".jsonl"), NOW - timedelta(minutes=2))
    result = lake.findings()
    assert {message: finding.names for message, finding in result.items()} == {landing.WAITING.message: (new.id,)}


def test_an_upload_that_no_run_lists_is_missed_until_it_is_marked_late(lake: Lake) -> None:
    lake.write()
    old = identity("old", DAYS[0])
    lake.land(old.path(".jsonl"), NOW - timedelta(days=1))
    finding = lake.findings()[landing.MISSED.message]
    assert (finding.names, dict(finding.days)) == ((old.id,), {"2026-03-08": 1})
    lake.land(old.marker(".jsonl", NOW), NOW)
    assert list(lake.findings()) == [landing.WAITING.message]


def test_an_upload_is_not_missed_while_its_receiver_may_yet_mark_it(lake: Lake) -> None:
    lake.write()
    lake.land(identity("old", DAYS[0]).path(".jsonl"), NOW - timedelta(minutes=5))
    assert list(lake.findings()) == [landing.UNMARKED.message]


def test_everything_waits_where_bronze_is_not_built_yet(lake: Lake) -> None:
    lake.rows = {}
    lake.write()
    assert lake.findings()[landing.WAITING.message].count == 3


def test_a_marker_without_an_object_is_reported(lake: Lake) -> None:
    lake.write()
    gone = identity("gone", DAYS[0])
    lake.land(gone.marker(".jsonl", NOW), NOW)
    assert lake.findings()[landing.MARKED_ONLY.message].names == (f"{gone.id}: {gone.path('.jsonl')}",)


def test_a_claim_without_an_object_is_noted(lake: Lake) -> None:
    lake.write()
    begun = identity("begun", DAYS[2])
    for upload in (A, begun):
        content = json.dumps({"hour": upload.hour.isoformat(), "suffix": ".jsonl"}).encode()
        lake.land(upload.claim, DAYS[2], content)
    (finding,) = lake.findings().values()
    assert (finding.kind.level, finding.names) == (Level.NOTE, (f"{begun.id}: {begun.claim}",))


def test_other_files_below_claims_are_notes(lake: Lake) -> None:
    lake.write()
    lake.land("claims/sales/store-1/notes.txt", DAYS[2])
    assert lake.findings()[landing.NO_CLAIM.message].names == ("claims/sales/store-1/notes.txt",)


def set_day(lake: Lake) -> None:
    """A gold slice of a day that no sale is of."""
    lake.rows[GOLD].append({"day": date(2026, 1, 1), "total": 1})


def drop(lake: Lake, table: str, wanted: Callable[[dict[str, Any]], bool]) -> None:
    lake.rows[table] = [row for row in lake.rows[table] if not wanted(row)]


def change_receipt(lake: Lake, upload: Upload, **counts: int) -> None:
    for result in lake.rows[SILVER]:
        if result["_key"] == f"u:{upload.id}":
            result["_receipt"].update(counts)


def double(lake: Lake, table: str, wanted: Callable[[dict[str, Any]], bool]) -> None:
    lake.rows[table] += [row for row in lake.rows[table] if wanted(row)]


def is_receipt(upload: Upload) -> Callable[[dict[str, Any]], bool]:
    """Whether a row of bronze or silver is the upload's receipt."""
    return lambda row: row["_state"] == "receipt" and upload.id in (row.get("upload"), row.get("_key", "")[2:])


def is_record(upload: Upload, record: int) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row["_state"] == "live" and (row["upload"], row["record"]) == (upload.id, record)


def shift(lake: Lake, by: int) -> None:
    """A's records in bronze have other ordinals."""
    for result in lake.rows[BRONZE]:
        if result["upload"] == A.id and result["_state"] == "live":
            result["record"] += by


def is_key(key: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row["_key"] == key


def set_record(lake: Lake, key: str, record: int | None) -> None:
    for result in lake.rows[SILVER]:
        if result["_key"] == key:
            result["_source"] = {**result["_source"], "record": record}


DAMAGE: list[tuple[str, Callable[[Lake], Any], Kind, str]] = [
    ("an object is gone", lambda lake: (lake.folder / A.path(".jsonl")).unlink(), landing.GONE, A.id),
    (
        "an object is cut",
        lambda lake: lake.land(A.path(".jsonl"), DAYS[0], b"123"),
        landing.OTHER_SIZE,
        f"{A.id}: 3 bytes, not 5",
    ),
    ("an object is changed", lambda lake: lake.land(A.path(".jsonl"), DAYS[0], b"54321"), landing.OTHER_BYTES, A.id),
    (
        "another suffix",
        lambda lake: (lake.folder / A.path(".jsonl")).rename(lake.folder / A.path(".jsonl.gz")),
        landing.OTHER_OBJECT,
        A.id,
    ),
    ("two objects", lambda lake: lake.land(A.path(".jsonl.gz"), DAYS[0]), landing.TWICE_LANDED, A.path(".jsonl.gz")),
    (
        "a receipt in bronze twice",
        lambda lake: double(lake, BRONZE, is_receipt(B)),
        landing.TWICE_IN_BRONZE,
        f"{B.id}: 2 receipts",
    ),
    (
        "no upload's name",
        lambda lake: lake.land("landing/sales/dt=2026-03-08/hour=09/x.jsonl", NOW),
        landing.NO_UPLOAD,
        "x.jsonl",
    ),
    (
        "a wrong folder",
        lambda lake: lake.land(A.path(".jsonl").replace("hour=09", "hour=10"), NOW),
        landing.NO_UPLOAD,
        "hour=10",
    ),
    (
        "beside the days",
        lambda lake: lake.land("landing/sales/x.jsonl", NOW),
        landing.NO_UPLOAD,
        "landing/sales/x.jsonl",
    ),
    (
        "a folder that is not a day",
        lambda lake: lake.land("landing/sales/old/x.jsonl", NOW),
        landing.NO_UPLOAD,
        "old/x.jsonl",
    ),
    ("beside the datasets", lambda lake: lake.land("landing/x.jsonl", NOW), landing.NO_UPLOAD, "landing/x.jsonl"),
    (
        "no contract",
        lambda lake: lake.land("landing/refunds/dt=2026-03-08/hour=09/x", NOW),
        landing.NO_CONTRACT,
        "landing/refunds/",
    ),
    ("no receipt in silver", lambda lake: drop(lake, SILVER, is_receipt(C)), records.NO_RECEIPT, C.id),
    (
        "a receipt in silver twice",
        lambda lake: double(lake, SILVER, is_receipt(C)),
        records.TWO_RECEIPTS,
        f"{C.id}: 2 receipts",
    ),
    (
        "an upload that bronze has not",
        lambda lake: drop(lake, BRONZE, lambda r: r["upload"] == A.id),
        records.UNKNOWN,
        A.id,
    ),
    (
        "a record of bronze gone",
        lambda lake: drop(lake, BRONZE, is_record(A, 1)),
        records.BRONZE_RECORDS,
        f"{A.id}: 3 records, of which bronze holds 2, 0 to 2",
    ),
    (
        "a record of bronze twice",
        lambda lake: double(lake, BRONZE, is_record(A, 1)),
        records.BRONZE_RECORDS,
        f"{A.id}: 3 records, of which bronze holds 4, 0 to 2",
    ),
    (
        "one for another",
        lambda lake: (drop(lake, BRONZE, is_record(A, 1)), double(lake, BRONZE, is_record(A, 2))),
        records.BRONZE_RECORDS,
        A.id,
    ),
    (
        "ordinals from 1",
        lambda lake: shift(lake, 1),
        records.BRONZE_RECORDS,
        f"{A.id}: 3 records, of which bronze holds 3, 1 to 3",
    ),
    ("no receipt in bronze", lambda lake: drop(lake, BRONZE, is_receipt(A)), records.BRONZE_RECORDS, A.id),
    (
        "another count of records",
        lambda lake: change_receipt(lake, B, records=3, no_row=1),
        records.OTHER_COUNT,
        f"{B.id}: 3 records, not 2",
    ),
    ("records that do not add up", lambda lake: change_receipt(lake, B, no_row=1), records.UNBALANCED, B.id),
    ("verdicts that do not add up", lambda lake: change_receipt(lake, B, superseded=1), records.UNBALANCED, B.id),
    (
        "a quarantined record gone",
        lambda lake: drop(lake, SILVER, is_key("r:a2")),
        records.QUARANTINE,
        f"{A.id}: 0 rejected records",
    ),
    ("a row gone", lambda lake: drop(lake, SILVER, is_key("k:2")), records.LOST_ROWS, "2 keys; 3 were inserted"),
    ("a key twice", lambda lake: double(lake, SILVER, is_key("k:2")), records.TWO_KEYS, "k:2: 2 rows"),
    (
        "more rows than records",
        lambda lake: double(lake, SILVER, lambda r: r["_key"][:2] == "k:"),
        records.OTHER_ROWS,
        f"{B.id}: 4 rows of 2 accepted",
    ),
    (
        "a record that bronze has not",
        lambda lake: set_record(lake, "k:3", 2),
        records.NO_RECORD,
        f"{B.id}: records up to 2; bronze has 2",
    ),
    ("a row of no record", lambda lake: set_record(lake, "k:3", None), records.NO_RECORD, B.id),
    ("a record accepted and rejected", lambda lake: set_record(lake, "k:2", 2), records.BOTH, f"{A.id}: record 2"),
    ("a slice that no source has", set_day, slices.EXTRA, "day=2026-01-01"),
    ("an empty slice", lambda lake: drop(lake, GOLD, lambda r: r["day"] is not None), slices.EMPTY, "day=2026-03-08"),
    ("an empty slice of null", lambda lake: drop(lake, GOLD, lambda r: r["day"] is None), slices.EMPTY, "day=null"),
]


@pytest.mark.parametrize(("damage", "kind", "named"), [case[1:] for case in DAMAGE], ids=[case[0] for case in DAMAGE])
def test_damage_is_reported_with_names(lake: Lake, damage: Callable[[Lake], Any], kind: Kind, named: str) -> None:
    damage(lake)
    lake.write()
    finding = lake.findings(digest=True)[kind.message]
    assert any(named in name for name in finding.names), finding.names
    assert finding.kind.level is kind.level
    assert finding.kind.fix and "{" not in finding.kind.fix


def test_bytes_are_compared_only_on_request(lake: Lake) -> None:
    lake.land(A.path(".jsonl"), DAYS[0], b"54321")
    lake.write()
    assert lake.findings() == {}


def test_days_before_since_are_not_compared(lake: Lake) -> None:
    lake.write()
    for upload in (A, B):
        (lake.folder / upload.path(".jsonl")).unlink()
    assert lake.findings(since=DAYS[1].date())[landing.GONE.message].names == (f"{B.id}: {B.path('.jsonl')}",)


def test_all_are_counted_and_the_first_are_named(lake: Lake) -> None:
    lake.write()
    for upload in (A, B, C):
        (lake.folder / upload.path(".jsonl")).unlink()
    finding = lake.findings(limit=2)[landing.GONE.message]
    assert (finding.count, len(finding.names)) == (3, 2)
    assert len(lake.findings(limit=0)[landing.GONE.message].names) == 3


def test_uploads_in_bronze_since_the_last_run_are_work_and_not_a_finding(lake: Lake) -> None:
    lake.write()
    late = identity("late", DAYS[2])
    lake.land(late.path(".jsonl"), DAYS[2])
    lake._write(BRONZE, pa.Table.from_pylist(in_bronze(late, 1), SCHEMAS[BRONZE]))
    result = lake.findings()
    assert list(result) == [BEHIND.message]
    assert result[BEHIND.message].names == ("increment bronze.sales 0 -> 1",)


def test_a_data_file_that_is_gone_is_named(lake: Lake) -> None:
    lake.write()
    for file in Path(lake.uri(GOLD)).glob("*.parquet"):
        file.unlink()
    finding = lake.findings()[UNREADABLE.message]
    assert finding.kind.level is Level.ERROR
    assert "gold/days" in finding.names[0]


def test_the_rows_of_an_append_table_are_those_that_its_receipts_count(lake: Lake) -> None:
    lake.nodes[SILVER] = node(SILVER, {"rows": Changes(BRONZE)}, Append())
    change_receipt(lake, B, updated=0, inserted=2)
    change_receipt(lake, A, inserted=1)
    lake.write()
    assert lake.findings() == {}


def test_a_row_of_an_append_table_that_is_gone_is_named_by_its_upload(lake: Lake) -> None:
    lake.nodes[SILVER] = node(SILVER, {"rows": Changes(BRONZE)}, Append())
    change_receipt(lake, B, updated=0, inserted=2)
    lake.write()
    assert lake.findings()[records.OTHER_ROWS.message].names == (f"{A.id}: 1 rows; the receipt has 2",)


def test_after_a_backfill_fewer_keys_than_receipts_tell_are_noted(lake: Lake) -> None:
    drop(lake, SILVER, is_key("k:2"))
    lake.write()
    nothing = pa.Table.from_pylist([], SCHEMAS[SILVER])
    lake._write(SILVER, nothing, counts={"records": 2, "changed": 1}, changes_rows=False)
    (finding,) = lake.findings().values()
    assert finding.kind.message.startswith(records.LOST_ROWS.message)
    assert finding.kind.level is Level.NOTE


def test_a_duplicate_key_and_time_in_a_history_is_reported(lake: Lake) -> None:
    lake.nodes[GOLD] = node(GOLD, {"rows": Affected(SILVER, by=["day"])}, History(keys=["day"], sequence_by="at"))
    rows = [{"day": DAYS[0].date(), "valid_from": at} for at in (1, 1, 2)] + [{"day": None, "valid_from": 1}]
    schema = pa.schema([("day", pa.date32()), ("valid_from", pa.int64())])
    del lake.rows[GOLD]
    lake.write()
    lake._write(GOLD, pa.Table.from_pylist(rows, schema))
    assert lake.findings()[slices.TWICE.message].names == ("day=2026-03-08, valid_from=1: 2 rows",)


def test_a_slice_may_have_its_rows_in_any_of_several_sources(lake: Lake) -> None:
    other = "silver.other"
    lake.nodes = {
        **lake.nodes,
        other: node(other, {"rows": Affected(SILVER, by=["day"])}, Replace(by=["day"])),
        GOLD: node(GOLD, {"a": Affected(SILVER, by=["day"]), "b": Affected(other, by=["day"])}, Replace(by=["day"])),
    }
    gold = lake.rows.pop(GOLD)
    lake.write()
    lake._write(other, pa.Table.from_pylist([{"day": date(2026, 1, 1), "total": 1}], SCHEMAS[GOLD]))
    lake._write(GOLD, pa.Table.from_pylist([*gold, {"day": date(2026, 1, 1), "total": 1}], SCHEMAS[GOLD]))
    checks = {check.table: check for check in lake.checks() if check.name == slices.NAME}
    assert checks[GOLD].findings == ()
    assert [finding.kind.message for finding in checks[other].findings] == [slices.EXTRA.message, slices.EMPTY.message]


@pytest.mark.parametrize(
    ("reads", "writes", "why"),
    [
        ({"rows": Snapshot(SILVER)}, Replace(), "the whole table is a single slice"),
        ({"rows": Changes(SILVER)}, Append(), "its records come from silver.sales"),
    ],
)
def test_unchecked_parts_are_reported(lake: Lake, reads: dict[str, Read], writes: Write, why: str) -> None:
    lake.nodes[GOLD] = node(GOLD, reads, writes)
    lake.write()
    details = {check.table: check.not_checked for check in lake.checks() if check.not_checked}
    assert list(details) == [GOLD]
    assert why in details[GOLD]


def test_a_table_whose_source_was_created_again_is_not_checked(lake: Lake) -> None:
    lake.write()
    Path(lake.uri(SILVER)).rename(lake.folder / "away")
    lake._write(SILVER, pa.Table.from_pylist(lake.rows[SILVER], SCHEMAS[SILVER]))
    details = {check.table: check.not_checked for check in lake.checks() if check.not_checked}
    assert "is another table than it was built from" in details[GOLD]


def test_values_in_several_passes_are_each_in_one(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.lake.query.PASS_VALUES", 2)
    lake.write()
    parts = list(passes(("_key", "day"), 7))
    query = Query(stored=DeltaTable(lake.uri(SILVER)))
    counts = [query.row(f"SELECT count(*) AS n FROM stored WHERE {part}")["n"] for part in parts]
    assert (len(parts), sum(counts)) == (4, 7)
    assert lake.findings() == {}


# --- incomplete files of receivers, and the verb


@pytest.fixture
def run(repository: Project, lake: Lake) -> Callable[..., Any]:
    """`headgate reconcile` on this repository's project, with the lake."""

    def invoke(*arguments: str) -> Any:
        where = ["--project", str(repository.root)]
        return CliRunner().invoke(verb.command, [*arguments, *where], env={"HEADGATE_LAKE": str(lake.folder)})

    return invoke


@pytest.fixture
def left(lake: Lake) -> dict[str, Path]:
    """An incomplete upload of two days ago, and a new one, in an otherwise empty lake."""
    for upload in (A, B, C):
        (lake.folder / upload.path(".jsonl")).unlink()
    now = datetime.now(UTC)
    ages = {"old": timedelta(days=2), "new": timedelta(minutes=1)}
    return {name: lake.land(f"incoming/{name}", now - age) for name, age in ages.items()}


@pytest.mark.parametrize("arguments", [(), ("--sweep", "--dry-run")])
def test_half_written_uploads_are_noted_and_kept(run: Any, left: dict[str, Path], arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0
    assert "incoming/old: 5 bytes" in result.output and "headgate reconcile --sweep" in result.output
    assert left["old"].exists() and left["new"].exists()


def test_sweep_deletes_files_older_than_a_day(run: Any, left: dict[str, Path]) -> None:
    assert run("--sweep").exit_code == 0
    assert not left["old"].exists() and left["new"].exists()


def test_dry_run_without_sweep_is_wrong_use(run: Any) -> None:
    assert "--dry-run goes with --sweep" in str(run("--dry-run").exception)


def test_the_verb_exits_with_1_and_prints_the_findings(run: Any) -> None:
    result = run()  # this repository has no dataset `sales`
    assert result.exit_code == 1
    assert f"  {A.path('.jsonl')}" in result.output and "to do: write its contract" in result.output
    assert result.output.splitlines()[-1].startswith("3 errors; ")


def test_the_verb_prints_json(run: Any) -> None:
    result = json.loads(run("--json", "--limit", "1").stdout)
    (finding,) = result["checks"][0]["findings"]
    assert (result["errors"], finding["count"], len(finding["names"])) == (3, 3, 1)
    assert finding["days"] == {"2026-03-08": 1, "2026-03-09": 1, "2026-03-10": 1}


def test_only_selected_tables_are_checked(run: Any) -> None:
    result = json.loads(run("--json", "-s", "bronze.transactions").stdout)
    assert {check["table"] for check in result["checks"]} == {"landing", "bronze.transactions", "incoming"}
