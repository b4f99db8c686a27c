"""Proves that maintenance never changes what the lake says: compaction, checkpoints, sweeping, killed at every step."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from catalog import plans
from ingest.writer import messages
from lake import maintain
from lake.maintain import checkpoint, compact, compact_all
from lake.query import open_snapshot
from lake.tables import MESSAGE_COUNTS, READING_COUNTS
from tests.ingest.feeding import HOUR, NOW, Feed, multiset, topic, z

ROOT = Path(__file__).parents[2]
STEPS = ("files_written", "plan_written", "delta_first", "delta_committed", "snapshot_made", "published")
COMMITS = 12


@pytest.fixture
def feed(tmp_path):
    return filled(tmp_path, COMMITS)


def filled(tmp_path, commits):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"), ("m2", "water_meter"), ("c1", "waste_container"))
    fill(feed, commits)
    return feed


def fill(feed, commits, first=0):
    """Commits of readings over two days, with revisions, duplicates and poison in each."""
    for number in range(first, first + commits):
        when = {"time": z(NOW - number * HOUR), "seq": number}
        feed.say(topic("m1"), when | {"volume_total_m3": 1000 - number, "note": number})
        feed.say(topic("m2"), {"time": z(NOW), "seq": number, "volume_total_m3": number})  # a revision each time
        feed.say(topic("c1", "waste_container"), when | {"fill_pct": number, "tilt": number % 2 == 0})
        feed.say(topic("c1", "waste_container"), when | {"fill_pct": number, "tilt": number % 2 == 0})
        feed.say(topic("m1"), b"poison %d" % (number % 5))
        feed.commit()


def contents(feed):
    """Count and order-independent hash of every table; of the balance its sums."""
    found = {}
    for name, version in plans.latest(feed.store).versions.items():
        rows = pl.scan_delta(str(feed.home.lake / name), version=version).collect()
        if name == "balance":
            sums = rows.group_by("day", "device_id", "gateway").agg(pl.col(MESSAGE_COUNTS + READING_COUNTS).sum())
            rows = sums.sort("day", "device_id", "gateway")
        found[name] = multiset(rows.select(sorted(rows.columns)))
    return found


def shown(feed, at=None):
    """What SQL answers."""
    tables = ("water_meter", "water_meter_revisions", "waste_container", "quarantine", "raw_messages", "balance")
    with open_snapshot(feed.home.path, at=at, tables=tables, limited=False) as lake:
        return {name: lake.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in tables}


def files(feed):
    return {
        name: len(DeltaTable(feed.home.lake / name).file_uris())
        for name in plans.latest(feed.store).versions
    }  # fmt: skip


def test_compaction_keeps_every_row_of_every_table(feed):
    before, answers, number = contents(feed), shown(feed), files(feed)
    assert compact_all(feed.lake) >= COMMITS * 4
    assert contents(feed) == before
    assert shown(feed) == answers
    assert all(files(feed)[name] < count for name, count in number.items())
    assert compact_all(feed.lake) == 0
    feed.check()


def test_readers_of_an_older_snapshot_read_on(feed):
    answers = shown(feed)
    at = str(plans.latest(feed.store).id)
    with open_snapshot(feed.home.path, tables=["water_meter"], limited=False) as reader:
        compact_all(feed.lake)
        fill(feed, 2, COMMITS)
        assert reader.execute("SELECT * FROM water_meter ORDER BY ALL").fetchall() == answers["water_meter"]
    assert shown(feed, at=at) == answers
    assert shown(feed) != answers


COMPACT = """
import sys
from datetime import datetime
from pathlib import Path
from catalog.store import Store
from lake.commit import Lake
from lake.maintain import checkpoint, compact_all
from schemas.settings import Home
home = Home(Path(sys.argv[1]))
lake = Lake(home, Store.at(home.catalog), lambda: datetime.fromisoformat(sys.argv[2]))
compact_all(lake)
checkpoint(lake)
"""


def killed_at(feed, step):
    """The maintenance of another process, killed at a step. Its exit code."""
    command = [sys.executable, "-c", COMPACT, str(feed.home.path), NOW.isoformat()]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"DRAVA_TEST_KILL_AT": step}, check=False).returncode


@pytest.mark.parametrize("step", STEPS)
def test_a_compaction_killed_at_any_step_changes_nothing(feed, step):
    """arc#157: neither rows twice, nor rows gone, between 'compacted file visible' and 'inputs removed'."""
    before, answers = contents(feed), shown(feed)
    for times in (1, 3):
        assert killed_at(feed, f"{step}:{times}") == -signal.SIGKILL
        assert shown(feed) == answers  # also before anybody recovers
    feed.restart()
    with feed.lake.exclusive():
        assert plans.pending(feed.store) is None
    assert contents(feed) == before
    assert shown(feed) == answers
    fill(feed, 1, COMMITS)
    feed.check()


