"""Factors and calibrations hold from their moment on: a later one never changes what was before it."""

from datetime import UTC, datetime, timedelta

import pytest

from catalog.imports import import_registrations
from devices.registry import Registration
from schemas.clock import micros
from schemas.quality import Quality, Test
from tests.ingest.feeding import BEGAN, NOW, Feed, topic, z

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOVED = datetime(2026, 3, 1, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def feed(tmp_path):
    return Feed(tmp_path)


def registered(feed, device, family, since=None, **said):
    row = Registration(
        device_id=device,
        family=family,
        thing_id=f"t-{device}",
        valid_from=micros(BEGAN),
        since=since and micros(since),
        **said,
    )
    assert not import_registrations(feed.store, [row], now=NOW).problems


def test_a_reading_is_computed_with_the_depth_that_held_at_its_time(feed):
    registered(feed, "bin", "waste_container", factors={"empty_distance_mm": 1200, "full_distance_mm": 200})
    registered(feed, "bin", "waste_container", since=MOVED, factors={"empty_distance_mm": 2200})
    registered(feed, "other", "waste_container", factors={"empty_distance_mm": 1000})
    for device, at in (("bin", MOVED + HOUR), ("other", NOON), ("bin", NOON), ("bin", MOVED)):
        feed.say(topic(device, "waste_container"), {"time": z(at), "distance_mm": 700})
    feed.commit()
    rows = feed.sql("SELECT device_id, observed_at, fill_pct FROM waste_container ORDER BY 1, 2")
    assert [(device, at, round(fill)) for device, at, fill in rows] == [
        ("bin", NOON, 50),
        ("bin", MOVED, 75),
        ("bin", MOVED + HOUR, 75),
        ("other", NOON, 30),
    ]


def test_the_earlier_value_stays_askable(feed):
    registered(feed, "bin", "waste_container", factors={"empty_distance_mm": 1200})
    registered(feed, "bin", "waste_container", since=MOVED, factors={"empty_distance_mm": 2200})
    feed.say(topic("bin", "waste_container"), {"time": z(NOON), "distance_mm": 700})
    feed.commit()
    depth = "CAST(factors ->> 'empty_distance_mm' AS DOUBLE)"
    rows = feed.sql(f"SELECT valid_from, valid_to, {depth} FROM devices_history ORDER BY 1")
    assert rows == [(BEGAN, MOVED, 1200), (MOVED, None, 2200)]


@pytest.mark.parametrize("again", [False, True], ids=["expired", "calibrated again"])
def test_an_expired_calibration_sets_its_bit_and_a_new_one_clears_it_from_its_day_on(feed, again):
    registered(feed, "m", "water_meter", calibrated_until=micros(MOVED))
    if again:
        registered(feed, "m", "water_meter", since=MOVED + HOUR, calibrated_until=micros(MOVED + 1000 * HOUR))
    for number, at in enumerate((NOON, MOVED, MOVED + HOUR)):
        feed.say(topic("m"), {"time": z(at), "volume_total_m3": number})
    feed.commit()
    rows = feed.sql("SELECT quality, quality_tests FROM water_meter ORDER BY observed_at")
    expired, good = (Quality.SUSPECT, Test.CALIBRATION), (Quality.GOOD, 0)
    assert rows == [good, expired, good if again else expired]
