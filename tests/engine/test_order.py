"""Order and batches do not matter, nothing is missed, and every count balances."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.engine import model
from tests.engine.world import NOON, World, sale

TWO_ITEMS = [
    {"line": 1, "product_id": "P1", "quantity": 2, "unit_price": 3.0},
    {"line": 2, "product_id": "P2", "quantity": 1, "unit_price": 4.0, "discount": 0.5},
]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

# (key, time of receipt, records), with the purpose of each record as a comment.
UPLOADS: list[tuple[str, datetime, list[Any]]] = [
    (
        "late",
        NOON - 3 * DAY,
        [
            sale(1, items=TWO_ITEMS),
            sale(2, revised=2, total="22.00"),
            sale(3, day=2),
            "{broken",
        ],
    ),
    (
        "corrected",
        NOON - DAY,
        [
            sale(1, revised=1, total="12.00"),  # loses an item
            sale(1, revised=1, total="13.00"),  # the same transaction again, with the same revised_at
            sale(4, day=2, total="12.345", items=TWO_ITEMS),  # rejected by its contract
        ],
    ),
    (
        "voided",
        NOON - 2 * HOUR,
        [
            sale(2, revised=1),  # older than "late"
            sale(3, day=2, revised=1, voided=True),
            sale(5, day=3, revised=1, total="50.00"),  # tied with the next two uploads
        ],
    ),
    (
        "emptied",
        NOON - HOUR,
        [
            sale(5, day=3, revised=1, total="51.00"),
            sale(3, day=2),  # older than its deletion
            sale(6, day=3, revised=3, items=[]),
        ],
    ),
    (
        "tied",
        NOON - HOUR,
        [
            sale(5, day=3, revised=1, total="52.00"),  # received in the same second as "emptied"
            sale(6, day=3, revised=1, items=TWO_ITEMS),  # older than the correction to no items
            sale(7, revised=1, sold_at="2026-03-04T09:00:00Z"),  # moved to day 4
        ],
    ),
    ("last", NOON, [sale(7), {**sale(9), "currency": None, "total": None}, sale(9, day=4, store_id="store-2")]),
    ("empty", NOON, []),
]
LATEST_FIRST = [[6, 5, 4], [3, 2], [1, 0]]


@pytest.fixture(scope="module")
def clean(new_world: Callable[[], World]) -> World:
    """All uploads in one run."""
    world = new_world()
    land(world, range(len(UPLOADS)))
    world.run_well()
    return world


def land(world: World, numbers: Iterable[int]) -> None:
    for key, received, records in (UPLOADS[number] for number in numbers):
        world.upload(records, key=key, at=received)


@st.composite
def batches(draw: st.DrawFn) -> list[list[int]]:
    """The uploads in any order, in up to three batches."""
    order = draw(st.permutations(range(len(UPLOADS))))
    first, second = sorted(draw(st.tuples(st.integers(1, len(order)), st.integers(1, len(order)))))
    return [batch for batch in (order[:first], order[first:second], order[second:]) if batch]


def test_one_run_gives_the_tables_of_the_definitions(clean: World) -> None:
    assert clean.tables() == model.tables(clean.sent)


@settings(
    derandomize=True,
    max_examples=2,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@example(LATEST_FIRST)
@given(batches())
def test_any_order_and_any_batches_give_the_tables_of_one_run(
    new_world: Callable[[], World], clean: World, chosen: list[list[int]]
) -> None:
    world = new_world()
    for batch in chosen:
        land(world, batch)
        world.run_well()
        assert_counts_balance(world)
        world.now += 2 * DAY  # further than a listing looks back: uploads are listed by their late markers
    assert world.bronze_uploads() == clean.bronze_uploads()
    assert world.contents() == clean.contents()


def test_every_receipt_counts_each_of_its_records_once(clean: World) -> None:
    assert_counts_balance(clean)


def assert_counts_balance(world: World) -> None:
    """The two counting equations for each upload, against what was landed and against the rejected rows."""
    receipts = {
        row["_source"]["upload"]: row["_receipt"]
        for row in world.raw_rows("silver.transactions")
        if row["_state"] == "receipt"
    }
    quarantined = [upload for upload, _, _ in world.rejected()]
    assert receipts.keys() == {upload.id for upload in world.sent}
    for upload in world.sent:
        n = receipts[upload.id]
        assert n["records"] == len(upload.lines)
        assert n["records"] == n["unparsable"] + n["rejected"] + n["no_row"] + n["accepted"]
        assert n["accepted"] == n["inserted"] + n["updated"] + n["deleted"] + n["superseded"] + n["unchanged"]
        assert n["unparsable"] + n["rejected"] == quarantined.count(upload.id)
