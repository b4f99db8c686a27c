"""A part of consumption is that part of the whole; what a change of readings changes is where it is said to reach."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.world import empty, put
from tests.lake.dirt import APART, LITRE, dirty_series

BEGAN = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000
DAY = 86_400_000_000
ALL_STEPS = """SELECT * EXCLUDE (register_before, register_after) FROM consumption_hourly
WHERE ends_at - starts_at <= INTERVAL 31 DAY AND local_date(ends_at - INTERVAL 1 MICROSECOND) >= $first
    AND local_date(starts_at) <= $last ORDER BY ALL"""
SOME_STEPS = """SELECT * EXCLUDE (register_before, register_after) FROM consumption_steps($first, $last) ORDER BY ALL"""
SCHEMA = pa.schema(
    [("device_id", pa.string()), ("observed_at", pa.timestamp("us", "UTC")), ("volume_total_m3", pa.decimal128(18, 6))]
)


@pytest.fixture(scope="module")
def world():
    connection = empty()
    connection.execute("CREATE TABLE wanted (thing_id VARCHAR)")
    connection.execute("CREATE TABLE older AS FROM water_meter")
    connection.execute("CREATE OR REPLACE VIEW water_meter_revisions AS FROM water_meter UNION ALL FROM older")
    return connection


def fill(world, series, hung, width):
    """Meters m0, m1, …; `hung` says since when each hangs, where, and its start register."""
    for table in ("things", "devices", "assignments", "water_meter", "older"):
        world.execute(f"DELETE FROM {table}")
    put(world, "things", [{"thing_id": f"t{n}", "family": "water_meter"} for n in range(len(series))])
    for n, _ in enumerate(series):
        factors = f'{{"register_width": {width}}}' if width else "{}"
        put(world, "devices", [{"device_id": f"m{n}", "family": "water_meter", "factors": factors}])
    put(world, "assignments", hung)
    put(world, "water_meter", readings(series))


def readings(series):
    rows = [(f"m{n}", at, value) for n, points in enumerate(series) for at, value in points]
    return pa.Table.from_arrays(
        [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), SCHEMA, strict=True)], SCHEMA.names
    )


def moment(at):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


@st.composite
def towns(draw):
    """Some meters, one of them perhaps exchanged by another within its time."""
    width = draw(st.sampled_from([0, 0, 5]))
    full = 10**width * 1000 if width else 0
    series = [draw(dirty_series(BEGAN, full, APART, 30)) for _ in range(draw(st.integers(1, 4)))]
    hung = [{"device_id": f"m{n}", "thing_id": f"t{n}", "valid_from": moment(0)} for n in range(len(series))]
    if draw(st.booleans()):
        points = series[0]
        change = points[draw(st.integers(0, len(points) - 1))][0] + draw(st.sampled_from([0, DAY // 3]))
        known = draw(st.booleans())
        hung[0] |= {"valid_to": moment(change), "end_register": points[-1][1] if known else None}
        start = points[0][1] if known else None
        hung.append({"device_id": "m0", "thing_id": "other", "valid_from": moment(change), "start_register": start})
    return series, hung, width


def spans(draw, series, beside=(0,)):
    at = draw(st.sampled_from([at for points in series for at, _ in points]))
    first = moment(at).date() + timedelta(draw(st.sampled_from(beside)))
    return first, first + timedelta(draw(st.sampled_from([0, 0, 1, 6])))


def rows(world, query, **named):
    return world.execute(query, named).fetchall()


@settings(max_examples=12, deadline=None)
@given(data=st.data(), town=towns())
def test_a_part_is_that_part_of_the_whole(world, data, town):
    fill(world, *town)
    put(world, "things", [{"thing_id": "other", "family": "water_meter"}])
    first, last = spans(data.draw, town[0], beside=(0, 0, 0, 1, -1, 3, -3, 12, -12, 30, -30))
    span = {"first": first, "last": last}
    daily = "SELECT * FROM consumption_daily WHERE local_date BETWEEN $first AND $last"
    assert rows(world, "FROM consumption_days($first, $last) ORDER BY ALL", **span) == rows(
        world, f"{daily} ORDER BY ALL", **span
    )
    assert rows(world, SOME_STEPS, **span) == rows(world, ALL_STEPS, **span)
    world.execute("CREATE OR REPLACE TABLE wanted AS SELECT 't0' AS thing_id UNION ALL SELECT 'other'")
    assert rows(world, "FROM consumption_days_of('wanted', $first, $last) ORDER BY ALL", **span) == rows(
        world, f"{daily} AND thing_id IN ('t0', 'other') ORDER BY ALL", **span
    )


@settings(max_examples=12, deadline=None)
@given(data=st.data(), town=towns())
def test_what_new_and_revised_readings_change_is_within_their_reach(world, data, town):
    fill(world, *town)
    put(world, "things", [{"thing_id": "other", "family": "water_meter"}])
    first, last = spans(data.draw, town[0])
    inside = "local_date(observed_at) BETWEEN $first AND $last"
    new = data.draw(st.sampled_from(["come", "revised"]))
    for device, at, value in rows(
        world, f"SELECT device_id, observed_at, volume_total_m3 FROM water_meter WHERE {inside}", first=first, last=last
    ):
        if data.draw(st.integers(0, 3)):  # before, this one was not there, or had another value
            world.execute("DELETE FROM water_meter WHERE device_id = ? AND observed_at = ?", [device, at])
            other = data.draw(st.sampled_from([Decimal(0), value + 50, value - LITRE, value * 2]))
            if new == "revised" and other >= 0:
                put(world, "older", [{"device_id": device, "observed_at": at, "volume_total_m3": other}])
    put(world, "water_meter", "SELECT * EXCLUDE (day) FROM older")
    world.execute("CREATE OR REPLACE TABLE earlier AS FROM consumption_daily")
    world.execute("DELETE FROM water_meter")
    put(world, "water_meter", readings(town[0]))
    differ = """WITH now AS (FROM consumption_daily), change AS (
        (FROM now EXCEPT FROM earlier) UNION (FROM earlier EXCEPT FROM now))
    SELECT c.thing_id, c.local_date, r.first_date, r.last_date FROM change AS c
    LEFT JOIN consumption_reach($first, $last) AS r ON r.thing_id = c.thing_id
    WHERE coalesce(c.local_date NOT BETWEEN r.first_date AND r.last_date, true)"""
    assert rows(world, differ, first=first, last=last) == []


def test_a_meter_that_only_rises_reaches_the_readings_beside_it(world):
    hours = [[(BEGAN + n * DAY // 24, n * LITRE) for n in range(24 * 20)]]
    fill(world, hours, [{"device_id": "m0", "thing_id": "t0", "valid_from": moment(0)}], 0)
    day = date(2026, 2, 10)
    found = rows(world, "FROM consumption_reach($first, $last)", first=day, last=day)
    assert found == [("t0", False, day - timedelta(1), day + timedelta(1))]
