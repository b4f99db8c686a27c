"""Frames that never came are counted by the counters of those that did; a late one closes its gap."""

import json
from datetime import timedelta

import pytest

from lake.query import open_snapshot
from tests.commands.test_balance import balance
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z

EUI = "24e124fffe00a1b2"
ROUTE = '[[route]]\nfilter = "application/+/device/+/event/+"\ncodec = "chirpstack"\n'


@pytest.fixture
def feed(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    feed = Feed(tmp_path / "home", more=ROUTE)
    feed.register((EUI, "waste_container"), model="EM310-UDL")
    feed.register(("w1", "water_meter"))
    return feed


def hear(feed: Feed, *counters: int, hour: int = 0, data: str = "AXVXA4I6AQQAAQ==") -> None:
    """One uplink a minute, in this order of sending."""
    for minute, counter in enumerate(counters):
        at = NOW - timedelta(hours=4) + timedelta(hours=hour, minutes=minute)
        message = {"time": z(at), "deviceInfo": {"devEui": EUI}, "fCnt": counter, "fPort": 85, "data": data}
        feed.say(f"application/7/device/{EUI}/event/up", message)


def missing(feed: Feed) -> dict[str, int]:
    feed.commit()
    days = "'2026-03-01', '2026-03-02'"
    with open_snapshot(feed.home.path, tables=["missing_frames"]) as lake:
        rows = lake.execute(f"SELECT device_id, sum(missing) FROM missing_frames({days}) GROUP BY ALL").fetchall()
    return {device: count for device, count in rows if count}


def test_a_gap_is_counted_and_a_late_frame_closes_it(feed):
    hear(feed, 5, 6)
    hear(feed, 10, 11, hour=1)
    assert missing(feed) == {EUI: 3}
    feed.restart()
    hear(feed, 7, 8, 9, hour=0.5)
    assert missing(feed) == {}


@pytest.mark.parametrize("counters", [(5, 6, 0, 1), (5, 5, 6), (65_000, 90_000), (7,), ()])
def test_a_reset_a_repeat_and_a_new_session_are_no_gap(feed, counters):
    hear(feed, *counters)
    feed.say(topic("w1"), {"time": z(NOW - HOUR), "volume_total_m3": 5})  # has no counter
    assert missing(feed) == {}


def test_our_own_topics_count_by_seq(feed):
    for seq in (1, 2, 5):
        feed.say(topic("w1"), {"time": z(NOW - timedelta(minutes=60 - seq)), "seq": seq, "volume_total_m3": seq})
    assert missing(feed) == {"w1": 2}


def test_what_came_and_is_no_reading_is_not_missing(feed):
    hear(feed, 1)
    hear(feed, 2, data="/wv/", hour=0.2)  # what a device says of itself
    hear(feed, 3, data="A4I6", hour=0.3)  # cut off: quarantine
    hear(feed, 5, hour=0.5)
    assert missing(feed) == {EUI: 1}


def test_a_gap_over_midnight_belongs_to_the_day_on_which_it_is_seen(feed):
    hear(feed, 1, hour=-5)
    hear(feed, 4)
    assert missing(feed) == {EUI: 2}
    assert json.loads(balance(feed, "--json", "--day", "2026-03-02").stdout)["missing"] == [
        {"day": "2026-03-02", "device_id": EUI, "missing": 2}
    ]
    assert json.loads(balance(feed, "--json", "--day", "2026-03-01").stdout)["missing"] == []


@pytest.mark.parametrize(("lang", "text"), [("en", "at least: 2 of 1 devices"), ("sl", "najmanj: 2, naprav: 1")])
def test_drava_balance_tells_it(feed, lang, text):
    hear(feed, 1, 4)
    feed.commit()
    done = balance(feed, lang=lang)
    assert done.exit_code == 0
    assert text in done.stdout
    assert EUI in balance(feed, "--device", EUI).stdout
