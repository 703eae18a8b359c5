"""The state of an upload, from the tables' logs: no Spark, and no project loaded."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from click.testing import CliRunner

from headgate.cli import upload as upload_command
from headgate.lake.upload_identity import parse_upload_id
from headgate.views.progress import Progress
from tests.unit.lake import NOON, Lake

_RECEIPT = pa.struct([("bytes", pa.int64()), ("sha256", pa.string()), ("records", pa.int64())])
_BRONZE = pa.schema(
    [
        ("upload", pa.string()),
        ("object", pa.string()),
        ("received", pa.timestamp("us", "UTC")),
        ("receipt", _RECEIPT),
        ("dt", pa.date32()),
        ("_state", pa.string()),
    ]
)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def bronze(lake, upload, records=3, received=NOON):
    row = {
        "upload": upload,
        "object": "x",
        "received": received,
        "receipt": {"bytes": 9, "sha256": "0" * 64, "records": records},
        "dt": parse_upload_id(upload).hour.date(),
        "_state": "receipt",
    }
    listed = {"landing": {"listed_at": datetime.now(UTC).isoformat()}}
    table = pa.Table.from_pylist([row], schema=_BRONZE)
    return lake.commit("bronze.sales", table, listed, partition_by=["dt", "_state"])


def state_of(lake, upload):
    return Progress(lake.environment).of(parse_upload_id(upload))


def test_an_upload_that_no_run_has_seen_has_landed(lake):
    shown = state_of(lake, lake.land("first"))
    assert (shown["state"], shown["bronze"], shown["gold"]) == ("landed", None, [])


def test_an_upload_in_bronze_is_ingested(lake):
    upload = lake.land("first")
    bronze(lake, upload)
    shown = state_of(lake, upload)
    assert (shown["state"], shown["bronze"]) == ("ingested", {"records": 3, "version": 0})


def test_an_upload_is_followed_to_the_partitions_of_gold(lake):
    upload = lake.land("first")
    bronze(lake, upload)
    lake.sales([("s-1", "north", 1, upload)])
    lake.daily([(1, "north")])
    shown = state_of(lake, upload)
    assert shown["state"] == "done"
    (silver,) = shown["silver"]
    assert (silver["table"], silver["accepted"], silver["rejected"]) == ("silver.sales", 1, 0)
    (gold,) = shown["gold"]
    assert (gold["table"], gold["version"], gold["partitions"]) == ("gold.daily", 0, [{"day": "2026-03-01"}])


def test_gold_of_an_earlier_upload_is_not_shown(lake):
    first, second = lake.land("first"), lake.land("second")
    bronze(lake, first)
    lake.sales([("s-1", "north", 1, first)])
    lake.daily([(1, "north")])
    bronze(lake, second, received=datetime.now(UTC))
    lake.sales([("s-2", "north", 2, second)])
    assert state_of(lake, second)["gold"] == []


def test_rejected_records_are_counted_with_their_first_reasons(lake):
    upload = lake.land("first")
    bronze(lake, upload)
    lake.sales([("s-1", "north", 1, upload)], rejected=7)
    shown = state_of(lake, upload)
    assert (shown["state"], shown["quarantined"]["records"]) == ("quarantined", 7)
    assert len(shown["quarantined"]["first"]) == 5
    assert {"table", "record", "reasons"} == set(shown["quarantined"]["first"][0])


def send_directly(lake):
    file = lake.project.root / "a.jsonl"
    file.write_text('{"id": "s-1"}\n')
    where = ["--project", str(lake.project.root), "--dataset", "sales", "--direct", "--store", "shop-1"]
    return CliRunner().invoke(upload_command.command, [str(file), *where]).output


def test_known_bytes_that_are_sent_directly_say_where_they_are(lake):
    upload = send_directly(lake).split()[1]
    assert "known already (landed): it waits for the next run: nothing to do" in send_directly(lake)
    bronze(lake, upload)
    lake.sales([("s-1", "north", 1, upload)])
    assert "known already (done): all records were accepted: nothing to do" in send_directly(lake)


def test_known_bytes_in_quarantine_say_how_to_replay_them(lake):
    upload = send_directly(lake).split()[1]
    bronze(lake, upload)
    lake.sales([("s-1", "north", 1, upload)], rejected=2)
    again = send_directly(lake)
    assert "known already (quarantined): 2 records are in quarantine" in again
    assert "headgate quarantine replay silver.sales" in again
