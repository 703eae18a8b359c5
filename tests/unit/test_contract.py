"""Contracts: the meaning of a document, and no ignored key."""

import json
from pathlib import Path

import pytest

from headgate.contracts.contract import Contract, load_contract, load_contracts
from headgate.contracts.odcs import CONTRACT, CUSTOM, published_schema
from headgate.contracts.upload_format import CsvDialect
from headgate.errors import ContractError
from headgate.formats.records import layout_of
from headgate.formats.sent_names import as_sent
from headgate.project import Project

REPOSITORY = Project(Path(__file__).parents[2])

SALES = """\
apiVersion: v3.1.0
kind: DataContract
id: sales
version: 1.2.0
status: active
team: {name: Tills}
schema:
  - name: sales
    description: One sale.
    properties:
      - name: sale_id
        logicalType: string
        required: true
        primaryKey: true
      - name: total
        logicalType: number
        physicalType: decimal(12,2)
        classification: restricted
        description: What was paid.
      - name: lines
        logicalType: array
        items:
          logicalType: object
          properties:
            - name: quantity
              logicalType: integer
              required: true
customProperties:
  - {property: headgate.format, value: jsonl}
"""

STOCK = """\
apiVersion: v3.1.0
kind: DataContract
id: stock
version: 1.0.0
team: {name: Stock}
schema:
  - name: stock
    properties:
      - {name: day, logicalType: date, required: true, primaryKey: true, primaryKeyPosition: 2}
      - {name: product, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: amount, logicalType: integer, physicalType: int}
customProperties:
  - {property: headgate.format, value: csv}
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "conf" / "datasets").mkdir(parents=True)
    (tmp_path / "jobs").mkdir()
    return Project(tmp_path)


@pytest.fixture
def load(project):
    """Loads a contract's text as the file `name`."""

    def load_text(text: str, name: str = "sales.yaml") -> Contract:
        path = project.datasets / name
        path.write_text(text, "utf-8")
        return load_contract(path, project)

    return load_text


@pytest.fixture
def refusal(load):
    """The message that a contract's text is refused with."""

    def refuse(text: str, name: str = "sales.yaml") -> str:
        with pytest.raises(ContractError) as caught:
            load(text, name)
        return str(caught.value)

    return refuse


def changed(old: str, new: str, text: str = SALES) -> str:
    assert old in text
    return text.replace(old, new, 1)


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def with_custom(*items: str, text: str = SALES) -> str:
    return text + "".join(
        f"  - {{property: {name}, value: {value}}}\n" for name, value in (i.split("=", 1) for i in items)
    )


# --- the meaning of a contract


def test_a_contract_has_owner_and_columns(load):
    contract = load(SALES)
    assert (contract.dataset, contract.version, contract.owner, contract.description) == (
        "sales",
        "1.2.0",
        "Tills",
        "One sale.",
    )


def test_a_column_keeps_its_published_properties(load):
    total = load(SALES).fields[1]
    assert (total.name, total.type, total.precision, total.scale) == ("total", "decimal", 12, 2)
    assert (total.required, total.classification, total.description) == (False, "restricted", "What was paid.")


def test_an_array_of_objects_nests(load):
    lines = load(SALES).fields[2]
    assert (lines.type, lines.item.type, lines.item.required) == ("array", "struct", True)
    assert [(field.name, field.type, field.required) for field in lines.item.fields] == [("quantity", "bigint", True)]


@pytest.mark.parametrize(
    ("written", "type_"),
    [
        ("logicalType: string", "string"),
        ("logicalType: integer", "bigint"),
        ("{logicalType: integer, physicalType: int}", "int"),
        ("{logicalType: integer, physicalType: bigint}", "bigint"),
        ("{logicalType: number, physicalType: double}", "double"),
        ("{logicalType: number, physicalType: 'decimal(38, 38)'}", "decimal"),
        ("logicalType: boolean", "boolean"),
        ("logicalType: date", "date"),
        ("logicalType: timestamp", "timestamp"),
        ("{logicalType: object, properties: [{name: a, logicalType: date}]}", "struct"),
    ],
)
def test_a_logical_type_has_one_type(load, written, type_):
    old = "        items:\n          logicalType: object\n" + SALES.partition("          logicalType: object\n")[2]
    old = old.partition("customProperties")[0]
    item = written if written.startswith("{") else f"{{{written}}}"
    assert load(changed(old, f"        items: {item}\n")).fields[2].item.type == type_


