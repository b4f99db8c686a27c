"""The words of a profile: paths, flags, bits, texts as numbers, scales, clocks without an offset, two families."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from devices.profiles import profiles
from devices.words import Profile
from ingest.codecs.record import Reading, Rejected, Uplink
from ingest.uplink import readings, spoken
from schemas.clock import micros
from schemas.reasons import Reason

LOCAL = ZoneInfo("Europe/Ljubljana")
BASE = profiles()["milesight_em310_udl"].model_dump() | {"decoder": None}


def profile(fields, **changes) -> Profile:
    return Profile.model_validate(BASE | {"fields": fields} | changes)


def say(body, fields, best=(), **changes):
    found = readings(profile(fields, **changes), Uplink("d1", None, 5, None, None, body, best), LOCAL)
    return found if isinstance(found, Rejected) else found[0] if len(found) == 1 else found


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text))


def test_a_path_leads_into_objects_and_lists_and_the_rest_stays_where_it_was():
    fields = {
        "hw.level": {"column": "distance_mm"},
        "all.1.t": {"column": "temp_cel"},
        "pm2.5": {"column": "weight_kg"},
    }
    found = say({"hw": {"level": 7, "rev": 2}, "all": [{"t": 1}, {"t": 8, "u": "C"}], "pm2.5": 3}, fields)
    assert found.values == {"distance_mm": 7, "temp_cel": 8, "weight_kg": 3}
    assert found.extra == {"hw": {"rev": 2}, "all": {"0": {"t": 1}, "1": {"u": "C"}}}


def test_what_is_dropped_is_dropped_at_its_path_alone():
    fields = {"level": {"column": "distance_mm"}}
    found = say({"level": 1, "car": {"plate": "MB", "lane": 2}, "plate": 9}, fields, drop=["car.plate"])
    assert found.extra == {"car": {"lane": 2}, "plate": 9}


@pytest.mark.parametrize(
    ("said", "mark", "meant"),
    [
        ("3,", ".", 3),
        ("12.5", ".", 12.5),
        ("12,5", ",", 12.5),
        (" -0,25 ", ",", -0.25),
        ("1e3", ".", 1000),
        (7.5, ",", 7.5),
    ],
)
def test_numbers_as_texts_are_read_where_the_profile_says_so(said, mark, meant):
    assert say({"level": said}, {"level": {"column": "distance_mm", "decimal": mark}}).values == {"distance_mm": meant}


@pytest.mark.parametrize("said", ["1.234,5", "12 mm", "", "NaN", "inf", "1,2,3", "0x10"])
def test_any_other_text_is_refused(said):
    found = say({"level": said}, {"level": {"column": "distance_mm", "decimal": ","}})
    assert found.reason is Reason.WRONG_TYPE


def test_tenths_are_exact_and_units_follow():
    fields = {"t": {"column": "temp_cel", "scale": 0.1}, "d": {"column": "distance_mm", "scale": 0.5, "unit": "cm"}}
    assert say({"t": 213, "d": 3}, fields).values == {"temp_cel": 21.3, "distance_mm": 15}


@pytest.mark.parametrize(
    ("said", "meant"),
    [({"value": 21, "unit": "°C"}, 21), ({"value": 212, "unit": "°F"}, 100), ({"value": 5, "unit": None}, 5)],
)
def test_a_quantity_says_its_unit_itself(said, meant):
    assert say({"t": said}, {"t": {"column": "temp_cel", "unit": "Cel"}}).values == {"temp_cel": pytest.approx(meant)}


def test_a_quantity_of_another_kind_is_refused():
    found = say({"t": {"value": 5, "unit": "kPa"}}, {"t": {"column": "temp_cel"}})
    assert found.reason is Reason.WRONG_UNIT


@pytest.mark.parametrize(
    ("said", "flags", "kept"),
    [
        ("OK", (False, False), None),
        ("", (False, False), None),
        ("LID", (True, False), None),
        ("tilt, lid", (True, True), None),
        ("LID LOW_BATTERY", (True, False), "LID LOW_BATTERY"),
    ],
)
def test_words_of_a_text_are_flags_and_unknown_words_are_kept(said, flags, kept):
    found = say({"s": said}, {"s": {"flags": {"LID": "lid_open", "TILT": "tilt"}}})
    assert (found.values["lid_open"], found.values["tilt"]) == flags
    assert found.extra.get("s") == kept


def test_bits_are_flags_several_may_mean_the_same():
    fields = {"a": {"bits": {"0": "lid_open", "3": "tilt", "4": "tilt"}}, "b": {"flags": {"OPEN": "lid_open"}}}
    assert say({"a": 16}, fields).values == {"lid_open": False, "tilt": True}
    assert say({"a": 0, "b": "OPEN"}, fields).values == {"lid_open": True, "tilt": False}
    assert say({"a": 0x81}, fields).extra == {"a": 0x81}  # bit 7 has no name
    for wrong in ("16", -1, 1.5, True, 2**64):
        assert say({"a": wrong}, fields).reason is Reason.WRONG_TYPE


def test_a_local_clock_is_what_the_profile_says_it_is_and_says_so_itself():
    fields, clock = {"level": {"column": "distance_mm"}}, {"field": "Time", "zone": "local"}
    heard = (("network_server", at("2026-10-25T01:30:05+00:00")),)
    found = say({"level": 1, "Time": "2026-03-01T06:00:00"}, fields, heard, clock=clock)
    assert (found.time, found.next_best) == (None, (("assumed_local", at("2026-03-01T05:00:00+00:00")), *heard))
    twice = say({"level": 1, "Time": "2026-10-25T02:30:00"}, fields, heard, clock=clock)
    assert twice.next_best[0] == ("assumed_local", at("2026-10-25T01:30:00+00:00"))  # the second time, as heard
    never = say({"level": 1, "Time": "2026-03-29T02:30:00"}, fields, heard, clock=clock)
    assert never.next_best == heard
    offset = say({"level": 1, "Time": "2026-03-01T06:00:00+01:00"}, fields, heard, clock=clock)
    assert offset.time == at("2026-03-01T05:00:00+00:00")


def test_history_of_a_local_clock_has_its_own_time():
    body = {"log": [{"at": "2026-03-01 06:00:00", "level": 3}]}
    history = {"history": {"field": "log", "time": "at"}, "clock": {"zone": "local"}}
    found = say(body, {"level": {"column": "distance_mm"}}, **history)
    assert (found.time, found.history, found.values) == (at("2026-03-01T05:00:00+00:00"), True, {"distance_mm": 3})


def test_one_message_feeds_two_families():
    fields = {"dist": {"column": "distance_mm"}, "pm": {"column": "pm10_ugm3", "family": "air_quality"}}
    bin_, air = say({"dist": 4, "pm": 30, "x": 1}, fields)
    assert (bin_.family, bin_.values, bin_.extra) == (None, {"distance_mm": 4}, {"x": 1})
    assert (air.family, air.values, air.extra) == ("air_quality", {"pm10_ugm3": 30}, {})
    alone = say({"pm": 30, "x": 1}, fields)
    assert (alone.family, alone.extra) == ("air_quality", {"x": 1})


def test_a_device_on_our_own_topics_may_use_its_own_words_and_ours():
    by = profile({"gap": {"column": "distance_mm", "unit": "cm"}})
    said = Reading("d1", 7, {"gap": 4, "temp_cel": 9, "note": "x"}, 3)
    (found,) = spoken(by, said)
    assert (found.values, found.extra) == ({"temp_cel": 9, "distance_mm": 40}, {"note": "x"})
    assert (found.time, found.seq) == (7, 3)
    ours = Reading("d1", 7, {"distance_mm": 4})
    assert spoken(by, ours) == [ours]
    assert spoken(by, Reading("d1", 7, {"gap": "far"})).reason is Reason.WRONG_TYPE
