"""A cursor of the read API stays readable while runs and maintenance go on, as long as time travel is promised."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from headgate.contracts.read_access import ReadApi
from headgate.http.keys import digest_of
from headgate.planning import retention
from read_api.app import create_app
from tests.engine.test_maintain import BRONZE, GOLD, ITEMS, SILVER, maintained
from tests.engine.world import World, sale
from tests.read_api.tables import Client, contract_of

pytestmark = pytest.mark.long


def client_of(world: World) -> Client:
    clients = {"tests": {"keys": [{"sha256": digest_of("key")}], "scopes": {"tables": ["gold.*"]}}}
    environment = replace(world.environment, read_api=ReadApi(clients=clients, refresh_seconds=0))
    return Client(create_app(environment, {GOLD: contract_of(world.planner().ledger, GOLD)}, b"secret"), "key")


def test_pages_after_runs_and_maintenance_are_of_the_version_of_the_first_page(
    grown: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SMALL_FILES", 2)
    grown.environment = replace(grown.environment, time_travel=timedelta(days=7))
    client, path = client_of(grown), f"/v1/tables/{GOLD}/rows"
    before = client.rows(path)
    first = client.get(path, limit=-(-len(before) // 3), order="store_id")
    rows, following, compacted = list(first.json["rows"]), first.json["next"], 0
    for number in range(2):
        grown.upload([sale(1, revised=3 + number, total=f"2{number}.00"), sale(30 + number)], key=f"new {number}")
        grown.run_well()
        for table in (BRONZE, SILVER, ITEMS, GOLD):
            done = maintained(grown, table)
            compacted += done.files_after < done.files_before
        answer = client.get(following)
        assert (answer.status_code, answer.json["version"]) == (200, first.json["version"])
        rows, following = rows + answer.json["rows"], answer.json["next"]
    assert following is None
    assert sorted(map(str, rows)) == sorted(map(str, before))
    assert compacted > 0
    assert client.get(path).json["version"] > first.json["version"]
    assert client.rows(path) != before


def test_a_cursor_ends_with_410_where_time_travel_is_not_promised_and_its_version_was_vacuumed(
    grown: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention.Bound, "hours", lambda *_: 0)
    grown.environment = replace(grown.environment, time_travel=timedelta(0))
    client, path = client_of(grown), f"/v1/tables/{GOLD}/rows"
    following = client.get(path, limit=1, order="store_id").json["next"]
    grown.upload([sale(1, revised=3, total="20.00")], key="new")
    grown.run_well()
    assert sum(maintained(grown, table).removed_files for table in (BRONZE, SILVER, ITEMS, GOLD)) > 0
    answer = client.get(following)
    assert (answer.status_code, answer.json["type"].rpartition(":")[2]) == (410, "gone")
    assert "start again" in answer.json["detail"]