def test_the_key_is_in_the_order_of_its_positions(load):
    assert load(STOCK, "stock.yaml").key == ("product", "day")


def test_a_dataset_may_have_no_key(load):
    assert load(changed("        primaryKey: true\n", "")).key == ()


def test_missing_keys_have_defaults(load):
    contract = load(SALES)
    assert (contract.compressions, contract.evolution, contract.max_record_bytes, contract.csv) == (
        ("none", "gzip"),
        "strict",
        16 * 2**20,
        CsvDialect(),
    )


def test_custom_properties_extend_odcs(load):
    text = with_custom("headgate.compression=[gzip]", "headgate.evolution=add_columns", "headgate.maxRecordBytes=1000")
    contract = load(text)
    assert (contract.compressions, contract.evolution, contract.max_record_bytes) == (("gzip",), "add_columns", 1000)


def test_a_contract_limits_an_upload(load):
    contract = load(with_custom("headgate.maxRecords=5", "headgate.maxUncompressedBytes=2000"))
    assert (contract.max_records, contract.max_uncompressed_bytes) == (5, 2000)
    layout = layout_of(contract)
    assert (layout.max_records, layout.max_uncompressed_bytes) == (5, 2000)
    default = load(SALES)
    assert (default.max_records, default.max_uncompressed_bytes) == (20_000_000, 2**30)


def test_a_csv_has_its_dialect(load):
    text = with_custom("headgate.csv.delimiter=;", 'headgate.csv.quote="\'"', text=STOCK)
    assert load(text, "stock.yaml").csv == CsvDialect(";", "'", "'")


@pytest.mark.parametrize(
    ("format_", "suffixes", "media_type"),
    [
        ("json", (".json", ".json.gz"), "application/json"),
        ("json_array", (".json", ".json.gz"), "application/json"),
        ("jsonl", (".jsonl", ".jsonl.gz"), "application/x-ndjson"),
    ],
)
def test_the_format_gives_suffixes_and_media_types(load, format_, suffixes, media_type):
    contract = load(changed("jsonl", format_))
    assert contract.suffixes == suffixes
    assert media_type in contract.media_types


def test_a_csv_has_its_suffixes_and_media_type(load):
    contract = load(STOCK, "stock.yaml")
    assert (contract.suffixes, contract.media_types) == ((".csv", ".csv.gz"), ("text/csv",))


def test_parquet_has_its_suffix_and_media_type_and_no_choice_of_compression(load, refusal):
    contract = load(changed("jsonl", "parquet"))
    assert contract.suffixes == (".parquet",)
    assert contract.media_types == ("application/vnd.apache.parquet",)
    text = with_custom("headgate.compression=[none]", text=changed("jsonl", "parquet"))
    assert "headgate.compression: a parquet file is compressed within\n  to do: remove it" in refusal(text)


def test_a_contract_survives_json(load):
    contract = load(SALES)
    assert Contract.from_dict(json.loads(json.dumps(contract.to_dict()))) == contract


def test_a_comment_does_not_change_the_hash(load):
    assert load("# new\n" + SALES).hash == load(SALES).hash


def test_a_description_changes_the_hash(load):
    assert load(changed("One sale.", "A sale.")).hash != load(SALES).hash


# --- nothing is ignored


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("status: active", "compresion: [gzip]", "headgate.compression"),
        ("        required: true", "        requird: true", "required"),
        ("        primaryKey: true", "        primarykey: true", "primaryKey"),
        ("logicalType: string", "logicalType: strng", "string"),
        ("description: One", "descripton: One", "description"),
        ("property: headgate.format", "property: headgate.formt", "headgate.format"),
        ("value: jsonl", "value: jsnl", "jsonl"),
        ("team: {name", "team: {nme", "name"),
    ],
)
def test_a_misspelling_is_refused_with_its_line_and_a_suggestion(refusal, old, new, meant):
    text = changed(old, new)
    message = refusal(text)
    assert f"conf/datasets/sales.yaml:{line_of(text, new)}" in message
    assert f"Did you mean '{meant}'?" in message


