"""Identity, paths and listing of uploads."""

import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import LocalStore, MemoryStore

from headgate.lake.landing import list_landed
from headgate.lake.upload_identity import Upload, hash_of_key, hour_in_key, parse_path, parse_upload_id, whole_hour

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
HOUR = datetime(2026, 11, 21, 10, tzinfo=UTC)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
datasets = st.from_regex(r"[a-z][a-z0-9_]{0,30}", fullmatch=True)
keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)
hours = st.datetimes(datetime(2020, 1, 1), datetime(2099, 12, 31)).map(
    lambda moment: whole_hour(moment.replace(tzinfo=UTC))
)
suffixes = st.sampled_from(["", ".json", ".jsonl", ".jsonl.gz", ".csv.gz"])


def ulid(moment: datetime) -> str:
    millis, letters = int(moment.timestamp() * 1000), ""
    for _ in range(10):
        letters = CROCKFORD[millis % 32] + letters
        millis //= 32
    return letters + "ABCDEFGHJKMNPQRS"


def uuid7(moment: datetime) -> str:
    number = int(moment.timestamp() * 1000) << 80 | 0x7ABC << 64 | 0x8ABCDEF012345678
    return str(uuid.UUID(int=number))


def upload_of(store: str, dataset: str, key: str, hour: datetime = HOUR) -> Upload:
    return Upload(dataset, store, hour, hash_of_key(store, dataset, key))


@pytest.mark.parametrize("make", [ulid, uuid7])
@given(hour=hours, minutes=st.integers(0, 59))
def test_a_key_with_a_time_names_its_hour(make, hour, minutes):
    key = make(hour + timedelta(minutes=minutes))
    assert hour_in_key(key) == hour_in_key(key.lower()) == hour_in_key(key.upper()) == hour


@pytest.mark.parametrize(
    "key",
    [
        "2026-11-21-batch-1",
        str(uuid.UUID("0193a2b4-7c1d-4abc-8def-0123456789ab")),  # version 4
        "9" + ulid(HOUR)[1:],  # beyond 128 bits
        ulid(HOUR)[:-1] + "U",  # no Crockford letter
        ulid(HOUR) + "0",
        ulid(datetime(2019, 12, 31, 23, tzinfo=UTC)),
        ulid(datetime(2100, 1, 1, tzinfo=UTC)),
        "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "",
    ],
)
def test_any_other_key_names_no_hour(key):
    assert hour_in_key(key) is None


def test_an_hour_is_in_utc():
    assert whole_hour(datetime(2026, 11, 21, 0, 59, tzinfo=timezone(timedelta(hours=2)))) == datetime(
        2026, 11, 20, 22, tzinfo=UTC
    )


@given(names, datasets, keys, hours)
def test_an_id_and_its_upload_are_one_to_one(store, dataset, key, hour):
    upload = upload_of(store, dataset, key, hour)
    assert parse_upload_id(upload.id) == upload


@given(names, datasets, keys, hours, suffixes)
def test_a_path_and_its_upload_are_one_to_one(store, dataset, key, hour, suffix):
    upload = upload_of(store, dataset, key, hour)
    assert parse_path(upload.path(suffix)) == (upload, suffix)
    assert parse_path(upload.marker(suffix, hour + timedelta(days=3))) == (upload, suffix)


@given(names, datasets, keys)
def test_every_path_is_plain_ascii_of_known_depth(store, dataset, key):
    upload = upload_of(store, dataset, key)
    assert re.fullmatch(r"landing/[a-z0-9_]+/dt=[\d-]+/hour=\d\d/[A-Za-z0-9_.=-]+", upload.path(".jsonl"), re.ASCII)
    assert re.fullmatch(r"claims/[a-z0-9_]+/[A-Za-z0-9_=-]+/[0-9a-f]{32}", upload.claim, re.ASCII)


identities = st.tuples(names, datasets, keys)


