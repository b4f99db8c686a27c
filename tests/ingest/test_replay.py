"""Quarantine tried again: stored exactly once, counted where it belongs, whatever interrupts it."""

import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.replay import Wanted, replay
from schemas.reasons import Reason
from schemas.steps import COMMIT
from tests.ingest.feeding import NOW, Feed, topic, view, z

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)


@pytest.fixture
def feed(tmp_path):
    return Feed(tmp_path / "home")


def again(feed, **wanted):
    """Replay with a writer that remembers nothing."""
    feed.restart()
    found = replay(feed.writer, Wanted(**wanted))
    feed.check()
    return {name: count for name, count in found.items() if count}


def rows_adding_up(feed):
    wrong = feed.sql(
        "SELECT * FROM balance WHERE received <> decoded + housekeeping + quarantined OR readings <> stored + completed"
        " + revised + duplicate + readings_quarantined + too_old OR least(received, decoded, quarantined, readings,"
        " readings_quarantined) < 0"
    )
    assert wrong == []


def test_after_1001_undecodable_messages_the_good_one_is_in_the_lake_and_replay_changes_nothing(feed):
    feed.register(("w1", "water_meter"))
    for number in range(1001):
        feed.say(topic("w1"), b"\xff\x00 not json %d" % number)
    feed.say(topic("w1"), {"time": z(NOW - HOUR), "volume_total_m3": 5})
    feed.commit()
    assert feed.sql("SELECT volume_total_m3 FROM water_meter") == [(5,)]
    before = feed.sql("SELECT * FROM snapshot")
    assert again(feed) == {"tried": 1001, "held": 1001}
    assert feed.quarantined() == {"not_json": 1001}
    assert feed.sql("SELECT * FROM snapshot") == before


def test_a_device_registered_later_is_stored_exactly_once_and_counted_at_its_place(feed):
    feed.register(("w1", "water_meter"))
    feed.say(topic("w1"), {"time": z(NOW - HOUR), "volume_total_m3": 5})
    feed.say(topic("new"), {"time": z(NOW - HOUR), "volume_total_m3": 7, "seq": 4})
    feed.say(topic("new"), {"time": z(NOW - HOUR), "volume_total_m3": 7, "seq": 4}, duplicate=True)
    feed.say(topic("new"), {"volume_total_m3": 8})
    feed.commit()
    ids = feed.sql("SELECT topic, payload, min(message_id) AS id FROM raw_messages GROUP BY ALL ORDER BY id")
    feed.register(("new", "water_meter"))
    feed.now = NOW + 3 * HOUR
    assert again(feed) == {"tried": 3, "resolved": 3, "readings": 3, "stored": 2, "duplicate": 1}
    stored = feed.sql(
        "SELECT volume_total_m3, observed_at, received_at, ingested_at, time_source, message_id FROM water_meter"
        " WHERE device_id = 'new' ORDER BY 1"
    )
    assert stored == [
        (7, NOW - HOUR, NOW, feed.now, "device", ids[1][2]),
        (8, NOW, NOW, feed.now, "broker", ids[2][2]),
    ]
    assert feed.quarantined() == {}
    rows_adding_up(feed)
    sheet = feed.sql("SELECT received, decoded, stored, duplicate FROM balance WHERE device_id = 'new'")
    assert sheet == [(3, 3, 2, 1)]
    before = feed.sql("SELECT * FROM snapshot")
    assert again(feed) == {}
    assert feed.sql("SELECT * FROM snapshot") == before


def test_only_what_is_asked_for_is_tried(feed):
    for device in ("a", "b"):
        feed.say(topic(device), {"time": z(NOW - HOUR), "volume_total_m3": 7})
    feed.say(topic("a"), b"{")
    feed.commit()
    feed.register(("a", "water_meter"), ("b", "water_meter"))
    assert again(feed, reason=Reason.NOT_JSON) == {"tried": 1, "held": 1}
    assert again(feed, device="a") == {"tried": 1, "resolved": 1, "readings": 1, "stored": 1}
    digest = feed.sql("SELECT message_hash FROM quarantine WHERE device_id = 'b'")[0][0]
    assert again(feed, digest=digest[:8]) == {"tried": 1, "resolved": 1, "readings": 1, "stored": 1}
    assert feed.quarantined() == {"not_json": 1}


