"""The retailer's customers: versions in any order become a dimension with its history."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.testing import (
    assert_contract_holds,
    assert_crash_safe,
    assert_late_data_converges,
    assert_order_insensitive,
    assert_rerun_is_noop,
    assert_rows,
)
from headgate.testing.lake import Lake

DIMENSION = "gold.dim_customers"


def customer(hour: int, city: str, **changes: Any) -> dict[str, Any]:
    """A version of a customer, of an hour of the 1st of March 2026."""
    at = f"2026-03-01T{hour:02}:00:00Z"
    plain = {"customer_id": "c-1", "updated_at": at, "name": "Ada", "tier": "basic", "marketing_consent": False}
    return {**plain, "city": city, **changes}


@pytest.fixture
def customers(lake: Lake) -> Lake:
    """A customer moves, and the second version arrives last; a version without changes; a customer leaves."""
    lake.upload("customers", [customer(9, "Ulm"), customer(12, "Bonn"), customer(9, "Kiel", customer_id="c-2")])
    lake.upload("customers", [customer(13, "Bonn"), customer(11, "Kiel", customer_id="c-2", deleted=True)])
    lake.upload("customers", [customer(10, "Köln")])
    return lake


def test_a_customer_has_a_row_for_each_time_in_which_nothing_changed(customers: Lake) -> None:
    customers.run(f"+{DIMENSION}")
    at = {hour: f"2026-03-01T{hour:02}:00:00Z" for hour in (9, 10, 11, 12)}
    expected = [
        ("c-1", "Ulm", at[9], at[10]),
        ("c-1", "Köln", at[10], at[12]),
        ("c-1", "Bonn", at[12], None),
        ("c-2", "Kiel", at[9], at[11]),
    ]
    columns = ("customer_id", "city", "valid_from", "valid_to")
    assert_rows(customers, DIMENSION, [dict(zip(columns, row, strict=True)) for row in expected])


@pytest.mark.long
@pytest.mark.parametrize(
    "holds",
    [
        assert_rerun_is_noop,
        assert_order_insensitive,
        assert_late_data_converges,
        assert_crash_safe,
        assert_contract_holds,
    ],
)
def test_the_properties_of_every_table_hold(customers: Lake, holds: Any) -> None:
    holds(customers, DIMENSION)
