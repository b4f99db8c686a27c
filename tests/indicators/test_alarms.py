"""The same condition keeps its alarm through every rerun; what later data refute is retracted; texts read well."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from catalog.alarms import Past, revise
from catalog.store import Store
from indicators.alarms import KEPT, alarm_id, reconcile
from indicators.detect import FINDINGS
from indicators.header import packs
from indicators.telling import brief, sparkline, tell, why

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEAK = "water.household_leak"
ZONE = ZoneInfo("Europe/Ljubljana")


def finding(since=NOW - 48 * HOUR, until=None, thing="house-1", **more):
    return {
        "detector": LEAK, "kind": "household_leak", "thing_id": thing, "device_id": "m1", "area_id": "east",
        "since": since, "until": until, "severity": "warning", "litres_per_hour": 20.0, "volume_m3": 0.96, "eur": 1.15,
        "confidence": 0.9, "evidence": '{"hours": 48.0, "chart": [0, 0, 20]}', "going_on": until is None,
    } | more  # fmt: skip


def table(*findings):
    return pa.Table.from_pylist(list(findings), schema=FINDINGS)


def run(known, *findings, as_of=NOW, snapshot_id=1, detectors=(LEAK,)):
    return reconcile(known, table(*findings).to_pylist(), detectors=detectors, as_of=as_of, snapshot_id=snapshot_id)


@pytest.fixture
def store(tmp_path):
    store = Store.at(tmp_path)
    yield store
    store.close()


def stored(store):
    seen = []
    revise(store, lambda known: seen.extend(known) or [])
    return seen


def test_a_new_condition_is_an_open_alarm():
    (alarm,) = run([], finding())
    assert (alarm.state, alarm.subject, alarm.evidence["confidence"]) == ("open", "house-1", 0.9)
    assert alarm.alarm_id == alarm_id(LEAK, "house-1", NOW - 48 * HOUR)


def test_a_rerun_writes_nothing():
    known = run([], finding())
    assert run(known, finding(), as_of=NOW + HOUR, snapshot_id=2) == []


@pytest.mark.parametrize(("days", "states"), [(6, ["retracted"]), (8, [])])
def test_what_is_over_for_a_week_is_not_taken_back(days, states):
    (over,) = run([], finding(until=NOW - 24 * HOUR))
    later = run([over], as_of=over.until + days * 24 * HOUR, snapshot_id=2)
    assert [alarm.state for alarm in later] == states


def test_more_data_change_the_alarm_but_not_its_id():
    known = run([], finding())
    (later,) = run(known, finding(since=NOW - 50 * HOUR, volume_m3=2.0), as_of=NOW + 24 * HOUR)
    assert later.alarm_id == known[0].alarm_id
    assert (later.volume_m3, later.since) == (2.0, NOW - 50 * HOUR)


def test_an_alarm_that_ends_is_closed_and_the_next_one_at_the_place_is_another():
    known = run([], finding())
    ended = finding(until=NOW)
    (closed,) = run(known, ended, as_of=NOW + HOUR)
    assert closed.state == "closed"
    (again,) = run([closed], ended, finding(since=NOW + 30 * HOUR), as_of=NOW + 60 * HOUR)
    assert again.alarm_id != closed.alarm_id


def test_an_acknowledged_alarm_stays_acknowledged_until_it_ends():
    known = [replace(alarm, state="acknowledged") for alarm in run([], finding())]
    (more,) = run(known, finding(volume_m3=3.0), as_of=NOW + HOUR)
    assert more.state == "acknowledged"
    (closed,) = run(known, finding(until=NOW), as_of=NOW + HOUR)
    assert closed.state == "closed"


def test_late_data_that_refute_an_alarm_retract_it_and_it_may_come_back():
    known = run([], finding())
    (gone,) = run(known, as_of=NOW + HOUR)
    assert (gone.state, gone.alarm_id) == ("retracted", known[0].alarm_id)
    assert run([gone], as_of=NOW + 2 * HOUR) == []
    (back,) = run([gone], finding(), as_of=NOW + 3 * HOUR)
    assert (back.state, back.alarm_id) == ("open", gone.alarm_id)


def test_a_detector_that_did_not_run_refutes_nothing():
    known = run([], finding())
    assert run(known, as_of=NOW + HOUR, detectors=["water.district_leak"]) == []


def test_what_began_before_the_memory_of_the_detectors_is_not_taken_back():
    known = run([], finding())
    assert [alarm.state for alarm in run(known, as_of=NOW + timedelta(days=40))] == ["open"]


def test_a_run_with_an_earlier_clock_unlearns_nothing():
    (closed,) = run(run([], finding()), finding(until=NOW), as_of=NOW + 5 * HOUR)
    assert run([closed], finding(), as_of=NOW - HOUR) == []
    assert run([closed], as_of=NOW - HOUR) == []


def test_two_places_are_two_alarms():
    assert len({alarm.alarm_id for alarm in run([], finding(), finding(thing="house-2"))}) == 2


def test_the_catalogue_keeps_every_field(store):
    (alarm,) = run([], finding(until=NOW))
    assert revise(store, lambda _: [alarm]) == 1
    assert stored(store) == [alarm]


def test_a_second_run_over_the_catalogue_changes_nothing(store):
    def once(known):
        return run(known, finding(), finding(thing="house-2"))

    assert [revise(store, once), revise(store, once)] == [2, 0]


def test_events_stand_there_for_a_week_and_faults_for_good(store):
    at = NOW - timedelta(days=9)
    both = [finding(at, at, detector=name, kind="x") for name in (LEAK, "waste.emptied")]
    revise(store, lambda _: run([], *both))
    assert revise(store, lambda _: [], past=Past(["waste.emptied"], NOW - KEPT)) == 0
    assert [alarm.detector for alarm in stored(store)] == [LEAK]


def test_a_run_that_fails_leaves_the_alarms_as_they_were(store):
    revise(store, lambda _: run([], finding()))
    before = stored(store)
    broken = replace(before[0], alarm_id="x", severity=None)
    with pytest.raises(Exception, match="NOT NULL"):
        revise(store, lambda known: [replace(known[0], state="closed"), broken])
    assert stored(store) == before


def test_an_alarm_reads_well_in_both_languages():
    evidence = {"hours": 48.0, "lowest_lph": 18.5, "zero_share": 0.4, "longest_before_h": 9.0, "chart": [0, 0, 20]}
    (alarm,) = run([], finding())
    alarm = replace(alarm, evidence=evidence)
    slovene = tell(alarm, ["Lipova ulica 3", "Zagradec"], ZONE, "sl")
    assert slovene.title == "Puščanje za vodomerom"
    lines = dict(slovene.lines)
    assert lines["Kje"] == "Lipova ulica 3, Zagradec, house-1"
    assert lines["Koliko"] == "20 l/h, 0,96 m³, 1,15 €"
    assert lines["Zakaj"].startswith("Opaženo po 48 h")
    assert lines["Potek"].startswith("▁▁█")
    english = dict(tell(alarm, ["Lipova ulica 3", None], ZONE, "en").lines)
    assert english["Why"].startswith("Noticed after 48 h")
    assert english["Since"] == "18 Mar 2026 at 07:00"


def test_an_alarm_in_short_says_how_bad_where_since_when_and_why_nobody_was_told():
    (alarm,) = run([], finding(until=NOW))
    alarm = replace(alarm, cause="abc", muted="flushing")
    zone = ZoneInfo("Europe/Ljubljana")
    head, where, when = brief(alarm, ("Lipova 3", "Mlinsko"), zone, "sl")
    assert head == "Puščanje za vodomerom (opozorilo, končan, vzrok: abc, utišan: flushing)"
    assert where == "Lipova 3, Mlinsko"
    assert when.startswith("od 18. 3. 2026 ob 7.00 do 20. 3. 2026 ob 7.00")
    assert "cause: abc, muted: flushing" in brief(alarm, (), zone, "en")[0]


@pytest.mark.parametrize("detector", list(packs("detector")))
def test_a_sentence_survives_numbers_that_are_not_known(detector):
    for lang in ("sl", "en"):
        assert "–" in why(detector, {}, lang)
        assert "{" not in why(detector, {}, lang)


def test_numbers_and_times_of_the_evidence_are_written_as_people_write_them():
    fields = {"due": "2026-11-05 06:30", "fill_pct": 45, "days_since_emptied": 8}
    assert "do 5. 11. 2026 ob 6.30, bil je 45 % poln; zadnje praznjenje je bilo 8,0 dneva prej" in why(
        "waste.not_emptied", fields, "sl"
    )
    assert "by 5 Nov 2026 at 06:30 and stood at 45 %" in why("waste.not_emptied", fields, "en")
    stuck = {"channel": "2", "hours": 15, "value": 36, "intervals": 60, "expected": 15160.0}
    assert "v tem času: 15.160." in why("traffic.counter_stuck", stuck, "sl")
    assert "in that time: 15,160." in why("traffic.counter_stuck", stuck, "en")
    assert "od 1.00 do 3.30" in why("water.night_draw", {"from": "01:00", "to": "03:30"}, "sl")


def test_brackets_that_would_hold_only_a_dash_are_left_away():
    fields = {"now_m3h": 4.1, "baseline_m3h": 0.6, "spread_m3h": 0.01}
    assert "lastni potek območja; povprečje je 0,6" in why("water.district_leak", fields, "sl")
    assert "(od 1,0 do 2,0)" in why("water.district_leak", fields | {"low_m3h": 1.0, "high_m3h": 2.0}, "sl")


def test_a_sparkline_spans_the_values_and_shows_gaps():
    assert sparkline([0, None, 7]) == "▁ █"
    assert sparkline([5, 5]) == "▁▁"
    assert sparkline([None]) == ""