def test_elements_of_an_array_are_history_and_their_readings_are_counted_once(feed):
    feed.register(("w1", "water_meter"), gateway="gw")
    where = "ptuj/gateway/gw/telemetry"
    element = {"device": "w2", "time": z(NOW - HOUR), "volume_total_m3": 3}
    feed.say(where, [{"device": "w1", "time": z(NOW - HOUR), "volume_total_m3": 2}, element, [1], 5])
    feed.say(where, [{"device": "w1", "time": z(NOW - HOUR), "volume_total_m3": 2}, element, [1], 5], duplicate=True)
    feed.say(where, [{"device": "w1", "volume_total_m3": 4}, {"device": "w3", "volume_total_m3": 4}])
    feed.commit()
    feed.check()
    feed.register(("w2", "water_meter"), ("w3", "water_meter"), gateway="gw")
    found = again(feed)
    assert found == {
        "tried": 7,
        "resolved": 2,
        "held": 5,
        "readings": 3,
        "stored": 1,
        "duplicate": 1,
        "readings_quarantined": 1,  # w3 has no time of its own: nobody knows any more that it was live
    }
    assert feed.quarantined() == {"wrong_shape": 4, "impossible_time": 1}
    assert feed.sql("SELECT sum(received), sum(decoded), sum(quarantined) FROM balance") == [(3, 3, 0)]
    rows_adding_up(feed)
    assert again(feed) == {"tried": 5, "held": 5}


def test_a_message_that_still_cannot_be_read_says_why_it_cannot_now(feed):
    feed.say(topic("w1"), {"volume_total_m3": {"value": 3, "unit": "kg"}})
    feed.commit()
    assert feed.quarantined() == {"unknown_device": 1}
    feed.register(("w1", "water_meter"))
    assert again(feed) == {"tried": 1, "held": 1}
    assert feed.quarantined() == {"wrong_unit": 1}
    rows_adding_up(feed)
    assert again(feed) == {"tried": 1, "held": 1}


def test_a_gateways_array_of_one_is_a_message_and_counted_as_one(feed):
    feed.say("ptuj/gateway/gw/telemetry", [{"device": "w2", "time": z(NOW - HOUR), "volume_total_m3": 3}])
    feed.commit()
    assert feed.sql("SELECT quarantined, readings_quarantined FROM balance") == [(1, 0)]
    feed.register(("w2", "water_meter"), gateway="gw")
    assert again(feed) == {"tried": 1, "resolved": 1, "readings": 1, "stored": 1}
    rows_adding_up(feed)


def test_days_are_kept_apart_and_ids_are_made_where_raw_messages_are_gone(feed):
    day = timedelta(days=1)
    for back in (2, 1):
        feed.say(topic("w1"), {"time": z(NOW - 3 * day), "volume_total_m3": 3}, at=NOW - back * day)
    feed.commit()
    feed.register(("w1", "water_meter"))
    feed.restart()
    with feed.lake.exclusive():  # as retention does after ingest.raw_days
        files = [file for found in feed.lake.tables["raw_messages"].files().values() for file in found]
        feed.lake.rewrite("expire", {}, {"raw_messages": files})
    counts = replay(feed.writer, Wanted())
    assert (counts["stored"], counts["duplicate"], counts["held"]) == (1, 1, 0)
    assert feed.sql("SELECT day, received, decoded FROM balance WHERE received > 0 ORDER BY 1") == [
        ((NOW - 2 * day).date(), 1, 1),
        ((NOW - day).date(), 1, 1),
    ]
    number = feed.sql("SELECT message_id FROM water_meter")[0][0]
    assert 0 <= number < 2**44
    rows_adding_up(feed)


