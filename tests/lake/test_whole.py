"""A day that is over becomes one file by device with the same rows, in bounded pieces, and is then left alone."""

from datetime import timedelta

import polars as pl
import pyarrow.parquet as pq
import pytest

from lake import whole
from lake.maintain import FINISH_EVERY, Keeper
from lake.whole import finish, finish_all, is_over, ripe
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z
from tests.lake.test_maintain import contents

TODAY, YESTERDAY = "2026-03-02", "2026-03-01"
TABLE = "water_meter"


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", TABLE), ("m2", TABLE), ("m3", TABLE))
    say(feed, range(16))
    return feed


def say(feed, hours):
    """Each hour a commit; the readings of a day come in the wrong order of devices."""
    for number in hours:
        for device in ("m3", "m1", "m2"):
            said = {"time": z(NOW - number * HOUR), "seq": number, "volume_total_m3": 1000 - number}
            feed.say(topic(device), said)
        feed.commit()


def paths(feed, day):
    return feed.lake.tables[TABLE].paths([day])


def answers(feed):
    return feed.sql(f"SELECT * FROM {TABLE}_revisions ORDER BY ALL"), feed.sql(f"SELECT * FROM {TABLE} ORDER BY ALL")


def test_a_day_becomes_one_file_by_device_and_time_with_the_same_rows(feed, monkeypatch):
    monkeypatch.setattr(whole, "PIECE_ROWS", 20)
    feed.say(topic("m1"), {"time": z(NOW - 9 * HOUR), "seq": 9, "volume_total_m3": 5})  # a revision
    feed.commit()
    before, shown, count = contents(feed), answers(feed), len(paths(feed, YESTERDAY))
    assert finish(feed.lake, TABLE, YESTERDAY) == count
    assert contents(feed) == before
    assert answers(feed) == shown
    [file] = paths(feed, YESTERDAY)
    rows = pl.read_parquet(file).select("device_id", "observed_at")
    assert rows.equals(rows.sort("device_id", "observed_at"))
    assert pq.ParquetFile(file).num_row_groups == 2, "two devices at once, then the third"
    assert finish(feed.lake, TABLE, YESTERDAY) == 0
    say(feed, range(8, 10))  # duplicates are found in it
    assert contents(feed)[TABLE] == before[TABLE]
    feed.check()


def test_times_of_all_pieces_are_in_the_log(feed, monkeypatch):
    """Readers pass files over by these bounds."""
    monkeypatch.setattr(whole, "PIECE_ROWS", 1)
    shown = answers(feed)
    finish(feed.lake, TABLE, YESTERDAY)
    for file in (f for f in feed.lake.tables[TABLE].files()[YESTERDAY]):
        times = pl.read_parquet(feed.home.lake / TABLE / file.path)["observed_at"]
        assert f'"{times.min():%Y-%m-%dT%H:%M:%S}' in file.stats
        assert f'"{times.max():%Y-%m-%dT%H:%M:%S}' in file.stats
    assert answers(feed) == shown


def test_today_is_left_alone_and_a_day_that_is_over_is_not(feed):
    assert not is_over(TABLE, TODAY, NOW)
    assert is_over(TABLE, YESTERDAY, NOW)
    assert not is_over(TABLE, YESTERDAY, NOW - 5 * HOUR), "much that is late comes within two hours"
    today = len(paths(feed, TODAY))
    assert finish_all(feed.lake) > 0
    assert len(paths(feed, YESTERDAY)) == 1
    assert len(paths(feed, TODAY)) == today > 1


def test_what_trickles_in_late_does_not_write_a_day_anew_each_time(feed):
    finish_all(feed.lake)
    feed.say(topic("m1"), {"time": z(NOW - 8 * HOUR - timedelta(minutes=1)), "seq": 99, "volume_total_m3": 992})
    feed.commit()
    assert finish_all(feed.lake) == 0
    assert len(paths(feed, YESTERDAY)) == 2


def test_a_day_larger_than_a_file_may_be_has_several(feed, monkeypatch):
    monkeypatch.setattr(whole, "DAY_ROWS", 15)
    before = contents(feed)
    for _ in range(3):
        finish_all(feed.lake)
    sizes = [file.rows for file in feed.lake.tables[TABLE].files()[YESTERDAY]]
    assert max(sizes) <= 15
    assert len(sizes) < 9
    assert contents(feed) == before


def test_other_tables_than_families_have_no_such_day(feed):
    for name in ("raw_messages", "balance"):
        assert not ripe(name, [file for files in feed.lake.tables[name].files().values() for file in files])


@pytest.mark.parametrize("busy", [False, True])
def test_the_keeper_finishes_days_at_rest_and_between_commits(feed, busy):
    keeper = Keeper(feed.lake)
    before = contents(feed)
    while not busy and keeper.rest():
        pass
    if busy:
        feed.now += FINISH_EVERY
        keeper.after_commit()
    assert len(paths(feed, YESTERDAY)) == 1
    assert contents(feed) == before
    assert not keeper.rest() or busy
