"""`headgate generate` for any contract: valid records by every type and limit, and shares of trouble."""

import csv
import io
import json
import re
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from headgate.contracts.allowed import readable
from headgate.contracts.contract import Contract, Field, load_contracts
from headgate.errors import UsageError
from headgate.generate import GeneratedUpload, Request, uploads
from headgate.project import Project

FORMATS = ("jsonl", "json", "json_array", "csv", "parquet")

_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: {name}
version: 1.0.0
team: {{name: Tests}}
schema:
  - name: {name}
    properties:
{columns}
customProperties:
  - {{property: headgate.format, value: {format}}}
"""

FLAT = """\
      - {name: reading_id, logicalType: string, required: true, primaryKey: true}
      - {name: sensor_id, logicalType: string, required: true}
      - {name: store, logicalType: string}
      - {name: measured_at, logicalType: timestamp, required: true}
      - {name: updated_at, logicalType: timestamp}
      - {name: installed_on, logicalType: date, logicalTypeOptions: {minimum: "2020-01-01", maximum: "2020-12-31"}}
      - name: celsius
        logicalType: number
        physicalType: decimal(5,2)
        logicalTypeOptions: {minimum: -40, maximum: 60}
      - {name: noise, logicalType: number, physicalType: double}
      - {name: battery, logicalType: integer, physicalType: int, logicalTypeOptions: {minimum: 0, maximum: 100}}
      - {name: counter, logicalType: integer}
      - {name: ok, logicalType: boolean}
      - {name: state, logicalType: string, enum: [{value: new}, {value: used}]}
      - {name: level, logicalType: integer, enum: [{value: 1}, {value: 2}]}
      - {name: postcode, logicalType: string, logicalTypeOptions: {pattern: "^[0-9]{5}$"}}
      - {name: firmware, logicalType: string, examples: [v1.2, v1.3]}
      - {name: remark, logicalType: string, logicalTypeOptions: {minLength: 3, maxLength: 8}}
"""
NESTED = """\
      - name: place
        logicalType: object
        required: true
        properties:
          - {name: city, logicalType: string, required: true}
          - {name: lat, logicalType: number, physicalType: double}
      - name: parts
        logicalType: array
        logicalTypeOptions: {minItems: 1, maxItems: 3}
        items:
          logicalType: object
          properties:
            - {name: part_no, logicalType: string, required: true}
            - {name: price, logicalType: number, physicalType: "decimal(9,2)"}
      - name: tags
        logicalType: array
        items: {logicalType: string}
