"""A lake of its own for a test: uploads at fixed times, runs, and what the tables then hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

import obstore
import pyarrow.dataset as ds
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from headgate.engine.run import Report, Runner
from headgate.environment import Environment, load_environment, table_path
from headgate.graph import Graph, load_graph
from headgate.landing import Upload, hash_of_key, whole_hour
from headgate.plan import Kind, Planner, Work
from headgate.project import Project
from tests.s3.lakes import Folders, Lakes

RECEIPT_PARTS = ("records", "unparsable", "rejected", "no_row", "accepted")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Sent:
    """An upload as it was landed."""

    id: str
    received: datetime
    lines: tuple[str, ...]


class World:
    """A project on a lake of its own. `now` is the planner's clock; `sent` are the uploads of records.

    `lake` is a path that no other test has; what is there, a folder or a prefix on S3, is for `lakes` to say.
    """

    lakes: ClassVar[Lakes] = Folders()

    def __init__(self, spark: SparkSession, project: Project, lake: Path) -> None:
        self.spark, self.project, self.lake = spark, project, lake
        environ = {"HEADGATE_LAKE": self.lakes.address(lake)}
        self.environment: Environment = load_environment(project, "local", environ=environ)
        self.graph: Graph = load_graph(project)
        self.now = NOON
        self.sent: list[Sent] = []

    def copy(self, lake: Path) -> World:
        """The same lake, with its history, in another place."""
        self.lakes.copy(self.lake, lake)
        copied = World(self.spark, self.project, lake)
        copied.now, copied.sent = self.now, list(self.sent)
        return copied

    def land(
        self, dataset: str, body: bytes, *, key: str, store: str = "store-1", at: datetime = NOON, suffix: str = ""
    ) -> str:
        """Lands an upload as the receiver would, received at a fixed time; gives its id.

        Where its hour is more than an hour ago it is marked late, as the receiver does.
        """
        upload = Upload(dataset, store, whole_hour(at), hash_of_key(store, dataset, key))
        plain = next(s for s in self.graph.contracts[dataset].suffixes if not s.endswith(".gz"))
        path, store = upload.path(suffix or plain), self.environment.object_store()
        obstore.put(store, path, body)
        self.lakes.touch(self.lake, path, at)
        if self.now - at > timedelta(hours=1):
            obstore.put(store, upload.marker(suffix or plain, self.now), path.encode())
        return upload.id

    def upload(self, records: Iterable[Mapping[str, Any] | str], *, key: str, **where: Any) -> str:
        """Lands records of `transactions` as JSON lines; a text stands for itself."""
        return self.records("transactions", records, key=key, **where)

    def records(self, dataset: str, records: Iterable[Mapping[str, Any] | str], *, key: str, **where: Any) -> str:
        """Lands records of a dataset of JSON lines."""
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        upload = self.land(dataset, "\n".join(lines).encode(), key=key, **where)
        self.sent.append(Sent(upload, where.get("at", NOON), tuple(lines)))
        return upload

    def runner(self, planner: Planner | None = None, **options: Any) -> Runner:
        planner = planner or self.planner()
        return Runner(self.project, self.environment, self.graph, self.spark, planner=planner, **options)

    def run(self, *select: str, **options: Any) -> dict[str, Report]:
        """Runs what is selected (all without one); gives each table's report."""
        reports = self.runner(**options).run(self.graph.select(select))
        return {report.table: report for report in reports}

    def run_well(self, *select: str) -> dict[str, Report]:
        """A run in which nothing fails."""
        reports = self.run(*select)
        assert all(r.status in ("done", "current") for r in reports.values()), [r.error for r in reports.values()]
        return reports

    def plan(self, *select: str) -> dict[str, Work]:
        works = self.planner().plan(self.graph.select(select))
        return {work.table: work for work in works}

    def planner(self) -> Planner:
        return Planner(self.environment, self.graph, clock=lambda: self.now)

    def version(self, table: str) -> int:
        return self.planner().ledger.head(table).version

    def versions(self) -> dict[str, int]:
        return {name: self.version(name) for name in self.graph.nodes}

    def kinds(self) -> dict[str, str]:
        """What each table's work is, as planned now, of the tables that have or may have any."""
        nothing = (Kind.CURRENT, Kind.NO_SOURCE)
        return {name: work.kind.value for name, work in self.plan().items() if work.kind not in nothing}

    def told(self, table: str) -> dict[str, Any]:
        """What the newest commit of a table carries."""
        commit = self.planner().ledger.head(table).commit
        assert commit is not None
        return dict(commit.own or {})

    def path(self, table: str) -> str:
        return self.environment.table_uri(table)

    def delta(self, table: str) -> DeltaTable:
        """The table as Spark has it, for what others than Headgate do to it."""
        return DeltaTable.forPath(self.spark, self.path(table))

    def raw_rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table, whatever its state."""
        delta = self.planner().ledger.open(table)
        return delta.to_pyarrow_dataset().to_table().to_pylist() if delta else []

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The live rows, without Headgate's own columns, in a stable order."""
        live = [r for r in self.raw_rows(table) if r.get("_state", "live") == "live"]
        plain = [{k: v for k, v in row.items() if not k.startswith("_")} for row in live]
        return sorted(plain, key=str)

    def receipts(self, table: str = "silver.transactions") -> dict[str, dict[str, int]]:
        """Upload -> the parts of its receipt that do not depend on batching."""
        found = [r for r in self.raw_rows(table) if r["_state"] == "receipt"]
        return {r["_key"][2:]: {part: r["_receipt"][part] for part in RECEIPT_PARTS} for r in found}

    def rejected(self, table: str = "silver.transactions") -> list[tuple[str, int, list[str]]]:
        """(upload, record, what each reason names) of each rejected record."""
        found = [r for r in self.raw_rows(table) if r["_state"] == "rejected"]

        def reasons(row: Mapping[str, Any]) -> list[str]:
            return [f"{reason['column']} {reason['rule']}".strip() for reason in row["_rejected"]["reasons"]]

        return sorted((row["_source"]["upload"], row["_source"]["record"], reasons(row)) for row in found)

    def contents(self, tables: Sequence[str] = ()) -> dict[str, Any]:
        """What invariant 6 compares: live, deleted and rejected rows, and receipts without verdicts."""
        return {name: self._content(name) for name in tables or self.graph.nodes if not name.startswith("bronze.")}

    def tables(self) -> dict[str, Any]:
        """The sales project's tables in the form of `tests.engine.model`."""
        rows = [row for row in self.raw_rows("silver.transactions") if row["_state"] in ("live", "deleted")]
        return {
            "transactions": sorted(self.rows("silver.transactions"), key=lambda row: row["transaction_id"]),
            "sources": sorted(
                (row["_key"], row["_state"], row["_source"]["upload"], row["_source"]["record"]) for row in rows
            ),
            "rejected": self.rejected(),
            "receipts": self.receipts(),
            "items": sorted(
                self.rows("silver.transaction_items"), key=lambda row: (row["transaction_id"], row["line"])
            ),
            "gold": sorted(
                self.rows("gold.daily_store_sales"),
                key=lambda row: (row["sale_date"], row["store_id"], row["currency"]),
            ),
        }

    def _content(self, name: str) -> Any:
        rows = self.raw_rows(name)
        kept = [_without_runs(row) for row in rows if row.get("_state") != "receipt"]
        receipts = self.receipts(name) if rows and "_state" in rows[0] else {}
        return sorted(map(str, kept)), receipts

    def files(self, table: str, **partition: str) -> set[str]:
        """The data files of a table at its head, of one partition where it is named."""
        delta = self.planner().ledger.open(table)
        wanted = [f"{name}={value}" for name, value in partition.items()]
        return {f for f in delta.file_uris() if all(w in f for w in wanted)}

    def holds(self, file: str) -> bool:
        """Whether the lake has a data file, by the address that `files` gives."""
        name = file.removeprefix(f"{self.environment.lake}/")
        folder, _, _ = name.rpartition("/")
        return any(item["path"] == name for item in obstore.list(self.environment.object_store(), folder).collect())

    def logs(self, table: str) -> list[int]:
        """The versions whose commits the log of a table still holds."""
        found = obstore.list(self.environment.object_store(), f"{table_path(table)}/_delta_log/").collect()
        return sorted(int(Path(item["path"]).stem) for item in found if item["path"].endswith(".json"))

    def bronze_uploads(self, dataset: str = "transactions") -> list[str]:
        delta = self.planner().ledger.open(f"bronze.{dataset}")
        data = delta.to_pyarrow_dataset().to_table(columns=["upload"], filter=ds.field("_state") == "receipt")
        return sorted(data["upload"].to_pylist())


