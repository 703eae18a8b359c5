"""The retailer's sales: the same bytes for the same Spec, correct totals, and plausible records."""

import csv
import hashlib
import io
import itertools
import json
import re
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.errors import UsageError
from headgate.lake.upload_identity import hour_in_key
from retail.generate import Spec, estimated_bytes, facts, uploads

MIXED = Spec(stores=4, days=3, late=0.1, repeated=0.1, corrected=0.1, broken=0.1)
CLEAN = Spec(late=0, repeated=0, corrected=0, broken=0)

shares = st.sampled_from([0.0, 0.02, 0.3, 1.0])
specs = st.builds(
    Spec,
    seed=st.integers(-5, 2**70),
    stores=st.integers(1, 5),
    days=st.integers(1, 4),
    transactions=st.integers(1, 30),
    uploads=st.integers(1, 5),
    late=shares,
    repeated=shares,
    corrected=shares,
    broken=shares,
    random_ids=st.booleans(),
    keys=st.sampled_from(["plain", "uuid7", "mixed"]),
)


def records(upload) -> list[dict]:
    return [json.loads(line, parse_float=Decimal) for line in upload.body.splitlines()]


def is_whole(line: bytes) -> bool:
    """Whether a line is a transaction with every field of the right kind."""
    try:
        record = json.loads(line.decode(), parse_float=Decimal)
    except ValueError:
        return False
    return (
        isinstance(record["transaction_id"], str)
        and isinstance(record["register"], int)
        and "sold_at" in record
        and record["total"].as_tuple().exponent == -2
    )


def amounts_of(record: dict) -> list[Decimal]:
    return [item["quantity"] * item["unit_price"] - item.get("discount", 0) for item in record["items"]]


def originals(spec: Spec) -> dict[str, dict]:
    """Each transaction as it was first sent, by id; broken lines are left out."""
    lines = (line for u in uploads(spec) if u.kind in ("batch", "late") for line in u.body.splitlines())
    valid = (json.loads(line, parse_float=Decimal) for line in lines if is_whole(line))
    return {record["transaction_id"]: record for record in valid}


def test_the_bytes_of_a_spec_are_pinned():
    digest = hashlib.sha256()
    for upload in uploads(Spec(datasets=("transactions", "stores"))):
        digest.update(f"{upload!r}\n".encode() + upload.body)
    assert digest.hexdigest() == "aa686d3abad1a2d93349dc777e38525f7688783baa0112012cb2bc57634c3e56"


@settings(max_examples=20)
@given(specs)
def test_two_iterations_give_equal_uploads(spec):
    assert list(uploads(spec)) == list(uploads(spec))


def test_another_seed_gives_other_bytes():
    assert {u.body for u in uploads(Spec(seed=1))}.isdisjoint(u.body for u in uploads(Spec(seed=2)))


def test_the_first_upload_of_a_hundred_gigabytes_comes_at_once():
    first = next(iter(uploads(Spec(size=10**11, days=366, uploads=2000))))
    assert len(first.body) < 10**6


@settings(max_examples=40)
@given(specs)
def test_facts_match_the_uploads(spec):
    made, rows, lines = Counter(), Counter(), []
    for upload in uploads(spec):
        made[upload.kind] += 1
        rows[upload.kind] += upload.rows
        assert upload.body.count(b"\n") == upload.rows > 0
        if upload.kind in ("batch", "late"):
            lines += upload.body.splitlines()
    whole = sum(map(is_whole, lines))
    totals = facts(spec)
    assert (totals.uploads, totals.rows) == (dict(made), dict(rows))
    assert (totals.transactions, totals.valid, totals.corrected) == (len(lines), whole, rows["correction"])


@settings(max_examples=20)
@given(specs)
def test_the_number_of_transactions_is_exact(spec):
    assert facts(spec).transactions == spec.transactions * spec.stores * spec.days


