"""`headgate new dataset`: the inferred columns and keys, the written contract, and wrong files."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.cli.main import run_command
from headgate.contracts.contract import Contract, load_contracts
from headgate.generate import Request, uploads
from headgate.project import Project
from headgate.propose.contract_text import dataset_name
from headgate.propose.inference import Column, infer
from headgate.propose.sample import read_sample

LOANS = """\
loan_id;member;title;borrowed_at;returned_on;fee;branch;paid;isbn
1;m-7;"Emma; or love";2026-03-01 09:15:00;2026-03-09;0.50;north;true;0141439580
2;m-9;Dune;2026-03-01 10:00:00;;1.25;north;false;0441013593
3;m-7;Dune;2026-03-02 11:30:00;2026-03-20;12;south;true;0441013593
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for folder in ("conf/datasets", "conf/environments", "jobs"):
        (tmp_path / "project" / folder).mkdir(parents=True)
    (tmp_path / "project" / "conf" / "environments" / "local.yaml").write_text("lake: lake\n")
    monkeypatch.chdir(tmp_path / "project")
    return Project(tmp_path / "project")


def write(project: Project, name: str, content: str | bytes) -> Path:
    path = project.root / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run_command(["new", "dataset", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def proposed(project: Project, capsys: pytest.CaptureFixture[str], path: Path, *options: str) -> Contract:
    code, _, err = run(capsys, path, *options)
    assert code == 0, err
    [contract] = load_contracts(project).values()
    return contract


def types(contract: Contract) -> dict[str, str]:
    """Column -> its type in Spark's words, with `!` where it is required."""
    shown = {"decimal": "decimal({0.precision},{0.scale})"}
    return {f.name: shown.get(f.type, f.type).format(f) + "!" * f.required for f in contract.fields}


# --- CSV


def test_a_csv_gets_its_types_key_and_delimiter(project, capsys):
    contract = proposed(project, capsys, write(project, "loans-2026-03.csv", LOANS))
    assert types(contract) == {
        "loan_id": "bigint!",
        "member": "string!",
        "title": "string!",
        "borrowed_at": "timestamp!",
        "returned_on": "date",
        "fee": "decimal(12,2)!",
        "branch": "string!",
        "paid": "boolean!",
        "isbn": "string!",  # a leading zero is not a number's
    }
    assert (contract.dataset, contract.key, contract.format, contract.csv.delimiter) == (
        "loans",
        ("loan_id",),
        "csv",
        ";",
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "0"], ("integer", "")),
        (["9223372036854775807"], ("integer", "")),
        (["9223372036854775808"], ("string", "")),
        (["1.5", "10"], ("number", "decimal(12,2)")),
        (["1234567890123.45"], ("number", "decimal(18,2)")),
        (["0.12345678901"], ("number", "double")),
        (["1e3", "2.0"], ("number", "double")),
        (["007"], ("string", "")),
        (["-0.5"], ("number", "decimal(12,2)")),
        (["2026-02-29"], ("string", "")),
        (["2026-03-01"], ("date", "")),
        (["2026-03-01", "2026-03-01T10:00:00Z"], ("timestamp", "")),
        (["2026-03-01T10:00:00+02:00"], ("timestamp", "")),
        (["01/02/2026"], ("string", "")),
        (["1,50"], ("string", "")),
        (["TRUE", "no"], ("boolean", "")),
        (["1", "x"], ("string", "")),
        (["n/a", "NaN"], ("string", "")),
    ],
)
def test_a_column_of_text_gets_the_narrowest_type(project, values, expected):
    lines = "\n".join(f'"{value}"' for value in values)
    [column] = infer(read_sample(write(project, "x.csv", f"a\n{lines}\n"))).columns
    assert (column.logical_type, column.physical_type) == expected


@pytest.mark.parametrize(
    ("values", "remark"),
    [
        (["01/02/2026"], "dates that are not ISO 8601"),
        (["1.000,50"], "decimal comma"),
        (["9223372036854775808"], "beyond 64 bits"),
    ],
)
def test_text_that_looks_like_another_type_has_a_remark(project, values, remark):
    lines = "\n".join(f'"{value}"' for value in values)
    [column] = infer(read_sample(write(project, "x.csv", f"a\n{lines}\n"))).columns
    assert remark in column.notes[0]


