"""A small project on a lake of its own, its tables written without Spark as a run would have written them.

`sales` are uploaded; silver.sales keeps the newest version of each; gold.daily has one row per day and shop,
silver.lines one row per line of a sale.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from headgate.contracts.environment import Environment, load_environment
from headgate.lake.upload_identity import Upload, hash_of_key, whole_hour
from headgate.ledger.ledger import Ledger
from headgate.planning.graph import Graph, load_graph
from headgate.planning.plan import declaration
from headgate.project import Project

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: sales
version: 1.0.0
team: {name: Tests}
schema:
  - name: sales
    properties:
      - {name: id, logicalType: string, required: true, primaryKey: true}
customProperties:
  - {property: headgate.format, value: jsonl}
"""
SALES = '''\
from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.sales",
    reads={"uploads": Changes("bronze.sales")},
    writes=Merge(keys=["id"], sequence_by="revised", partition_by=["day"]),
)
def sales(uploads):
    """One row per sale."""
    return uploads.select("id", "revised", "shop", F.to_date("at").alias("day"), F.col("sum").alias("amount"), SOURCE)
'''
DAILY = '''\
from headgate import Affected, Replace, table


@table(
    "gold.daily",
    reads={"sales": Affected("silver.sales", by=["day"])},
    writes=Replace(by=["day"], partition_by=["day"]),
    tags=["nightly"],
)
def daily(sales):
    """One row per day and shop."""
    return sales.groupBy("day", "shop").agg(F.sum("amount").alias("amount"))
'''
LINES = '''\
from headgate import Affected, Replace, table


@table(
    "silver.lines",
    reads={"sales": Affected("silver.sales", by=["id"])},
    writes=Replace(by=["id"]),
)
def lines(sales):
    """One row per line."""
    exploded = sales.withColumn("line", F.explode("lines"))
    return exploded.select("id", "line")
'''
MODULES = {"silver/sales": SALES, "silver/lines": LINES, "gold/daily": DAILY}
_TIME = pa.timestamp("us", "UTC")
_SOURCE = pa.struct([("upload", pa.string()), ("received", _TIME), ("record", pa.int64()), ("sequence", _TIME)])
_COUNTS = [(name, pa.int64()) for name in ("records", "unparsable", "rejected", "accepted")]
_RECEIPT = pa.struct([("store", pa.string()), ("object", pa.string()), *_COUNTS])
_REASONS = pa.list_(pa.struct([("column", pa.string()), ("rule", pa.string()), ("value", pa.string())]))
_REJECTED = pa.struct(
    [
        ("raw", pa.string()),
        ("raw_encoding", pa.string()),
        ("reasons", _REASONS),
        ("key", pa.string()),
        ("run", pa.string()),
        ("first_seen", _TIME),
    ]
)
#: The columns of a table of records in addition to the function's.
MERGED = [
    ("_key", pa.string()),
    ("_source", _SOURCE),
    ("_state", pa.string()),
    ("_receipt", _RECEIPT),
    ("_rejected", _REJECTED),
]
_BRONZE = pa.schema(
    [
        ("upload", pa.string()),
        ("store", pa.string()),
        ("object", pa.string()),
        ("received", pa.timestamp("us", "UTC")),
        ("record", pa.int64()),
        ("raw", pa.string()),
        ("dt", pa.date32()),
        ("_state", pa.string()),
    ]
)


