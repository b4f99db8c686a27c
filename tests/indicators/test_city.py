"""In simulated cities every seeded fault is found, nothing else is called one, and nobody looks ahead."""

from datetime import UTC, datetime, timedelta

import pytest

from devices.simulate import KINDS, city
from indicators.alarms import reconcile
from indicators.detect import run_detectors
from indicators.header import packs
from indicators.runner import run_indicators
from schemas.settings import Settings
from tests.indicators.world import empty, settle

START = datetime(2026, 3, 9, tzinfo=UTC)  # three weeks with the change to summer time in them
FAR = datetime(2100, 1, 1, tzinfo=UTC)
UNTUNED = (101, 102, 103, 104, 105)


def lived(seed, start=START, **more):
    place = city(seed, "ptuj", start, **more)
    connection = empty()
    settle(connection, place)
    return place, connection


def found_in(connection, as_of, **more):
    known = packs("detector")
    found = run_detectors(connection, as_of=as_of, settings=Settings(), **more).to_pylist()
    found = [row for row in found if not known[row["detector"]].event]
    return [row for row in found if not any(causes(other, row) for other in found)]


def causes(cause, effect):
    """As alarms do it (tests/indicators/test_settling.py): the district sees the hydrant that reports itself, too."""
    explained = set(packs("detector")[cause["detector"]].explains) - {cause["detector"]}
    if effect["detector"] not in explained or effect["area_id"] != cause["area_id"]:
        return False
    if cause["kind"] == "not_emptied" and cause["thing_id"] != effect["thing_id"]:
        return False
    ends = (effect["until"] or FAR) <= (cause["until"] or FAR) + timedelta(hours=1) if cause["until"] else True
    return cause["since"] - timedelta(hours=1) <= effect["since"] and ends


def explains(fault, finding):
    """Whether an alarm is that of a fault; a container that nobody emptied is told of before it overflows."""
    if (fault.kind, finding["kind"]) == ("bin_overflow", "not_emptied"):
        missed = datetime.fromtimestamp(fault.detail["missed_at"], UTC)
        return finding["thing_id"] == fault.thing_id and missed < finding["since"] < missed + timedelta(days=1)
    key, wanted = ("area_id", fault.area_id) if fault.kind == "district_leak" else ("thing_id", fault.thing_id)
    together = finding["since"] <= (fault.until or FAR) and (finding["until"] or FAR) >= fault.since
    return finding["kind"] == fault.kind and finding[key] == wanted and together


@pytest.mark.parametrize("seed", UNTUNED)
def test_each_fault_of_an_unseen_city_is_one_alarm_and_there_is_no_other(seed):
    place, connection = lived(seed)
    found = found_in(connection, place.end)
    assert len(place.faults) >= len(KINDS)
    for fault in place.faults:
        matching = [finding for finding in found if explains(fault, finding)]
        assert len(matching) == 1, fault
        found.remove(matching[0])
    assert found == []


@pytest.mark.parametrize("start", [datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 12, 14, tzinfo=UTC)])
def test_a_city_without_faults_has_no_alarm(start):
    place, connection = lived(106, start, faults=())
    assert found_in(connection, place.end) == []


def test_the_size_of_a_leak_and_of_a_draw_are_those_of_the_truth():
    place, connection = lived(1)
    found = {finding["kind"]: finding for finding in found_in(connection, place.end)}
    truth = {fault.kind: fault.detail for fault in place.faults}
    for kind in ("household_leak", "district_leak"):
        assert found[kind]["litres_per_hour"] == pytest.approx(truth[kind]["litres_per_hour"], rel=0.1)
        assert found[kind]["eur"] == pytest.approx(found[kind]["volume_m3"] * Settings().prices.water_eur_m3, abs=0.01)
    assert found["hydrant_open"]["volume_m3"] == pytest.approx(truth["hydrant_open"]["volume_m3"], rel=0.1)


def test_what_comes_after_the_moment_changes_nothing():
    place, connection = lived(2)
    moment = place.end - timedelta(days=5)
    now = (found_in(connection, moment), run_indicators(connection, as_of=moment, settings=Settings()))
    for family in ("water_meter", "district_meter", "waste_container", "streetlight", "hydrant", "traffic_counter"):
        connection.execute(f"DELETE FROM {family} WHERE observed_at > ?", [moment])
    then = (found_in(connection, moment), run_indicators(connection, as_of=moment, settings=Settings()))
    assert now[0] == then[0]
    assert now[1].equals(then[1])


def test_a_run_leaves_the_connection_as_it_was():
    place, connection = lived(3, days=3)
    before = connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone()
    run_indicators(connection, as_of=place.end, settings=Settings())
    found_in(connection, place.end)
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == before
    assert connection.execute("SELECT count(*) FROM duckdb_views() WHERE temporary AND NOT internal").fetchone() == (0,)


def test_a_dead_gateway_is_one_alarm():
    place, connection = lived(4, days=6, faults=())
    behind = "SELECT device_id FROM devices WHERE gateway = 'gw-01'"
    connection.execute(
        f"DELETE FROM hydrant WHERE observed_at > ? AND device_id IN ({behind})", [place.end - timedelta(days=1)]
    )
    found = found_in(connection, place.end)
    assert [(finding["kind"], finding["device_id"]) for finding in found] == [("silent_device", "gw-01")]


def test_every_family_of_the_city_has_an_indicator_with_values():
    place, connection = lived(5, days=4)
    values = run_indicators(connection, as_of=place.end, settings=Settings())
    assert set(values["indicator"].to_pylist()) >= {
        "lighting.availability", "lighting.energy", "platform.completeness", "platform.reporting",
        "traffic.daily_volume", "waste.mean_fill", "waste.overflow_hours", "water.balance", "water.consumption_area",
        "water.consumption_connection", "water.hydrant_availability", "water.inflow",
        "water.interruption_hours", "water.night_flow", "water.night_use",
        "water.non_revenue",
    }  # fmt: skip
    rows = values.to_pylist()
    assert all(0 <= row["coverage"] <= 1.0001 for row in rows)
    assert all(row["period_start"] < row["period_end"] <= place.end.date() + timedelta(days=1) for row in rows)


def test_runs_through_three_weeks_open_one_alarm_a_fault_and_never_another():
    place, connection = lived(3)
    alarms, moment = {}, place.start + timedelta(days=4)
    while moment <= place.end:
        known, ran = list(alarms.values()), packs("detector")
        changed = reconcile(known, found_in(connection, moment), detectors=ran, as_of=moment, snapshot_id=1)
        alarms.update({alarm.alarm_id: alarm for alarm in changed})
        moment += timedelta(hours=34)
    wanted = [fault.kind.replace("bin_overflow", "not_emptied") for fault in place.faults]
    assert sorted(alarm.kind for alarm in alarms.values()) == sorted(wanted)
    assert "retracted" not in {alarm.state for alarm in alarms.values()}
