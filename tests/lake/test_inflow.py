"""Inflow of an area: meters signed and summed, silent ones seen, retired ones forgotten."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.indicators.world import empty, put

START = datetime(2026, 3, 1, tzinfo=UTC)
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
