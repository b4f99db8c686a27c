"""Each change of an alarm is told once to those whom it concerns; of a household nothing but its place is told."""

import itertools
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalog.alarms import Alarm, mark, revise
from catalog.outbox import done, due, listed, next_due
from catalog.store import Store
from indicators.header import packs
from indicators.notify import Herald
from indicators.places import Place, Places
from schemas.alerts import Recipient
from schemas.settings import Settings

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
PACKS = packs("detector")
PLACES = Places(
    things={"h1": Place("hydrant", "east", "Hidrant 1"), "house": Place("water_meter", "east", "Lipova ulica 3")},
    areas={"east": ("Mlinsko", "town"), "town": ("Mesto", None)},
)
WATER = Recipient(name="water", mail="on-duty@water.example")


def alarm(**more):
    known = {
        "alarm_id": "a1b2c3", "detector": "water.hydrant_open", "kind": "hydrant_open", "thing_id": "h1",
        "device_id": "d1", "area_id": "east", "severity": "critical", "state": "open", "since": NOW - HOUR,
        "until": None, "litres_per_hour": 30000.0, "volume_m3": 15.0, "eur": 18.0,
        "evidence": {"reports": 3, "minutes": 30.0, "chart": [480.0, 350.0]}, "snapshot_id": 1, "computed_at": NOW,
        "found_at": NOW,
    }  # fmt: skip
    return Alarm(**(known | more))


def herald(*recipients, as_of=NOW, **more):
    settings = Settings(municipality="ptuj", recipient=list(recipients or [WATER]), **more)
    return Herald(settings, PACKS, as_of, PLACES)


@pytest.fixture
def store(tmp_path):
    store = Store.at(tmp_path)
    yield store
    store.close()


def change(store, alarms, as_of=NOW, who=None):
    """Write alarms and what is told of them, as a run of detectors does."""
    revise(store, lambda _: alarms, replace(who or herald(), as_of=as_of).announce)


def waiting(store):
    return [(letter.event, letter.state) for letter in reversed(listed(store, 50))]


# --- what is told ----------------------------------------------------------------------------------------------------
def test_an_alarm_is_told_once_however_often_it_changes(store):
    for volume in (15.0, 16.0, 17.0):
        change(store, [alarm(volume_m3=volume)])
    assert waiting(store) == [("new", "waiting")]
    (letter,) = due(store, NOW)
    assert (letter.message_id, letter.about, letter.recipient) == ("a1b2c3.1.water", "a1b2c3", "water")


def test_its_end_is_told_after_the_refractory_time_and_not_where_it_flickers(store):
    change(store, [alarm()])
    done(store, due(store, NOW)[0], "sent", NOW)
    over = alarm(state="closed", until=NOW)
    change(store, [over], NOW + timedelta(minutes=5))
    assert due(store, NOW + timedelta(minutes=59)) == []
    assert next_due(store) == NOW + HOUR
    change(store, [alarm()], NOW + timedelta(minutes=10))  # it flickers: nobody hears of it
    assert waiting(store) == [("new", "sent"), ("over", "dropped")]
    change(store, [over], NOW + timedelta(minutes=20))
    (letter,) = due(store, NOW + HOUR)
    assert (letter.event, letter.message_id) == ("over", "a1b2c3.3.water")


def test_who_was_told_hears_when_a_person_closes_it_unless_the_detector_opens_it_again(store):
    change(store, [alarm()])
    done(store, due(store, NOW)[0], "sent", NOW)
    mark(store, "a1b2c3", "closed", now=NOW, who="ana", announce=herald(as_of=NOW + timedelta(minutes=1)).announce)
    assert [letter.event for letter in due(store, NOW + 2 * HOUR)] == ["over"]
    change(store, [alarm()], NOW + timedelta(minutes=10))
    assert waiting(store) == [("new", "sent"), ("over", "dropped")]