def test_duplicates_are_found_after_a_compaction_and_a_checkpoint(feed):
    compact_all(feed.lake)
    checkpoint(feed.lake)
    feed.restart()
    for number in range(COMMITS):
        feed.say(topic("m1"), {"time": z(NOW - number * HOUR), "seq": number, "volume_total_m3": 1000 - number})
    assert feed.commit()["duplicate"] == COMMITS
    feed.check()


def test_a_checkpoint_leaves_a_table_that_everyone_can_open(feed):
    before = contents(feed)
    checkpoint(feed.lake)
    for name in before:
        assert (feed.home.lake / name / "_delta_log" / "_last_checkpoint").stat().st_size > 0
    assert contents(feed) == before
    fill(feed, 2, COMMITS)
    feed.check()


def test_one_day_that_cannot_be_made_smaller_does_not_keep_others_from_it(feed, monkeypatch):
    monkeypatch.setattr(maintain, "COLD_FILES", 3)
    monkeypatch.setattr(maintain, "BYTES_AT_ONCE", 2 * max(_sizes(feed, "balance")) + 2)
    keeper = maintain.Keeper(feed.lake)
    before, number = contents(feed), files(feed)
    rounds = 0
    while keeper.rest():
        rounds += 1
        assert rounds < 200, "the same day again and again"
    assert contents(feed) == before
    assert files(feed)["balance"] < number["balance"]


def _sizes(feed, name):
    return [file.size for live in feed.lake.tables[name].files().values() for file in live]


def test_memory_of_a_compaction_is_bounded_by_rows(feed, monkeypatch):
    monkeypatch.setattr(maintain, "ROWS_AT_ONCE", 12)
    before = contents(feed)
    largest = 0
    for _ in range(50):
        if not compact_all(feed.lake):
            break
    for name in before:
        table = DeltaTable(feed.home.lake / name)
        largest = max(largest, *pa.table(table.get_add_actions(flatten=True))["num_records"].to_pylist())
    assert largest <= 12
    assert contents(feed) == before


def test_files_of_before_a_measure_was_added_are_read_compacted_and_compared(tmp_path, monkeypatch):
    """Proves telegraf#19563: an upgrade brings a column; files of before lack it, and read as null there."""
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"))
    now = feed.lake.tables["water_meter"].schema
    feed.lake.tables["water_meter"].schema = now.remove(now.get_field_index("battery_pct"))  # as it was
    for number in range(3):
        feed.say(topic("m1"), {"time": z(NOW - number * HOUR), "seq": 90, "volume_total_m3": 2000})
    feed.journalled()
    [row] = feed.reader.read(0, 100)
    with feed.lake.exclusive():
        at = plans.position(feed.store, feed.reader.uuid)
        work = feed.writer.decide(messages([row], at.num))
        work.tables["water_meter"] = {
            day: table.drop_columns(["battery_pct"]) for day, table in work.tables["water_meter"].items()
        }
        feed.writer.publish("ingest", work, {feed.reader.uuid: (row.id, row.messages)})
    feed.restart()  # the newer version
    feed.say(topic("m1"), {"time": z(NOW), "seq": 90, "volume_total_m3": 2000})
    feed.say(topic("m1"), {"time": z(NOW), "seq": 90, "volume_total_m3": 2000, "battery_pct": 50})
    found = feed.commit()
    assert (found["duplicate"], found["completed"]) == (1, 1)
    for _ in range(2):
        assert feed.sql("SELECT battery_pct FROM water_meter ORDER BY observed_at DESC") == [(50,), (None,), (None,)]
        everyone = pl.scan_delta(str(feed.home.lake / "water_meter")).collect()
        assert sorted(everyone["battery_pct"], key=str) == [50, None, None, None]
        feed.check()
        compact_all(feed.lake)


@pytest.mark.soak
def test_many_small_files_come_to_few(tmp_path):
    """influxdb#27301: 600 commits of one row a table; ingestion's own keeper holds the number of files down."""
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"))
    keeper = maintain.Keeper(feed.lake)
    for number in range(600):
        feed.say(topic("m1"), {"time": z(NOW - number * HOUR / 60), "seq": number, "volume_total_m3": number})
        feed.commit()
        keeper.after_commit()
    assert max(files(feed).values()) <= 2 * maintain.HOT_FILES
    feed.check()


def test_compaction_of_a_day_that_is_compact_is_no_commit(feed):
    compact_all(feed.lake)
    number = plans.latest(feed.store).id
    assert compact(feed.lake, "water_meter", "2026-03-02") == 0
    assert compact(feed.lake, "water_meter", "1999-01-01") == 0
    assert plans.latest(feed.store).id == number
