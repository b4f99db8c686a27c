"""Energy and gas from registers: the arithmetic of water, one series a register, bounds of their own."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.indicators.world import empty, put

START = datetime(2026, 3, 1, 23, tzinfo=UTC)  # local midnight
HOUR = timedelta(hours=1)


@pytest.fixture
def world():
    return empty()


def hang(world, family, thing="school", device="e1", factors="{}", **more):
    put(world, "things", [{"thing_id": thing, "family": family, "attributes": "{}"}])
    put(world, "devices", [{"device_id": device, "family": family, "factors": factors}])
    put(world, "assignments", [{"device_id": device, "thing_id": thing, "valid_from": "2026-01-01T00:00:00Z", **more}])


def read(world, family, column, values, device="e1", step=HOUR):
    rows = [{"device_id": device, "observed_at": START + i * step, column: v} for i, v in enumerate(values)]
    put(world, family, rows)


def booked(world, measure):
    query = "SELECT energy_kwh, step FROM energy_hourly WHERE measure = ? ORDER BY ends_at"
    return [(float(value), step) for value, step in world.execute(query, [measure]).fetchall()]


def test_a_zero_of_twelve_hours_books_what_was_drawn_and_not_the_register(world):
    """home-assistant#182493: 413.50 kWh were booked for a day of 16.39."""
    hang(world, "building_energy")
    read(world, "building_energy", "electricity_total_kwh", [397.11, 400] + [0] * 12 + [413.0, 413.5])
    assert sum(value for value, _ in booked(world, "electricity")) == pytest.approx(413.5 - 397.11)


def test_each_register_of_a_device_is_a_series_of_its_own(world):
    hang(world, "building_energy", start_register=Decimal(90))
    read(world, "building_energy", "electricity_total_kwh", [100, 101, 103])
    read(world, "building_energy", "heat_total_kwh", [7000, 7010, 7010], step=2 * HOUR)
    days = world.execute(
        "SELECT measure, sum(energy_kwh) FROM energy_daily GROUP BY measure ORDER BY measure"
    ).fetchall()
    steps = world.execute("SELECT measure, sum(energy_kwh) FROM energy_hourly GROUP BY measure ORDER BY 1").fetchall()
    assert steps == [("electricity", Decimal(13)), ("heat", Decimal(10))]
    assert days == [("electricity", Decimal(3)), ("heat", Decimal(10))]  # 59 days from the start register are in no day


def test_a_lamp_counts_no_more_than_a_lamp_can(world):
    hang(world, "streetlight", thing="lamp")
    read(world, "streetlight", "energy_total_kwh", [10, Decimal("10.1"), 14, Decimal("14.1")])
    assert booked(world, "electricity") == [(0.1, "counted"), (0.0, "jump"), (0.1, "counted")]


def test_the_limit_of_a_device_holds_before_that_of_its_family(world):
    hang(world, "building_energy", factors='{"power_kw_max": 17}')
    read(world, "building_energy", "electricity_total_kwh", [100, 110, 130, 131])
    assert [step for _, step in booked(world, "electricity")] == ["counted", "jump", "counted"]


def test_a_register_of_energy_that_goes_down_is_no_backflow(world):
    hang(world, "heat_meter")
    read(world, "heat_meter", "heat_total_kwh", [100, 101, 100, 100, 100])
    assert booked(world, "heat") == [(0.0, "counted")] * 3  # 101 stood out: a spike


def test_energy_rolls_over_by_the_width_of_the_register(world):
    hang(world, "heat_meter", factors='{"register_width": 5}')
    read(world, "heat_meter", "heat_total_kwh", [99_990, 99_998, 5, 9])
    assert booked(world, "heat") == [(8.0, "counted"), (7.0, "rollover"), (4.0, "counted")]


def test_gas_is_a_volume(world):
    hang(world, "building_energy")
    read(world, "building_energy", "gas_total_m3", [100, 101, 103])
    assert world.execute("SELECT local_date, volume_m3, estimated FROM gas_daily").fetchall() == [
        (date(2026, 3, 2), Decimal(3), False)
    ]


def test_days_that_are_asked_for_are_as_among_all_days(world):
    hang(world, "heat_meter")
    read(world, "heat_meter", "heat_total_kwh", [n * 2 for n in range(20)] + [0] * 9 + [n * 2 for n in range(30, 80)])
    world.execute("CREATE TABLE wanted AS FROM energy_daily WHERE local_date = '2026-03-03'")
    assert (
        world.execute("FROM energy_days('2026-03-03', '2026-03-03')").fetchall()
        == world.execute("FROM wanted").fetchall()
    )