def test_what_was_told_wrongly_is_taken_back_and_what_comes_back_is_told_again(store):
    change(store, [alarm()])
    done(store, due(store, NOW)[0], "sent", NOW)
    for state, as_of in (("retracted", NOW + HOUR), ("open", NOW + 2 * HOUR)):
        change(store, [alarm(state=state)], as_of)
        for letter in due(store, as_of):
            done(store, letter, "sent", as_of)
    assert waiting(store) == [("new", "sent"), ("retracted", "sent"), ("again", "sent")]


def test_what_was_not_sent_yet_needs_no_withdrawal(store):
    change(store, [alarm()])
    change(store, [alarm(state="retracted")], NOW + HOUR)
    assert waiting(store) == [("new", "dropped")]


def test_news_of_the_end_never_comes_before_the_news(store):
    change(store, [alarm()])
    change(store, [alarm(state="closed", until=NOW)], NOW)
    assert [letter.event for letter in due(store, NOW + 9 * HOUR)] == ["new"]
    done(store, due(store, NOW)[0], "failed", NOW)
    assert [letter.event for letter in due(store, NOW + 9 * HOUR)] == ["over"]


@pytest.mark.parametrize("silent", [{"cause": "x"}, {"muted": "work"}, {"state": "retracted"}])
def test_what_is_explained_muted_or_withdrawn_is_not_told(store, silent):
    change(store, [alarm(**silent)])
    assert waiting(store) == []


def test_what_was_muted_is_told_when_the_window_is_over(store):
    change(store, [alarm(muted="work")])
    change(store, [alarm()], NOW + HOUR)
    assert waiting(store) == [("new", "waiting")]


def test_history_is_no_news(store):
    change(store, [alarm(state="closed", since=NOW - 90 * HOUR, until=NOW - 80 * HOUR)])
    assert waiting(store) == []
    change(store, [alarm(state="closed", until=NOW - HOUR)])
    assert waiting(store) == [("new", "waiting")]


def test_very_many_at_once_are_one_message_and_each_is_told_once(store):
    many = [alarm(alarm_id=f"a{n:02}", since=NOW - HOUR * n) for n in range(25)]
    change(store, many, who=herald(notify={"most_at_once": 20}))
    (letter,) = due(store, NOW)
    assert letter.body["text"].startswith("Novih alarmov hkrati: 25\n")
    assert all(f"[{one.alarm_id}]" in letter.body["text"] for one in many)
    change(store, many, NOW + HOUR, who=herald(notify={"most_at_once": 20}))
    assert len(due(store, NOW + HOUR)) == 1


def test_a_change_and_its_letter_are_one_transaction(store):
    class FullError(Exception):
        pass

    def broken(*_):
        raise FullError

    with pytest.raises(FullError):
        revise(store, lambda _: [alarm()], broken)
    seen = []
    revise(store, lambda known: seen.extend(known) or [])
    assert (seen, waiting(store)) == ([], [])


# --- to whom ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, True),
        ({"areas": ["east"]}, True),
        ({"areas": ["town"]}, True),
        ({"areas": ["west"]}, False),
        ({"detectors": ["hydrant_open"]}, True),
        ({"detectors": ["water.*"]}, True),
        ({"detectors": ["lighting.*"]}, False),
        ({"severity": "critical"}, True),
        ({"at_once": "none"}, False),
    ],
)
def test_recipients_choose_by_area_detector_and_severity(asked, told):
    chosen = herald(Recipient.model_validate({"name": "x", "mail": "x@town.example", **asked}))
    assert bool(chosen.announce([], [alarm()], [])) == told


def test_an_event_is_told_to_nobody_at_once():
    everything = Recipient(name="desk", mail="desk@town.example", at_once="all")
    over = {"state": "closed", "until": NOW, "severity": "critical"}
    assert herald(everything).concerns(everything, alarm(detector="waste.bin_overflow", **over))
    assert not herald(everything).concerns(everything, alarm(detector="waste.emptied", **over))


def test_what_is_not_urgent_waits_for_the_morning_unless_somebody_wants_it_at_once():
    calm = alarm(detector="water.district_leak", kind="district_leak", severity="warning")
    every = Recipient(name="all", mail="all@town.example", at_once="all")
    assert [letter.recipient for letter in herald(WATER, every).announce([], [calm], [])] == ["all"]
    critical = Recipient(name="x", mail="x@town.example", at_once="all", severity="critical")
    assert herald(critical).announce([], [calm], []) == []


