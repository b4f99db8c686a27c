"""Alarms that flicker are one, an effect stands under its cause, maintenance mutes and says why, old ones say doubt."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from catalog.alarms import revise
from catalog.mutes import Mute, mute, unmute, windows
from catalog.store import Store
from indicators.alarms import Look, settle
from indicators.detect import FINDINGS
from indicators.header import packs
from indicators.places import Place, Places
from indicators.telling import bounds, how_much, tell
from schemas.errors import DravaError

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
PACKS = packs("detector")
HYDRANT, LEAK, SILENT, LAMP = "water.hydrant_open", "water.district_leak", "platform.silent_device", "lighting.lamp_day"
FIRE, FLOOD = "waste.bin_fire", "environment.level_high"
MISSED, FULL = "waste.not_emptied", "waste.bin_overflow"
PLACES = Places(
    things={
        "h1": Place("hydrant", "east", "Hidrant 1"),
        "h2": Place("hydrant", "west", None),
        "shaft": Place("district_meter", "east", None),
        "b1": Place("waste_container", "east", None),
        "b2": Place("waste_container", "east", None),
    },
    areas={"east": ("Mlinsko", "town"), "west": (None, "town"), "town": ("Mesto", None)},
    devices={"d1": ("hydrant", "gw"), "d2": ("hydrant", "gw"), "gw2-d": ("hydrant", "gw2")},
    hangs={"d1": "h1", "d2": "h2"},
)


def finding(detector, since, until=None, **more):
    return {
        "detector": detector, "kind": detector.rsplit(".", 1)[-1], "thing_id": None, "device_id": None, "area_id": None,
        "since": since, "until": until, "severity": "warning", "litres_per_hour": None, "volume_m3": None, "eur": None,
        "confidence": 0.9, "evidence": "{}", "going_on": until is None,
    } | more  # fmt: skip


def run(known, *findings, as_of=NOW, ran=tuple(PACKS), explains=None, windows=()):
    known_packs = {
        name: pack.model_copy(update={"explains": (explains or {}).get(name, ())}) for name, pack in PACKS.items()
    }
    look = Look(as_of, 7, frozenset(ran), known_packs, PLACES, windows)
    return settle(known, pa.Table.from_pylist(list(findings), schema=FINDINGS), look)


def after(known, changed):
    return list({alarm.alarm_id: alarm for alarm in (*known, *changed)}.values())


@pytest.fixture
def store(tmp_path):
    store = Store.at(tmp_path)
    yield store
    store.close()


# --- what flickers ---------------------------------------------------------------------------------------------------
def test_what_begins_again_within_the_refractory_time_is_one_alarm():
    opened = [
        finding(HYDRANT, NOW - 5 * HOUR, NOW - 4 * HOUR, thing_id="h1", volume_m3=2.0, eur=2.4, severity="critical"),
        finding(HYDRANT, NOW - 4 * HOUR + timedelta(minutes=50), NOW - 3 * HOUR, thing_id="h1", volume_m3=1.0, eur=1.2),
        finding(HYDRANT, NOW - HOUR, thing_id="h1", volume_m3=None),
        finding(HYDRANT, NOW - HOUR, thing_id="h2"),
    ]
    first, second, other = sorted(run([], *opened), key=lambda alarm: (alarm.subject, alarm.since))
    assert (first.since, first.until, first.state) == (NOW - 5 * HOUR, NOW - 3 * HOUR, "closed")
    assert (first.volume_m3, first.eur, first.severity, first.evidence["episodes"]) == (3.0, 3.6, "critical", 2)
    assert (second.state, second.evidence.get("episodes"), other.subject) == ("open", None, "h2")


def test_an_alarm_that_was_over_goes_on_when_it_flickers_and_keeps_its_id():
    once = finding(HYDRANT, NOW - 2 * HOUR, NOW - HOUR, thing_id="h1")
    known = run([], once)
    again = finding(HYDRANT, NOW - timedelta(minutes=30), thing_id="h1")
    (alarm,) = run(known, once, again, as_of=NOW + HOUR)
    assert (alarm.alarm_id, alarm.state, alarm.found_at) == (known[0].alarm_id, "open", NOW)


def test_the_order_of_the_findings_does_not_matter():
    rows = [finding(HYDRANT, NOW - n * HOUR, NOW - n * HOUR + timedelta(minutes=10), thing_id="h1") for n in range(6)]
    assert run([], *rows) == run([], *reversed(rows))
    assert len(run([], *rows)) == 1


# --- causes ----------------------------------------------------------------------------------------------------------
def test_a_leak_of_the_district_stands_under_the_open_hydrant_of_the_same_area_and_time():
    explains = {HYDRANT: (LEAK,)}
    open_ = finding(HYDRANT, NOW - 5 * HOUR, thing_id="h1", area_id="east")
    leak = finding(LEAK, NOW - 3 * HOUR, thing_id="shaft", area_id="east")
    hydrant, effect = sorted(run([], open_, leak, explains=explains), key=lambda alarm: alarm.since)
    assert (hydrant.cause, effect.cause) == (None, hydrant.alarm_id)
    elsewhere = finding(HYDRANT, NOW - 5 * HOUR, thing_id="h2", area_id="west")
    assert all(alarm.cause is None for alarm in run([], elsewhere, leak, explains=explains))
    before = finding(LEAK, NOW - 9 * HOUR, thing_id="shaft", area_id="east")
    assert all(alarm.cause is None for alarm in run([], open_, before, explains=explains))


def test_an_effect_that_outlives_its_cause_comes_out_from_under_it():
    """Nothing wrong is hidden: the hydrant was closed, the flow stays."""
    explains = {HYDRANT: (LEAK,)}
    leak = finding(LEAK, NOW - 3 * HOUR, thing_id="shaft", area_id="east")
    known = run([], finding(HYDRANT, NOW - 5 * HOUR, thing_id="h1", area_id="east"), leak, explains=explains)
    closed = finding(HYDRANT, NOW - 5 * HOUR, NOW, thing_id="h1", area_id="east")
    soon = after(known, run(known, closed, leak, as_of=NOW + 2 * HOUR, explains=explains))
    assert [alarm.cause is not None for alarm in soon if alarm.detector == LEAK] == [True]
    later = run(soon, closed, leak, as_of=NOW + 40 * HOUR, explains=explains)
    assert [(alarm.detector, alarm.cause) for alarm in later] == [(LEAK, None)]


def test_a_container_explains_itself_and_not_its_neighbour():
    """Where the lorry did not come the container overflows; that of the next street does so for a reason of its own."""
    explains = {MISSED: (FULL,)}
    missed = finding(MISSED, NOW - 30 * HOUR, thing_id="b1", area_id="east")
    full = [finding(FULL, NOW - 5 * HOUR, thing_id=name, area_id="east") for name in ("b1", "b2")]
    causes = {(alarm.kind, alarm.thing_id): alarm.cause for alarm in run([], missed, *full, explains=explains)}
    assert causes["bin_overflow", "b1"] is not None
    assert causes["bin_overflow", "b2"] is None


def test_a_gateway_takes_over_the_alarms_of_its_devices():
    known = run([], *(finding(SILENT, NOW - n * HOUR, device_id=f"d{n}", thing_id=f"h{n}") for n in (1, 2)))
    assert [alarm.state for alarm in known] == ["open", "open"]
    gateway = finding(SILENT, NOW - HOUR, device_id="gw")
    other = finding(SILENT, NOW - HOUR, device_id="gw2-d")
    changed = run(known, gateway, other, as_of=NOW + HOUR, explains={SILENT: (SILENT,)})
    by_device = {alarm.device_id: alarm for alarm in changed}
    assert {name: alarm.state for name, alarm in by_device.items()} == {
        "d1": "closed", "d2": "closed", "gw": "open", "gw2-d": "open",
    }  # fmt: skip
    assert by_device["d1"].cause == by_device["d2"].cause == by_device["gw"].alarm_id
    assert by_device["gw2-d"].cause is None


def test_an_alarm_of_the_whole_town_explains_every_silent_device():
    town, one = finding(SILENT, NOW - 5 * HOUR), finding(SILENT, NOW - 4 * HOUR, device_id="d1")
    changed = run([], town, one, explains={SILENT: (SILENT,)})
    assert {alarm.subject: alarm.cause is None for alarm in changed} == {"": True, "d1": False}


def test_what_a_pack_explains_is_there():
    assert {name for pack in PACKS.values() for name in pack.explains} <= set(PACKS)


# --- maintenance -----------------------------------------------------------------------------------------------------
def window(**more):
    empty = {"id": 1, "area_id": None, "thing_id": None, "detector": None, "since": NOW - HOUR, "until": NOW + 9 * HOUR}
    return Mute(**(empty | {"reason": "izpiranje omrežja", "who": "ana"} | more))


OPEN = finding(HYDRANT, NOW - timedelta(minutes=30), thing_id="h1", area_id="east")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"thing_id": "h1"}, True),
        ({"area_id": "east"}, True),
        ({"area_id": "town"}, True),
        ({"detector": "hydrant_open"}, True),
        ({"detector": "water.*", "area_id": "east"}, True),
        ({"thing_id": "h2"}, False),
        ({"area_id": "west"}, False),
        ({"detector": "lighting.*"}, False),
        ({"thing_id": "h1", "until": NOW - timedelta(minutes=40)}, False),
        ({"thing_id": "h1", "since": NOW + HOUR}, False),
    ],
)
def test_a_window_mutes_what_it_is_about(asked, expected):
    (alarm,) = run([], OPEN, windows=[window(**asked)])
    assert alarm.muted == ("izpiranje omrežja" if expected else None)
    assert alarm.state == "open"


def test_what_still_goes_on_after_the_window_is_an_alarm_again():
    known = run([], OPEN, windows=[window()])
    assert run(known, OPEN, as_of=NOW + HOUR, windows=[window()]) == []
    (alarm,) = run(known, OPEN, as_of=NOW + 10 * HOUR, windows=[window()])
    assert (alarm.muted, alarm.state) == (None, "open")


def test_what_ended_within_the_window_stays_muted():
    known = run([], OPEN, windows=[window()])
    over = finding(HYDRANT, OPEN["since"], NOW, thing_id="h1", area_id="east")
    (alarm,) = run(known, over, as_of=NOW + HOUR, windows=[window()])
    assert (alarm.muted, alarm.state) == ("izpiranje omrežja", "closed")


def test_an_alarm_that_was_there_before_the_window_is_not_muted():
    known = run([], OPEN)
    later = run(known, finding(HYDRANT, OPEN["since"], thing_id="h1", area_id="east", severity="critical"),
                windows=[window()], as_of=NOW + HOUR)  # fmt: skip
    assert [alarm.muted for alarm in later] == [None]


def test_windows_are_kept_with_who_and_why_and_can_be_ended(store):
    said = mute(store, window(id=0, thing_id="h1"), NOW)
    assert windows(store) == [said]
    unmute(store, said.id, now=NOW + HOUR, who="bor")
    assert windows(store) == [replace(said, until=NOW + HOUR)]
    with pytest.raises(DravaError, match="no maintenance window"):
        unmute(store, said.id, now=NOW + 2 * HOUR, who="bor")
    with pytest.raises(DravaError, match="needs a place"):
        mute(store, window(), NOW)
    with pytest.raises(DravaError, match="ends after"):
        mute(store, window(thing_id="h1", until=NOW - HOUR), NOW)


# --- doubt and size --------------------------------------------------------------------------------------------------
def test_an_open_alarm_older_than_the_detectors_memory_says_that_nobody_confirms_it():
    old = finding(LEAK, NOW - timedelta(days=20), thing_id="shaft", area_id="east")
    known = run([], old)
    later = NOW + timedelta(days=20)
    (alarm,) = run(known, as_of=later)
    assert (alarm.state, alarm.unconfirmed_at) == ("open", later)
    assert run([alarm], as_of=later + HOUR) == []
    lines = dict(tell(alarm, ["Jašek"], ZoneInfo("Europe/Ljubljana"), "sl").lines)
    assert lines["Opomba"].startswith("od 9. 4. 2026 ob 8.00 ga detektor ne potrjuje več")
    (back,) = run([alarm], old, as_of=later + HOUR)
    assert (back.state, back.unconfirmed_at) == ("open", None)


def test_a_detector_that_looks_a_day_back_takes_no_fire_of_the_day_before_back():
    """Nor does the beginning of a flood go with what its detector sees."""
    fire = finding(FIRE, NOW - 20 * HOUR, NOW - 18 * HOUR, thing_id="b1")
    known = run([], fire)
    assert run(known, as_of=NOW + 6 * HOUR) == []  # over, and beyond its memory
    (gone,) = run(known, as_of=NOW + HOUR)
    assert gone.state == "retracted"  # within it: late data do refute it
    flood = run([], finding(FLOOD, NOW - 20 * HOUR, thing_id="h1"))
    assert run(flood, finding(FLOOD, NOW, thing_id="h1"), as_of=NOW + 24 * HOUR) == []  # the same, since when it was
    (silent,) = run(flood, as_of=NOW + 30 * HOUR)
    assert (silent.state, silent.unconfirmed_at) == ("open", NOW + 30 * HOUR)


@pytest.mark.parametrize(("detector", "hours", "state"), [(LAMP, 20, []), (LAMP, 40, ["open"]), (HYDRANT, 1, ["open"])])
def test_what_a_person_has_closed_stays_so_until_the_detector_may_have_seen_it(detector, hours, state):
    found = finding(detector, NOW - 30 * HOUR, thing_id="h1")
    (alarm,) = run([], found)
    closed = replace(alarm, state="closed", until=NOW + timedelta(minutes=20))
    assert [one.state for one in run([closed], found, as_of=NOW + hours * HOUR)] == state
    ended = finding(detector, NOW - 30 * HOUR, NOW - HOUR, thing_id="h1")
    (over,) = run([closed], ended, as_of=NOW + HOUR)  # the detector knows better when
    assert (over.state, over.until) == ("closed", NOW - HOUR)


def test_bounds_of_the_flow_are_those_of_volume_and_money():
    evidence = '{"litres_per_hour_low": 80.0, "litres_per_hour_high": 130.0}'
    (alarm,) = run(
        [], finding(LEAK, NOW, area_id="east", litres_per_hour=100.0, volume_m3=5.0, eur=6.0, evidence=evidence)
    )
    assert bounds(alarm, "volume_m3") == (4.0, 6.5)
    assert how_much(alarm, "sl") == "100 (80–130) l/h, 5 (4–6,50) m³, 6,00 € (4,80–7,80)"
    assert bounds(replace(alarm, evidence={}), "eur") is None


def test_columns_that_a_catalogue_has_not_yet_are_added(tmp_path):
    store = Store.at(tmp_path)
    with store.begin() as db:
        for column in ("found_at", "cause", "muted", "unconfirmed_at"):
            db.exec_driver_sql(f"ALTER TABLE alarms DROP COLUMN {column}")
    store.close()
    store = Store.at(tmp_path)
    made = run([], OPEN, windows=[window()])
    assert revise(store, lambda _: made) == 1
    seen = []
    revise(store, lambda known: seen.extend(known) or [])
    assert seen == made
    store.close()
