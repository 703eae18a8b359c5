import pytest

from headgate.testing import assert_crash_safe, assert_late_data_converges, assert_order_insensitive, assert_rows


def reading(hour, celsius, revision=1, **changes):
    """A measurement in the hall on the 1st of March 2026."""
    name, at = f"hall-20260301-{hour:02}", f"2026-03-01T{hour:02}:00:00Z"
    plain = {"reading_id": name, "revision": revision, "sensor_id": "hall", "measured_at": at, "celsius": celsius}
    return {**plain, **changes}


@pytest.fixture
def readings(lake):
    """Three measurements; a second upload corrects one, and takes another back."""
    lake.upload("readings", [reading(6, 18.5), reading(12, 25.0), reading(18, 0.0)])
    lake.upload("readings", [reading(12, 20.5, revision=2), reading(18, 0.0, revision=2, withdrawn=True)])
    return lake


def test_a_day_has_each_measurement_as_last_revised(readings):
    readings.run()
    day = {"measured_on": "2026-03-01", "readings": 2, "lowest": "18.50", "average": "19.50", "highest": "20.50"}
    assert_rows(readings, "gold.daily_readings", [day])


@pytest.mark.parametrize("holds", [assert_order_insensitive, assert_late_data_converges, assert_crash_safe])
def test_what_holds_for_every_table_holds(readings, holds):
    holds(readings, "gold.daily_readings")