def test_a_column_that_is_always_empty_is_an_optional_text_with_a_remark(project):
    column = infer(read_sample(write(project, "x.csv", "a,b\n1,\n2,\n"))).columns[1]
    assert (column.logical_type, column.required) == ("string", False)
    assert "always empty" in column.notes[0]


def test_few_values_are_proposed_as_an_enum_in_a_comment(project, capsys):
    rows = "".join(f"{n},{('red', 'red', 'blue')[n % 3]}\n" for n in range(60))
    contract = proposed(project, capsys, write(project, "x.csv", f"n,color\n{rows}"))
    text = contract.path.read_text()
    assert '# only 2 values in the sample; to allow no others: enum: [{value: "red"}, {value: "blue"}]' in text
    assert contract.fields[1].allowed.enum == ()


# --- keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("name,id\na,1\nb,2\n", [("id",), ("name",)]),
        ("order_id,line\n1,1\n1,2\n2,1\n", [("order_id", "line")]),
        ("a,b,c\n1,1,1\n1,2,1\n2,1,1\n1,1,2\n", [("a", "b", "c")]),
        ("a\n1\n1\n", []),
        ("id,x\n1,\n2,3\n", [("id",)]),
        ("id,price\n,1.5\n2,2.5\n", []),  # neither a column that may be empty nor a measurement is a key
    ],
)
def test_keys_are_the_fewest_columns_that_are_always_different(project, text, keys):
    assert list(infer(read_sample(write(project, "x.csv", text))).keys) == keys