def _without_runs(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without what depends on the run that wrote it."""
    rejected = {k: v for k, v in (row.get("_rejected") or {}).items() if k not in ("run", "first_seen")}
    return {**{k: v for k, v in row.items() if k != "_receipt"}, "_rejected": rejected}


def write_project(root: Path, files: Mapping[str, str]) -> Project:
    """A project of literal files, by their paths."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text))
    return Project(root)


def edit_project(world: World, root: Path, file: str, old: str, new: str) -> World:
    """Gives the world a copy of its project below `root`, in whose file the first `old` is `new`."""
    if world.project.root != root:
        for folder in ("conf", "jobs"):
            shutil.copytree(world.project.root / folder, root / folder)
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))
    world.project = Project(root)
    world.graph = load_graph(world.project)
    return world


def expect(world: World, root: Path, table: str, *expectations: Mapping[str, Any]) -> World:
    """Gives the world a copy of its project below `root`, in which the table's suite is these expectations."""
    if world.project.root != root:
        for folder in ("conf", "jobs"):
            shutil.copytree(world.project.root / folder, root / folder)
    layer, _, name = table.partition(".")
    path = root / "conf" / "expectations" / layer / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"name": table, "expectations": list(expectations)}, indent=2))
    world.project = Project(root)
    world.graph = load_graph(world.project)
    return world


def expectation(kind: str, severity: str = "critical", meta: Mapping[str, Any] | None = None, **kwargs: Any) -> dict:
    """An expectation as a suite's file has it; `meta` is Headgate's part of it."""
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"headgate": meta} if meta else {}}


def sale(number: int, *, day: int = 1, revised: int = 0, total: str = "10.00", **changes: Any) -> dict[str, Any]:
    """A transaction of store-1 on a day of March 2026; `revised` are hours after the sale."""
    items = [{"line": 1, "product_id": "P1", "quantity": 1, "unit_price": float(total)}]
    sold_at = f"2026-03-{day:02d}T09:00:00Z"
    plain = {
        "transaction_id": f"202603{day:02d}-store-1-{number:06d}",
        "revised_at": f"2026-03-{day:02d}T{9 + revised:02d}:00:00Z",
        "store_id": "store-1", "sold_at": sold_at, "currency": "EUR", "total": float(total), "items": items,
    }  # fmt: skip
    return {**plain, **changes}
