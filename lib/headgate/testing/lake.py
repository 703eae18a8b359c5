"""A lake for a test: uploads at fixed times, runs, and the resulting rows."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import obstore
from pyspark.sql import SparkSession

from headgate.contracts.contract import Contract
from headgate.contracts.environment import Environment, load_environment
from headgate.engine.verbs.run import Runner
from headgate.engine.verbs.table_report import Report
from headgate.errors import HeadgateError, UsageError
from headgate.formats.sent_names import as_sent
from headgate.generate.writers import from_text, parquet
from headgate.lake.dataset import dataset_of
from headgate.lake.upload_identity import Upload, hash_of_key, whole_hour
from headgate.ledger.record_table import RECORD_BALANCE, STATE, State, is_live
from headgate.planning.graph import Graph, load_graph
from headgate.planning.plan import Kind, Planner, Work
from headgate.project import Project

RECEIPT_PARTS = (RECORD_BALANCE[0], *RECORD_BALANCE[1])
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Lakes(Protocol):
    """Where lakes are: a test names its lake by a folder's path, whatever it is on."""

    def address(self, path: Path) -> str:
        """The lake of a path, as an environment names it."""

    def touch(self, path: Path, name: str, at: datetime) -> None:
        """Sets when an object of the lake was last modified."""

    def copy(self, path: Path, to: Path) -> None:
        """Copies a lake whole, each object last modified as it was."""


class Folders:
    def address(self, path: Path) -> str:
        return str(path)

    def touch(self, path: Path, name: str, at: datetime) -> None:
        os.utime(path / name, (at.timestamp(), at.timestamp()))

    def copy(self, path: Path, to: Path) -> None:
        shutil.copytree(path, to)


@dataclass(frozen=True)
class Sent:
    """An upload as it was landed."""

    id: str
    dataset: str
    body: bytes
    key: str
    store: str
    received: datetime
    suffix: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The records, of an upload of JSON lines."""
        return tuple(self.body.decode().split("\n")) if self.body else ()


class Lake:
    """A project on a lake of its own. `now` is the planner's clock; `sent` has the uploads, in order."""

    lakes: ClassVar[Lakes] = Folders()

    def __init__(self, spark: SparkSession, project: Project, lake: Path) -> None:
        self.spark, self.project, self.lake = spark, project, lake
        environ = {"HEADGATE_LAKE": self.lakes.address(lake)}
        self.environment: Environment = load_environment(project, "local", environ=environ)
        self.graph: Graph = load_graph(project)
        self.now = NOON
        self.sent: list[Sent] = []
        #: Lakes that assertions have built from the same uploads, so that each is built once for all of them.
        self.built: dict[Hashable, Lake] = {}

    def copy(self, lake: Path) -> Self:
        """The same lake, with its history, in another place."""
        self.lakes.copy(self.lake, lake)
        copied = type(self)(self.spark, self.project, lake)
        copied.now, copied.sent, copied.built = self.now, list(self.sent), self.built
        return copied

    def fresh(self) -> Lake:
        """The same project on a new, empty lake."""
        others = (self.lake.with_name(f"{self.lake.name}-{number}") for number in count(1))
        folder = next(path for path in others if not path.exists())
        folder.mkdir(parents=True)
        lake = Lake(self.spark, self.project, folder)
        lake.built = self.built
        return lake

    # --- uploads

    def upload(
        self,
        dataset: str,
        records: Iterable[Mapping[str, Any] | str],
        *,
        key: str = "",
        store: str = "store-1",
        at: datetime | None = None,
    ) -> str:
        """Lands an upload of records; returns its id. Default time: a minute after the previous upload.

        A record is a dict with the contract's columns, or a text that is used unchanged, such as invalid JSON.
        """
        if at is None:
            at = self.sent[-1].received + timedelta(minutes=1) if self.sent else NOON
        body = written(self._contract(dataset), list(records))
        return self.land(dataset, body, key=key or f"upload-{len(self.sent) + 1}", store=store, at=at)

    def land(
        self,
        dataset: str,
        body: bytes,
        *,
        key: str,
        store: str = "store-1",
        at: datetime = NOON,
        suffix: str = "",
        received: datetime | None = None,
    ) -> str:
        """Lands bytes as the receiver would, received at a fixed time; gives the upload's id.

        Where its hour is more than an hour ago it is marked late, as the receiver does. `received` is when it came
        where that is later than `at`, the time of its key.
        """
        upload = Upload(dataset, store, whole_hour(at), hash_of_key(store, dataset, key))
        suffix = suffix or next(s for s in self._contract(dataset).suffixes if not s.endswith(".gz"))
        path, objects = upload.path(suffix), self.environment.object_store()
        obstore.put(objects, path, body)
        self.lakes.touch(self.lake, path, received or at)
        if self.now - at > timedelta(hours=1):
            obstore.put(objects, upload.marker(suffix, self.now), path.encode())
        self.sent.append(Sent(upload.id, dataset, body, key, store, at, suffix))
        return upload.id

    def _contract(self, dataset: str) -> Contract:
        return self.graph.contract_of(self.graph.node(f"bronze.{dataset}").name)

    # --- runs

    def runner(self, planner: Planner | None = None, **options: Any) -> Runner:
        planner = planner or self.planner()
        return Runner(self.project, self.environment, self.graph, self.spark, planner=planner, **options)

    def try_run(self, *select: str, **options: Any) -> dict[str, Report]:
        """Runs the selected tables (default: all); returns the report of each table, also of failed tables."""
        reports = self.runner(**options).run(self.graph.select(select))
        return {report.table: report for report in reports}

    def run(self, *select: str, **options: Any) -> dict[str, Report]:
        """Runs the selected tables (default: all). Raises AssertionError with the error of a failed table."""
        reports = self.try_run(*select, **options)
        wrong = [f"{r.table} failed: {_told(r)}" for r in reports.values() if r.error]
        if wrong:
            raise AssertionError("\n".join(wrong))
        return reports

    def plan(self, *select: str) -> dict[str, Work]:
        works = self.planner().plan(self.graph.select(select))
        return {work.table: work for work in works}

    def planner(self) -> Planner:
        return Planner(self.environment, self.graph, clock=lambda: self.now)

    def kinds(self, *select: str) -> dict[str, str]:
        """What each table's work is, as planned now, of the tables that have or may have any."""
        nothing = (Kind.CURRENT, Kind.NO_SOURCE)
        return {name: work.kind.value for name, work in self.plan(*select).items() if work.kind not in nothing}

    # --- rows

    def version(self, table: str) -> int:
        """The table's newest version; -1 where it is not built."""
        return self.planner().ledger.head(table).version

    def raw_rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table, whatever its state."""
        delta = self.planner().ledger.open(table)
        return dataset_of(delta).to_table().to_pylist() if delta else []

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The live rows, without Headgate's own columns, in a stable order."""
        live = [r for r in self.raw_rows(self.graph.node(table).name) if is_live(r)]
        plain = [{k: v for k, v in row.items() if not k.startswith("_")} for row in live]
        return sorted(plain, key=str)

    def rejected(self, table: str) -> list[tuple[str, int, list[str]]]:
        """(upload, record, reasons) of each rejected record."""
        results = [r for r in self.raw_rows(self.graph.node(table).name) if r.get(STATE) == State.REJECTED]

        def reasons(row: Mapping[str, Any]) -> list[str]:
            return [f"{reason['column']} {reason['rule']}".strip() for reason in row["_rejected"]["reasons"]]

        return sorted((row["_source"]["upload"], row["_source"]["record"], reasons(row)) for row in results)

    def receipts(self, table: str) -> dict[str, dict[str, int]]:
        """Upload -> the parts of its receipt that do not depend on batching."""
        results = [r for r in self.raw_rows(table) if r.get(STATE) == State.RECEIPT]
        return {r["_key"][2:]: {part: r["_receipt"][part] for part in RECEIPT_PARTS} for r in results}