def test_a_great_count_is_replayed_in_several_plans(feed, monkeypatch):
    monkeypatch.setattr("ingest.replay.MESSAGES_AT_ONCE", 3)
    for _ in range(8):
        feed.say(topic("w1"), {"time": z(NOW - HOUR), "volume_total_m3": 3})
    for _ in range(7):
        feed.say(topic("w1"), b"{")
    feed.commit()
    feed.register(("w1", "water_meter"))
    found = again(feed)
    assert (found["resolved"], found["stored"], found["duplicate"]) == (8, 1, 7)
    assert feed.quarantined() == {"not_json": 7}
    rows_adding_up(feed)


CHILD = """
import sys
from datetime import datetime
from pathlib import Path
from catalog.store import Store
from ingest.replay import Wanted, replay
from ingest.writer import Writer
from lake.commit import Lake
from schemas.settings import Home
home = Home(Path(sys.argv[1]))
store = Store.at(home.catalog)
clock = lambda: datetime.fromisoformat(sys.argv[2])
replay(Writer(home, store, Lake(home, store, clock), clock), Wanted())
"""


@pytest.mark.parametrize("step", [step for step in COMMIT if step != "trimmed"])
def test_killed_within_its_commit_replay_is_done_once_in_the_end(feed, step):
    for device in ("w1", "w2"):
        feed.say(topic(device), {"time": z(NOW - HOUR), "volume_total_m3": 7})
        feed.say(topic(device), {"time": z(NOW - HOUR), "volume_total_m3": 7})
    feed.commit()
    feed.register(("w1", "water_meter"))

    killed = subprocess.run(
        [sys.executable, "-c", CHILD, str(feed.home.path), NOW.isoformat()],
        cwd=ROOT,
        env=os.environ | {"DRAVA_TEST_KILL_AT": step},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert again(feed)["held"] == 2
    assert feed.sql("SELECT device_id, count(*) FROM water_meter_revisions GROUP BY 1") == [("w1", 1)]
    assert feed.sql("SELECT sum(stored), sum(duplicate), sum(quarantined) FROM balance") == [(1, 1, 2)]
    rows_adding_up(feed)
    assert again(feed) == {"tried": 2, "held": 2}


def throw(feed, dice):
    """Send what a day brings: readings, repeats, other values, arrays, dirt, of devices known and unknown."""
    devices = [f"d{n}" for n in range(6)]
    for _ in range(120):
        device = dice.choice(devices)
        reading = {"time": z(NOW - dice.randint(1, 5) * HOUR), "volume_total_m3": dice.randint(1, 3)}
        reading |= {"seq": dice.randint(1, 4)} if dice.random() < 0.5 else {}
        reading |= {"flow_m3h": 1.5} if dice.random() < 0.2 else {}
        kind = dice.random()
        if kind < 0.1:
            feed.say(topic(device), dice.choice([b"{", b"[]", b'{"volume_total_m3": "x"}']))
        elif kind < 0.4:
            others = [{"device": d, **reading} for d in dice.sample(devices, 3)]
            feed.say("ptuj/gateway/gw/telemetry", [*others, dice.choice([7, {"device": device, "flow_m3h": "x"}])])
        elif kind < 0.5:
            feed.say(topic(device), [reading, reading | {"volume_total_m3": 9}])
        else:
            feed.say(topic(device), reading)
        feed.now += timedelta(seconds=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_registering_late_and_replaying_gives_the_lake_of_those_who_registered_in_time(tmp_path, seed):
    early, late = Feed(tmp_path / "early"), Feed(tmp_path / "late")
    pairs = [(f"d{n}", "water_meter") for n in range(6)]
    early.register(*pairs, gateway="gw")
    late.register(*pairs[:2], gateway="gw")
    for feed in (early, late):
        throw(feed, random.Random(seed))
        feed.commit()
    late.register(*pairs[2:4], gateway="gw")
    again(late, device="d2")
    again(late)
    late.register(*pairs[4:], gateway="gw")
    again(late)
    assert view(late, "water_meter") == view(early, "water_meter")
    assert late.quarantined() == early.quarantined()
    # which of several rows of a reading came first decides between completed, revised and duplicate, not how many
    sums = "sum(received), sum(decoded), sum(quarantined), sum(readings), sum(stored), sum(readings_quarantined)"
    assert late.sql(f"SELECT {sums} FROM balance") == early.sql(f"SELECT {sums} FROM balance")
    rows_adding_up(late)
