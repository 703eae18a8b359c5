"""Pages of rows: filters, columns, order, versions, formats and caching."""

import io
import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from deltalake import write_deltalake

from headgate.contracts.contract import Field
from read_api.app import create_app
from tests.read_api.tables import SALES, SCHEMA, sale, write

ROWS = f"/v1/tables/{SALES}/rows"
ALL = [sale(number) for number in range(300)]


def ids(rows):
    return sorted(row["sale_id"] for row in rows)


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ({"store_id": "s1"}, lambda r: r["store_id"] == "s1"),
        ({"store_id.ne": "s1"}, lambda r: r["store_id"] != "s1"),
        ({"store_id.in": 's1,"s3"'}, lambda r: r["store_id"] in ("s1", "s3")),
        ({"quantity.gt": "8"}, lambda r: r["quantity"] is not None and r["quantity"] > 8),
        ({"quantity.is_null": "true"}, lambda r: r["quantity"] is None),
        ({"quantity.is_null": "false"}, lambda r: r["quantity"] is not None),
        ({"amount.le": "12.25"}, lambda r: r["amount"] <= Decimal("12.25")),
        ({"weight.lt": "3.5e0"}, lambda r: r["weight"] < 3.5),
        ({"sale_date.ge": "2026-01-03"}, lambda r: r["sale_date"] >= date(2026, 1, 3)),
        ({"sale_date": "2026-01-02", "paid": "true"}, lambda r: r["sale_date"] == date(2026, 1, 2) and r["paid"]),
        ({"sale_date.is_null": "true"}, lambda r: False),
        ({"sold_at.lt": "2026-01-01T01:01:00+01:00"}, lambda r: int(r["sale_id"][5:]) < 60),
        ({"sold_at.eq": "2026-01-01T00:00:07.000007Z"}, lambda r: r["sale_id"] == "sale-000007"),
        ({"sale_id.ge": "sale-000100", "sale_id.lt": "sale-000110"}, lambda r: 100 <= int(r["sale_id"][5:]) < 110),
        ({"sale_id": "x' OR 1=1 --"}, lambda r: False),
        ({"tags.is_null": "true"}, lambda r: False),
    ],
)
def test_a_filter_returns_the_rows_that_match(analyst, filters, matches):
    assert ids(analyst.rows(**filters)) == ids(row for row in ALL if matches(row))


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"colour": "red"}, "unknown-column"),
        ({"internal_note": "x"}, "unknown-column"),
        ({"columns": "sale_id,internal_note"}, "unknown-column"),
        ({"order": "_file"}, "unknown-column"),
        ({"quantity.like": "1"}, "invalid-parameter"),
        ({"quantity": "one"}, "invalid-value"),
        ({"quantity": "9223372036854775808"}, "invalid-value"),
        ({"amount": "1.234"}, "invalid-value"),
        ({"amount": "99999999999999999"}, "invalid-value"),
        ({"weight": "nan"}, "invalid-value"),
        ({"sale_date": "2026-02-30"}, "invalid-value"),
        ({"sold_at": "0001-01-01T00:00:00+10:00"}, "invalid-value"),
        ({"paid": "yes"}, "invalid-value"),
        ({"sale_id": "a\0b"}, "invalid-value"),
        ({"sale_id.in": ""}, "invalid-value"),
        ({"tags": "a"}, "invalid-parameter"),
        ({"order": "tags"}, "invalid-parameter"),
        ({"order": "paid,-paid"}, "invalid-parameter"),
        ({"limit": "0"}, "invalid-parameter"),
        ({"limit": "10001"}, "invalid-parameter"),
        ({"limit": "٣"}, "invalid-parameter"),
        ({"since": "1"}, "invalid-parameter"),
        ({"cursor": "abc"}, "invalid-cursor"),
        ({"cursor": "é"}, "invalid-cursor"),
        ({"as_of": "yesterday"}, "invalid-value"),
        ({"version": "1", "as_of": "2026-01-01"}, "invalid-parameter"),
    ],
)
def test_a_wrong_parameter_is_a_problem(analyst, parameters, code):
    answer = analyst.get(ROWS, **parameters)
    assert (answer.status_code, answer.json["type"]) == (400, f"urn:headgate:problem:{code}")


