"""The other datasets than transactions: records fit their contracts, and ids fit together."""

import csv
import hashlib
import io
import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.contracts.contract import Contract, Field, load_contracts
from headgate.project import Project
from retail.generate import DATASETS, GeneratedUpload, Spec, facts, uploads
from retail.generate.spec import FORMATS

CONTRACTS = load_contracts(Project(Path(__file__).parents[2]))
OTHERS = ("stores", "customers", "products", "orders", "returns")
FATED = OTHERS[1:]  # the list of stores is one upload that nothing happens to
SMALL = {"stores": 2, "days": 3, "transactions": 60, "uploads": 2, "customers": 80, "products": 60}
CLEAN = Spec(**{**SMALL, "transactions": 300}, late=0, repeated=0, corrected=0, broken=0, datasets=DATASETS)
MIXED = replace(CLEAN, late=0.2, repeated=0.2, corrected=0.2, broken=0.2)

shares = st.sampled_from([0.0, 0.02, 0.3, 1.0])
specs = st.builds(
    Spec,
    seed=st.integers(-5, 2**70),
    stores=st.integers(1, 3),
    days=st.integers(1, 3),
    transactions=st.integers(1, 30),
    uploads=st.integers(1, 2),
    late=shares,
    repeated=shares,
    corrected=shares,
    broken=shares,
    customers=st.integers(1, 40),
    products=st.integers(1, 40),
    datasets=st.sets(st.sampled_from(DATASETS), min_size=1).map(tuple),
)


def records(upload: GeneratedUpload) -> list[dict[str, Any]]:
    """An upload's records; of a row with a value too many it is under None. What cannot be read is {}."""
    text = upload.body.decode("utf-8", "surrogateescape")
    if upload.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(text, newline=""))
        return [{name: value for name, value in row.items() if value != ""} for row in rows]
    if upload.suffix == ".json":
        return json.loads(text, parse_float=Decimal)
    return [_parsed(line) for line in text.splitlines()]


def _parsed(line: str) -> dict[str, Any]:
    try:
        return json.loads(line, parse_float=Decimal)
    except ValueError:
        return {}


def sent(spec: Spec, dataset: str, *kinds: str) -> list[dict[str, Any]]:
    """The records of a dataset in the order in which they are sent; of every kind but repeats without `kinds`."""
    wanted = kinds or ("batch", "late", "correction")
    return [r for u in uploads(replace(spec, datasets=(dataset,))) if u.kind in wanted for r in records(u)]


def is_valid(record: dict[str, Any], contract: Contract) -> bool:
    """Whether the contract takes the record, by its definition."""
    fields = {field.name: field for field in contract.fields}
    known = record.keys() <= fields.keys()
    return known and all(_fits(record.get(name), field) for name, field in fields.items())


def _fits(value: Any, field: Field) -> bool:
    if value is None:
        return not field.required
    if field.type == "array":
        return True
    if field.type == "boolean":
        return str(value).lower() in ("true", "false")
    reader = {"string": str, "timestamp": datetime.fromisoformat, "date": date.fromisoformat, "decimal": Decimal}
    try:
        read = reader.get(field.type, int)(str(value))
    except (ValueError, InvalidOperation):
        return False
    if isinstance(read, str):
        return not any("\udc80" <= character <= "\udcff" for character in read)
    return not isinstance(read, Decimal) or -read.as_tuple().exponent <= field.scale


def test_the_bytes_of_a_spec_are_pinned():
    digest = hashlib.sha256()
    for upload in uploads(replace(MIXED, datasets=OTHERS)):
        digest.update(f"{upload!r}\n".encode() + upload.body)
    assert digest.hexdigest() == "82d7fdb8034f0996a8047004612d064ad303a56c6ef305dc397a930511fdfb0b"


def test_transactions_are_the_same_whatever_else_is_made():
    transactions = [u for u in uploads(MIXED) if u.dataset == "transactions"]
    assert transactions == list(uploads(replace(MIXED, datasets=("transactions",))))