@settings(max_examples=60)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=1, max_size=30))
def test_every_proposed_key_is_unique(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("keys") / "x.csv"
    path.write_text("a,b,c,d\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    inferred = infer(read_sample(path))
    for key in inferred.keys:
        assert len({tuple(row["abcd".index(name)] for name in key) for row in rows}) == len(rows)
    assert inferred.duplicates == len(rows) - len(set(rows))


# --- JSON and Parquet

RECORD = {
    "id": "a-1",
    "at": "2026-03-01T10:00:00Z",
    "price": 1.50,
    "count": 3,
    "ok": True,
    "place": {"city": "Bonn", "lat": 50.7},
    "lines": [{"n": 1, "tags": ["x"]}, {"n": 2, "note": "y"}],
    "mixed": 1,
}
OTHER = {**RECORD, "id": "a-2", "mixed": "text", "price": 2, "place": {"city": "Köln"}, "lines": []}
JSON_TYPES = {
    "id": "string!",
    "at": "timestamp!",
    "price": "decimal(12,2)!",
    "count": "bigint!",
    "ok": "boolean!",
    "place": "struct!",
    "lines": "array!",
    "mixed": "string!",
}


@pytest.mark.parametrize(
    ("name", "content", "format_"),
    [
        ("x.jsonl", "\n".join(map(json.dumps, (RECORD, OTHER))), "jsonl"),
        ("x.json", "\n".join(map(json.dumps, (RECORD, OTHER))), "jsonl"),
        ("x.json", json.dumps([RECORD, OTHER], indent=2), "json_array"),
        ("x.jsonl.gz", gzip.compress("\n".join(map(json.dumps, (RECORD, OTHER))).encode()), "jsonl"),
    ],
)
def test_json_gets_nested_columns_in_each_form(project, capsys, name, content, format_):
    contract = proposed(project, capsys, write(project, name, content))
    fields = {field.name: field for field in contract.fields}
    assert (types(contract), contract.format, contract.key) == (JSON_TYPES, format_, ("id",))
    assert [(f.name, f.type, f.required) for f in fields["place"].fields] == [
        ("city", "string", True),
        ("lat", "decimal", False),
    ]
    item = fields["lines"].item
    assert item is not None
    assert [(f.name, f.type, f.required) for f in item.fields] == [
        ("n", "bigint", True),
        ("tags", "array", False),
        ("note", "string", False),
    ]


def test_one_json_object_is_a_document(project, capsys):
    assert proposed(project, capsys, write(project, "x.json", json.dumps(RECORD, indent=1))).format == "json"


def test_a_parquet_file_keeps_its_own_types(project, capsys):
    rows = [
        {"id": n, "d": date(2026, 3, n), "m": Decimal("1.50"), "s": {"x": 1.5}, "l": [n], "t": None} for n in (1, 2)
    ]
    schema = pa.schema(
        [
            ("id", pa.int32()),
            ("d", pa.date32()),
            ("m", pa.decimal128(9, 2)),
            ("s", pa.struct([("x", pa.float32())])),
            ("l", pa.list_(pa.int64())),
            ("t", pa.timestamp("us", tz="UTC")),
        ]
    )
    path = project.root / "x.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    contract = proposed(project, capsys, path)
    assert types(contract) == {
        "id": "int!",
        "d": "date!",
        "m": "decimal(9,2)!",
        "s": "struct!",
        "l": "array!",
        "t": "timestamp",
    }
    assert (contract.format, contract.key) == ("parquet", ("id",))


@pytest.mark.parametrize("name", ["guest_name", "email", "home_address", "MobileNo"])
def test_values_of_a_column_about_people_are_not_copied_into_the_contract(project, capsys, name):
    run(capsys, write(project, "stays.csv", f"{name},room\n" + "Ada,red\nBob,blue\n" * 20))
    text = (project.datasets / "stays.yaml").read_text()
    assert "red" in text and "Ada" not in text


def test_a_type_that_headgate_rejects_has_a_remark(project):
    path = project.root / "x.parquet"
    pq.write_table(pa.table({"a": pa.array([b"x"]), "at": pa.array([datetime(2026, 3, 1, tzinfo=UTC)])}), path)
    assert "rejects Parquet files with a column of type binary" in infer(read_sample(path)).columns[0].notes[0]


@pytest.mark.parametrize("format_", ["csv", "jsonl", "json_array", "parquet"])
def test_generated_uploads_of_a_contract_give_back_its_types(project, capsys, tmp_path, format_):
    """The generator and the proposal agree on each format: every type of a contract is inferred again."""
    columns = (
        "{name: id, logicalType: string, required: true, primaryKey: true}",
        "{name: at, logicalType: timestamp, required: true}",
        "{name: on, logicalType: date, required: true}",
        "{name: price, logicalType: number, physicalType: 'decimal(12,2)', required: true}",
        "{name: pieces, logicalType: integer, required: true}",
        "{name: ok, logicalType: boolean, required: true}",
    )
    path = project.datasets / "things.yaml"
    path.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: things\nversion: 1.0.0\nteam: {name: T}\n"
        "schema:\n  - name: things\n    properties:\n"
        + "".join(f"      - {column}\n".replace("name: on", "name: day") for column in columns)
        + f"customProperties:\n  - {{property: headgate.format, value: {format_}}}\n"
    )
    contract = load_contracts(project)["things"]
    request = Request(datasets=("things",), broken=0, late=0, repeated=0, corrected=0, records=100, uploads=1, days=1)
    upload = next(uploads(request, {"things": contract}))
    path.unlink()
    again = proposed(project, capsys, write(project, f"things{upload.suffix}", upload.body))
    assert types(again) == types(contract)
    assert again.key == ("id",)


# --- the command


def test_the_contract_says_where_it_comes_from_and_the_next_commands_follow(project, capsys):
    path = write(project, "loans.csv", LOANS)
    code, out, _ = run(capsys, path.name, "--owner", "Library: East")
    text = (project.datasets / "loans.yaml").read_text()
    assert code == 0
    assert "Proposed by `headgate new dataset loans.csv` from all 3 records" in text
    assert load_contracts(project)["loans"].owner == "Library: East"
    assert "headgate upload loans.csv --dataset loans --store store-1 --direct" in out
    assert "headgate new table loans --from loans" in out


def test_a_dry_run_prints_the_contract_and_writes_nothing(project, capsys):
    path = write(project, "loans.csv", LOANS)
    code, out, _ = run(capsys, path, "--dry-run")
    assert code == 0 and out.startswith("# Proposed by") and not list(project.datasets.iterdir())
    run(capsys, path)
    assert (project.datasets / "loans.yaml").read_text() == out


def test_a_contract_that_exists_is_never_overwritten(project, capsys):
    path = write(project, "loans.csv", LOANS)
    (project.datasets / "loans.yaml").write_text("mine")
    code, _, err = run(capsys, path)
    assert code == 2 and "is never overwritten" in err
    assert (project.datasets / "loans.yaml").read_text() == "mine"


def test_json_lists_columns_key_candidates_and_next_commands(project, capsys):
    code, out, _ = run(capsys, write(project, "loans.csv", LOANS), "--json", "--name", "books")
    answer: dict[str, Any] = json.loads(out)
    assert code == 0
    assert (answer["dataset"], answer["written"], answer["records"], answer["key"]) == ("books", True, 3, ["loan_id"])
    assert answer["columns"][0] == {"name": "loan_id", "type": "integer", "required": True, "remarks": []}


def test_only_the_first_records_are_read_and_the_contract_says_so(project, capsys):
    run(capsys, write(project, "loans.csv", LOANS), "--records", 2)
    assert "from the first 2 records" in (project.datasets / "loans.yaml").read_text()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "a,A\n1,2\n", "would both be named 'A'"),
        ("x.csv", "a,b\n1,2,3\n", "line 2 has 3 values, the header has 2"),
        ("x.csv", "a,b\n", "the file has no record"),
        ("x.csv", "", "the file has no record"),
        ("x.csv", b"a\n\xff\xfe\n", "cannot be read as csv"),
        ("x.csv", "a,b\n1,2\n1\n2\n", "line 3 has 1 values, the header has 2 (readable records: 1, others: 2)"),
        ("x.jsonl", "[1]\n", "line 1: it is not a JSON object"),
        ("x.jsonl", '{"a": 1\n', "cannot be read as jsonl"),
        ("x.json", "nothing", "cannot be read as json"),
        ("x.jsonl", '{"a": {"b c": 1, "b-c": 2}}', "would both be named 'b_c'"),
        ("x.parquet", "no parquet", "cannot be read as parquet"),
        ("x.xlsx", "x", "the format of 'x.xlsx' is unknown"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_message(project, capsys, name, content, message):
    code, out, err = run(capsys, write(project, name, content))
    assert (code, out) == (2, "") and message in err
    assert not list(project.datasets.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "broken"),
    [
        ("x.csv", "a;b\n1;2\n3\n4;5\n", "line 3 has 1 values, the header has 2"),
        ("x.csv", 'a,b\n1,2\n3,4\n5,"cut', "line 4: unexpected end of data"),
        ("x.jsonl", '{"a": 1, "b": 2}\n{"a": 3, "b":\n{"a": 4, "b": 5}\n', "line 2: Expecting value"),
        ("x.jsonl", '{"a": 1, "b": 2}\n[1]\n{"a": 4, "b": 5}\n', "line 2: it is not a JSON object"),
        ("x.json", '[{"a": 1, "b": 2}, 7, {"a": 4, "b": 5}]', "element 2: it is not a JSON object"),
    ],
)
def test_records_that_cannot_be_read_are_named_and_left_out(project, capsys, name, content, broken):
    code, out, _ = run(capsys, write(project, name, content))
    assert code == 0 and "(2 records read)" in out
    assert f"records that cannot be read, which a run would quarantine: 1\n  {broken}" in out
    assert [(c.name, c.type, c.required) for c in load_contracts(project)["x"].fields] == [
        ("a", "bigint", True),
        ("b", "bigint", True),
    ]


