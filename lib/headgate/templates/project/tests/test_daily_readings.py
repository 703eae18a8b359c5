import pytest

from headgate.testing import assert_crash_safe, assert_late_data_converges, assert_order_insensitive, assert_rows


def reading(hour, celsius, revision=1, **changes):
    """A measurement in the hall on 1 March 2026."""
    name, at = f"hall-20260301-{hour:02}", f"2026-03-01T{hour:02}:00:00Z"
    plain = {"reading_id": name, "revision": revision, "sensor_id": "hall", "measured_at": at, "celsius": celsius}
    return {**plain, **changes}


@pytest.fixture
def readings(lake):
    """Three measurements; a second upload corrects the first and withdraws another."""
    lake.upload("readings", [reading(6, 18.5), reading(12, 25.0), reading(18, 0.0)])
    lake.upload("readings", [reading(12, 20.5, revision=2), reading(18, 0.0, revision=2, withdrawn=True)])
    return lake


def test_a_day_has_the_newest_revision_of_each_measurement(readings):
    readings.run()
    day = {"measured_on": "2026-03-01", "readings": 2, "lowest": "18.50", "average": "19.50", "highest": "20.50"}
    assert_rows(readings, "gold.daily_readings", [day])


@pytest.mark.parametrize("check", [assert_order_insensitive, assert_late_data_converges, assert_crash_safe])
def test_the_rows_do_not_depend_on_order_lateness_or_crashes(readings, check):
    check(readings, "gold.daily_readings")
