"""Proves that the writer commits in time, whatever the clock does, and goes on after any trouble."""

import json
import os
import shutil
import sqlite3
import threading
import time
from datetime import timedelta
from io import StringIO

import pytest

from ingest.drain import Drain
from schemas.errors import DravaError
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home", more="[ingest]\nflush_seconds = 0.1\n")
    feed.register(("m1", "water_meter"))
    return feed


def say(feed, *numbers, at=NOW):
    for number in numbers:
        feed.say(topic("m1"), {"time": z(NOW - number * HOUR), "seq": number, "volume_total_m3": 100 - number}, at=at)
    feed.journalled()


def stored(feed):
    return feed.sql("SELECT count(*) FROM water_meter")[0][0]


class Report(StringIO):
    """What the writer says, line by line; one can wait for a word."""

    def __init__(self):  # noqa: D107
        super().__init__()
        self.said = threading.Condition()

    def write(self, text):
        with self.said:
            self.said.notify_all()
            return super().write(text)

    def wait(self, word):
        with self.said:
            assert self.said.wait_for(lambda: word in self.getvalue(), 30), self.getvalue()


def drain(feed, clock=lambda: NOW):
    return Drain(feed.home, feed.journal.folder, clock, Report())


@pytest.mark.parametrize(
    "ahead", [-HOUR, timedelta(0), HOUR], ids=["clock later", "clock stands still", "clock set back"]
)
def test_what_waits_is_committed_after_the_flush_time_whatever_the_clock_says(feed, ahead):
    """The system's clock steps back an hour: messages of 'the future' do not wait for an hour."""
    say(feed, 1, at=NOW + ahead)
    found = drain(feed)
    found.open()
    wait = found._step(everything=False)
    if ahead >= timedelta(0):
        assert 0 < wait <= 0.1
        time.sleep(wait)  # as the loop does
        found._step(everything=False)
    assert stored(feed) == 1


def test_everything_is_committed_at_the_end(feed):
    say(feed, 1, 2, 3)
    found = drain(feed)
    reading, writing = os.pipe()
    os.close(writing)  # the receiver is gone
    found.run(reading)
    assert stored(feed) == 3
    reports = [json.loads(line) for line in found.report.getvalue().splitlines()]
    assert sum(report["committed"]["messages"] for report in reports if "committed" in report) == 3
    assert reports[-1]["row"] == feed.journal.last_row


def test_a_catalogue_that_is_locked_is_waited_for(feed, monkeypatch):
    """Away for longer than anybody waits: the journal keeps what comes, the reason is told, then it goes on."""
    monkeypatch.setattr("ingest.drain.RETRY_SECONDS", 0.05)
    found = drain(feed)
    found.open()
    engine = found.writer.store.engine
    engine.dispose()
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
        connection.commit()
    blocker = sqlite3.connect(feed.home.catalog / "catalog.sqlite", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    say(feed, 1)
    reading, writing = os.pipe()
    running = threading.Thread(target=found.run, args=(reading,))
    running.start()
    os.write(writing, b".")
    found.report.wait("locked")
    blocker.execute("ROLLBACK")
    blocker.close()
    found.report.wait("committed")
    os.close(writing)
    running.join()
    assert stored(feed) == 1
    feed.check()


def test_a_catalogue_that_is_away_at_the_start_is_waited_for(feed, monkeypatch):
    """Its disk is not mounted yet: the writer says so and tries again; it does not end, and makes no empty one."""
    monkeypatch.setattr("ingest.drain.RETRY_SECONDS", 0.05)
    say(feed, 1)
    feed.store.close()
    away = feed.home.catalog.rename(feed.home.path / "away")
    found = drain(feed)
    reading, writing = os.pipe()
    running = threading.Thread(target=found.run, args=(reading,))
    running.start()
    found.report.wait("unable to open")
    away.rename(feed.home.catalog)
    found.report.wait("committed")
    os.close(writing)
    running.join()
    assert json.loads(found.report.getvalue().splitlines()[0])["row"] is None
    assert stored(feed) == 1


def test_a_journal_older_than_the_lake_ends_the_writer(feed):
    """Restored apart from the catalogue: what comes next would be taken for what is there already."""
    say(feed, 1)
    feed.commit()
    feed.journal.close()
    (segment,) = feed.journal.folder.glob("*.sqlite")
    with sqlite3.connect(segment) as db:
        db.execute("DELETE FROM rows")
    with pytest.raises(DravaError, match="older than the lake"):
        drain(feed).run(os.pipe()[0])


def test_little_room_makes_old_things_go_before_anything_stops(tmp_path, monkeypatch):
    """Warn, compact and expire, then stop acknowledging: raw messages past their time and old versions go first."""
    feed = Feed(tmp_path / "home", more="[ingest]\nflush_seconds = 0.1\nraw_days = 1\n")
    feed.register(("m1", "water_meter"))
    for number in range(3, 0, -1):
        old = NOW - timedelta(days=10)
        body = {"time": z(old - number * HOUR / 10), "volume_total_m3": 100 - number}
        feed.say(topic("m1"), body, at=old)
        feed.commit()
    assert feed.sql("SELECT count(*) FROM raw_messages") == [(3,)]
    before = sum(len(days) for days in feed.lake.tables["water_meter"].files().values())
    least = feed.home.settings.ingest.min_free_mb * 2**20
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, least + 1))
    found = drain(feed)
    found.open()
    found._step(everything=False)
    assert '"freed"' in found.report.getvalue()
    assert feed.sql("SELECT count(*) FROM raw_messages") == [(0,)]
    assert stored(feed) == 3
    feed.lake.tables["water_meter"].reopen()
    assert sum(len(days) for days in feed.lake.tables["water_meter"].files().values()) < before