def test_columns_are_selected_in_their_order(analyst):
    rows = analyst.rows(columns="amount,sale_id", **{"sale_id": "sale-000010"})
    assert json.dumps(rows) == '[{"amount": "2.50", "sale_id": "sale-000010"}]'


@pytest.mark.parametrize("limit", [1000, 7])
@pytest.mark.parametrize("order", ["sale_id", "-sale_id", "-sold_at", "quantity,-amount", "-quantity,sale_id"])
def test_rows_come_in_order_with_nulls_last(analyst, order, limit):
    rows = analyst.rows(order=order, limit=limit)
    expected = list(analyst.rows())
    for name in reversed(order.split(",")):
        key, down = name.removeprefix("-"), name.startswith("-")
        value = (lambda row, key=key: Decimal(row[key])) if key == "amount" else (lambda row, key=key: row[key])
        some = sorted((r for r in expected if r[key] is not None), key=value, reverse=down)
        expected = some + [r for r in expected if r[key] is None]
    names = [name.removeprefix("-") for name in order.split(",")]
    assert [[r[n] for n in names] for r in rows] == [[r[n] for n in names] for r in expected]
    assert ids(rows) == ids(ALL)


def test_floating_point_values_that_are_no_numbers_keep_their_place_in_pages(analyst, sales):
    weights = [float("nan"), float("inf"), float("-inf"), None, 1.0]
    write(sales, (sale(1000 + n, weight=weight) for n, weight in enumerate(weights)))
    assert (
        len(ids(analyst.rows(order="-weight", limit=2))) == len(set(ids(analyst.rows(order="weight", limit=3)))) == 305
    )


def test_a_version_or_time_reads_what_was_there(analyst, sales):
    assert len(analyst.rows(version=0)) == 200
    answer = analyst.get(ROWS, version=0, limit=1)
    assert answer.headers["Headgate-Version"] == "0" and "immutable" in answer.headers["Cache-Control"]
    assert analyst.get(ROWS, version=2).status_code == 404
    assert analyst.get(ROWS, as_of="1999-01-01").status_code == 404
    assert analyst.get(ROWS, as_of="2999-01-01").status_code == 400


def test_a_column_that_was_added_later_is_null_in_older_files(analyst, sales, contracts, environment):
    added = Field("channel", "string", False)
    table = contracts[SALES]
    contracts[SALES] = type(table)(**{**vars(table), "fields": (*table.fields, added)})
    row = {**sale(900), "channel": "web"}
    new = pa.Table.from_pylist([row], schema=SCHEMA.append(pa.field("channel", pa.string())))
    write_deltalake(str(sales / "gold/sales"), new, mode="append", schema_mode="merge")
    reader = type(analyst)(create_app(environment, contracts, b"secret"), "analyst")
    assert [r["channel"] for r in reader.rows(order="-channel", limit=200)][:2] == ["web", None]
    assert ids(reader.rows(**{"channel.is_null": "false"})) == ["sale-000900"]
    assert "channel" not in reader.rows(version=0)[0]


# --- formats


def test_the_formats_carry_the_same_rows(analyst):
    expected = analyst.rows(limit=300)

    def get(media_type):
        answer = analyst.get(ROWS, headers={"Accept": media_type}, limit=300)
        assert (answer.status_code, answer.mimetype) == (200, media_type)
        return answer.data

    assert [json.loads(line) for line in get("application/x-ndjson").splitlines()] == expected
    table = pa.ipc.open_stream(get("application/vnd.apache.arrow.stream")).read_all()
    assert table.to_pylist() == [
        {k: v for k, v in row.items() if k != "internal_note"}
        for row in sorted(ALL, key=lambda r: [e["sale_id"] for e in expected].index(r["sale_id"]))
    ]
    read = pa_csv.read_csv(io.BytesIO(get("text/csv")))
    assert read["sale_id"].to_pylist() == [row["sale_id"] for row in expected]
    assert read["quantity"].to_pylist() == [row["quantity"] for row in expected]


