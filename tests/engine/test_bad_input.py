"""Bad uploads, end to end: each is a rejected record with its reasons, and nothing else suffers."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from headgate.engine.verbs.table_report import Report
from tests.engine.world import World, sale

TABLE = "silver.transactions"
LINE_OF_64_MB = b'{"note": "' + b"x" * (64 * 2**20) + b'"}'
GARBLED = b'{"transaction_id": "caf\xe9"}'
CUT_CSV = b'store_id,name,city,opened_on,address,closed_on\nstore-1,One,Berlin,2020-01-01,"An open quote\n'
GOOD_CSV = (
    "store_id,name,address,city,opened_on,closed_on\r\n"
    'store-1,One,"First line\nSecond, ""line""",Köln,2020-01-01,\r\n'
    "store-2,Two\r\n"
)


def unfit(**changes: Any) -> str:
    """A sale with other values; None makes it null, Ellipsis leaves it out."""
    return json.dumps({name: value for name, value in {**sale(90), **changes}.items() if value is not ...})


#: The problem of a line, the line, and its reasons.
LINES: dict[str, tuple[str | bytes, list[str]]] = {
    "text that is not JSON": ("hello, world", ["unparsable"]),
    "two objects on one line": (json.dumps(sale(91)) + json.dumps(sale(92)), ["unparsable"]),
    "a cut object": (json.dumps(sale(93))[:-5], ["unparsable"]),
    "no object": ("[1, 2]", ["unparsable"]),
    "invalid UTF-8": (GARBLED, ["unparsable"]),
    "more decimals than the contract has": (unfit(total=12.345), ["total type: decimal(12,2)"]),
    "more decimals as text": (unfit(total="12.345"), ["total type: decimal(12,2)"]),
    "a decimal comma": (unfit(total="1,50"), ["total type: decimal(12,2)"]),
    "a null key": (unfit(transaction_id=None), ["transaction_id required"]),
    "no key": (unfit(transaction_id=...), ["transaction_id required"]),
    "a null sequence": (unfit(revised_at=None), ["revised_at required"]),
    "an integer too large": (unfit(receipt_number=2**63), ["receipt_number type: bigint"]),
    "a time without a day": (unfit(sold_at="12:00:00"), ["sold_at type: timestamp"]),
    "an unknown field": (unfit(cashier="Ada"), ["cashier unknown field"]),
    "an item without its price": (
        unfit(items=[{"line": 1, "product_id": "P", "quantity": 1}]),
        ["items[0].unit_price required"],
    ),
    "several faults": (
        unfit(total="much", sold_at="yesterday", currency=None, items={}, register=2**31),
        [
            "currency required",
            "items type: array",
            "register type: int",
            "sold_at type: timestamp",
            "total type: decimal(12,2)",
        ],
    ),
}


@dataclass
class Landed:
    """The landed uploads, and the result of a run."""

    world: World
    reports: dict[str, Report] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    bronze: list[dict[str, Any]] = field(default_factory=list)

    def rejected(self, upload: str) -> list[dict[str, Any]]:
        """The rejected records of an upload, with raw, raw_encoding and reasons, by ordinal."""
        results = [r for r in self.rows if r["_state"] == "rejected" and r["_source"]["upload"] == self.uploads[upload]]
        return [row["_rejected"] for row in sorted(results, key=lambda row: row["_source"]["record"])]

    def receipt(self, upload: str) -> dict[str, int]:
        return self.world.receipts()[self.uploads[upload]]

    def stores(self, upload: str) -> list[dict[str, Any]]:
        """The bronze rows of an upload of stores, by ordinal."""
        results = [r for r in self.bronze if r["upload"] == self.uploads[upload] and r["_state"] != "receipt"]
        return sorted(results, key=lambda row: row["record"])


@pytest.fixture(scope="module")
def landed(new_world: Callable[[], World]) -> Landed:
    """Every bad upload of this module, and good ones, in one run."""
    made = Landed(new_world())

    def land(name: str, body: bytes, dataset: str = "transactions", suffix: str = "") -> None:
        made.uploads[name] = made.world.land(dataset, body, key=name, suffix=suffix)

    good = [json.dumps(sale(n, receipt_number=9007199254740993 + n)).encode() for n in range(1, 6)]
    bad = [line if isinstance(line, bytes) else line.encode() for line, _ in LINES.values()]
    land("good", b"\n".join(good))
    land("lines", b"\n".join([good[0].replace(b"000001", b"000011"), *bad, good[0].replace(b"000001", b"000012")]))
    land("not gzip", b"\n".join(good), suffix=".jsonl.gz")
    land("cut gzip", gzip.compress(b"\n".join(good))[:-9], suffix=".jsonl.gz")
    land("empty", b"")
    land("empty gzip", b"", suffix=".jsonl.gz")
    land("blank", b"\n \r\n")
    land("64 MB", LINE_OF_64_MB + b"\n" + good[0].replace(b"000001", b"000013"))
    land("other header", b"store,name\nstore-1,One\n", "stores")
    land("cut quote", CUT_CSV, "stores")
    land("stores", GOOD_CSV.encode(), "stores")
    made.reports = made.world.run_well()
    made.rows = made.world.raw_rows(TABLE)
    made.bronze = made.world.raw_rows("bronze.stores")
    return made