@settings(max_examples=20)
@given(specs)
def test_two_iterations_give_equal_uploads_in_the_order_in_which_they_are_sent(spec):
    made = list(uploads(spec))
    assert made == list(uploads(spec))
    assert [u.sent_on for u in made] == sorted(u.sent_on for u in made)


@settings(max_examples=30)
@given(specs)
def test_facts_match_the_uploads(spec):
    made, rows = Counter(), Counter()
    for upload in uploads(spec):
        assert len(records(upload)) == upload.rows > 0
        made[upload.kind] += 1
        rows[upload.kind] += upload.rows
    totals = facts(spec)
    assert (totals.uploads, totals.rows) == (dict(made), dict(rows))


@settings(max_examples=30)
@given(specs)
def test_a_key_of_a_store_and_dataset_names_the_same_bytes(spec):
    seen = {}
    for upload in uploads(spec):
        identity = (upload.dataset, upload.store, upload.key)
        assert (upload.kind == "repeat") == (identity in seen)
        assert seen.setdefault(identity, upload.body) == upload.body


@settings(max_examples=20)
@given(specs.map(lambda spec: replace(spec, broken=0)))
def test_without_broken_lines_every_record_fits_its_contract(spec):
    for upload in uploads(spec):
        contract = CONTRACTS[upload.dataset]
        assert upload.media_type in contract.media_types and upload.suffix in contract.suffixes
        assert [record for record in records(upload) if not is_valid(record, contract)] == []


@settings(max_examples=20)
@given(specs.map(lambda spec: replace(spec, broken=1.0, datasets=FATED)))
def test_a_broken_line_is_one_that_its_contract_rejects(spec):
    for upload in uploads(spec):
        assert upload.kind != "correction"
        assert [record for record in records(upload) if is_valid(record, CONTRACTS[upload.dataset])] == []


@pytest.mark.parametrize("dataset", FATED)
def test_some_uploads_are_late_repeated_or_corrected_but_never_the_first_list(dataset):
    made = list(uploads(replace(MIXED, datasets=(dataset,))))
    assert {u.kind for u in made} == {"batch", "late", "repeat", "correction"}
    assert all((u.sent_on > u.day) == (u.kind != "batch") for u in made if u.kind != "repeat")
    if dataset in ("customers", "products"):
        assert [u.kind for u in made if u.day == MIXED.first_day and u.kind != "correction"] == ["batch"]


@pytest.mark.parametrize("dataset", FATED)
def test_a_correction_has_the_key_of_a_record_and_another_content(dataset):
    keys = CONTRACTS[dataset].key
    spec = replace(MIXED, broken=0)
    first = {tuple(r[k] for k in keys): r for r in sent(spec, dataset, "batch", "late")}
    corrected = sent(spec, dataset, "correction")
    assert corrected and all(first[tuple(r[k] for k in keys)] != r for r in corrected)


# --- ids


def first_seen(dataset: str, column: str) -> dict[str, date]:
    """When each id is sent first."""
    days: dict[str, date] = {}
    for upload in uploads(replace(CLEAN, datasets=(dataset,), customers=8000, products=2000)):
        for record in records(upload):
            for part in record["items"] if column not in record and "items" in record else [record]:
                if column in part:
                    days.setdefault(part[column], upload.sent_on)
    return days


@pytest.mark.parametrize(("dataset", "column"), [("customers", "customer_id"), ("products", "product_id")])
@pytest.mark.parametrize("fact", ["transactions", "orders", "returns"])
def test_most_dimensions_come_before_their_facts_some_later_or_never(dataset, column, fact):
    known, used = first_seen(dataset, column), first_seen(fact, column)
    before = sum(known.get(id_, date.max) <= day for id_, day in used.items())
    assert 0.8 * len(used) < before
    if fact == "transactions":
        assert any(id_ in known and known[id_] > day for id_, day in used.items())
        assert used.keys() - known.keys()


def test_a_number_of_customers_and_products_gives_those_that_are_met_most():
    for dataset, column, most in (("customers", "customer_id", 80), ("products", "product_id", 60)):
        ids = {record[column] for record in sent(CLEAN, dataset)}
        assert 0.9 * most < len(ids) <= most