@given(identities, identities)
def test_two_identities_never_have_one_path_or_claim(first_parts, second_parts):
    first, second = upload_of(*first_parts), upload_of(*second_parts)
    assert (first.path("") == second.path("")) == (first_parts == second_parts)
    assert (first.claim == second.claim) == (first_parts == second_parts)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("a", "b", "c"), ("ab", "b", "c")),
        (("a", "bc", "d"), ("ab", "c", "d")),
        (("a.b", "c", "k"), ("a=2Eb", "c", "k")),
        (("a/b", "c", "k"), ("a_b", "c", "k")),
        (("Store", "c", "k"), ("store", "c", "k")),
        (("s", "c", "abc"), ("s", "c", "ABC")),
        (("é", "c", "k"), ("e\u0301", "c", "k")),
    ],
)
def test_near_identities_are_apart_even_where_case_does_not_count(first, second):
    assert upload_of(*first).path("").lower() != upload_of(*second).path("").lower()


GOOD = upload_of("store-1", "sales", "k").id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sales",
        GOOD + "\n",
        GOOD.upper(),
        GOOD.replace("2026112110", "2026112124"),
        GOOD.replace("2026112110", "٢٠٢٦١١٢١١٠"),
        GOOD.replace("store-1", "=73tore-1"),  # a letter that needs no escape
        GOOD.replace("store-1", "=FF"),  # no UTF-8
        GOOD.replace("store-1", "a="),
        GOOD.replace("store-1", "a/b"),
        f"../{GOOD}",
    ],
)
def test_what_is_no_upload_id_is_none(text):
    assert parse_upload_id(text) is None


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    return LocalStore(tmp_path) if request.param == "folder" else MemoryStore()


def put(store, path: str, content: bytes = b"x") -> str:
    obstore.put(store, path, BytesIO(content))
    return path


def listed(store, since: datetime | None, dataset: str = "sales") -> list[str]:
    return sorted(result.path for result in list_landed(store, dataset, since))


def test_nothing_landed_is_nothing_listed(store):
    assert listed(store, None) == listed(store, HOUR) == []


def test_a_listing_starts_with_the_hour_and_has_no_end(store):
    offsets = (-30, -24, -11, -1, 0, 1, 13, 14, 24, 24 * 365)
    paths = {h: put(store, upload_of("s", "sales", str(h), HOUR + timedelta(hours=h)).path(".jsonl")) for h in offsets}
    assert listed(store, None) == sorted(paths.values())
    assert listed(store, HOUR + timedelta(minutes=59)) == sorted(paths[h] for h in offsets if h >= 0)
    assert listed(store, HOUR - timedelta(minutes=1)) == sorted(paths[h] for h in offsets if h >= -1)
    assert listed(store, HOUR + timedelta(days=1)) == sorted(paths[h] for h in offsets if h >= 24)


def test_a_marker_lists_an_upload_under_a_later_hour(store):
    upload = upload_of("s", "sales", "k", HOUR - timedelta(days=3))
    path = put(store, upload.path(".jsonl.gz"))
    put(store, upload.marker(".jsonl.gz", HOUR))
    assert listed(store, HOUR) == [path]
    assert listed(store, HOUR + timedelta(hours=1)) == []
    assert listed(store, None) == [path]


def test_what_a_listing_says_of_an_object(store):
    upload = upload_of("Köln 1", "sales", "k")
    put(store, upload.path(".jsonl"), b"12345")
    (result,) = list_landed(store, "sales", HOUR)
    assert (result.upload, result.store, result.size, result.day) == (upload.id, "Köln 1", 5, "2026-11-21")
    assert result.received.microsecond == 0 and result.received.tzinfo is not None


def test_other_datasets_and_foreign_objects_are_left_out(store):
    path = put(store, upload_of("s", "sales", "k").path(".jsonl"))
    put(store, upload_of("s", "sales_eu", "k").path(".jsonl"))
    put(store, "landing/sales/dt=2026-11-21/hour=10/README")
    put(store, "landing/sales/dt=2026-11-21/hour=11/" + path.rpartition("/")[2])
    put(store, "landing/sales/notes.txt")
    assert listed(store, None) == listed(store, HOUR) == [path]


@given(st.lists(st.tuples(keys, hours), max_size=8, unique_by=lambda pair: pair[0]), hours)
def test_a_listing_gives_what_is_in_or_after_its_hour(landed, since):
    store = MemoryStore()
    uploads = [upload_of("s", "sales", key, hour) for key, hour in landed]
    for upload in uploads:
        put(store, upload.path(".jsonl"))
    assert listed(store, since) == sorted(upload.path(".jsonl") for upload in uploads if upload.hour >= since)
