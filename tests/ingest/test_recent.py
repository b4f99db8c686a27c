"""Late readings of days that this writer filled alone: known without opening a file, and never stored twice."""

from datetime import timedelta

import pytest

from tests.ingest.feeding import NOW, Feed, topic, z

START = NOW.replace(hour=0, minute=0) - timedelta(days=2)


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"))
    return feed


def say(feed, *hours, value=1):
    for hour in hours:
        feed.say(topic("m1"), {"time": z(START + timedelta(hours=hour)), "volume_total_m3": value})
    found = feed.commit()
    return {name: found[name] for name in ("stored", "revised", "duplicate") if found[name]}


def test_late_readings_of_a_covered_day_open_no_file(feed, monkeypatch):
    say(feed, 20)
    with monkeypatch.context() as patch:
        patch.setattr("ingest.identity._published", None)  # to call it would raise
        assert say(feed, 3, 1, 2) == {"stored": 3}
    assert say(feed, 2, 1, 4) == {"stored": 1, "duplicate": 2}
    assert say(feed, 1, value=7) == {"revised": 1}


def test_what_another_process_published_is_looked_up(feed):
    say(feed, 20)
    other = Feed(feed.home.path, journal="other")
    assert say(other, 5) == {"stored": 1}
    assert say(feed, 5, 6) == {"stored": 1, "duplicate": 1}


def test_too_many_to_remember_are_looked_up_again(feed, monkeypatch):
    monkeypatch.setattr("ingest.recent.MOST_ROWS", 2)
    say(feed, 20, 1, 2)
    assert say(feed, 1, 3) == {"stored": 1, "duplicate": 1}
