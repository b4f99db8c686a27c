"""Consumption from registers: what is booked, to which local day, and that nothing is lost or invented."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.indicators.world import ROOT, empty, meter, put, registers

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hours(values, start=START, step=HOUR):
    return [(start + i * step, Decimal(str(v))) for i, v in enumerate(values)]


def booked(connection, thing="house"):
    rows = connection.execute(
        "SELECT volume_m3 FROM consumption_hourly WHERE thing_id = ? ORDER BY ends_at", [thing]
    ).fetchall()
    return [row[0] for row in rows]


def one_meter(values, **more):
    connection = empty()
    meter(connection, "house", "m1", more.pop("since", "2026-02-28T00:00:00Z"), **more)
    registers(connection, "m1", hours(values))
    return connection


def test_twelve_hours_of_zero_and_back_book_what_really_flowed():
    connection = one_meter([413.1, 413.2] + [0] * 12 + [413.5, 413.6])
    assert booked(connection) == [Decimal("0.1"), Decimal("0.3"), Decimal("0.1")]


def test_a_spike_is_not_booked():
    assert sum(booked(one_meter([10, 11, 99999, 99999, 12, 13]))) == Decimal(3)


def test_a_spike_does_not_hide_a_later_glitch():
    assert sum(booked(one_meter([10, 11, 99999, 12, 0, 0, 14]))) == Decimal(4)


def test_a_reset_books_nothing_and_is_marked():
    connection = one_meter([100, 101, 0, 0.5, 1.5])
    rows = connection.execute("SELECT volume_m3, estimated FROM consumption_hourly ORDER BY ends_at").fetchall()
    assert [(float(v), e) for v, e in rows] == [(1, False), (0, True), (0.5, False), (1, False)]


def test_a_reset_meter_that_slowly_passes_its_old_count_keeps_what_it_counted():
    values = [2 + i * 0.1 for i in range(10)] + [i * 0.1 for i in range(40)]
    total = sum(booked(one_meter([round(v, 1) for v in values])))
    assert total == Decimal("4.8")


def test_a_gap_keeps_its_own_interval():
    connection = empty()
    meter(connection, "house", "m1", "2026-02-28T00:00:00Z")
    registers(connection, "m1", [(START, 1), (START + HOUR, 2), (START + 9 * HOUR, 10)])
    rows = connection.execute("SELECT starts_at, ends_at, volume_m3 FROM consumption_hourly ORDER BY 1").fetchall()
    assert rows[1] == (START + HOUR, START + 9 * HOUR, Decimal(8))


def test_readings_that_failed_their_tests_are_not_booked():
    connection = one_meter([1, 2, 3])
    connection.execute("UPDATE water_meter SET quality = 4, volume_total_m3 = 900 WHERE volume_total_m3 = 2")
    assert booked(connection) == [Decimal(2)]


def test_an_exchange_books_by_its_start_and_end_registers():
    connection = empty()
    change = START + 3 * HOUR + timedelta(minutes=30)
    meter(
        connection, "house", "old", START, valid_to=change, start_register=Decimal(100), end_register=Decimal("103.6")
    )
    meter(connection, "house", "new", change, start_register=Decimal("0.25"))
    registers(
        connection, "old", hours([100, 101, 102, 103, 777])
    )  # what it says after the exchange is not this house's
    registers(connection, "new", hours([1, 2], START + 4 * HOUR))
    assert sum(booked(connection)) == Decimal("3.6") + Decimal("1.75")
    assert all(isinstance(v, Decimal) for v in booked(connection))


@pytest.mark.parametrize(("day", "length"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_local_days_have_their_real_length(day, length):
    connection = empty()
    meter(connection, "house", "m1", "2026-01-01T00:00:00Z")
    local = date.fromisoformat(day)
    start = datetime(local.year, local.month, local.day, tzinfo=UTC) - timedelta(hours=4)
    registers(connection, "m1", hours(range(36), start))
    row = connection.execute(
        "SELECT volume_m3, estimated, coverage FROM consumption_daily WHERE local_date = ?", [local]
    ).fetchone()
    assert row == (Decimal(length), False, 1.0)


def test_a_day_inside_a_gap_is_interpolated_and_marked():
    connection = empty()
    meter(connection, "house", "m1", "2026-01-01T00:00:00Z")
    midnight = datetime(2026, 3, 1, 23, tzinfo=UTC)  # local midnight in winter
    registers(connection, "m1", [(midnight, 0), (midnight + 36 * HOUR, 36), (midnight + 48 * HOUR, 60)])
    rows = connection.execute(
        "SELECT volume_m3, estimated, coverage FROM consumption_daily ORDER BY local_date"
    ).fetchall()
    assert rows == [(Decimal(24), True, 1.0), (Decimal(36), True, 1.0)]


def test_a_step_of_an_hour_across_midnight_is_shared_without_a_mark():
    connection = empty()
    meter(connection, "house", "m1", "2026-01-01T00:00:00Z")
    at = datetime(2026, 3, 1, 22, 45, tzinfo=UTC)
    registers(connection, "m1", [(at, 0), (at + HOUR, 1)])
    rows = connection.execute("SELECT volume_m3, estimated FROM consumption_daily ORDER BY local_date").fetchall()
    assert rows == [(Decimal("0.25"), False), (Decimal("0.75"), False)]


DAIAD = ROOT.parent / "shared" / "data" / "daiad_smart_meters" / "swm_trialA.parquet"


@pytest.mark.skipif(not DAIAD.exists(), reason="daiad_smart_meters is not beside this checkout")
def test_the_dirt_of_real_meters_books_exactly_from_the_first_register_to_the_last():
    """674,019 readings of 92 meters with 203 negative steps: glitches and spikes book nothing, nothing is lost."""
    world = empty("Europe/Madrid")
    source = f"read_parquet('{DAIAD}')"
    put(world, "things", f"SELECT DISTINCT 't' || meter AS thing_id, 'water_meter' AS family FROM {source}")
    since = "TIMESTAMPTZ '2016-01-01 00:00:00Z' AS valid_from"
    put(
        world,
        "assignments",
        f"SELECT DISTINCT 'd' || meter AS device_id, 't' || meter AS thing_id, {since} FROM {source}",
    )
    columns = "'d' || meter AS device_id, timestamp AT TIME ZONE 'UTC' AS observed_at"
    register = "CAST(max(reading_l) / 1000 AS DECIMAL(18, 6)) AS volume_total_m3"
    put(world, "water_meter", f"SELECT {columns}, {register} FROM {source} GROUP BY ALL")
    ends = "max_by(volume_total_m3, observed_at) - min_by(volume_total_m3, observed_at)"
    differences = f"SELECT 't' || device_id[2:] AS thing_id, {ends} AS volume_m3 FROM water_meter GROUP BY device_id"
    booked = "SELECT thing_id, sum(volume_m3 - reverse_m3) AS volume_m3 FROM consumption_hourly GROUP BY thing_id"
    assert world.execute(
        f"SELECT count(*) FROM ({differences}) JOIN ({booked}) USING (thing_id, volume_m3)"
    ).fetchone() == (92,)
