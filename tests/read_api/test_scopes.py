"""What a client must not see, whatever it sends: other stores' rows, hidden columns, masked values."""

import itertools
import json

import pytest

from tests.read_api.tables import SALES, sale, write

ROWS, CHANGES, AGGREGATES = (f"/v1/tables/{SALES}/{part}" for part in ("rows", "changes", "aggregates"))
#: Values that only rows of other stores have.
FOREIGN = [sale(number) for number in range(300) if sale(number)["store_id"] != "s1"]
SECRETS = {row["sale_id"] for row in FOREIGN} | {row["email"] for row in FOREIGN}
OPERATORS = ("eq", "ne", "gt", "ge", "lt", "le", "in", "is_null")


def assert_nothing_foreign(answer):
    """Neither body nor headers show a row of another store, except what the client itself sent."""
    text = answer.get_data(as_text=True) + str(answer.headers)
    leaked = [secret for secret in SECRETS if secret in text and secret not in answer.request.url]
    assert leaked == []


def test_a_store_reads_exactly_its_own_rows(client):
    rows = client("store-1").rows(limit=13)
    assert len(rows) == 100 and {row["store_id"] for row in rows} == {"s1"}


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("column", ["store_id", "sale_id", "amount", "sale_date", "sold_at"])
def test_no_filter_reaches_another_store(client, column, operator):
    row = FOREIGN[0]
    value = "false" if operator == "is_null" else str(row[column]).replace(" ", "T")
    rows = client("store-1").rows(**{f"{column}.{operator}": value})
    assert {r["store_id"] for r in rows} <= {"s1"}


def test_no_combination_of_order_columns_limit_and_format_reaches_another_store(client):
    orders = ["", "-store_id", "store_id,-sale_id", "-amount,sold_at"]
    columns = ["", "sale_id", "sale_id,amount", "store_id"]
    formats = ["application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream"]
    for order, column, accept in itertools.product(orders, columns, formats):
        parameters = {"order": order, "columns": column, "limit": 7}
        answer = client("store-1").get(ROWS, headers={"Accept": accept}, **parameters)
        assert answer.status_code == 200
        assert not any(secret.encode() in answer.data for secret in SECRETS)


def test_aggregates_count_only_the_stores_rows(client):
    rows = (
        client("store-1").get(AGGREGATES, group_by="store_id", aggregate="count,min:sale_id,max:sale_id").json["rows"]
    )
    assert rows == [{"store_id": "s1", "count": 100, "min_sale_id": "sale-000000", "max_sale_id": "sale-000297"}]
    total = client("store-1").get(AGGREGATES, aggregate="count,count_distinct:store_id").json["rows"]
    assert total == [{"count": 100, "count_distinct_store_id": 1}]


def test_the_change_feed_shows_only_the_stores_changes(client, sales):
    rows = client("store-1").rows(CHANGES, limit=11)
    assert len(rows) == 100 and {row["store_id"] for row in rows} == {"s1"}


def test_a_row_that_moves_to_another_store_is_not_followed(client, analyst, sales):
    table = write(sales, [])
    table.update(updates={"store_id": "'s9'", "amount": "77777.77"}, predicate="sale_id = 'sale-000003'")
    newest = table.version()
    seen = client("store-1").rows(CHANGES, since=newest - 1)
    assert [(row["_change_type"], row["store_id"]) for row in seen] == [("update_preimage", "s1")]
    assert "77777.77" not in json.dumps(seen)
    kinds = [row["_change_type"] for row in analyst.rows(CHANGES, since=newest - 1)]
    assert sorted(kinds) == ["update_postimage", "update_preimage"]


def test_a_cursor_of_another_client_is_refused(client, analyst):
    cursor = analyst.get(ROWS, limit=5).headers["Headgate-Cursor"]
    for name in ("store-1", "plain", "few-columns"):
        answer = client(name).get(ROWS, limit=5, cursor=cursor)
        assert (answer.status_code, answer.json["type"]) == (400, "urn:headgate:problem:invalid-cursor")
    changes = analyst.get(CHANGES, limit=5).headers["Headgate-Cursor"]
    assert client("store-1").get(CHANGES, limit=5, cursor=changes).status_code == 400
    assert analyst.get(ROWS, limit=5, cursor=changes).status_code == 400