@pytest.mark.parametrize(
    ("level", "key"),
    [
        ("team:", "slaProperties: []"),
        ("team:", "servers: []"),
        ("team:", "tags: [a]"),
        ("team:", "quality: []"),
        ("    properties:", "    quality: []"),
        ("    properties:", "    physicalName: t_sales"),
        ("        logicalType: string", "        quality: []"),
        ("        logicalType: string", "        unique: true"),
        ("        logicalType: string", "        encryptedName: secret"),
        ("          logicalType: object", "          relationships: []"),
    ],
)
def test_unsupported_keys_of_odcs_are_refused_by_name(refusal, level, key):
    text = changed(level, f"{key}\n{level}")
    name = key.strip().partition(":")[0]
    message = refusal(text)
    assert f"sales.yaml:{line_of(text, key)}" in message
    assert f"ODCS knows `{name}`, Headgate does not enforce it yet" in message
    assert "remove it" in message


def test_every_key_of_odcs_that_is_not_taken_is_refused_by_name(refusal):
    for key in published_schema()["properties"].keys() - CONTRACT["properties"].keys():
        assert f"ODCS knows `{key}`" in refusal(f"{key}: x\n{SALES}")


def test_a_primary_key_in_the_wrong_place_is_refused_with_the_correct_place(refusal):
    text = changed("    properties:", "    primaryKey: [sale_id]\n    properties:")
    assert "belongs to a column, not to a schema object" in refusal(text)


def test_a_primary_key_inside_a_nested_object_is_refused(refusal):
    text = changed("            - name: quantity\n", "            - name: quantity\n              primaryKey: true\n")
    assert "not of fields of an object" in refusal(text)


def test_a_position_without_a_primary_key_is_refused(refusal):
    assert "no effect" in refusal(changed("primaryKey: true", "primaryKeyPosition: 1"))


@pytest.mark.parametrize("place", ["1", "3"])
def test_the_positions_of_a_key_are_whole(refusal, place):
    message = refusal(changed("primaryKeyPosition: 2", f"primaryKeyPosition: {place}", STOCK), "stock.yaml")
    assert "primaryKeyPosition: 1 to 2" in message


def test_a_column_of_the_key_is_required(refusal):
    assert "can be null" in refusal(changed("        required: true\n", ""))


@pytest.mark.parametrize(
    "type_", ["number, physicalType: double", "object, properties: [{name: a, logicalType: date}]"]
)
def test_a_column_of_the_key_is_an_exact_scalar(refusal, type_):
    column = "- {name: sale_id, logicalType: string, required: true, primaryKey: true}"
    written = SALES.partition("- name: sale_id")[2].partition("      - name: total")[0]
    text = changed("- name: sale_id" + written, f"{column.replace('string', type_)}\n")
    assert "cannot be part of the key" in refusal(text)


def test_a_number_says_how_exact_it_is(refusal):
    message = refusal(changed("        physicalType: decimal(12,2)\n", ""))
    assert "a number without a physicalType" in message
    assert "decimal(12,2)" in message


@pytest.mark.parametrize(
    "physical", ["decimal", "decimal(39,2)", "decimal(2,3)", "decimal(0,0)", "float", "DECIMAL(9)"]
)
def test_a_number_that_spark_cannot_hold_is_refused(refusal, physical):
    assert "is not possible" in refusal(changed("decimal(12,2)", physical))


def test_a_physical_type_that_means_nothing_is_refused(refusal):
    text = changed("logicalType: string", "logicalType: string\n        physicalType: varchar(3)")
    assert "physicalType in Headgate" in refusal(text)


def test_an_object_without_properties_is_refused(refusal):
    assert "an object without `properties`" in refusal(changed("logicalType: string", "logicalType: object"))


def test_a_scalar_with_items_is_refused(refusal):
    assert "belongs to an array" in refusal(changed("logicalType: array", "logicalType: string"))


def test_two_columns_that_differ_in_case_only_are_refused(refusal):
    assert "is 'sale_id' again" in refusal(changed("name: total", "name: Sale_Id"))


@pytest.mark.parametrize("name", ["_source", "a.b", "1a", "a b"])
def test_a_name_that_a_table_cannot_have_is_refused(refusal, name):
    assert "beginning with a letter" in refusal(changed("name: total", f"name: {name}"))


@pytest.mark.parametrize("name", ["Sales", "_sales", "sa-les"])
def test_a_dataset_has_a_plain_name(refusal, name):
    assert "a dataset's name" in refusal(changed("- name: sales", f"- name: {name}"), f"{name}.yaml")


def test_a_csv_holds_scalars_only(refusal):
    assert "a CSV holds no objects" in refusal(changed("jsonl", "csv"))


def test_the_dialect_of_a_csv_has_no_place_elsewhere(refusal):
    assert "is for CSV; the format is jsonl" in refusal(with_custom("headgate.csv.delimiter=;"))


