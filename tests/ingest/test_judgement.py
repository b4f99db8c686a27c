"""Tests against earlier readings: the same flags whatever the batches, limits of each device, never a value changed."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.judgement import HOUR_US, Memory
from schemas.quality import Test
from schemas.vocabulary import families
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z

RATE, SPIKE, FLAT = int(Test.RATE_OF_CHANGE), int(Test.SPIKE), int(Test.FLAT_LINE)
WEATHER = families()["weather"]  # air_temp_cel: a jump of 15, a day without change; pressure_hpa: 30 in an hour
METERS = families()["water_meter"]  # water_temp_cel: 30 in an hour, a jump of 15


def rows(family, readings) -> pl.DataFrame:
    """Rows of (series, hour, {measure: value}), as normalised."""
    ordered = sorted(readings, key=lambda reading: reading[:2])
    columns = {name: [values.get(name) for _, _, values in ordered] for name in family.measures}
    frame = pl.DataFrame(
        {
            "_series": pl.Series([series for series, _, _ in ordered], dtype=pl.UInt32),
            "observed_at": pl.Series([round(hour * HOUR_US) for _, hour, _ in ordered], dtype=pl.Int64),
        }
    )
    return frame.with_columns(pl.Series(name, values, pl.Float64) for name, values in columns.items())


def judged(memory, readings, family=WEATHER) -> list[int]:
    frame = rows(family, readings)
    frame, bits = memory.tests(frame, pl.repeat(value=True, n=frame.height, eager=True))
    memory.learn(frame)
    return [0] * frame.height if bits is None else bits.to_list()


def temps(*values, step=1.0, measure="air_temp_cel", series=0):
    return [(series, place * step, {measure: value}) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ([10, 11, 40, 11, 12], [0, 0, SPIKE, 0, 0]),  # up and back: the way back is none
        ([10, 40, 41, 40], [0, 0, 0, 0]),  # what stood before is not known: not evaluated
        ([10, 11, 40, 41, 40], [0, 0, SPIKE, 0, 0]),  # a step that stays is told once
        ([10, 11, None, 40, 11], [0, 0, 0, SPIKE, 0]),  # a reading of something else is no neighbour
    ],
)
def test_a_jump_is_flagged_where_it_is(values, flags):
    assert judged(Memory(WEATHER), temps(*values)) == flags


def test_a_value_that_stands_still_too_long_is_flagged_from_then_on_until_it_moves():
    assert judged(Memory(WEATHER), temps(*[7.0] * 27, 7.1, 7.1)) == [0] * 24 + [FLAT] * 3 + [0, 0]


def test_a_rate_is_judged_over_ten_minutes_at_least():
    memory = Memory(METERS)
    found = judged(memory, temps(10, 14, 10, step=1 / 3600, measure="water_temp_cel"), METERS)
    assert found == [0, 0, 0]  # 4 degrees in a second: less than what ten minutes allow
    assert judged(memory, [(0, 1, {"water_temp_cel": 50})], METERS) == [RATE | SPIKE]


def test_series_do_not_mix():
    readings = temps(10, 10, 10) + temps(30, 30, 30, series=1) + temps(10, 10, 10, series=7)
    assert judged(Memory(WEATHER), readings) == [0] * 9


VALUES = st.sampled_from([None, 7.0, 8.0, 30.0, -20.0])
SERIES = st.lists(st.tuples(st.integers(0, 2), VALUES), min_size=1, max_size=30)


@settings(deadline=None, max_examples=150)
@given(SERIES, st.lists(st.integers(1, 7), min_size=1, max_size=10))
def test_flags_do_not_depend_on_batches(said, sizes):
    readings = [(series, hour * 9, {"air_temp_cel": value}) for hour, (series, value) in enumerate(said)]
    whole = dict(zip(sorted(r[:2] for r in readings), judged(Memory(WEATHER), readings), strict=True))
    memory, parted, left = Memory(WEATHER), {}, list(readings)
    while left:
        size = sizes[len(parted) % len(sizes)]
        batch, left = left[:size], left[size:]
        parted |= dict(zip(sorted(r[:2] for r in batch), judged(memory, batch), strict=True))
    assert parted == whole


def test_in_the_lake_a_flag_changes_no_value_and_a_restart_forgets_only_what_would_fail(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"), ("w1", "weather"))
    feed.register(("m2", "water_meter"), factors={"water_temp_cel_max": 20.0, "water_temp_cel_rate": 2.0})
    start = NOW - timedelta(days=3)
    for hour, value in enumerate([9, 9.5, 45, 9.5, 9.5, 13]):
        if hour == 4:
            feed.commit()
            feed.restart()
        for device in ("m1", "m2"):
            feed.say(topic(device), {"time": z(start + hour * HOUR), "water_temp_cel": value})
        feed.say(topic("w1", "weather"), {"time": z(start + hour * 5 * HOUR), "air_temp_cel": 7})
    feed.say(topic("m1"), {"time": z(start + HOUR / 2), "water_temp_cel": 59})  # late: judged by itself alone
    feed.commit()
    found = feed.sql("SELECT device_id, water_temp_cel, quality, quality_tests FROM water_meter ORDER BY ALL")
    flagged = {(device, value): (quality, tests) for device, value, quality, tests in found if tests}
    own = int(Test.CLIMATOLOGY)
    assert flagged == {
        ("m1", 45.0): (3, RATE | SPIKE),
        ("m2", 45.0): (3, RATE | SPIKE | own),
        ("m1", 9.5): (3, RATE),
        ("m2", 9.5): (3, RATE),  # back down again, by the device's own rate
        ("m2", 13.0): (3, RATE),  # known again after the restart
    }
    assert ("m1", 59.0) not in flagged
    weather = feed.sql("SELECT quality_tests FROM weather ORDER BY observed_at")
    assert [tests for (tests,) in weather] == [0] * 6  # 25 hours, but a restart between
    feed.check()


def test_one_message_feeds_two_families(tmp_path):
    """Noise and weather, by the profile of the device; both with their factors, both on the sheet."""
    feed = Feed(tmp_path / "home", more='[[route]]\nfilter = "application/+/device/+/event/up"\ncodec = "chirpstack"\n')
    feed.register(("24e124fffe000101", "noise"), model="R72624")
    said = {"noise": 60, "temperature": 8.5, "humidity": 81.4, "colour": "red"}
    body = {"deviceInfo": {"devEui": "24e124fffe000101"}, "object": said}
    feed.say("application/7/device/24e124fffe000101/event/up", body)
    feed.commit()
    assert feed.sql("SELECT noise_laeq_db, extra FROM noise") == [(60, '{"colour":"red"}')]
    assert feed.sql("SELECT air_temp_cel, rh_pct, extra, profile FROM weather") == [(8.5, 81.4, None, "netvox_r72624")]
    feed.check()


def test_a_register_past_its_last_digit_has_not_gone_down(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"), ("m2", "water_meter"), factors={"register_width": 5.0})
    for hour, (whole, other) in enumerate([(99_990, 50_000), (99_999, 50_001), (3, 3), (12, 4), (5, 5)]):
        feed.say(topic("m1"), {"time": z(NOW - (9 - hour) * HOUR), "volume_total_m3": whole})
        feed.say(topic("m2"), {"time": z(NOW - (9 - hour) * HOUR), "volume_total_m3": other})
    feed.commit()
    found = feed.sql("SELECT device_id, quality_tests FROM water_meter ORDER BY device_id, observed_at")
    down = int(Test.MONOTONIC)
    assert [tests for _, tests in found] == [0, 0, 0, 0, down, 0, 0, down, 0, 0]
