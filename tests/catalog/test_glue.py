"""Gold in the Glue catalog: what is registered, that it is idempotent, drift, and what is left alone."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from headgate.aws.catalog.document import hive_type
from tests.catalog.conftest import DATABASE, LAKE

REGISTER = ("deploy", "--catalog-only")


def actions(result) -> dict[str, str]:
    return {table["table"]: table["action"] for table in json.loads(result.stdout)["tables"]}


def test_a_table_is_registered_with_its_contract_and_the_parameters_that_athena_needs(site, rows):
    site.build(rows, partition_by=["sold_on"])
    assert "created" in site.headgate(*REGISTER).output
    table = site.table()
    columns = {column["Name"]: column for column in table["StorageDescriptor"]["Columns"]}
    assert {name: column["Type"] for name, column in columns.items()} == {
        "store_id": "string",
        "sold_on": "date",
        "revenue": "decimal(18,2)",
        "manager": "string",
    }
    assert (columns["store_id"]["Comment"], columns["sold_on"]["Comment"]) == ("The store.", "The day, in UTC.")
    assert columns["manager"]["Parameters"] == {"headgate.classification": "restricted"}
    assert (table["Description"], table["Owner"]) == ("One row per store and day.", "Finance")
    location = f"{LAKE}/gold/daily"
    assert table["StorageDescriptor"]["Location"] == location
    assert table["StorageDescriptor"]["SerdeInfo"]["Parameters"]["path"] == location
    assert table["Parameters"] == {
        "EXTERNAL": "TRUE",
        "classification": "delta",
        "table_type": "DELTA",
        "spark.sql.sources.provider": "delta",
        "headgate.project": "site",
        "headgate.table": "gold.daily",
        "headgate.grain": "One row per store and day.",
        "headgate.owner": "Finance",
        "headgate.contract_version": "1.2.0",
        "headgate.partitioned_by": "sold_on",
    }


def test_a_second_registration_changes_nothing(site, rows):
    site.build(rows)
    site.headgate(*REGISTER)
    assert actions(site.headgate(*REGISTER, "--json")) == {"daily": "current"}
    versions = site.client("glue").get_table_versions(DatabaseName=DATABASE, TableName="daily")
    assert len(versions["TableVersions"]) == 1


def test_plan_shows_drift_and_a_dry_run_writes_nothing(site, rows):
    site.build(rows)
    assert "gold.daily: catalog: not registered; to do: headgate deploy --catalog-only" in site.headgate("plan").output
    assert actions(site.headgate(*REGISTER, "--dry-run", "--json")) == {"daily": "create"}
    assert site.client("glue").get_tables(DatabaseName=DATABASE)["TableList"] == []
    site.headgate(*REGISTER)
    assert "catalog:" not in site.headgate("plan").output
    assert json.loads(site.headgate("plan", "--json").stdout)["catalog"] == {"tables": []}


def test_a_new_column_is_drift_until_it_is_registered(site, rows):
    site.build(rows)
    site.headgate(*REGISTER)
    wider = rows.append_column("items", pa.array([1, 2]))
    site.build(wider, mode="append", schema_mode="merge")
    assert "gold.daily: catalog: column items is missing" in site.headgate("plan").output
    assert actions(site.headgate(*REGISTER, "--json")) == {"daily": "update"}
    assert site.table()["StorageDescriptor"]["Columns"][-1] == {"Name": "items", "Type": "bigint"}
    assert "catalog:" not in site.headgate("plan").output


def test_a_changed_comment_is_drift(site, rows):
    site.build(rows)
    site.headgate(*REGISTER)
    path = site.project.tables / "gold" / "daily.yaml"
    path.write_text(path.read_text().replace("The store.", "The shop."))
    assert "the comment of column store_id is out of date" in site.headgate("plan").output


def test_additions_of_other_writers_stay(site, rows):
    site.build(rows)
    site.headgate(*REGISTER)
    glue, table = site.client("glue"), site.table()
    keys = ("Name", "Description", "Owner", "StorageDescriptor", "PartitionKeys", "TableType")
    changed = {**{key: table[key] for key in keys}, "Parameters": {**table["Parameters"], "team.cost_center": "42"}}
    glue.update_table(DatabaseName=DATABASE, TableInput=changed)
    assert actions(site.headgate(*REGISTER, "--json")) == {"daily": "current"}
    site.build(rows.append_column("items", pa.array([1, 2])), mode="append", schema_mode="merge")
    site.headgate(*REGISTER)
    assert site.table()["Parameters"]["team.cost_center"] == "42"


def test_a_table_that_something_else_registered_is_left_alone(site, rows):
    site.build(rows)
    other = {"Name": "daily", "Parameters": {"classification": "csv"}}
    site.client("glue").create_table(DatabaseName=DATABASE, TableInput=other)
    assert "left alone" in site.headgate(*REGISTER).output
    assert site.table()["Parameters"] == {"classification": "csv"}


def test_only_prune_removes_tables_that_the_project_no_longer_has(site, rows):
    site.build(rows)
    site.headgate(*REGISTER)
    table = site.table()
    old = {"Name": "weekly", "Parameters": table["Parameters"]}
    foreign = {"Name": "theirs", "Parameters": {}}
    for document in (old, foreign):
        site.client("glue").create_table(DatabaseName=DATABASE, TableInput=document)
    assert actions(site.headgate(*REGISTER, "--json")) == {"daily": "current", "weekly": "undeclared"}
    assert actions(site.headgate(*REGISTER, "--prune", "--json"))["weekly"] == "remove"
    names = [table["Name"] for table in site.client("glue").get_tables(DatabaseName=DATABASE)["TableList"]]
    assert sorted(names) == ["daily", "theirs"]


def test_a_missing_database_names_terraform(site, rows):
    site.build(rows)
    result = site.headgate(*REGISTER, code=1, HEADGATE_CATALOG_DATABASE="other_gold")
    assert "there is no Glue database 'other_gold'" in str(result.exception)
    assert "Terraform makes it" in str(result.exception)
    assert "catalog: not compared" in site.headgate("plan", HEADGATE_CATALOG_DATABASE="other_gold").output


def test_a_table_without_a_contract_is_registered_without_an_owner(site, rows):
    site.build(rows)
    site.headgate(*REGISTER)
    (site.project.tables / "gold" / "daily.yaml").unlink()
    assert actions(site.headgate(*REGISTER, "--json")) == {"daily": "update"}
    assert actions(site.headgate(*REGISTER, "--json")) == {"daily": "current"}
    assert not site.table().get("Owner")


def test_an_environment_without_a_catalog_names_the_missing_key(site):
    path = site.project.environments / "local.yaml"
    path.write_text(f"lake: {LAKE}\n")
    assert "set catalog.database" in str(site.headgate(*REGISTER, code=2).exception)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("long", "bigint"),
        ("integer", "int"),
        ("short", "smallint"),
        ("byte", "tinyint"),
        ("decimal(18,2)", "decimal(18,2)"),
        ("timestamp", "timestamp"),
        ({"type": "array", "elementType": "long"}, "array<bigint>"),
        ({"type": "map", "keyType": "string", "valueType": "integer"}, "map<string,int>"),
        (
            {"type": "struct", "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]},
            "struct<a:bigint,b:string>",
        ),
    ],
)
def test_types_are_those_of_hive(kind, expected):
    assert hive_type(kind) == expected