def test_an_unknown_format_is_refused(analyst):
    assert analyst.get(ROWS, headers={"Accept": "image/png"}).status_code == 406
    assert analyst.get(ROWS, headers={"Accept": "*/*"}).mimetype == "application/json"


def test_no_rows_are_an_empty_page_in_every_format(analyst):
    for media_type in ("application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream"):
        for filters in ({"sale_id": "none"}, {"sale_date": "1999-01-01"}):
            assert analyst.get(ROWS, headers={"Accept": media_type}, **filters).status_code == 200
    arrow = analyst.get(ROWS, headers={"Accept": "application/vnd.apache.arrow.stream"}, sale_date="1999-01-01").data
    assert pa.ipc.open_stream(arrow).read_all().schema.field("amount").type == pa.decimal128(18, 2)


def test_large_integers_and_decimals_keep_their_digits(analyst, sales):
    write(sales, [sale(1, sale_id="big", quantity=2**63 - 1, amount=Decimal("9999999999999999.99"))])
    text = analyst.get(ROWS, sale_id="big").text
    assert "9223372036854775807" in text and '"9999999999999999.99"' in text


# --- caching


def test_an_unchanged_page_is_answered_with_304(analyst, client, sales):
    first = analyst.get(ROWS, store_id="s1")
    again = {"If-None-Match": first.headers["ETag"]}
    assert analyst.get(ROWS, store_id="s1", headers=again).status_code == 304
    assert analyst.get(ROWS, store_id="s2", headers=again).status_code == 200
    assert analyst.get(ROWS, store_id="s1", headers={**again, "Accept": "text/csv"}).status_code == 200
    assert client("plain").get(ROWS, store_id="s1", headers=again).status_code == 200
    assert first.headers["Vary"] == "Authorization, Accept" and "private" in first.headers["Cache-Control"]
    write(sales, [sale(500)])
    assert analyst.get(ROWS, store_id="s1", headers=again).status_code == 200


# --- aggregates


def test_aggregates_by_group(analyst):
    answer = analyst.get(
        f"/v1/tables/{SALES}/aggregates",
        group_by="store_id",
        aggregate="count,sum:amount,sum:quantity,count_distinct:sale_date,min:sold_at",
        **{"sale_date.ge": "2026-01-02"},
    )
    rows = [row for row in ALL if row["sale_date"] >= date(2026, 1, 2) and row["store_id"] == "s2"]
    second = answer.json["rows"][1]
    assert second["store_id"] == "s2" and second["count"] == len(rows) and second["count_distinct_sale_date"] == 4
    assert Decimal(second["sum_amount"]) == sum(row["amount"] for row in rows)
    assert second["sum_quantity"] == sum(row["quantity"] or 0 for row in rows)


def test_an_aggregate_of_nothing_is_zero(analyst):
    path = f"/v1/tables/{SALES}/aggregates"
    assert analyst.get(path, aggregate="count,sum:amount", sale_date="1999-01-01").json["rows"] == [
        {"count": 0, "sum_amount": None}
    ]
    assert analyst.get(path, aggregate="").status_code == analyst.get(path, aggregate="sum:store_id").status_code == 400
    assert analyst.get(path, aggregate="median:amount").status_code == 400


# --- information


def test_a_table_says_what_it_is(analyst):
    document = analyst.get(f"/v1/tables/{SALES}").json
    assert (document["version"], document["rows"], document["owner"]) == (1, 300, "Tests")
    assert {c["name"]: c["type"] for c in document["columns"]}["amount"] == "decimal(18,2)"
    assert document["partition_columns"] == ["sale_date"]


def test_requests_are_counted_by_table(analyst):
    analyst.get(ROWS, limit=5)
    assert 'headgate_read_rows_total{format="application/json",table="gold.sales"} 5.0' in analyst.get("/metrics").text


def test_health_needs_no_key(app):
    assert [app.test_client().get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3
