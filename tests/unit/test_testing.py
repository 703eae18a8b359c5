"""The author's test kit as far as it needs no Spark: its loading, uploads, and display of differences."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from headgate.contracts.contract import Contract, load_contracts
from headgate.errors import UsageError
from headgate.project import Project
from headgate.testing.difference import difference, like_stored
from headgate.testing.lake import written

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    return load_contracts(Project(ROOT))


def test_the_plugin_and_the_asserts_load_no_spark():
    """pytest loads the plugin in every project of the environment, also in projects without Headgate."""
    code = "import sys, headgate.testing.plugin; print({'pyspark', 'chispa', 'deltalake'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr


# --- uploads


def test_records_are_lines_of_json_and_a_text_is_used_unchanged(contracts):
    assert written(contracts["returns"], [{"return_id": "r"}, "{broken"]) == b'{"return_id": "r"}\n{broken'


def test_records_of_a_csv_have_its_header_and_the_columns_of_the_contract(contracts):
    body = written(contracts["stores"], [{"city": "Ulm, old", "store_id": "s"}, "raw line"])
    assert body == b'store_id,name,address,city,opened_on,closed_on\ns,,,"Ulm, old",,\nraw line\n'


def test_records_of_a_json_array_are_its_elements(contracts):
    array = replace(contracts["returns"], format="json_array")
    assert written(array, [{"a": 1}, {"a": 2}]) == b'[{"a": 1},{"a": 2}]'


def test_a_json_upload_holds_one_record(contracts):
    with pytest.raises(UsageError, match="2 records cannot be written"):
        written(replace(contracts["returns"], format="json"), [{}, {}])


# --- differences


def test_rows_that_are_the_same_in_any_order_do_not_differ():
    assert difference([{"a": 1, "b": Decimal("15.5")}, {"a": 2}], [{"a": 2}, {"b": Decimal("15.50"), "a": 1}]) == ""


def test_a_time_is_the_same_in_every_zone():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert difference([{"at": noon}], [{"at": noon.astimezone(ZoneInfo("Europe/Berlin"))}]) == ""
    assert difference([{"at": noon}], [{"at": noon.replace(hour=13)}])


def test_a_row_that_is_there_once_more_differs():
    assert "Row(a=1)" in difference([{"a": 1}], [{"a": 1}, {"a": 1}])


def test_only_differences_are_shown_and_named():
    details = difference([{"id": "x", "n": 1}, {"id": "y", "n": 2}], [{"id": "x", "n": 1}, {"id": "y", "n": 3}])
    assert details.startswith("differing: n\n")
    assert "n=2" in details
    assert "n=3" in details
    assert "id=x" not in details


def test_a_column_that_one_side_has_differs_even_where_its_value_is_none():
    assert "no such column" in difference([{"id": "x", "n": None}], [{"id": "x"}])


@pytest.mark.parametrize(
    ("literal", "stored", "value"),
    [
        ("12.50", Decimal("1.00"), Decimal("12.50")),
        (0.1, Decimal("1.00"), Decimal("0.1")),
        ("2026-03-01", date(2026, 1, 1), date(2026, 3, 1)),
        ("2026-03-01T10:00:00Z", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("12.50", "text", "12.50"),
        (None, Decimal("1.00"), None),
    ],
)
def test_a_literal_may_be_plainer_than_the_value(literal, stored, value):
    assert like_stored(literal, [None, stored]) == value
