"""Contracts of tables: their list, refusals, and differences between a table and its contract."""

import json
from pathlib import Path

import pytest

from headgate.contracts.table_contract import TableContract, differences, load_table_contracts
from headgate.errors import ContractError
from headgate.ledger.ledger import schema_of
from headgate.project import Project

ROOT = Path(__file__).parents[2]
NAMES = ("gold.dim_customers", "name")
DAILY = """\
apiVersion: v3.1.0
kind: DataContract
id: daily
version: 1.0.0
team: {name: Finance}
schema:
  - name: daily
    description: One row per day.
    properties:
      - {name: day, logicalType: date, description: The day.}
      - {name: sales, logicalType: integer}
      - {name: tills, logicalType: integer, physicalType: int}
      - {name: revenue, logicalType: number, physicalType: "decimal(18,2)", classification: internal}
      - name: best
        logicalType: array
        items:
          logicalType: object
          properties: [{name: product, logicalType: string}, {name: sold, logicalType: integer}]
"""
BEST = {
    "type": "array",
    "containsNull": True,
    "elementType": {
        "type": "struct",
        "fields": [
            {"name": "product", "type": "string", "nullable": True, "metadata": {}},
            {"name": "sold", "type": "long", "nullable": True, "metadata": {}},
        ],
    },
}
COLUMNS = {"day": "date", "sales": "long", "tills": "integer", "revenue": "decimal(18,2)", "best": BEST}


def write(project: Project, text: str = DAILY, name: str = "gold/daily.yaml") -> None:
    path = project.tables / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def contract(project) -> TableContract:
    write(project)
    return load_table_contracts(project)["gold.daily"]


def refusal(project: Project, text: str = DAILY, name: str = "gold/daily.yaml") -> str:
    write(project, text, name)
    with pytest.raises(ContractError) as caught:
        load_table_contracts(project)
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in DAILY
    return DAILY.replace(old, new, 1)


def logged(**changes) -> dict:
    """The table's columns as its log has them, with changes; None takes a column away."""
    columns = {name: kind for name, kind in {**COLUMNS, **changes}.items() if kind is not None}
    fields = [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in columns.items()]
    return schema_of(json.dumps({"type": "struct", "fields": fields}))


# --- the meaning of a contract


def test_a_contract_says_who_owns_a_table_and_what_its_columns_are(contract):
    assert (contract.table, contract.owner, contract.description) == ("gold.daily", "Finance", "One row per day.")
    assert [field.name for field in contract.fields] == list(COLUMNS)
    assert (contract.fields[0].description, contract.fields[3].classification) == ("The day.", "internal")


def test_a_project_may_have_no_contracts_of_tables(project):
    assert load_table_contracts(project) == {}


def test_a_contract_of_no_table_is_refused_by_name(project):
    message = refusal(project, DAILY.replace("name: daily", "name: dialy"), "gold/dialy.yaml")
    assert "conf/tables/gold/dialy.yaml: no table 'gold.dialy'. Did you mean 'gold.daily'?" in message


def test_a_contract_that_stands_in_no_layer_is_refused(project):
    assert "no table 'daily'" in refusal(project, name="daily.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("logicalType: date", "logicalType: dat", ':10: schema[daily].properties[day].logicalType: "dat" is not '),
        ("logicalType: date", "logicalType: date, descripton: x", "Did you mean 'description'?"),
        ("team: {name: Finance}\n", "", "has no `team`"),
        (', physicalType: "decimal(18,2)"', "", "a number without a physicalType"),
        ("- name: daily", "- name: weekly", "the file is named 'daily', its schema object 'weekly'"),
        ("logicalType: date", "logicalType: date, required: true", "ODCS knows `required`, Headgate does not enforce"),
        ("logicalType: date", "logicalType: date, primaryKey: true", "ODCS knows `primaryKey`, Headgate does not"),
        ("team:", "servers: []\nteam:", "ODCS knows `servers`, Headgate does not enforce it yet"),
        (
            "team:",
            "customProperties: [{property: headgate.format, value: csv}]\nteam:",
            "uploads are described in the contract of a dataset",
        ),
    ],
)
def test_what_a_tables_contract_cannot_say_is_refused_with_its_place(project, old, new, said):
    message = refusal(project, changed(old, new))
    assert "conf/tables/gold/daily.yaml:" in message
    assert said in message


def test_the_problems_of_every_file_are_reported_together(project):
    write(project, changed("logicalType: date", "logicalType: dat"))
    message = refusal(project, DAILY.replace("name: daily", "name: sales").replace("Finance", ""), "silver/sales.yaml")
    assert "conf/tables/gold/daily.yaml:10" in message and "conf/tables/silver/sales.yaml:5" in message


def test_the_pages_example_is_a_contract(project):
    blocks = (ROOT / "docs" / "contracts.md").read_text().split("```")[1::2]
    example = next(block for block in blocks if "daily_refunds" in block).removeprefix("yaml\n")
    (project.jobs / "gold" / "daily_refunds.py").write_text("")
    write(project, example, "gold/daily_refunds.yaml")
    assert [field.name for field in load_table_contracts(project)["gold.daily_refunds"].fields] == [
        "returned_on",
        "refunded",
    ]


# --- how a table differs


def test_a_table_as_its_contract_says_has_no_differences(contract):
    assert differences(contract, logged()) == []


def test_the_order_of_columns_and_headgates_own_do_not_count(contract):
    columns = {"_source": "string", **dict(reversed(logged().items()))}
    assert differences(contract, columns) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sales": None}, ["'sales' is missing; the contract says bigint."]),
        ({"extra": "timestamp"}, ["'extra' (timestamp) is not in the contract"]),
        (
            {"revenue": None, "revenu": "decimal(18,2)"},
            [
                "'revenue' is missing; the contract says decimal(18,2). Did you mean 'revenu'?",
                "'revenu' (decimal(18,2)) is not in the contract",
            ],
        ),
        ({"revenue": "decimal(28,2)"}, ["'revenue' is decimal(28,2); the contract says decimal(18,2)"]),
        ({"tills": "long"}, ["'tills' is bigint; the contract says int"]),
        ({"day": "timestamp_ntz"}, ["'day' is timestamp_ntz; the contract says date"]),
        (
            {"best": {"type": "array", "containsNull": True, "elementType": "string"}},
            ["'best' is array<string>; the contract says array<struct<product: string, sold: bigint>>"],
        ),
        (
            {"day": {"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": True}},
            ["'day' is map<string, bigint>; the contract says date"],
        ),
    ],
)
def test_each_difference_is_told(contract, changes, said):
    assert differences(contract, logged(**changes)) == said


# --- the retailer's


def test_every_gold_table_of_the_repository_has_a_contract_that_describes_its_columns(repository):
    contracts = load_table_contracts(repository)
    assert contracts.keys() == {f"gold.{path.stem}" for path in (repository.jobs / "gold").glob("*.py")}
    for contract in contracts.values():
        assert contract.description and all(field.description for field in contract.fields)


def test_who_a_person_is_is_restricted_in_every_gold_table(repository):
    personal = {"customer_id", "email", "phone"}
    for table, contract in load_table_contracts(repository).items():
        named = [field for field in contract.fields if field.name in personal or (table, field.name) == NAMES]
        assert [field.name for field in named if field.classification != "restricted"] == []