def test_a_return_is_of_a_line_of_a_sale_of_an_earlier_day_and_never_of_more_than_was_sold():
    sales = {sale["transaction_id"]: sale for sale in sent(CLEAN, "transactions")}
    taken = Counter()
    for back in sent(CLEAN, "returns"):
        sale = sales[back["transaction_id"]]
        item = sale["items"][back["line"] - 1]
        assert sale["sold_at"][:10] < back["returned_at"][:10]
        assert (back["store_id"], back.get("customer_id")) == (sale["store_id"], sale.get("customer_id"))
        assert back["product_id"] == item["product_id"] and not sale.get("voided")
        paid = item["quantity"] * item["unit_price"] - item.get("discount", 0)
        assert 0 < back["amount"] <= paid
        taken[back["transaction_id"], back["line"]] += back["quantity"]
        assert 0 < taken[back["transaction_id"], back["line"]] <= item["quantity"]
    assert len(taken) > CLEAN.stores


# --- versions


def versions(dataset: str, column: str) -> list[list[dict[str, Any]]]:
    """The versions of each thing, oldest first, over a hundred days."""
    by_id = defaultdict(list)
    for record in sent(replace(CLEAN, days=100, customers=20, products=20), dataset):
        by_id[record[column]].append(record)
    return [sorted(records, key=lambda r: r["updated_at"]) for records in by_id.values()]


def test_a_version_is_of_a_moment_before_it_is_sent():
    for dataset in ("customers", "products"):
        for upload in uploads(replace(CLEAN, datasets=(dataset,))):
            assert max(record["updated_at"] for record in records(upload)) < str(upload.day)


def test_customers_change_leave_and_come_back_and_some_versions_say_nothing_new():
    seen = Counter()
    for before, after in (pair for of_one in versions("customers", "customer_id") for pair in pairwise(of_one)):
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        seen["left"] += after.get("deleted") is True
        seen["back"] += before.get("deleted") is True
        seen["same"] += changed == {"updated_at"}
        seen["moved"] += "city" in changed and not after.get("deleted")
        assert set(after) == {"customer_id", "updated_at", "deleted"} or not after.get("deleted")
    assert min(seen[change] for change in ("left", "back", "same", "moved")) > 0


def test_products_get_dearer_and_are_discontinued():
    pairs = [pair for of_one in versions("products", "product_id") for pair in pairwise(of_one)]
    assert all(Decimal(after["list_price"]) >= Decimal(before["list_price"]) for before, after in pairs)
    assert {(a["discontinued"], b["discontinued"]) for a, b in pairs} >= {("false", "true"), ("false", "false")}


def test_an_order_is_placed_then_shipped_or_cancelled_and_each_revision_has_all_its_lines():
    revisions = defaultdict(lambda: defaultdict(list))
    for row in sent(CLEAN, "orders"):
        revisions[row["order_id"]][row["revised_at"]].append(row)
    ways = Counter()
    for order in revisions.values():
        steps = [order[moment] for moment in sorted(order)]
        for rows in steps:
            assert [int(row["line"]) for row in rows] == list(range(1, len(rows) + 1))
            assert len({(row["status"], row["ordered_at"], row.get("customer_id")) for row in rows}) == 1
        ways[tuple(rows[0]["status"] for rows in steps)] += 1
        ways["short"] += len(steps[-1]) < len(steps[0])
    assert set(ways) == {
        "short",
        ("placed",),
        ("placed", "shipped"),
        ("placed", "cancelled"),
        ("placed", "shipped", "cancelled"),
    }
    assert ways["short"] > 0


# --- the samples


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_has_samples_that_fit_its_contract(dataset):
    [path] = (Path(__file__).parents[2] / "samples").glob(f"{dataset}.*")
    suffix = FORMATS[dataset][1]
    assert path.suffix == suffix
    sample = GeneratedUpload(dataset, "", "", date.min, date.min, "batch", 0, path.read_bytes(), suffix=suffix)
    rows = records(sample)
    assert len(rows) >= 14 and [record for record in rows if not is_valid(record, CONTRACTS[dataset])] == []
