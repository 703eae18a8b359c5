"""The kit's lake for Headgate's own tests: other defaults, and access below the rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import obstore
import pyarrow.dataset as ds
from delta.tables import DeltaTable

from headgate.contracts.environment import table_path
from headgate.engine.verbs.table_report import Report
from headgate.lake.dataset import dataset_of
from headgate.planning.graph import load_graph
from headgate.project import Project
from headgate.testing.lake import NOON, Lake, Sent

__all__ = ["NOON", "Sent", "World"]


class World(Lake):
    """A lake whose uploads come at noon unless a test says otherwise, and whose runs may fail."""

    def upload(self, records: Iterable[Mapping[str, Any] | str], *, key: str, **where: Any) -> str:
        """Lands records of `transactions`."""
        return self.records("transactions", records, key=key, **where)

    def records(
        self, dataset: str, records: Iterable[Mapping[str, Any] | str], *, at: datetime = NOON, **where: Any
    ) -> str:
        """Lands records of a dataset."""
        return super().upload(dataset, records, at=at, **where)

    def run(self, *select: str, **options: Any) -> dict[str, Report]:
        """Runs the selected tables (default: all); returns each table's report."""
        return self.try_run(*select, **options)

    def run_well(self, *select: str) -> dict[str, Report]:
        """A run in which nothing fails."""
        return super().run(*select)

    def versions(self) -> dict[str, int]:
        return {name: self.version(name) for name in self.graph.nodes}

    def metadata(self, table: str) -> dict[str, Any]:
        """What the newest commit of a table carries."""
        commit = self.planner().ledger.head(table).commit
        assert commit is not None
        assert commit.metadata is not None
        return dict(json.loads(commit.metadata.to_json()))

    def path(self, table: str) -> str:
        return self.environment.table_uri(table)

    def delta(self, table: str) -> DeltaTable:
        """The table in Spark, for changes by other writers."""
        return DeltaTable.forPath(self.spark, self.path(table))

    def receipts(self, table: str = "silver.transactions") -> dict[str, dict[str, int]]:
        return super().receipts(table)

    def rejected(self, table: str = "silver.transactions") -> list[tuple[str, int, list[str]]]:
        return super().rejected(table)

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
        return sorted(map(str, kept)), self.receipts(name)

    def files(self, table: str, **partition: str) -> set[str]:
        """The data files of a table at its head, optionally of one partition."""
        rows = self.planner().ledger.files(table, self.version(table)).to_pylist()
        wanted = {f"partition.{name}": value for name, value in partition.items()}
        chosen = (row["path"] for row in rows if all(str(row[name]) == value for name, value in wanted.items()))
        return {f"{self.path(table)}/{path}" for path in chosen}

    def holds(self, file: str) -> bool:
        """Whether the lake has a data file, by the address that `files` gives."""
        name = file.removeprefix(f"{self.environment.lake}/")
        folder, _, _ = name.rpartition("/")
        return any(item["path"] == name for item in obstore.list(self.environment.object_store(), folder).collect())

    def objects(self, table: str) -> set[str]:
        """Every data file in a table's folder, whether or not a version has it."""
        result = obstore.list(self.environment.object_store(), f"{table_path(table)}/").collect()
        paths = (item["path"] for item in result)
        return {path for path in paths if path.endswith(".parquet") and "/_delta_log/" not in path}

    def logs(self, table: str) -> list[int]:
        """The versions whose commits the log of a table still holds."""
        result = obstore.list(self.environment.object_store(), f"{table_path(table)}/_delta_log/").collect()
        return sorted(int(Path(item["path"]).stem) for item in result if item["path"].endswith(".json"))

    def bronze_uploads(self, dataset: str = "transactions") -> list[str]:
        delta = self.planner().ledger.open(f"bronze.{dataset}")
        data = dataset_of(delta).to_table(columns=["upload"], filter=ds.field("_state") == "receipt")
        return sorted(data["upload"].to_pylist())


def _without_runs(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without the values that depend on its run."""
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
        "store_id": "store-1",
        "sold_at": sold_at,
        "currency": "EUR",
        "total": float(total),
        "items": items,
    }
    return {**plain, **changes}
