"""A pinned snapshot is answered from as it was, however old it is and whatever is compacted and swept around it."""

from datetime import timedelta

import pytest

from catalog import pins, plans
from ingest.tail import copy_tail
from lake.backup import backup
from lake.maintain import checkpoint, compact_all
from lake.query import open_snapshot
from lake.restore import restore
from lake.snapshot import find
from lake.sweep import sweep
from lake.verify import verify
from schemas.clock import micros
from schemas.errors import DravaError
from tests.ingest.feeding import NOW, Feed
from tests.lake.test_maintain import fill, filled, shown


def age(feed, weeks):
    """Time passes; there is a commit, a compaction, a checkpoint and a sweep each week."""
    for week in range(weeks):
        feed.now += timedelta(days=7)
        fill(feed, 1, 10 + week)
        compact_all(feed.lake)
        checkpoint(feed.lake)
        sweep(feed.lake)


def answers(feed, at=None):
    """What SQL answers; the time of raw messages and of quarantine does not hang on pins."""
    found = shown(feed, at)
    return {name: rows for name, rows in found.items() if name not in ("raw_messages", "quarantine")}


def test_a_pinned_snapshot_answers_as_it_did_until_its_pin_goes(tmp_path):
    feed = filled(tmp_path, 6)
    pinned, told = plans.latest(feed.store).id, answers(feed)
    number = pins.pin(feed.store, pinned, "report for 2026", who="ana", now=NOW)
    age(feed, 4)
    assert answers(feed, at=str(pinned)) == told
    assert not find(feed.home.path, str(pinned)).oldest_instead
    assert verify(feed.home, feed.store).problems == []
    with open_snapshot(feed.home.path, at=str(pinned), tables=["raw_messages"]) as lake:
        assert lake.execute("SELECT count(*) FROM raw_messages").fetchall() == [(0,)]
    log = (feed.home.lake / "water_meter" / "_delta_log").glob("*.json")
    assert min(int(path.stem) for path in log) > find(feed.home.path, str(pinned)).tables["water_meter"]
    (pin,) = pins.listed(feed.store)
    assert (pin.snapshot_id, pin.why, pin.who, pin.at) == (pinned, "report for 2026", "ana", NOW)

    (feed.home.published / "snapshots" / f"{pinned:012d}-{micros(pin.snapshot_at)}.json").unlink()
    sweep(feed.lake)  # what readers see of it is made again
    assert answers(feed, at=str(pinned)) == told

    there = set(feed.home.lake.glob("*/day=*/*.parquet"))
    pins.unpin(feed.store, number, who="ana", now=feed.now)
    sweep(feed.lake)
    assert pins.listed(feed.store) == []
    assert find(feed.home.path, str(pinned)).oldest_instead
    assert set(feed.home.lake.glob("*/day=*/*.parquet")) < there
    feed.check()


def test_what_is_not_there_cannot_be_pinned_or_let_go(tmp_path):
    feed = filled(tmp_path, 2)
    with pytest.raises(DravaError, match="no snapshot 77"):
        pins.pin(feed.store, 77, "too late", who="ana", now=feed.now)
    with pytest.raises(DravaError, match="no pin 77"):
        pins.unpin(feed.store, 77, who="ana", now=feed.now)
    assert pins.listed(feed.store) == []


@pytest.mark.parametrize("weeks", [0, 3])
def test_a_pinned_snapshot_is_in_a_backup_however_old_it_is(tmp_path, weeks):
    feed = filled(tmp_path, 6)
    pinned, told = plans.latest(feed.store).id, answers(feed)
    pins.pin(feed.store, pinned, "report for 2026", who="ana", now=NOW)
    feed.register(("m7", "water_meter"))  # the small tables are others now
    fill(feed, 1, 20)
    compact_all(feed.lake)
    age(feed, weeks)
    newest = answers(feed)
    backup(feed.lake, tmp_path / "b", copy_tail)
    assert answers(feed, at=str(pinned)) == told
    restore(tmp_path / "b", None, tmp_path / "new", lambda: feed.now)
    again = Feed(tmp_path / "new")
    again.now = feed.now
    assert (answers(again, at=str(pinned)), answers(again)) == (told, newest)
    (pin,) = pins.listed(again.store)
    assert (pin.snapshot_id, pin.snapshot_at) == (pinned, pins.listed(feed.store)[0].snapshot_at)
    assert verify(again.home, again.store, deep=True).problems == []
    age(again, 3 - weeks)
    assert answers(again, at=str(pinned)) == told
    backup(again.lake, tmp_path / "c", copy_tail)  # and of what was restored
    restore(tmp_path / "c", None, tmp_path / "newer", lambda: again.now)
    assert answers(Feed(tmp_path / "newer"), at=str(pinned)) == told


def test_what_is_pinned_is_copied_once(tmp_path):
    feed = filled(tmp_path, 2)
    pins.pin(feed.store, plans.latest(feed.store).id, "report", who="ana", now=NOW)
    fill(feed, 1, 20)
    backup(feed.lake, tmp_path / "b", copy_tail)
    assert backup(feed.lake, tmp_path / "b", copy_tail).copied_files == 0
