"""The retailer's sales: the marts are right for sales, corrections, voids and returns in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from headgate.testing import (
    assert_crash_safe,
    assert_late_data_converges,
    assert_order_insensitive,
    assert_rerun_is_noop,
    assert_rows,
)
from headgate.testing.lake import Lake
from tests.engine.world import sale

pytestmark = pytest.mark.long


@pytest.fixture
def sales(lake: Lake) -> Lake:
    """Three sales of a day: one is corrected, one is voided, and an item of one is returned the next day."""
    lake.upload("transactions", [sale(1, customer_id="c-1"), sale(2, total="7.00"), sale(3, total="5.50")])
    lake.upload("transactions", [sale(1, revised=1, total="11.00", customer_id="c-1"), sale(2, revised=2, voided=True)])
    lake.upload(
        "returns",
        [
            {
                "return_id": "r-1",
                "revised_at": "2026-03-02T09:00:00Z",
                "returned_at": "2026-03-02T09:00:00Z",
                "transaction_id": sale(3)["transaction_id"],
                "line": 1,
                "product_id": "P1",
                "store_id": "store-1",
                "quantity": 1,
                "amount": 5.50,
                "currency": "EUR",
            }
        ],
    )
    gouda = {"product_id": "P1", "name": "Gouda", "category": "dairy", "list_price": "5.50"}
    lake.upload("products", [{**gouda, "updated_at": "2026-03-01T00:00:00Z"}])
    return lake


def test_a_day_of_a_store_adds_up(sales: Lake) -> None:
    sales.run("+gold.daily_store_sales")
    assert_rows(
        sales,
        "gold.daily_store_sales",
        [
            {"sale_date": "2026-03-01", "transactions": 2, "revenue": 16.50, "returned": 0, "net_revenue": 16.50},
            {"sale_date": "2026-03-02", "transactions": 0, "revenue": 0, "returned": 5.50, "net_revenue": -5.50},
        ],
    )


@pytest.mark.parametrize(
    ("holds", "mart"),
    [
        (assert_order_insensitive, "gold.daily_store_sales"),
        (assert_late_data_converges, "gold.product_performance"),
        (assert_rerun_is_noop, "gold.customer_value"),
        (assert_crash_safe, "gold.fct_sales"),
    ],
)
def test_the_properties_of_every_table_hold(sales: Lake, holds: Callable[[Lake, str], None], mart: Any) -> None:
    holds(sales, mart)