def test_a_delimiter_that_is_also_the_quote_is_refused(refusal):
    assert "also the quote" in refusal(with_custom("headgate.csv.quote=','", text=STOCK), "stock.yaml")


def test_a_custom_property_of_the_wrong_type_is_refused_with_its_line(refusal):
    text = with_custom("headgate.maxRecordBytes=16MiB")
    assert f"sales.yaml:{line_of(text, '16MiB')}: headgate.maxRecordBytes" in refusal(text)


def test_a_duplicate_custom_property_is_refused(refusal):
    assert "is a duplicate" in refusal(with_custom("headgate.format=json"))


def test_a_contract_without_a_format_is_refused(refusal):
    assert "`headgate.format`" in refusal(changed("  - {property: headgate.format, value: jsonl}", "  []"))


def test_a_contract_is_one_dataset(refusal):
    second = "  - name: other\n    properties: [{name: a, logicalType: date}]\ncustomProperties:"
    assert "exactly one schema object" in refusal(changed("customProperties:", second))


def test_a_file_has_the_name_of_its_dataset(refusal):
    message = refusal(SALES, "sale.yaml")
    assert "conf/datasets/sale.yaml:8" in message
    assert "rename the file to sales.yaml" in message


def test_the_same_key_twice_is_refused(refusal):
    assert "is a duplicate; first in line 3" in refusal(changed("id: sales", "id: sales\nid: sales"))


def test_all_problems_of_a_file_are_reported_together(refusal):
    text = changed("logicalType: string", "logicalType: strng")
    text = changed("        physicalType: decimal(12,2)\n", "", text)
    text = changed("value: jsonl", "value: jsnl", text)
    text = changed("              required: true", "              requird: true", text)
    assert refusal(text).startswith("4 problems")


@pytest.mark.parametrize(
    "text", ["", "- a", "schema: {}", "schema: [1]\ncustomProperties: [1]", "schema: [{properties: 1}]"]
)
def test_a_document_that_is_not_a_contract_is_refused(refusal, text):
    assert "sales.yaml:1" in refusal(text)


# --- the contracts of a project


def test_contracts_are_loaded_by_dataset(project, load):
    load(SALES)
    load(STOCK, "stock.yaml")
    assert list(load_contracts(project)) == ["sales", "stock"]


def test_a_project_may_have_no_contract_yet(project):
    assert load_contracts(project) == {}


def test_the_problems_of_every_file_are_reported_together(project):
    (project.datasets / "sales.yaml").write_text(changed("value: jsonl", "value: jsnl"))
    (project.datasets / "stock.yaml").write_text(changed("value: csv", "value: cvs", STOCK))
    with pytest.raises(ContractError) as caught:
        load_contracts(project)
    assert "conf/datasets/sales.yaml:29" in str(caught.value)
    assert "conf/datasets/stock.yaml:13" in str(caught.value)


def test_a_contract_in_a_file_that_ends_otherwise_is_not_passed_over(project):
    (project.datasets / "sales.yml").write_text(SALES)
    with pytest.raises(ContractError, match=r"rename it to sales\.yaml"):
        load_contracts(project)


def test_the_repositorys_own_contracts_are_valid_and_describe_every_column():
    contracts = load_contracts(REPOSITORY)
    assert set(contracts) == {"customers", "orders", "products", "returns", "stores", "transactions"}
    for contract in contracts.values():
        assert all(field.description for field in contract.fields)


# --- the how-to page


def page(language: str) -> str:
    """The first block of code in that language on docs/contracts.md."""
    text = (REPOSITORY.root / "docs" / "contracts.md").read_text("utf-8")
    return next(block for block in text.split("```")[1::2] if block.startswith(f"{language}\n")).removeprefix(language)


def test_the_pages_example_is_a_contract(load):
    assert load(page("yaml").lstrip(), "returns.yaml").key == ("return_id",)


def test_the_message_on_the_page_is_the_message_of_the_product(refusal):
    assert refusal(changed("timestamp", "timestmp", page("yaml").lstrip()), "returns.yaml") == page("").strip()


def test_the_page_names_every_key():
    text = (REPOSITORY.root / "docs" / "contracts.md").read_text("utf-8")
    levels = (CONTRACT, CUSTOM, *CONTRACT["$defs"].values(), CONTRACT["properties"]["schema"]["items"])
    for key in {key for level in levels for key in level["properties"]}:
        assert f"`{key}" in text, key


