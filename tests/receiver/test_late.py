"""Late markers: an upload that becomes durable after its hour is listed under a later hour, before the response."""

from datetime import UTC, datetime, timedelta

import pytest
from obstore.store import LocalStore

import ingest_api.landing.land
from headgate.lake.landing import LEAST_LOOKBACK, list_landed
from headgate.lake.upload_identity import hour_in_key

HOUR = timedelta(hours=1)
OLD = "01KAJ5M8Z0ABCDEFGHJKMNPQRS"  # a ULID of 2025


@pytest.fixture
def listed(lake):
    """The uploads that a run sees whose predecessor started listing at `start`."""

    def look(start: datetime) -> set[str]:
        return {result.upload for result in list_landed(LocalStore(lake), "transactions", start - LEAST_LOOKBACK)}

    return look


def test_an_upload_within_its_hour_needs_no_marker(sender, landed):
    sender.post()
    assert landed("late") == {}


def test_an_old_key_is_marked_under_the_hour_of_now(sender, landed, clock, listed):
    receipt = sender.post(key=OLD).get_json()
    ((path, content),) = landed("late").items()
    assert path.startswith("late/transactions/dt=2026-11-21/hour=10/")
    assert {content.decode()} == set(landed())
    assert receipt["upload"] in listed(clock.now)


def test_a_try_that_died_before_its_marker_is_marked_by_its_retry(sender, landed, clock, listed, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ingest_api.landing.land, "point", dies_at("receiver.landed"))
        assert sender.post().status_code == 500
    assert len(landed()) == 1
    clock.now += 3 * 24 * HOUR
    answer = sender.post()
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "true")
    assert answer.get_json()["upload"] in listed(clock.now)
    assert len(landed()) == 1


def test_a_retry_after_the_listing_could_have_passed_its_hour_is_marked(sender, landed, clock, listed, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ingest_api.landing.land, "point", dies_at("receiver.landed"))
        assert sender.post().status_code == 500
    clock.now += 2 * HOUR  # two and a half after its hour began
    assert sender.post().get_json()["upload"] in listed(clock.now)


def test_a_try_that_died_after_its_claim_lands_under_the_claimed_hour(sender, landed, clock, listed, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ingest_api.landing.land, "point", dies_at("receiver.claimed"))
        assert sender.post().status_code == 500
    assert landed() == {}
    clock.now += 5 * HOUR
    answer = sender.post()
    assert "Idempotent-Replayed" not in answer.headers
    assert ".2026112110." in answer.get_json()["upload"]
    assert answer.get_json()["upload"] in listed(clock.now)


def test_a_receiver_that_stalls_marks_until_the_marker_is_fresh(sender, landed, clock, listed):
    clock.steps = [0 * HOUR, 0 * HOUR, 3 * HOUR, 3 * HOUR, 2 * HOUR, 0 * HOUR]
    answer = sender.post()
    assert sorted(path.split("/")[3] for path in landed("late")) == ["hour=13", "hour=16", "hour=18"]
    assert answer.get_json()["upload"] in listed(clock.now)


@pytest.mark.parametrize("minutes", range(0, 300, 7))
def test_no_stall_hides_an_upload_from_a_run_that_started_before_it_was_acknowledged(sender, clock, listed, minutes):
    clock.steps = [0 * HOUR, 0 * HOUR, timedelta(minutes=minutes)]
    answer = sender.post()
    assert answer.get_json()["upload"] in listed(clock.now)


def test_a_receipt_that_is_asked_for_is_marked_too(sender, landed, clock, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ingest_api.landing.land, "point", dies_at("receiver.landed"))
        sender.post()
    clock.now += 5 * HOUR
    upload = next(iter(landed())).rpartition("/")[2].removesuffix(".jsonl")
    assert sender.get(f"/v1/uploads/{upload}").status_code == 200
    assert len(landed("late")) == 1


def test_without_its_marker_an_upload_is_not_acknowledged(sender, lake, landed):
    lake.mkdir(exist_ok=True)
    (lake / "late").write_bytes(b"in the way")
    answer = sender.post(key=OLD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    (lake / "late").unlink()
    assert sender.post(key=OLD).headers["Idempotent-Replayed"] == "true"
    assert len(landed("late")) == 1


def test_a_key_of_a_future_hour_is_listed_by_every_run(sender, listed):
    future = "02W3YEXG00ABCDEFGHJKMNPQRS"
    assert hour_in_key(future).year > 2040
    receipt = sender.post(key=future).get_json()
    assert receipt["upload"] in listed(datetime(2026, 11, 22, tzinfo=UTC))


def dies_at(name):
    def point(reached):
        if reached == name:
            raise SystemError("died")

    return point