def _told(report: Report) -> str:
    error = report.error or {}
    return str(HeadgateError(error["what"], where=error["where"], fix=error["fix"]))


def written(contract: Contract, records: Sequence[Mapping[str, Any] | str]) -> bytes:
    """Returns records as an upload of the contract's format.

    Raises UsageError where the format cannot hold them: several records in json, text in parquet.
    """
    if contract.format == "parquet" and not any(isinstance(record, str) for record in records):
        rows = [{f.name: from_text(f, record.get(f.name)) for f in contract.fields} for record in records]  # type: ignore[union-attr]
        return parquet(contract.fields, rows)
    texts = [
        record if isinstance(record, str) else _text(contract, as_sent(contract.fields, record)) for record in records
    ]
    if contract.format == "jsonl":
        return "\n".join(texts).encode()
    if contract.format == "csv":
        return "\n".join([_csv_line(contract, [field.sent_name for field in contract.fields]), *texts, ""]).encode()
    if contract.format == "json_array":
        return f"[{','.join(texts)}]".encode()
    if contract.format == "json" and len(texts) == 1:
        return texts[0].encode()
    raise UsageError(
        f"{len(records)} records cannot be written as one upload of format {contract.format}",
        where=contract.dataset,
        fix="give the bytes: lake.land(dataset, body, key=...)",
    )


def _text(contract: Contract, record: Mapping[str, Any]) -> str:
    if contract.format == "csv":
        return _csv_line(contract, [record.get(field.sent_name) for field in contract.fields])
    return json.dumps(record)


def _csv_line(contract: Contract, values: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=contract.csv.delimiter, quotechar=contract.csv.quote, lineterminator="").writerow(values)
    return line.getvalue()