def test_a_changed_cursor_is_refused(analyst):
    cursor = analyst.get(ROWS, limit=5).headers["Headgate-Cursor"]
    for position in range(len(cursor)):
        other = "A" if cursor[position] != "A" else "B"
        changed = cursor[:position] + other + cursor[position + 1 :]
        answer = analyst.get(ROWS, limit=5, cursor=changed)
        same = position == len(cursor) - 1  # the last letter may hold bits that base64 ignores
        assert answer.status_code == 400 or (same and answer.status_code == 200)


def test_errors_name_nothing_of_another_store(client):
    store = client("store-1")
    for parameters in (
        {"email": "customer-1@example.com"},
        {"amount": "x"},
        {"order": "email"},
        {"internal_note": "x"},
        {"cursor": "x"},
        {"version": "99"},
        {"sale_id.in": ",".join(row["sale_id"] for row in FOREIGN[:20])},
    ):
        assert_nothing_foreign(store.get(ROWS, **parameters))


def test_table_details_tell_a_store_nothing_of_all_rows(client):
    document = client("store-1").get(f"/v1/tables/{SALES}").json
    assert (document["rows"], document["quality"], document["stores"]) == (None, None, ["s1"])


def test_tables_without_a_column_of_stores_do_not_exist_for_a_store(client):
    store = client("store-1")
    assert [table["table"] for table in store.get("/v1/tables").json["tables"]] == [SALES]
    refused, unknown = store.get("/v1/tables/gold.rates/rows"), store.get("/v1/tables/gold.nothing/rows")
    assert refused.status_code == unknown.status_code == 404 and refused.json == unknown.json


def test_a_client_without_stores_or_tables_reads_nothing(client):
    assert client("no-stores").rows() == []
    assert client("no-stores").get(AGGREGATES).json["rows"] == [{"count": 0}]
    assert client("no-stores").rows(CHANGES) == []
    assert client("nothing").get("/v1/tables").json == {"tables": []}
    assert client("nothing").get(ROWS).status_code == 404


def test_only_allowed_columns_exist(client):
    few = client("few-columns")
    assert set(few.rows()[0]) == {"sale_id", "amount"} and len(few.rows()) == 100
    for parameters in ({"columns": "store_id"}, {"store_id": "s1"}, {"order": "store_id"}):
        answer = few.get(ROWS, **parameters)
        assert answer.json["type"] == "urn:headgate:problem:unknown-column" and "sold_at" not in answer.text
    assert few.get(AGGREGATES, group_by="store_id").status_code == 400
    assert [c["name"] for c in few.get(f"/v1/tables/{SALES}").json["columns"]] == ["sale_id", "amount"]
    assert few.get(f"/v1/tables/{SALES}").json["partition_columns"] == []


def test_masked_columns_are_null_and_cannot_be_searched(client):
    plain = client("plain")
    answer = plain.get(ROWS, limit=3)
    assert [row["email"] for row in answer.json["rows"]] == [None] * 3
    assert answer.json["masked"] == ["email"] and answer.headers["Headgate-Masked"] == "email"
    for parameters in ({"email": "x"}, {"email.is_null": "true"}, {"order": "email"}):
        assert plain.get(ROWS, **parameters).json["type"] == "urn:headgate:problem:masked-column"
    for parameters in ({"group_by": "email"}, {"aggregate": "count_distinct:email"}, {"aggregate": "min:email"}):
        assert plain.get(AGGREGATES, **parameters).status_code == 403
    assert "example.com" not in json.dumps(plain.rows(CHANGES))
    assert plain.get("/v1/tables/gold.customers/rows").json["rows"][0] == {"customer_id": None, "city": "Bonn"}


def test_a_client_that_may_see_personal_data_sees_it(analyst):
    assert analyst.rows(email="customer-7@example.com")[0]["sale_id"] == "sale-000007"


@pytest.mark.parametrize("path", ["/v1/tables", f"/v1/tables/{SALES}", ROWS, CHANGES, AGGREGATES])
def test_no_data_without_a_key(app, path):
    answer = app.test_client().get(path)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
