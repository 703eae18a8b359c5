"""The check for Athena: each of its rules, and valid tables."""

from __future__ import annotations

import pytest

from headgate.checks.athena import unreadable_columns, unreadable_protocol

STRUCT = {"type": "struct", "fields": [{"name": "Total", "type": "double"}, {"name": "total", "type": "variant"}]}


def test_tables_that_athena_can_read_pass():
    columns = {
        "sale_date": "date",
        "store_1": "string",
        "revenue": "decimal(18,2)",
        "at": "timestamp",
        "_Key": "variant",
        "tags": {"type": "array", "elementType": "string"},
        "sizes": {"type": "map", "keyType": "string", "valueType": "long"},
    }
    assert unreadable_columns(columns, ["sale_date"]) == []
    properties = {"delta.enableChangeDataFeed": "true", "delta.enableDeletionVectors": "false"}
    assert unreadable_protocol(1, (), properties) == []


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"at": "timestamp_ntz"}, "at is timestamp_ntz, which has no zone"),
        ({"raw": "variant"}, "raw is variant, which makes Athena refuse the whole table"),
        ({"nothing": "void"}, "nothing is void, which is a column that has only nulls"),
        ({"tags": {"type": "array", "elementType": "variant"}}, "tags is variant"),
        ({"sizes": {"type": "map", "keyType": "string", "valueType": "timestamp_ntz"}}, "sizes is timestamp_ntz"),
        ({"net revenue": "double"}, "net revenue has a name that Athena refuses"),
        ({"größe": "double"}, "größe has a name that Athena refuses"),
        ({"a" * 256: "double"}, f"{'a' * 256} has a name of more than 255 characters"),
        ({"storeId": "string"}, "storeId has upper case, which Glue folds away: Athena would call it 'storeid'"),
    ],
)
def test_a_column_is_refused_with_the_reason(columns, said):
    ((name, message),) = unreadable_columns(columns)
    assert f"{name} {message}".startswith(said)


def test_names_that_differ_by_case_are_one_to_athena():
    assert ("ID", "differs from another column only by case, and both are 'id' in Athena") in unreadable_columns(
        {"id": "string", "ID": "string"}
    )


def test_fields_of_structs_are_named_by_their_path():
    result = unreadable_columns({"sale": STRUCT})
    assert [name for name, _ in result] == ["sale.Total", "sale.total", "sale.Total"]


@pytest.mark.parametrize("kind", ["binary", STRUCT])
def test_glue_holds_no_partitions_of_some_types(kind):
    result = unreadable_columns({"part": kind}, ["part"])
    assert any("partition column" in message for name, message in result if name == "part")


@pytest.mark.parametrize(
    ("reader", "properties", "said"),
    [
        (3, {}, "needs a reader of version 3 (features: deletionVectors)"),
        (1, {"delta.columnMapping.mode": "name"}, "has delta.columnMapping.mode = name"),
        (1, {"delta.enableDeletionVectors": "true"}, "has delta.enableDeletionVectors = true"),
        (1, {"delta.enableTypeWidening": "true"}, "has delta.enableTypeWidening = true"),
        (1, {"delta.checkpointPolicy": "v2"}, "has delta.checkpointPolicy = v2"),
    ],
)
def test_a_table_that_needs_a_newer_reader_is_refused(reader, properties, said):
    (message,) = unreadable_protocol(reader, ["deletionVectors"] if reader > 1 else [], properties)
    assert message.startswith(said)
