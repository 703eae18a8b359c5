"""The limits of a contract on Spark: which records are rejected, and with which reasons."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyspark.sql import SparkSession

from headgate.contracts.contract import Contract, load_contract
from headgate.engine.read.typed_records import typed
from headgate.project import Project

COLUMNS = """\
      - {name: state, logicalType: string, enum: [{value: new}, {value: used}]}
      - {name: level, logicalType: integer, physicalType: int, enum: [{value: 1}, {value: 2}]}
      - {name: code, logicalType: string, logicalTypeOptions: {pattern: "^[A-Z]{2}$"}}
      - {name: note, logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 4}}
      - {name: whole, logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 9007199254740993}}
      - {name: price, logicalType: number, physicalType: "decimal(12,2)", logicalTypeOptions: {minimum: 0.1}}
      - {name: rough, logicalType: number, physicalType: double, logicalTypeOptions: {maximum: 0.5}}
      - {name: day, logicalType: date, logicalTypeOptions: {minimum: "2026-03-01"}}
      - {name: at, logicalType: timestamp, logicalTypeOptions: {maximum: "2026-03-01T12:00:00Z"}}
      - name: lines
        logicalType: array
        logicalTypeOptions: {minItems: 1, maxItems: 2}
        items:
          logicalType: object
          properties:
            - {name: quantity, logicalType: integer, physicalType: int, logicalTypeOptions: {minimum: 1}}
            - name: tags
              logicalType: array
              items: {logicalType: string, logicalTypeOptions: {maxLength: 3}}
      - name: place
        logicalType: object
        properties:
          - {name: country, logicalType: string, enum: [{value: DE}]}
"""


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    folder = tmp_path_factory.mktemp("limits")
    path = folder / "conf" / "datasets" / "things.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: things\nversion: 1.0.0\nteam: {name: Tests}\n"
        f"schema:\n  - name: things\n    properties:\n{COLUMNS}"
        "customProperties:\n  - {property: headgate.format, value: jsonl}\n"
    )
    return load_contract(path, Project(folder))


CASES: list[tuple[dict[str, Any], list[tuple[str, str, str | None]]]] = [
    ({}, []),
    ({"state": "new", "level": 2, "code": "DE", "note": "ab", "whole": 1, "price": "0.10", "rough": 0.5}, []),
    ({"day": "2026-03-01", "at": "2026-03-01T12:00:00Z", "lines": [{"quantity": 1}], "place": {"country": "DE"}}, []),
    ({"note": "äöüß", "whole": 9007199254740993}, []),
    ({"state": "old"}, [("state", "enum", "old")]),
    ({"level": 3}, [("level", "enum", "3")]),
    ({"code": "DEU"}, [("code", "pattern: ^[A-Z]{2}$", "DEU")]),
    ({"note": "a"}, [("note", "minLength: 2", "a")]),
    ({"note": "abcde"}, [("note", "maxLength: 4", "abcde")]),
    ({"whole": 0}, [("whole", "minimum: 1", "0")]),
    ({"whole": 9007199254740994}, [("whole", "maximum: 9007199254740993", "9007199254740994")]),
    ({"price": "0.09"}, [("price", "minimum: 0.1", "0.09")]),
    ({"rough": 0.6}, [("rough", "maximum: 0.5", "0.6")]),
    ({"day": "2026-02-28"}, [("day", "minimum: 2026-03-01", "2026-02-28")]),
    ({"at": "2026-03-01T12:00:01Z"}, [("at", "maximum: 2026-03-01T12:00:00Z", "2026-03-01 12:00:01")]),
    ({"lines": []}, [("lines", "minItems: 1", "[]")]),
    ({"lines": [{"quantity": 1}, {"quantity": 0}]}, [("lines[1].quantity", "minimum: 1", "0")]),
    ({"lines": [{"tags": ["abc", "abcd"]}]}, [("lines[0].tags[1]", "maxLength: 3", "abcd")]),
    ({"place": {"country": "FR"}}, [("place.country", "enum", "FR")]),
    ({"state": "old", "level": "x"}, [("level", "type: int", "x"), ("state", "enum", "old")]),
]


@pytest.fixture(scope="module")
def reasons(spark: SparkSession, contract: Contract) -> list[list[tuple[str, str, str | None]] | None]:
    """The reasons of each case, None where the record is accepted."""
    rows = [("u", None, n, json.dumps(record), None, None) for n, (record, _) in enumerate(CASES)]
    schema = "upload string, received timestamp, record bigint, raw string, raw_encoding string, problem string"
    result = typed(spark.createDataFrame(rows, schema), contract).orderBy("_source.record").collect()
    rejected = [row["_rejected"] for row in result]
    return [None if body is None else [tuple(reason) for reason in body["reasons"]] for body in rejected]


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: json.dumps(CASES[number][0]))
def test_a_record_outside_its_limits_is_rejected_with_the_rule(reasons, number):
    expected = CASES[number][1]
    assert (reasons[number] or []) == expected
    assert (reasons[number] is None) == (not expected)
