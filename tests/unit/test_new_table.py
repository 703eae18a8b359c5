"""`headgate new table`: modules that load, and tests that fit the contract."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from headgate.cli.main import run_command
from headgate.planning.graph import load_graph
from headgate.project import Project
from headgate.table import Affected, Changes, Merge, Replace

KEYED = """\
      - {name: loan_id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: line, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 2}
      - {name: updated_at, logicalType: timestamp, required: true}
      - {name: borrowed_at, logicalType: timestamp, required: true}
      - {name: returned_on, logicalType: date}
      - {name: class, logicalType: string, required: true}
      - {name: fee, logicalType: number, physicalType: "decimal(12,2)"}
      - {name: weight, logicalType: number, physicalType: double}
"""
KEYLESS = """\
      - {name: place, logicalType: string}
      - {name: amount, logicalType: number, physicalType: "decimal(12,2)"}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for folder in ("conf/datasets", "conf/environments", "jobs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "conf" / "environments" / "local.yaml").write_text("lake: lake\n")
    for name, columns in (("loans", KEYED), ("counts", KEYLESS)):
        (tmp_path / "conf" / "datasets" / f"{name}.yaml").write_text(
            f"apiVersion: v3.1.0\nkind: DataContract\nid: {name}\nversion: 1.0.0\nteam: {{name: T}}\n"
            f"schema:\n  - name: {name}\n    properties:\n{columns}"
            "customProperties:\n  - {property: headgate.format, value: csv}\n"
        )
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run_command(["new", "table", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_a_dataset_with_a_key_makes_a_merge_by_key_and_version_with_a_day(project, capsys):
    code, out, _ = run(capsys, "loans", "--from", "loans")
    node = load_graph(project).node("silver.loans")
    assert code == 0 and "created  jobs/silver/loans.py" in out
    assert node.reads == {"uploads": Changes("bronze.loans")}
    assert node.writes == Merge(keys=["loan_id", "line"], sequence_by="updated_at")
    assert 'F.to_date("borrowed_at").alias("borrowed_on")' in (project.jobs / "silver" / "loans.py").read_text()


def test_a_dataset_without_a_key_keeps_every_record(project, capsys):
    run(capsys, "silver.counts", "--from", "bronze.counts")
    assert load_graph(project).node("silver.counts").writes == Merge(keys=["upload", "record"])
    assert "a record that is sent again becomes a second row" in (project.jobs / "silver" / "counts.py").read_text()


def test_a_silver_table_makes_a_gold_table_by_day_with_sums(project, capsys):
    run(capsys, "loans", "--from", "loans")
    code, _, _ = run(capsys, "daily_loans", "--from", "silver.loans")
    node = load_graph(project).node("gold.daily_loans")
    assert code == 0
    assert node.reads == {"loans": Affected("silver.loans", by=["borrowed_on"])}
    assert node.writes == Replace(by=["borrowed_on"])
    text = (project.jobs / "gold" / "daily_loans.py").read_text()
    assert 'F.sum("fee").cast("decimal(22,2)").alias("total_fee")' in text
    assert 'F.avg("weight").alias("mean_weight")' in text


def test_the_column_of_the_slices_can_be_chosen(project, capsys):
    run(capsys, "loans", "--from", "loans")
    run(capsys, "loans_by_class", "--from", "silver.loans", "--by", "class")
    assert load_graph(project).node("gold.loans_by_class").writes == Replace(by=["class"])


def test_a_gold_table_by_several_columns_has_a_row_for_each_of_their_values(project, capsys):
    run(capsys, "loans", "--from", "loans")
    run(capsys, "loans_by_day_and_class", "--from", "silver.loans", "--by", "borrowed_on", "--by", "class")
    node = load_graph(project).node("gold.loans_by_day_and_class")
    assert node.writes == Replace(by=["borrowed_on", "class"])
    assert node.reads == {"loans": Affected("silver.loans", by=["borrowed_on", "class"])}
    module = (project.jobs / "gold" / "loans_by_day_and_class.py").read_text()
    assert 'groupBy("borrowed_on", "class")' in module and "One row per borrowed_on and class." in module


@pytest.mark.parametrize("source", ["loans", "counts"])
def test_every_proposed_test_is_python_and_has_two_tests(project, capsys, source):
    run(capsys, source, "--from", source)
    run(capsys, "summary", "--from", f"silver.{source}")
    for path in (project.root / "tests").glob("test_*.py"):
        functions = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        assert len([name for name in functions if name.startswith("test_")]) == 2


def test_a_dry_run_prints_both_files_and_writes_nothing(project, capsys):
    code, out, _ = run(capsys, "loans", "--from", "loans", "--dry-run")
    assert code == 0
    assert "# jobs/silver/loans.py\n" in out and "# tests/test_silver_loans.py\n" in out
    assert not list(project.jobs.iterdir()) and not (project.root / "tests").exists()


@pytest.mark.parametrize("existing", ["jobs/silver/loans.py", "tests/test_silver_loans.py"])
def test_neither_file_is_written_where_one_exists(project, capsys, existing):
    path = project.root / existing
    path.parent.mkdir(parents=True)
    path.write_text(TABLE if existing.startswith("jobs") else "")
    before = sorted(p for p in project.root.rglob("*.py"))
    code, _, err = run(capsys, "loans", "--from", "loans")
    assert code == 2 and "is never overwritten" in err
    assert sorted(p for p in project.root.rglob("*.py")) == before


TABLE = """\
from headgate import Changes, Merge, SOURCE, table


@table("silver.loans", reads={"uploads": Changes("bronze.loans")}, writes=Merge(keys=["loan_id"]))
def loans(uploads):
    \"\"\"One row per loan.\"\"\"
    return uploads.select("loan_id", SOURCE)
"""


def test_json_names_the_table_and_its_files(project, capsys):
    code, out, _ = run(capsys, "loans", "--from", "loans", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["table"] == "silver.loans" and answer["written"]
    assert answer["files"] == ["jobs/silver/loans.py", "tests/test_silver_loans.py"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", "--from", "loan"), "Did you mean 'loans'?"),
        (("gold.x", "--from", "loans"), "a dataset becomes a silver table"),
        (("silver.y", "--from", "silver.x"), "is not in the layer gold"),
        (("class", "--from", "loans"), "is not a table's name"),
        (("Loans", "--from", "loans"), "is not a table's name"),
        (("x", "--from", "loans", "--by", "fee"), "--by is for a gold table"),
        (("y", "--from", "silver.x", "--by", "classs"), "Did you mean 'class'?"),
        (("y", "--from", "gold.y"), "does not read a dataset"),
    ],
)
def test_wrong_use_exits_with_2_and_a_correction(project, capsys, arguments, message):
    run(capsys, "x", "--from", "loans")
    run(capsys, "y", "--from", "silver.x")
    code, _, err = run(capsys, *arguments)
    assert code == 2 and message in err