"""


def write_contract(folder: Path, name: str, columns: str, format_: str) -> None:
    path = folder / "conf" / "datasets" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    (folder / "jobs").mkdir(exist_ok=True)
    path.write_text(_CONTRACT.format(name=name, columns=columns, format=format_))


@pytest.fixture(params=FORMATS)
def contract(request: pytest.FixtureRequest, tmp_path: Path) -> Contract:
    """A contract with every type and limit, in each format; objects and arrays except in CSV."""
    write_contract(tmp_path, "readings", FLAT + ("" if request.param == "csv" else NESTED), request.param)
    return load_contracts(Project(tmp_path))["readings"]


def of(contract: Contract, **changes: Any) -> tuple[Request, dict[str, Contract]]:
    plain = {"stores": ("site-1", "site-2"), "records": 40, "late": 0, "repeated": 0, "corrected": 0, "broken": 0}
    return Request(datasets=(contract.dataset,), **{**plain, **changes}), {contract.dataset: contract}


def made(contract: Contract, **changes: Any) -> list[GeneratedUpload]:
    return list(uploads(*of(contract, **changes)))


def records(upload: GeneratedUpload) -> list[dict[str, Any]]:
    """The records of an upload; values of CSV are text, and missing where they are empty."""
    if upload.suffix == ".parquet":
        return pq.read_table(io.BytesIO(upload.body)).to_pylist()
    text = upload.body.decode()
    if upload.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(text, newline=""))
        return [{name: value for name, value in row.items() if value != ""} for row in rows]
    if upload.media_type == "application/json" and text.startswith("["):
        return json.loads(text, parse_float=Decimal)
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]


def problems(record: dict[str, Any], contract: Contract) -> list[str]:
    """The columns with a value that the contract rejects, by its definition."""
    unknown = [str(name) for name in record if name not in {field.name for field in contract.fields}]
    return unknown + [field.name for field in contract.fields if not fits(record.get(field.name), field)]


def fits(value: Any, field: Field) -> bool:
    if value is None:
        return not field.required
    if field.type == "struct":
        return isinstance(value, dict) and all(fits(value.get(child.name), child) for child in field.fields)
    if field.type == "array":
        size_fits = (field.allowed.min_items or 0) <= len(value) <= (field.allowed.max_items or 99)
        return isinstance(value, list) and size_fits and all(fits(item, field.item) for item in value)
    if field.type == "boolean":
        return str(value).lower() in ("true", "false")
    comparable = readable(re.sub(r"Z$", "", text_of(value)), field.type)
    return comparable is not None and is_within(comparable, field) and has_scale(comparable, field)


def text_of(value: Any) -> str:
    return value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else str(value)


def has_scale(value: Any, field: Field) -> bool:
    return field.type != "decimal" or -value.as_tuple().exponent <= field.scale


def is_within(value: Any, field: Field) -> bool:
    allowed = field.allowed
    low, high = (None if bound is None else readable(bound, field.type) for bound in (allowed.minimum, allowed.maximum))
    return (
        (low is None or value >= low)
        and (high is None or value <= high)
        and (not allowed.enum or str(value) in allowed.enum)
        and (allowed.pattern is None or re.search(allowed.pattern, value) is not None)
        and (allowed.min_length is None or allowed.min_length <= len(value))
        and (allowed.max_length is None or len(value) <= allowed.max_length)
    )


def test_every_record_is_valid_by_its_contract(contract):
    sent = [record for upload in made(contract) for record in records(upload)]
    assert len(sent) == 2 * 2 * 40
    assert [wrong for record in sent if (wrong := problems(record, contract))] == []


def test_media_types_and_suffixes_are_the_contracts(contract):
    for upload in made(contract, records=3):
        assert upload.media_type in contract.media_types and upload.suffix in contract.suffixes


def test_the_same_request_gives_the_same_bytes_and_another_seed_other_bytes(contract):
    first = made(contract, records=5)
    assert first == made(contract, records=5)
    assert {upload.body for upload in first}.isdisjoint(upload.body for upload in made(contract, records=5, seed=8))


def test_keys_are_unique_and_optional_values_sometimes_missing(contract):
    sent = [record for upload in made(contract) for record in records(upload)]
    assert len({record["reading_id"] for record in sent}) == len(sent)
    missing = Counter(name for record in sent for name in ("noise", "remark") if record.get(name) is None)
    assert all(0 < missing[name] < len(sent) / 2 for name in ("noise", "remark"))


def test_columns_that_name_the_store_hold_the_sender(contract):
    for upload in made(contract):
        assert {record.get("store") for record in records(upload)} - {None} <= {upload.store}


def test_timestamps_are_of_the_business_day(contract):
    for upload in made(contract):
        assert {text_of(record["measured_at"])[:10] for record in records(upload)} == {str(upload.day)}


def test_a_broken_record_is_rejected_by_its_contract(contract):
    sent = made(contract, broken=1.0)
    assert sum(upload.broken for upload in sent) == sum(upload.rows for upload in sent) == 160
    assert [record for upload in sent for record in records(upload) if not problems(record, contract)] == []


def test_a_share_of_broken_records_is_counted(contract):
    sent = made(contract, broken=0.2)
    broken = [record for upload in sent for record in records(upload) if problems(record, contract)]
    assert len(broken) == sum(upload.broken for upload in sent)
    assert 10 < len(broken) < 60


def test_a_correction_has_the_key_of_a_record_other_content_and_a_later_version(contract):
    sent = made(contract, corrected=0.3)
    first = {r["reading_id"]: r for upload in sent if upload.kind == "batch" for r in records(upload)}
    corrections = [(u, r) for u in sent if u.kind == "correction" for r in records(u)]
    assert len(corrections) > 20
    for upload, record in corrections:
        before = first[record["reading_id"]]
        assert record != before and problems(record, contract) == []
        assert text_of(record["updated_at"])[:10] == str(upload.sent_on) > str(upload.day)
        assert record["measured_at"] == before["measured_at"]


def test_late_uploads_are_sent_on_a_later_day_and_repeats_are_equal(contract):
    sent = made(contract, late=0.3, repeated=0.3)
    assert [upload.sent_on for upload in sent] == sorted(upload.sent_on for upload in sent)
    assert all((u.sent_on > u.day) == (u.kind == "late") for u in sent if u.kind != "repeat")
    bodies: dict[tuple[str, str], bytes] = {}
    for upload in sent:
        identity = (upload.store, upload.key)
        assert (upload.kind == "repeat") == (identity in bodies)
        assert bodies.setdefault(identity, upload.body) == upload.body
    assert {"late", "repeat", "batch"} == {upload.kind for upload in sent}


@pytest.mark.parametrize("size", [100_000, 400_000])
def test_a_size_is_met_within_a_tenth(contract, size):
    total = sum(len(upload.body) for upload in made(contract, size=size, uploads=1))
    if contract.format == "parquet":
        assert total < size  # it compresses more than its sample
    else:
        assert abs(total - size) < 0.1 * size


def test_references_join_with_the_keys_of_another_dataset(tmp_path):
    key = "      - {name: customer_id, logicalType: string, required: true, primaryKey: true, examples: [K0017]}\n"
    order = "      - {name: order_id, logicalType: integer, required: true, primaryKey: true}\n"
    write_contract(tmp_path, "customers", key, "csv")
    write_contract(tmp_path, "orders", order + key.replace(", primaryKey: true", ""), "jsonl")
    contracts = load_contracts(Project(tmp_path))
    request = Request(datasets=("customers", "orders"), records=20, broken=0, stores=("store-1",))
    ids: dict[str, set[str]] = {"customers": set(), "orders": set()}
    for upload in uploads(request, contracts):
        ids[upload.dataset] |= {record["customer_id"] for record in records(upload)}
    assert len(ids["customers"]) == 40 and ids["orders"] < ids["customers"]
    assert all(re.fullmatch(r"K\d{4}", name) for name in ids["customers"])


@pytest.mark.parametrize("kind", ["date", "timestamp"])
def test_a_key_of_times_alone_is_unique(tmp_path, kind):
    write_contract(
        tmp_path, "days", f"      - {{name: t, logicalType: {kind}, required: true, primaryKey: true}}\n", "jsonl"
    )
    contract = load_contracts(Project(tmp_path))["days"]
    keys = [record["t"] for upload in made(contract) for record in records(upload)]
    assert len(set(keys)) == len(keys) == 160


def test_limits_that_exclude_each_other_are_refused(tmp_path):
    options = 'logicalTypeOptions: {pattern: "^a{9}$", maxLength: 3}'
    write_contract(tmp_path, "bad", f"      - {{name: x, logicalType: string, required: true, {options}}}\n", "jsonl")
    with pytest.raises(UsageError, match="no text matches the pattern"):
        made(load_contracts(Project(tmp_path))["bad"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"late": 1.5},
        {"broken": -0.1},
        {"corrected": float("nan")},
        {"stores": ()},
        {"days": 367},
        {"uploads": 0},
        {"records": 0},
        {"size": 0},
        {"keys": "md5"},
        {"first_day": date(1999, 1, 1)},
    ],
)
def test_a_value_out_of_range_is_refused_by_name(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong)).replace("_", ".")):
        Request(datasets=("readings",), **wrong)


def test_times_of_records_are_in_utc(contract):
    at = records(made(contract, records=1)[0])[0]["measured_at"]
    assert at.tzinfo is not None and at.astimezone(UTC).hour == 8 if isinstance(at, datetime) else at.endswith("Z")