# --- what stands in it -----------------------------------------------------------------------------------------------
def body(of, lang="sl", **more):
    (letter,) = herald(Recipient(name="x", mail="x@town.example", lang=lang, at_once="all"), **more).announce(
        [], [of], []
    )
    return letter.body


def test_a_message_says_what_where_since_when_how_much_and_why_in_the_readers_language():
    sl, en = body(alarm()), body(alarm(), "en", notify={"link": "https://drava.example/alarms/{alarm_id}"})
    assert sl["subject"] == "[Ptuj] NUJNO: Odprt hidrant – Hidrant 1, Mlinsko"
    assert en["subject"] == "[Ptuj] CRITICAL: Hydrant opened – Hidrant 1, Mlinsko"
    for part in (
        "Kje: Hidrant 1, Mlinsko, h1",
        "Od: 20. 3. 2026 ob 6.00",
        "Koliko: 30.000 l/h, 15 m³, 18,00 €",
        "Zakaj: ",
    ):
        assert part in sl["text"]
    assert "Več: drava alarms show a1b2c3" in sl["text"]
    assert "More: https://drava.example/alarms/a1b2c3" in en["text"]
    assert sl["document"]["alarm"]["volume_m3"] == 15.0


def test_texts_from_outside_cannot_become_headers_or_lines():
    evil = Places(things={"h1": Place("hydrant", "east", "x\r\nBcc: all@town.example\u2028y")})
    (letter,) = replace(herald(), places=evil).announce([], [alarm()], [])
    assert "\n" not in letter.body["subject"]
    assert "\r" not in letter.body["text"]
    assert not any(line.startswith("Bcc") for line in letter.body["text"].splitlines())


AMOUNTS = re.compile(r"m³|m3|l/h|L/h|€|EUR|litr|kWh|\b4321\b|\b98[.,]7|\b76[.,]5")
EVENTS = ("new", "over", "retracted")


@pytest.mark.parametrize(("lang", "event"), list(itertools.product(("sl", "en"), EVENTS)))
@pytest.mark.parametrize("detector", [name for name, pack in PACKS.items() if pack.personal])
def test_a_message_about_a_household_names_the_connection_and_a_link_and_no_consumption(detector, lang, event):
    """Over every pack that is personal: whatever its texts and its evidence say."""
    fields = set(re.findall(r"\{(\w+)", PACKS[detector].says.why.en)) | {"chart", "lowest_lph"}
    evidence = dict.fromkeys(fields, 4321.0) | {"chart": [4321.0, 98.7]}
    of = alarm(
        detector=detector, kind=PACKS[detector].name, thing_id="house", area_id=None, evidence=evidence,
        litres_per_hour=4321.0, volume_m3=98.7, eur=76.5,
    )  # fmt: skip
    written = _household(of, lang, event)
    assert AMOUNTS.search(written) is None, written
    assert "Lipova ulica 3" in written
    assert "drava alarms show a1b2c3" in written


def test_every_detector_of_a_connection_is_personal():
    assert [name for name, pack in PACKS.items() if pack.grain == "connection" and not pack.personal] == []


def _household(of, lang, event):
    one = herald(Recipient(name="x", mail="x@town.example", lang=lang, at_once="all"))
    letters = one.announce([], [of], [])
    if event != "new":
        sent = [replace(letter, state="sent") for letter in letters]
        state = {"over": "closed", "retracted": "retracted"}[event]
        letters = one.announce([], [replace(of, state=state, until=NOW)], sent)
    assert [letter.event for letter in letters] == [event]
    return json.dumps(letters[0].body, ensure_ascii=False)


def test_every_alarm_at_a_household_meter_is_personal_whatever_its_pack_says():
    silent = alarm(detector="platform.silent_device", kind="silent_device", thing_id="house", volume_m3=98.7)
    assert AMOUNTS.search(_household(silent, "sl", "new")) is None
    assert herald().personal(alarm(detector="gone.detector"))
    assert not herald().personal(alarm())