@settings(max_examples=20)
@given(specs)
def test_no_two_transactions_share_an_id(spec):
    assert len(originals(spec)) == facts(spec).valid


@pytest.mark.parametrize("size", [3_000_000, 8_000_000])
def test_a_size_is_met_within_five_percent(size):
    spec = Spec(size=size)
    total = sum(len(upload.body) for upload in uploads(spec))
    assert abs(total - size) < 0.05 * size
    assert abs(estimated_bytes(spec) - total) < 0.05 * total


def test_uploads_come_in_the_order_in_which_they_are_sent():
    days = [upload.sent_on for upload in uploads(MIXED)]
    assert days == sorted(days) and len(set(days)) > MIXED.days


def test_a_total_is_the_sum_of_its_items():
    for record in originals(MIXED).values():
        amounts = amounts_of(record)
        assert record["total"] == sum(amounts) and min(amounts) > 0
        assert [item["line"] for item in record["items"]] == list(range(1, len(amounts) + 1))


def test_a_product_has_one_price():
    prices = defaultdict(set)
    for record in originals(MIXED).values():
        for item in record["items"]:
            prices[item["product_id"]].add(item["unit_price"])
    assert {len(of_product) for of_product in prices.values()} == {1}


def test_a_few_products_make_most_of_the_sales_and_most_products_few():
    sold = Counter(i["product_id"] for record in originals(MIXED).values() for i in record["items"])
    counts = sorted(sold.values(), reverse=True)
    assert sum(counts[: len(counts) // 5]) > 0.5 * sum(counts)


def test_ids_name_day_store_and_number_in_order_of_time():
    for (store, day), group in itertools.groupby(
        sorted(originals(CLEAN).values(), key=lambda r: (r["store_id"], r["transaction_id"])),
        key=lambda r: (r["store_id"], r["sold_at"][:10]),
    ):
        made = list(group)
        prefix = f"{day.replace('-', '')}-{store}-"
        assert [r["transaction_id"] for r in made] == [f"{prefix}{n:06d}" for n in range(1, len(made) + 1)]
        assert [r["sold_at"] for r in made] == sorted(r["sold_at"] for r in made)


def test_random_ids_say_nothing():
    assert all(re.fullmatch("[0-9a-f]{32}", id_) for id_ in originals(Spec(random_ids=True)))


def test_some_receipt_numbers_do_not_fit_a_double_and_all_fit_a_long():
    numbers = [record["receipt_number"] for record in originals(CLEAN).values()]
    assert any(int(float(number)) != number for number in numbers)
    assert min(numbers) < 2**53 < max(numbers) < 2**63


def test_optional_fields_are_sometimes_absent_and_never_null():
    made = list(originals(MIXED).values())
    for name in ("customer_id", "voided"):
        assert 0 < sum(name in record for record in made) < len(made)
    assert all(value is not None for record in made for value in record.values())


def test_a_transaction_is_about_a_kilobyte_with_about_ten_items():
    made = list(originals(CLEAN).values())
    items = [len(record["items"]) for record in made]
    assert 9 < sum(items) / len(items) < 11.5 and max(items) > 30
    assert 950 < sum(len(u.body) for u in uploads(CLEAN)) / len(made) < 1200


def test_saturdays_are_busier_than_mondays():
    week = Spec(days=7, late=0, repeated=0, corrected=0, broken=0)
    sold = Counter(date.fromisoformat(r["sold_at"][:10]).weekday() for r in originals(week).values())
    assert sold[5] > 1.3 * sold[0]


def test_a_repeat_has_the_key_and_the_bytes_of_an_upload_before_it():
    seen = {}
    for upload in uploads(MIXED):
        identity = (upload.store, upload.key)
        assert (upload.kind == "repeat") == (identity in seen)
        assert seen.setdefault(identity, upload.body) == upload.body
    assert facts(MIXED).uploads["repeat"] > 1


def test_only_late_uploads_repeats_and_corrections_are_sent_on_a_later_day():
    later = {upload.kind: set() for upload in uploads(MIXED)}
    for upload in uploads(MIXED):
        later[upload.kind].add((upload.sent_on - upload.day).days)
    assert later["batch"] == {0}
    assert later["late"] | later["correction"] <= {1, 2, 3}


@pytest.mark.parametrize("share", ["late", "repeated"])
def test_a_small_share_still_gives_one_upload(share):
    made = facts(Spec(stores=1, days=1, **{share: 0.0001})).uploads
    assert made["late" if share == "late" else "repeat"] == 1


def test_a_correction_revises_a_valid_transaction_later_in_one_of_three_ways():
    first, ways = originals(MIXED), Counter()
    for upload in uploads(MIXED):
        for record in records(upload) if upload.kind == "correction" else ():
            before = first[record["transaction_id"]]
            assert record["revised_at"] > max(before["revised_at"], record["sold_at"])
            assert record["total"] == sum(amounts_of(record))
            ways[way(before, record)] += 1
    assert set(ways) == {"quantity", "moved", "emptied"}


def way(before: dict, after: dict) -> str:
    changed = {name for name in before if before[name] != after[name]}
    if changed == {"revised_at", "sold_at"} and before["sold_at"][:10] != after["sold_at"][:10]:
        return "moved"
    assert changed == {"revised_at", "items", "total"}
    if not after["items"]:
        return "emptied"
    pairs = zip(before["items"], after["items"], strict=True)
    assert [new["quantity"] - old["quantity"] for old, new in pairs if new != old] == [1]
    return "quantity"


def test_no_sale_is_moved_before_the_first_day():
    spec = Spec(corrected=1.0, broken=0)
    assert min(record["sold_at"] for upload in uploads(spec) for record in records(upload)) > str(spec.first_day)


def test_lines_are_broken_in_six_ways():
    lines = [line for u in uploads(Spec(broken=1.0)) if u.kind == "batch" for line in u.body.splitlines()]
    assert not any(map(is_whole, lines))
    marks = {
        "text": b'"register":"three"',
        "null": b'"transaction_id":null',
        "latin-1": b"ch\xe8que",
    }
    counts = {name: sum(mark in line for line in lines) for name, mark in marks.items()}
    counts["missing"] = sum(b"sold_at" not in line for line in lines)
    counts["decimals"] = sum(bool(re.search(rb'"total":\d+\.\d{4}', line)) for line in lines)
    counts["cut"] = sum(not line.endswith(b"]}") for line in lines)
    assert min(counts.values()) > 0 and sum(counts.values()) == len(lines)


def test_uuid7_keys_name_their_business_day_and_plain_keys_no_hour():
    made = list(uploads(Spec(keys="uuid7", corrected=0, late=0.5)))
    assert {hour_in_key(u.key).date() == u.day for u in made} == {True}
    assert {hour_in_key(u.key) for u in uploads(Spec(keys="plain"))} == {None}
    assert {hour_in_key(u.key) is None for u in uploads(Spec(keys="mixed"))} == {True, False}


def test_the_store_list_is_csv_with_a_line_break_in_an_address():
    (upload,) = uploads(Spec(stores=5, datasets=("stores",)))
    rows = list(csv.DictReader(io.StringIO(upload.body.decode(), newline="")))
    assert [row["store_id"] for row in rows] == [f"store-{n}" for n in range(1, 6)] and upload.rows == 5
    assert "\n" in rows[0]["address"]
    assert [bool(row["closed_on"]) for row in rows] == [False] * 4 + [True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"late": 1.5}, {"broken": -0.1}, {"corrected": float("nan")}, {"stores": 0}, {"days": 367}, {"uploads": 0},
        {"size": 0}, {"keys": "md5"}, {"datasets": ()}, {"datasets": ("invoices",)}, {"first_day": date(1999, 1, 1)},
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_refused_by_name(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong)).replace("_", ".").removesuffix("s")):
        Spec(**wrong)
