"""`headgate.client.read`: all pages of one version, as Arrow, pandas, polars or dictionaries."""

import subprocess
import sys
from datetime import date
from decimal import Decimal

import httpx
import pytest

from headgate.client import read
from headgate.errors import ReadRefused, UsageError
from tests.read_api.tables import SALES, sale


@pytest.fixture
def query(app):
    """`read` against the application in this process."""

    def bound(table=SALES, key="analyst", **options):
        http = httpx.Client(transport=httpx.WSGITransport(app=app))
        return read(table, url="http://api", key=key, http=http, **options)

    return bound


def test_all_pages_are_read_with_exact_types(query):
    table = query(page_rows=70, order=["sale_id"]).to_arrow()
    assert len(table) == 300 and table.num_columns == 10
    expected = {name: value for name, value in sale(7).items() if name != "internal_note"}
    assert table.slice(7, 1).to_pylist() == [expected]


def test_filters_columns_and_versions(query):
    where = {"sale_date.ge": date(2026, 1, 3), "store_id.in": ["s1", "s,2"], "paid": True}
    rows = list(query(where=where, columns=["amount", "sale_date"], page_rows=3).rows())
    assert (
        rows and set(rows[0]) == {"amount", "sale_date"} and all(row["sale_date"] >= date(2026, 1, 3) for row in rows)
    )
    assert isinstance(rows[0]["amount"], Decimal)
    assert len(query(version=0, store_id="s1").to_arrow()) == 67


def test_pandas_and_no_rows(query):
    assert list(query(sale_id="none").to_pandas().columns)[:2] == ["sale_id", "store_id"]


def test_a_refusal_says_why_and_never_shows_the_key(query):
    for options, reason in (
        ({"colour": "red"}, "400 no column"),
        ({"key": "my-secret"}, "401"),
        ({"version": 9}, "404"),
    ):
        with pytest.raises(ReadRefused, match=reason) as refused:
            query(**options).to_arrow()
        assert "my-secret" not in str(refused.value) + repr(query(**options))


def test_temporary_failures_are_tried_again():
    answers = iter([httpx.Response(503), httpx.Response(502)])
    pauses: list[float] = []
    transport = httpx.MockTransport(
        lambda request: next(answers, httpx.Response(404, json={"detail": "no such table"}))
    )
    query = read(SALES, url="http://api", key="k", http=httpx.Client(transport=transport))
    object.__setattr__(query, "sleep", pauses.append)
    with pytest.raises(ReadRefused, match="404 no such table"):
        query.to_arrow()
    assert len(pauses) == 2


def test_an_address_and_a_key_are_needed(monkeypatch):
    monkeypatch.delenv("HEADGATE_READ_URL", raising=False)
    with pytest.raises(UsageError, match="HEADGATE_READ_URL"):
        read(SALES, key="k")


def test_the_client_imports_neither_spark_nor_flask():
    code = (
        "import sys, headgate.client; print([m for m in ('pyspark', 'flask', 'pyarrow', 'pandas') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