class Lake:
    """The project, and the uploads and commits of a test. Default run id of commits: `r-<number>`."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder)
        self.write("conf/environments/local.yaml", "lake: lake\n")
        self.write("conf/datasets/sales.yaml", CONTRACT)
        for name, text in MODULES.items():
            self.write(f"jobs/{name}.py", text)
        self._runs = 0

    def write(self, name: str, text: str) -> None:
        path = self.project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @property
    def environment(self) -> Environment:
        return load_environment(self.project, environ={})

    @property
    def graph(self) -> Graph:
        return load_graph(self.project)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.environment)

    def land(self, key: str, at: datetime = NOON) -> str:
        """Lands an upload of one record; gives its id."""
        upload = Upload("sales", "shop-1", whole_hour(at), hash_of_key("shop-1", "sales", key))
        self.write(f"lake/{upload.path('.jsonl')}", "{}")
        return upload.id

    def bronze(self, *uploads: str, **own: Any) -> int:
        """Commits uploads of one record each to bronze.sales."""
        rows = [self._bronze_row(upload, state) for upload in uploads for state in ("live", "receipt")]
        listed = {"landing": {"listed_at": datetime.now(UTC).isoformat()}}
        table = pa.Table.from_pylist(rows, schema=_BRONZE)
        return self.commit("bronze.sales", table, listed, partition_by=["dt", "_state"], **own)

    def commit_bronze(self, listed_at: datetime, *uploads: str) -> int:
        """Commits uploads to bronze.sales by a run that listed landing at a time."""
        rows = [self._bronze_row(upload, state) for upload in uploads for state in ("live", "receipt")]
        table = pa.Table.from_pylist(rows, schema=_BRONZE)
        position = {"landing": {"listed_at": listed_at.isoformat()}}
        return self.commit("bronze.sales", table, position, partition_by=["dt", "_state"])

    def _bronze_row(self, upload: str, state: str) -> dict[str, Any]:
        day = datetime.strptime(upload.split(".")[1], "%Y%m%d%H").replace(tzinfo=UTC)
        path = f"landing/sales/dt={day:%Y-%m-%d}/hour={day:%H}/{upload}.jsonl"
        return {
            "upload": upload,
            "store": "shop-1",
            "object": path,
            "received": NOON,
            "dt": day.date(),
            "_state": state,
            "record": 0 if state == "live" else None,
        }

    def sales(self, rows: Iterable[tuple[str, str, int, str]], rejected: int = 0, **own: Any) -> int:
        """Commits sales (id, shop, day of March, upload) to silver.sales, rejected records, and a single receipt."""
        rows = list(rows)
        live = [
            {
                "id": id,
                "shop": shop,
                "day": date(2026, 3, day),
                "amount": 10,
                "_key": f'k:["{id}"]',
                "_state": "live",
                "_source": {"upload": upload, "received": NOON, "record": record},
            }
            for record, (id, shop, day, upload) in enumerate(rows)
        ]
        counts = {"records": len(rows) + rejected, "unparsable": 0, "rejected": rejected, "accepted": len(rows)}
        upload = rows[0][3] if rows else "none"
        others = [{"_key": f"u:{upload}", "_state": "receipt", "_receipt": counts, "_source": {"upload": upload}}]
        others += [
            {
                "_key": f"r:{number}",
                "_state": "rejected",
                "_rejected": {"raw": "{", "reasons": []},
                "_source": {"upload": upload, "record": number},
            }
            for number in range(rejected)
        ]
        columns = [("id", pa.string()), ("shop", pa.string()), ("day", pa.date32()), ("amount", pa.int64()), *MERGED]
        table = pa.Table.from_pylist(live + others, schema=pa.schema(columns))
        own = {"counts": {**counts, "quarantined": rejected}, **own}
        return self.commit("silver.sales", table, partition_by=["_state", "day"], **own)

    def daily(self, rows: Iterable[tuple[int, str]], **own: Any) -> int:
        """Commits rows (day of March, shop) as all of gold.daily."""
        results = [{"day": date(2026, 3, day), "shop": shop, "amount": 10} for day, shop in rows]
        schema = pa.schema([("day", pa.date32()), ("shop", pa.string()), ("amount", pa.int64())])
        table = pa.Table.from_pylist(results, schema=schema)
        return self.commit("gold.daily", table, mode="overwrite", partition_by=["day"], **own)

    def lines(self, rows: Iterable[tuple[str, str]], **own: Any) -> int:
        """Commits rows (id, line) as all of silver.lines."""
        table = pa.table({"id": [id for id, _ in rows], "line": [line for _, line in rows]})
        return self.commit("silver.lines", table, mode="overwrite", **own)

    def built(self) -> None:
        """One upload, taken through every table."""
        upload = self.land("first")
        self.bronze(upload)
        self.sales([("s-1", "north", 1, upload)])
        self.daily([(1, "north")])
        self.lines([("s-1", "a")])

    def commit(
        self,
        name: str,
        rows: pa.Table,
        position: Mapping[str, Any] | None = None,
        *,
        mode: str = "append",
        partition_by: list[str] | None = None,
        **own: Any,
    ) -> int:
        """Commits rows with Headgate's metadata, with the heads of the sources as position; returns the version."""
        node, head = self.graph.node(name), self.ledger.head(name)
        if position is None:
            heads = {source: self.ledger.head(source) for source in node.sources}
            position = {source: {"id": at.id, "version": at.version} for source, at in heads.items()}
        self._runs += 1
        metadata = {
            "headgate": "0",
            "table": name,
            "run": f"r-{self._runs}",
            "position": position,
            "planned": head.version,
            "declared": declaration(node),
            "code": node.code_hash,
            "changes_rows": True,
            **own,
        }
        properties = CommitProperties(
            custom_metadata={"userMetadata": json.dumps(metadata)}, app_transactions=[Transaction(name, head.txn + 1)]
        )
        write_deltalake(head.uri, rows, mode=mode, partition_by=partition_by, commit_properties=properties)
        return DeltaTable(head.uri).version()
