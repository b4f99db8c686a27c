"""Inflow of an area: meters signed and summed, silent ones seen, retired ones forgotten."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.indicators.world import empty, put

START = datetime(2026, 3, 1, tzinfo=UTC)
MIDNIGHT, MARCH_2 = datetime(2026, 3, 1, 23, tzinfo=UTC), date(2026, 3, 2)  # local
QUARTER = timedelta(minutes=15)


@pytest.fixture
def world():
    return empty()


def shaft(world, name, *, since=START, until=None, direction="in", thing=None):
    if not world.execute("SELECT 1 FROM things WHERE thing_id = ?", [thing or name]).fetchall():
        attributes = f'{{"direction": "{direction}"}}'
        row = {"thing_id": thing or name, "family": "district_meter", "area_id": "east", "attributes": attributes}
        put(world, "things", [row])
    put(world, "assignments", [{"device_id": name, "thing_id": thing or name, "valid_from": since, "valid_to": until}])


def flows(world, name, values, start=START, **more):
    rows = [
        {"device_id": name, "observed_at": start + i * QUARTER, "flow_m3h": v, **more} for i, v in enumerate(values)
    ]
    put(world, "district_meter", rows)


def slots(world):
    return world.execute("SELECT flow_m3h, meters, expected FROM inflow ORDER BY starts_at").fetchall()


def test_what_flows_out_is_subtracted(world):
    shaft(world, "in")
    shaft(world, "out", direction="out")
    flows(world, "in", [10.0, 12.0])
    flows(world, "out", [4.0, 1.0])
    assert slots(world) == [(6.0, 2, 2), (11.0, 2, 2)]


def test_a_silent_meter_shows_in_its_slot(world):
    shaft(world, "a")
    shaft(world, "b")
    flows(world, "a", [1.0, 1.0])
    flows(world, "b", [2.0])
    assert slots(world) == [(3.0, 2, 2), (1.0, 1, 2)]


def test_a_retired_meter_is_not_waited_for_and_an_exchanged_one_counts_once(world):
    change = START + 2 * QUARTER
    shaft(world, "retired", until=START + QUARTER)
    shaft(world, "old", until=change, thing="shaft")
    shaft(world, "new", since=change, thing="shaft")
    flows(world, "retired", [5.0])
    flows(world, "old", [1.0, 1.0])
    flows(world, "new", [2.0], start=change)
    assert slots(world) == [(6.0, 2, 2), (1.0, 1, 1), (2.0, 1, 1)]


def test_a_tank_that_has_only_a_level_is_no_inflow(world):
    shaft(world, "a")
    shaft(world, "tank")
    flows(world, "a", [1.0])
    put(world, "district_meter", [{"device_id": "tank", "observed_at": START, "level_m": 3.0}])
    assert slots(world) == [(1.0, 1, 1)]


def test_flow_comes_from_the_register_where_a_meter_gives_none(world):
    shaft(world, "a")
    for i, register in enumerate((100, 101, 103)):
        put(
            world,
            "district_meter",
            [{"device_id": "a", "observed_at": START + i * QUARTER, "volume_total_m3": register}],
        )
    assert slots(world) == [(4.0, 1, 1), (8.0, 1, 1)]


def test_failed_readings_do_not_count(world):
    shaft(world, "a")
    flows(world, "a", [1.0])
    flows(world, "a", [900.0], start=START + timedelta(minutes=5), quality=4)
    assert slots(world) == [(1.0, 1, 1)]


def days(world):
    asked = (
        "SELECT area_id, local_date, volume_m3, estimated_m3, coverage, meters, expected FROM inflow_daily ORDER BY ALL"
    )
    return world.execute(asked).fetchall()


def hourly(world, name, values, start):
    rows = [
        {"device_id": name, "observed_at": start + timedelta(hours=i), "volume_total_m3": value} for i, value in values
    ]
    put(world, "district_meter", rows)


def test_the_day_of_a_register_is_its_rise_to_the_last_digit_also_across_an_exchange(world):
    change = MIDNIGHT + timedelta(hours=12)
    shaft(world, "old", until=change, thing="shaft")
    shaft(world, "new", since=change, thing="shaft")
    world.execute("UPDATE assignments SET end_register = 101.3 WHERE device_id = 'old'")
    world.execute("UPDATE assignments SET start_register = 7.000001 WHERE device_id = 'new'")
    hourly(world, "old", [(i, Decimal("100.1") + i * Decimal("0.1")) for i in range(12)], MIDNIGHT)
    hourly(world, "new", [(i, Decimal("7.000001") + i * Decimal("0.1")) for i in range(13)], change)
    assert days(world) == [("east", MARCH_2, Decimal("2.400000"), 0, 1.0, 1, 1)]


def test_days_of_an_outage_are_shared_by_time_and_marked(world):
    shaft(world, "a")
    hourly(world, "a", [(0, 0), (1, 1), (71, 71), (72, 72)], MIDNIGHT)
    assert [(day[2], day[3], day[4]) for day in days(world)] == [(24, 24, 1.0)] * 3


def test_what_one_district_hands_to_the_next_leaves_the_first(world):
    shaft(world, "inlet")
    put(world, "things", [{"thing_id": "gate", "family": "district_meter", "area_id": "west",
                           "attributes": '{"other_area": "east"}'}])  # fmt: skip
    put(world, "assignments", [{"device_id": "gate", "thing_id": "gate", "valid_from": START}])
    flows(world, "inlet", [10.0] * 96, MIDNIGHT)
    flows(world, "gate", [3.0] * 48 + [-1.0] * 48, MIDNIGHT)  # at noon the water turns
    assert [(day[0], day[2]) for day in days(world)] == [("east", 216), ("west", 24)]


def test_an_area_with_a_silent_meter_has_no_volume_and_one_that_measures_no_flow_is_not_waited_for(world):
    shaft(world, "a")
    shaft(world, "dead")
    shaft(world, "tank", direction="none")
    flows(world, "a", [1.0] * 96, MIDNIGHT)
    assert days(world) == [("east", MARCH_2, None, 0, 0.0, 1, 2)]