def test_a_run_with_bad_uploads_ends_well_and_counts_them(landed):
    counts = landed.reports[TABLE].counts
    assert counts["uploads"] == 8
    assert counts["accepted"] == counts["inserted"] == 8
    # In addition to the lines: invalid gzip, a truncated upload, and the long line.
    unparsable = sum(reasons == ["unparsable"] for _, reasons in LINES.values())
    assert (counts["unparsable"], counts["rejected"]) == (unparsable + 3, len(LINES) - unparsable)


def test_the_good_records_of_the_same_run_all_pass(landed):
    numbers = {int(row["transaction_id"][-6:]) for row in landed.world.rows(TABLE)}
    assert numbers == {1, 2, 3, 4, 5, 11, 12, 13}


def test_integers_beyond_2_53_are_exact(landed):
    rows = {row["transaction_id"][-6:]: row for row in landed.world.rows(TABLE)}
    assert [rows[f"00000{n}"]["receipt_number"] for n in range(1, 6)] == [9007199254740993 + n for n in range(1, 6)]


def test_money_is_exact(landed):
    assert {row["total"] for row in landed.world.rows(TABLE)} == {Decimal("10.00")}


@pytest.mark.parametrize("name", LINES)
def test_a_bad_line_is_rejected_with_every_reason_and_its_text(landed, name):
    line, reasons = LINES[name]
    result = landed.rejected("lines")[list(LINES).index(name)]
    assert sorted(f"{r['column']} {r['rule']}".strip() for r in result["reasons"]) == reasons
    raw = base64.b64decode(result["raw"]) if result["raw_encoding"] == "base64" else result["raw"].encode()
    assert raw == (line if isinstance(line, bytes) else line.encode())


def test_a_reason_shows_the_value_that_was_sent(landed):
    result = landed.rejected("lines")[list(LINES).index("more decimals than the contract has")]
    assert result["reasons"] == [{"column": "total", "rule": "type: decimal(12,2)", "value": "12.345"}]


@pytest.mark.parametrize(("name", "encoding"), [("invalid UTF-8", "base64"), ("text that is not JSON", None)])
def test_only_raw_bytes_that_are_no_text_are_encoded(landed, name, encoding):
    assert landed.rejected("lines")[list(LINES).index(name)]["raw_encoding"] == encoding


@pytest.mark.parametrize(
    ("upload", "encoding", "said"), [("not gzip", None, "not gzip"), ("cut gzip", "base64", "gzip, but cut")]
)
def test_an_unreadable_upload_is_a_single_rejected_record(landed, upload, encoding, said):
    [result] = landed.rejected(upload)
    path = next(landed.world.lake.glob(f"landing/*/*/*/{landed.uploads[upload]}*"))
    raw = base64.b64decode(result["raw"]) if encoding else result["raw"].encode()
    assert (result["raw_encoding"], raw) == (encoding, path.read_bytes())
    assert result["reasons"][0]["rule"] == "unparsable upload"
    assert result["reasons"][0]["value"].startswith(said)


def test_a_line_of_64_mb_is_rejected_and_kept(landed):
    [result] = landed.rejected("64 MB")
    assert result["raw"].encode() == LINE_OF_64_MB
    said = result["reasons"][0]["value"]
    assert said.startswith(f"a record of {len(LINE_OF_64_MB)} bytes; the contract takes 16777216")


@pytest.mark.parametrize("upload", ["empty", "empty gzip", "blank"])
def test_an_empty_upload_has_a_receipt_and_is_done(landed, upload):
    assert landed.receipt(upload) == dict.fromkeys(("records", "unparsable", "rejected", "no_row", "accepted"), 0)


def test_every_receipt_balances(landed):
    receipts = landed.world.receipts()
    assert set(receipts) == {landed.uploads[name] for name in landed.uploads if "stores" not in landed.uploads[name]}
    for receipt in receipts.values():
        assert receipt["records"] == sum(count for name, count in receipt.items() if name != "records")


def test_a_receipt_counts_the_result_of_each_record(landed):
    unparsable = sum(reasons == ["unparsable"] for _, reasons in LINES.values())
    assert landed.receipt("lines") == {
        "records": len(LINES) + 2,
        "unparsable": unparsable,
        "rejected": len(LINES) - unparsable,
        "no_row": 0,
        "accepted": 2,
    }


def test_nothing_is_left_to_do_after_bad_uploads(landed):
    assert landed.world.kinds() == {}


# --- CSV: no table reads the stores, so bronze alone has them


@pytest.mark.parametrize(
    ("upload", "said"), [("other header", "another CSV header than the contract's"), ("cut quote", "not CSV at line")]
)
def test_a_csv_that_is_not_its_contracts_is_one_record_with_a_problem(landed, upload, said):
    [row] = landed.stores(upload)
    path = next(landed.world.lake.glob(f"landing/*/*/*/{landed.uploads[upload]}*"))
    assert (row["record"], row["raw"].encode()) == (0, path.read_bytes())
    assert row["problem"].startswith(said)


def test_each_line_of_a_csv_is_a_record_by_its_header(landed):
    whole, short = landed.stores("stores")
    assert json.loads(whole["raw"]) == {
        "store_id": "store-1",
        "name": "One",
        "address": 'First line\nSecond, "line"',
        "city": "Köln",
        "opened_on": "2020-01-01",
    }
    assert whole["problem"] is None
    assert (short["record"], short["raw"], short["problem"]) == (1, "store-2,Two", "2 values for 6 columns")
