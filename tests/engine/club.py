"""The club: a project with every read, write and legal pair, its records, and the expected rows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from headgate.project import Project
from tests.engine.club_model import ordered_by
from tests.engine.world import World

ROOT = Path(__file__).parents[1] / "projects" / "club"

MEMBERS, VISITS, SCANS = "silver.members", "silver.visits", "silver.scans"
FIRST_SCANS, SCAN_LOG = "silver.first_scans", "silver.scan_log"
HISTORY, DAILY, VALUE, CITIES = "gold.members", "gold.daily", "gold.member_value", "gold.cities"
KNOWN, FROZEN = "gold.daily_known", "gold.daily_frozen"

#: The tables that judge records, and those that are fed by another `Append` table.
JUDGES, FED = (MEMBERS, VISITS, SCANS), (FIRST_SCANS, SCAN_LOG)
GOLD = (HISTORY, DAILY, VALUE, CITIES, KNOWN, FROZEN)


def club(spark: SparkSession, lake: Path) -> World:
    """The club on an empty lake."""
    return World(spark, Project(ROOT), lake)


def own_club(spark: SparkSession, root: Path, **modules: str) -> World:
    """A club whose modules can be changed: `modules` (layer_table) replace or extend its own modules."""
    for folder in ("conf", "jobs"):
        shutil.copytree(ROOT / folder, root / "project" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in modules.items():
        layer, _, table = name.partition("_")
        (root / "project" / "jobs" / layer / f"{table}.py").write_text(text)
    return World(spark, Project(root / "project"), root / "lake")


def member(name: str, at: int, city: str | None = "A", *, level: str | None = "one", gone: bool = False) -> dict:
    """A version of a member; `at` is an hour of the 1st of March 2026."""
    return {"member_id": name, "at": f"2026-03-01T{at:02d}:00:00Z", "city": city, "level": level, "gone": gone}


def visit(name: str, member: str | None = "m", day: int | None = 1, **changes: Any) -> dict:
    """A visit on a day of March 2026."""
    written = f"2026-03-{day:02d}" if day else None
    plain = {"visit_id": name, "revision": 1, "member_id": member, "day": written, "amount": 1.5, "void": False}
    return {**plain, **changes}


def scan(name: str, *codes: str | None) -> dict:
    return {"scan_id": name, "codes": list(codes)}


def tables(world: World) -> dict[str, Any]:
    """Every table of the club in the form of `club_model.tables`."""
    existing = {name: sorted(world.rows(name), key=ordered_by) for name in (*JUDGES, *FED, *GOLD)}
    existing[FROZEN] = sorted(({k: row[k] for k in ("day", "visits")} for row in existing[FROZEN]), key=ordered_by)
    raw = {name: world.raw_rows(name) for name in (*JUDGES, *FED)}
    assert not [row for name in FED for row in raw[name] if row["_state"] not in ("live", "deleted")]
    return {
        **existing,
        "sources": {name: _sources(rows) for name, rows in raw.items()},
        "rejected": sorted(result for name in JUDGES if raw[name] for result in world.rejected(name)),
        "receipts": {upload: n for name in JUDGES for upload, n in world.receipts(name).items()},
    }


def _sources(rows: list[dict[str, Any]]) -> list[tuple]:
    kept = [row for row in rows if row["_state"] in ("live", "deleted")]
    return sorted((row["_key"], row["_state"], row["_source"]["upload"], row["_source"]["record"]) for row in kept)


def assert_counts_balance(world: World) -> None:
    """The two counting equations for each upload, against what was landed and against the rejected rows."""
    for table in JUDGES:
        raw = world.raw_rows(table)
        receipts = {row["_source"]["upload"]: row["_receipt"] for row in raw if row["_state"] == "receipt"}
        quarantined = [row["_source"]["upload"] for row in raw if row["_state"] == "rejected"]
        sent = {upload.id: upload for upload in world.sent if upload.id.startswith(table.partition(".")[2] + ".")}
        assert receipts.keys() == sent.keys()
        for upload, n in receipts.items():
            assert n["records"] == len(sent[upload].lines)
            assert n["records"] == n["unparsable"] + n["rejected"] + n["no_row"] + n["accepted"]
            rows = n["inserted"] + n["updated"] + n["deleted"] + n["superseded"] + n["unchanged"]
            assert rows == n["accepted"] if table != SCANS else rows >= n["accepted"]
            assert n["unparsable"] + n["rejected"] == quarantined.count(upload)
