"""A person corrects a reading: a revision with author and reason, which another correction takes back."""

import json
from datetime import timedelta

import pytest

from catalog import store as tables
from ingest.correct import Correction, correct
from schemas.errors import DravaError
from tests.ingest.feeding import NOW, Feed, topic

AT = NOW - timedelta(hours=5)


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    found = Feed(tmp_path_factory.mktemp("corrected") / "home")
    found.register(("m1", "water_meter"), ("c1", "traffic_counter"))
    for hour in range(9):
        at = AT + timedelta(hours=hour - 4)
        value = 9000.0 if hour == 4 else 10 + hour / 100
        found.say(topic("m1"), {"time": at.isoformat(), "seq": hour + 1, "volume_total_m3": value}, at=at)
    lane = {"lane": "1", "direction": "in", "vehicle_class": "all"}
    found.say(topic("c1", "traffic_counter"), {"time": AT.isoformat(), "count": 7, **lane}, at=AT)
    found.commit()
    return found


def shown(feed):
    query = "SELECT CAST(volume_total_m3 AS DOUBLE), extra FROM water_meter WHERE observed_at = "
    return feed.sql(f"{query}TIMESTAMPTZ '{AT.isoformat()}'")[0]


def said(value, **more):
    about = {"device": "m1", "at": AT, "measure": "volume_total_m3", "author": "ana", "reason": "typed wrong"}
    return Correction(**(about | {"value": value} | more))


def test_a_correction_has_the_last_word_and_says_who_and_why(feed):
    before, _ = shown(feed)
    ((rows_before,),) = feed.sql("SELECT count(*) FROM water_meter_revisions")
    done = correct(feed.writer, said(10.04))
    assert (float(done.before), float(done.after)) == (before, 10.04)
    value, extra = shown(feed)
    assert value == 10.04
    assert json.loads(extra) == {"corrected_by": "ana", "correction": "typed wrong"}
    correct(feed.writer, said(10.05, reason="once more"))
    assert shown(feed)[0] == 10.05
    correct(feed.writer, said(before, reason="it was right"))
    assert shown(feed)[0] == before
    assert feed.sql("SELECT count(*) FROM water_meter_revisions")[0][0] == rows_before + 3
    with feed.store.begin() as db:
        rows = [
            row.detail
            for row in db.execute(tables.audit.select())
            if row.action == "correct" and row.detail["device"] == "m1"
        ]
    assert [(row["before"], row["after"], row["reason"]) for row in rows[:1]] == [(before, 10.04, "typed wrong")]
    with feed.store.begin() as db:
        marks = {(row.dataset, row.subject, row.first) for row in db.execute(tables.dirty.select())}
    assert ("water_meter", "m1", "2026-03-02") in marks


def test_no_device_speaks_as_the_person_who_corrects(feed):
    at = AT - timedelta(hours=2)
    forged = {"time": at.isoformat(), "seq": 90, "volume_total_m3": 55.0, "corrected_by": "mayor", "correction": "x"}
    feed.say(topic("m1"), forged, at=AT + timedelta(hours=9))
    feed.commit()
    row = f"FROM water_meter WHERE observed_at = TIMESTAMPTZ '{at.isoformat()}'"
    value, extra = feed.sql(f"SELECT CAST(volume_total_m3 AS DOUBLE), extra {row}")[0]
    assert (value, json.loads(extra)) == (55.0, {"said_corrected_by": "mayor", "correction": "x"})
    assert feed.sql("SELECT count(*) FROM water_meter_revisions WHERE extra LIKE '%\"corrected_by\"%mayor%'") == [(0,)]


def test_a_counter_is_corrected_by_its_keys(feed):
    keys = {"lane": "1", "direction": "in", "vehicle_class": "all"}
    correct(feed.writer, said(9, device="c1", measure="count", keys=keys))
    assert feed.sql("SELECT count FROM traffic_counter") == [(9,)]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"device": "nobody"}, "no device 'nobody'"),
        ({"measure": "colour"}, "no measure 'colour'"),
        ({"at": AT + timedelta(minutes=1)}, "no reading at"),
        ({"value": -5.0}, "cannot be"),
        ({"value": 10.03, "at": AT - timedelta(hours=1)}, "is 10.030000 already"),
        ({"reason": " "}, "an author and a reason"),
        ({"device": "c1", "measure": "count"}, "keys of traffic_counter"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(feed, wrong, text):
    before = feed.sql("SELECT count(*) FROM water_meter_revisions")
    with pytest.raises(DravaError, match=text):
        correct(feed.writer, said(**{"value": 11.0, **wrong}))
    assert feed.sql("SELECT count(*) FROM water_meter_revisions") == before