# --- limits on values


def with_option(option: str, column: str = "        logicalType: string") -> str:
    return changed(column, f"{column}\n        {option}")


def test_limits_and_examples_are_read(load):
    text = with_option('logicalTypeOptions: {minLength: 1, pattern: "^x"}\n        examples: [x1]')
    allowed = load(text).fields[0].allowed
    assert (allowed.min_length, allowed.pattern, allowed.examples) == (1, "^x", ("x1",))


def test_a_contract_with_limits_survives_its_way_as_json(load):
    contract = load(with_option("enum: [{value: a}, {value: b, description: The second.}]"))
    assert contract.fields[0].allowed.enum == ("a", "b")
    assert Contract.from_dict(json.loads(json.dumps(contract.to_dict()))) == contract


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("logicalTypeOptions: {minimum: 3}", "does not apply to a string"),
        ("logicalTypeOptions: {format: email}", "Headgate does not enforce this option"),
        ("logicalTypeOptions: {pattern: '('}", "is not a regular expression"),
        ("logicalTypeOptions: {minLength: 3, maxLength: 2}", "3 is more than the maximum, 2"),
        ("logicalTypeOptions: {maxLength: -1}", "from 0"),
        ("logicalTypeOptions: {}", "logicalTypeOptions"),
        ("enum: [a]", "value"),
        ("enum: []", "a list of {value: ...}"),
    ],
)
def test_a_limit_that_cannot_apply_is_refused_with_its_line(refusal, option, message):
    text = with_option(option)
    shown = refusal(text)
    assert f"sales.yaml:{line_of(text, option)}" in shown
    assert message in shown


@pytest.mark.parametrize(
    ("kind", "option", "message"),
    [
        ("date", "logicalTypeOptions: {minimum: soon}", "'soon' is not a date"),
        ("timestamp", "logicalTypeOptions: {minimum: '2026-03-02', maximum: '2026-03-01'}", "is more than the maximum"),
        ("boolean", "enum: [{value: yes}]", ""),
        ("integer", "enum: [{value: one}]", "'one' is not a bigint"),
    ],
)
def test_a_limit_of_the_wrong_type_is_refused(refusal, kind, option, message):
    assert message in refusal(
        "apiVersion: v3.1.0\nkind: DataContract\nid: s\nversion: 1.0.0\nteam: {name: T}\nschema:\n  - name: sales\n"
        f"    properties:\n      - name: x\n        logicalType: {kind}\n        {option}\n"
        "customProperties:\n  - {property: headgate.format, value: jsonl}\n"
    )


@pytest.mark.parametrize("depth", [4, 12, 20])
def test_a_contract_of_many_levels_is_read_in_time_that_follows_its_lines(load, depth):
    lines, indent = [], 6
    for level in range(depth):
        space = " " * indent
        lines += [f"{space}- name: o{level}", f"{space}  logicalType: object", f"{space}  properties:"]
        indent += 4
    nested = "\n".join([*lines, " " * indent + "- {name: leaf, logicalType: string}"])
    text = STOCK.replace("csv", "jsonl").replace(
        "      - {name: amount, logicalType: integer, physicalType: int}", nested
    )
    field = load(text, "stock.yaml").fields[-1]
    names = [field.name]
    while field.fields:
        [field] = field.fields
        names.append(field.name)
    assert names == [*(f"o{level}" for level in range(depth)), "leaf"]  # 130 s for 10 levels with jsonschema


def renamed(names: dict[str, str]) -> str:
    """The page's example, in which columns have other names in the upload."""
    text = page("yaml").lstrip()
    for name, sent in names.items():
        text = changed(f"- name: {name}\n", f"- name: {name}\n        physicalName: {sent}\n", text)
    return text


def test_a_column_may_have_another_name_in_the_upload(load):
    contract = load(renamed({"return_id": "_id", "returned_at": "Returned At"}), "returns.yaml")
    assert contract.key == ("return_id",)
    record = {"return_id": "r-1", "returned_at": "2026-03-01", "other": 1}
    assert as_sent(contract.fields, record) == {"_id": "r-1", "Returned At": "2026-03-01", "other": 1}
    assert Contract.from_dict(contract.to_dict()) == contract


def test_two_columns_cannot_have_one_name_in_the_upload(refusal):
    assert "name in the upload of two columns" in refusal(
        renamed({"return_id": "x", "returned_at": "x"}), "returns.yaml"
    )
