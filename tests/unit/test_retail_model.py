"""The model of the retailer's tables, against tables worked out by hand from the samples."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from retail.generate import DATASETS, Spec, uploads
from tests.engine.retail_model import Landed, Row, parsed, tables

SAMPLES = Path(__file__).parents[2] / "samples"
SPEC = Spec(
    stores=2,
    days=3,
    transactions=40,
    uploads=2,
    customers=30,
    products=40,
    late=0.1,
    repeated=0,
    corrected=0.2,
    broken=0.1,
    datasets=DATASETS,
)


def upload_of(dataset: str, name: str = "") -> Landed:
    [path] = SAMPLES.glob(f"{name or dataset}.*")
    return Landed(dataset, dataset, datetime(2026, 3, 5, tzinfo=UTC), parsed(dataset, path.read_bytes()))


@pytest.fixture(scope="module")
def made() -> dict[str, list[Row]]:
    return tables(upload_of(dataset) for dataset in DATASETS)


def picked(rows: list[Row], by: str, *names: str) -> list[tuple]:
    """Some columns of the rows, in order."""
    return [tuple(row[name] for name in names) for row in sorted(rows, key=lambda row: str(row[by]))]


def of(rows: list[Row], **values: object) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}:00Z")


def test_every_table_has_rows(made):
    assert {name: len(rows) for name, rows in made.items()} == {
        "silver.transactions": 17,
        "silver.stores": 14,
        "silver.customers": 19,
        "silver.products": 20,
        "silver.orders": 19,
        "silver.returns": 18,
        "silver.transaction_items": 41,
        "gold.dim_stores": 14,
        "gold.dim_customers": 15,
        "gold.dim_products": 19,
        "gold.fct_orders": 6,
        "gold.fct_sales": 41,
        "gold.daily_store_sales": 24,
        "gold.product_performance": 10,
        "gold.customer_value": 5,
    }


def test_a_broken_record_is_in_no_table():
    assert len(tables([upload_of("transactions", "transactions-broken")])["silver.transactions"]) == 1


def test_a_returning_customer_has_a_gap(made):
    rows = of(made["gold.dim_customers"], customer_id="c-223205")
    assert picked(rows, "valid_from", "tier", "valid_from", "valid_to", "is_current") == [
        ("silver", datetime(2023, 11, 20, 16, 30, tzinfo=UTC), moment("02-27T20:10"), False),
        ("basic", moment("03-02T10:00"), None, True),
    ]


def test_a_version_that_says_nothing_new_opens_no_row(made):
    [row] = of(made["gold.dim_customers"], customer_id="c-267574")
    assert (row["valid_from"].year, row["is_current"]) == (2025, True)
    [water] = of(made["gold.dim_products"], product_id="sku-10063418")
    assert water["valid_to"] is None


def test_of_one_version_sent_twice_the_later_counts(made):
    [row] = of(made["gold.dim_customers"], customer_id="c-743334", is_current=True)
    assert row["email"] == "ines@example.org"


def test_a_discontinued_product_stays_in_its_dimension(made):
    rows = of(made["gold.dim_products"], product_id="sku-10099999")
    assert picked(rows, "valid_from", "discontinued", "list_price") == [
        (False, Decimal("2.99")),
        (True, Decimal("2.99")),
        (False, Decimal("3.19")),
    ]


def test_an_order_has_the_lines_of_its_newest_revision(made):
    assert picked(made["gold.fct_orders"], "order_id", "status", "lines", "quantity", "amount") == [
        ("shipped", 2, 13, Decimal("12.07")),  # a line was not shipped
        ("cancelled", 1, 2, Decimal("4.38")),
        ("cancelled", 2, 7, Decimal("18.33")),
        ("placed", 2, 3, Decimal("8.27")),
        ("placed", 1, 20, Decimal("19.80")),  # the line was sent twice
        ("placed", 3, 8, Decimal("17.98")),
    ]


def test_a_return_counts_on_its_own_day_and_a_day_of_returns_alone_appears(made):
    [day] = of(made["gold.daily_store_sales"], sale_date=date(2026, 3, 4))
    assert (day["store_id"], day["transactions"], day["revenue"]) == ("store-1", 0, 0)
    assert (day["returned"], day["net_revenue"]) == (Decimal("24.90"), Decimal("-24.90"))
    assert (day["first_sale_at"], day["last_sale_at"]) == (None, None)


def test_a_corrected_return_counts_as_corrected(made):
    [day] = of(made["gold.daily_store_sales"], sale_date=date(2026, 3, 2), store_id="store-3")
    assert (day["revenue"], day["returned"]) == (Decimal("17.21"), Decimal("4.99"))  # 1.99, and 3.00 instead of 3.24


def test_a_product_that_is_sold_and_not_sent_is_unknown(made):
    [unknown] = of(made["gold.product_performance"], product_id="sku-10028830")
    assert (unknown["name"], unknown["brand"], unknown["units"]) == ("unknown", "unknown", 8)
    [bananas] = of(made["gold.product_performance"], product_id="sku-10004247")
    assert (bananas["name"], bananas["brand"]) == ("Bananas", None)


def test_a_buyer_without_a_customer_record_is_unknown(made):
    rows = made["gold.customer_value"]
    assert picked(rows, "customer_id", "customer_id", "tier", "revenue") == [
        ("c-016262", "basic", Decimal("25.98")),
        ("c-267574", "basic", Decimal("0.89")),
        ("c-643782", "gold", Decimal("16.85")),
        ("c-743334", "silver", Decimal("2.58")),
        ("c-976942", "unknown", Decimal("18.68")),
    ]


# --- properties of any uploads


@pytest.fixture(scope="module")
def generated() -> list[Landed]:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return [
        Landed(u.dataset, f"{u.store}.{u.key}", start + timedelta(minutes=n), parsed(u.dataset, u.body))
        for n, u in enumerate(uploads(SPEC))
    ]


def test_the_order_of_uploads_does_not_matter(generated):
    assert tables(generated[::-1]) == tables(generated)


def test_sales_add_up_from_items_to_days_and_to_products(generated):
    rows = tables(generated)
    total = sum(sale["total"] for sale in rows["silver.transactions"])
    assert total == sum(sale["amount"] for sale in rows["gold.fct_sales"]) > 0
    assert total == sum(day["revenue"] for day in rows["gold.daily_store_sales"])
    assert total == sum(product["revenue"] for product in rows["gold.product_performance"])
    returned = sum(back["amount"] for back in rows["silver.returns"])
    assert total - returned == sum(day["net_revenue"] for day in rows["gold.daily_store_sales"]) < total


@pytest.mark.parametrize(("table", "key"), [("customers", "customer_id"), ("products", "product_id")])
def test_the_rows_of_a_history_follow_each_other_without_overlap(generated, table, key):
    by_key = defaultdict(list)
    for row in tables(generated)[f"gold.dim_{table}"]:
        by_key[row[key]].append(row)
    assert max(len(rows) for rows in by_key.values()) > 1
    for rows in by_key.values():
        rows.sort(key=lambda row: row["valid_from"])
        ends = [row["valid_to"] for row in rows]
        assert all(end <= row["valid_from"] for end, row in zip(ends[:-1], rows[1:], strict=True))
        assert [row["is_current"] for row in rows] == [end is None for end in ends]
