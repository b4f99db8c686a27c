"""Proves that flags say what is wrong with a reading, whatever batch it came in, and never change a measure."""

from datetime import timedelta
from decimal import Decimal

import pytest

from schemas.quality import Test
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z

START = NOW - timedelta(days=2)


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"), ("c1", "waste_container"))
    return feed


def flags(feed, family="water_meter"):
    return feed.sql(f"SELECT quality, quality_tests FROM {family} ORDER BY device_id, observed_at")


@pytest.mark.parametrize(
    ("measures", "quality", "tests"),
    [
        ({"volume_total_m3": 5}, 1, 0),
        ({"volume_total_m3": -1}, 4, Test.GROSS_RANGE),
        ({"volume_total_m3": 1, "water_temp_cel": 60.001}, 4, Test.GROSS_RANGE),
        ({"volume_total_m3": 1, "water_temp_cel": 60}, 1, 0),
        ({"volume_total_m3": 1, "flow_m3h": 1e308}, 4, Test.GROSS_RANGE),
        ({"volume_total_m3": 1, "alarm_leak": True}, 3, Test.SOURCE_ALARM),
        ({"volume_total_m3": 1, "alarm_leak": False}, 1, 0),
        ({"volume_total_m3": 1, "alarm_burst": 1, "battery_pct": 101}, 4, Test.SOURCE_ALARM | Test.GROSS_RANGE),
    ],
)
def test_each_reading_alone(feed, measures, quality, tests):
    feed.say(topic("m1"), {"time": z(START)} | measures)
    feed.commit()
    assert flags(feed) == [(quality, int(tests))]
    [values] = feed.sql(f"SELECT {', '.join(measures)} FROM water_meter")
    assert [float(v) for v in values] == [float(v) for v in measures.values()]


REGISTERS = [10, 11, None, 9, 9.5, 9.5, 12]  # None: a reading of another measure alone
DOWN = [0, 0, 0, int(Test.MONOTONIC), 0, 0, 0]


@pytest.mark.parametrize("split", ["one batch", "each alone", "each after a restart", "in the middle"])
def test_a_register_that_goes_down_is_flagged_the_same_in_any_batches(feed, split):
    for number, value in enumerate(REGISTERS):
        body = {"water_temp_cel": 9} if value is None else {"volume_total_m3": value}
        feed.say(topic("m1"), {"time": z(START + number * HOUR)} | body)
        if split.startswith("each") or (split == "in the middle" and number == 2):
            feed.commit()
        if split == "each after a restart":
            feed.restart()
    feed.commit()
    assert [tests for _, tests in flags(feed)] == DOWN
    assert [quality for quality, _ in flags(feed)] == [3 if bit else 1 for bit in DOWN]


def test_late_and_repeated_readings_do_not_hide_a_step_down(feed):
    feed.say(topic("m1"), {"time": z(START + 5 * HOUR), "volume_total_m3": 100})
    feed.commit()
    feed.say(topic("m1"), {"time": z(START), "volume_total_m3": 1})  # late: says nothing of what comes next
    feed.say(topic("m1"), {"time": z(START + 5 * HOUR), "volume_total_m3": 100})  # again
    feed.say(topic("m1"), {"time": z(START + 6 * HOUR), "volume_total_m3": 2})
    feed.commit()
    assert flags(feed) == [(1, 0), (1, 0), (3, int(Test.MONOTONIC))]


def test_zero_register_for_12_hours_then_back(feed):
    """home-assistant#182493: a glitch is flagged where it begins, stored as it came."""
    for hour in range(24):
        feed.say(topic("m1"), {"time": z(START + hour * HOUR), "volume_total_m3": 0 if 6 <= hour < 18 else 413.5})
        feed.commit()
    assert [hour for hour, (_, tests) in enumerate(flags(feed)) if tests] == [6]
    assert feed.sql("SELECT sum(volume_total_m3) FROM water_meter") == [(Decimal("413.5") * 12,)]


def test_the_register_of_one_device_says_nothing_of_another(feed):
    feed.register(("m2", "water_meter"))
    for device, value in (("m1", 100), ("m2", 5), ("m1", 101), ("m2", 6)):
        feed.say(topic(device), {"time": z(START + value * HOUR / 60), "volume_total_m3": value})
    feed.commit()
    assert {tests for _, tests in flags(feed)} == {0}


@pytest.mark.parametrize(("distance", "fill"), [(1500, 0), (1000, 50), (500, 100), (2000, 0), (100, 100), (1250, 25)])
def test_fill_from_distance_by_each_bins_own_depth(tmp_path, distance, fill):
    feed = Feed(tmp_path / "home")
    feed.register(("c1", "waste_container"), factors={"empty_distance_mm": 1500.0, "full_distance_mm": 500.0})
    feed.say(topic("c1", "waste_container"), {"time": z(START), "distance_mm": distance})
    feed.say(topic("c1", "waste_container"), {"time": z(START + HOUR), "distance_mm": distance, "fill_pct": 77})
    feed.commit()
    assert feed.sql("SELECT fill_pct, quality FROM waste_container ORDER BY observed_at") == [(fill, 1), (77, 1)]


def test_volume_from_pulses_is_exact(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("p1", "water_meter"), factors={"m3_per_pulse": 0.01, "index_offset_m3": 12.34})
    for number, pulses in enumerate((0, 7, 1_234_567, 4_294_967_295)):
        feed.say(topic("p1"), {"time": z(START + number * HOUR), "pulse_count": pulses})
    feed.commit()
    found = [value for (value,) in feed.sql("SELECT volume_total_m3 FROM water_meter ORDER BY observed_at")]
    assert found == [Decimal("12.34"), Decimal("12.41"), Decimal("12358.01"), Decimal("42949685.29")]


def test_a_factor_that_the_registry_does_not_know_leaves_the_measure_empty_and_says_so(feed):
    feed.say(topic("c1", "waste_container"), {"time": z(START), "distance_mm": 900})
    feed.say(topic("m1"), {"time": z(START), "pulse_count": 5})
    feed.commit()
    assert feed.sql("SELECT distance_mm, fill_pct FROM waste_container") == [(900, None)]
    assert feed.sql("SELECT pulse_count, volume_total_m3 FROM water_meter") == [(5, None)]
    assert flags(feed) == flags(feed, "waste_container") == [(3, int(Test.DECODER_WARNING))]


def test_a_traffic_interval_has_its_end(feed):
    feed.register(("t1", "traffic_counter"))
    feed.say(topic("t1", "traffic_counter"), {"time": z(START), "interval_s": 900, "count": 3})
    feed.commit()
    assert feed.sql("SELECT observed_until FROM traffic_counter") == [(START + timedelta(minutes=15),)]