def test_a_name_that_no_column_can_have_becomes_the_physical_name(project, capsys):
    content = '"First Name","Order ID",_id,2nd\nAda,1,9,x\nBob,2,8,y\n'
    run(capsys, write(project, "people.csv", content))
    fields = load_contracts(project)["people"].fields
    names = {field.name: field.sent_name for field in fields}
    assert names == {"first_name": "First Name", "order_id": "Order ID", "id": "_id", "column_2nd": "2nd"}


def test_a_file_that_does_not_exist_is_one_message(project, capsys):
    code, _, err = run(capsys, "nothing.csv")
    assert code == 2 and "No such file" in err


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("orders-2026-03-01", "orders"),
        ("Sales Report (final)", "sales_report_final"),
        ("2026", "d2026"),
        ("a1b", "a1b"),
    ],
)
def test_the_dataset_is_named_after_the_file(stem, name):
    assert dataset_name(stem) == name


def test_a_column_that_yaml_would_misread_is_quoted(project, capsys):
    assert types(proposed(project, capsys, write(project, "x.csv", "no,on\n1,2\n2,3\n"))) == {
        "no": "bigint!",
        "on": "bigint!",
    }


def test_objects_without_fields_and_columns_of_several_types_have_remarks(project):
    columns = infer(read_sample(write(project, "x.jsonl", '{"a": {}, "b": 1}\n{"a": {}, "b": "x"}\n'))).columns
    assert [column.notes for column in columns] == [
        ("always {} in the sample: check the type",),
        ("values of several types in the sample: kept as text",),
    ]
    assert all(isinstance(column, Column) and column.logical_type == "string" for column in columns)
