"""Proves that the writer commits in time, whatever the clock does, and goes on after any trouble."""

import io
import json
import os
import sqlite3
import threading
import time
from datetime import timedelta

import pytest

from ingest.drain import Drain
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


def drain(feed, clock=lambda: NOW):
    return Drain(feed.home, feed.journal.folder, clock, io.StringIO())


@pytest.mark.parametrize(
    "ahead", [-HOUR, timedelta(0), HOUR], ids=["clock later", "clock stands still", "clock set back"]
)
def test_what_waits_is_committed_after_the_flush_time_whatever_the_clock_says(feed, ahead):
    """The system's clock steps back an hour: messages of 'the future' do not wait for an hour."""
    say(feed, 1, at=NOW + ahead)
    found = drain(feed)
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
    found.store.engine.dispose()
    with found.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
        connection.commit()
    blocker = sqlite3.connect(feed.home.catalog / "catalog.sqlite", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    say(feed, 1)
    reading, writing = os.pipe()
    running = threading.Thread(target=found.run, args=(reading,))
    running.start()
    os.write(writing, b".")
    while "locked" not in found.report.getvalue():
        time.sleep(0.02)
    blocker.execute("ROLLBACK")
    blocker.close()
    while "committed" not in found.report.getvalue():
        time.sleep(0.02)
    os.close(writing)
    running.join()
    assert stored(feed) == 1
    feed.check()
