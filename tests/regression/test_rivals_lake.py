"""What broke the stores of others does not break ours: crashes, backups, compaction, full disks, many readers.

Each test is a row of docs/regressions.md; its docstring says what people suffered.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from deltalake import DeltaTable

from catalog import plans
from ingest.journal import Reader
from ingest.run import WRITER
from ingest.tail import copy_tail
from lake.backup import backup
from lake.commit import Lake
from lake.maintain import compact_all
from lake.query import open_snapshot
from lake.restore import restore
from tests.ingest.feeding import HOUR, NOW, Feed, topic, view, z

ROOT = Path(__file__).parents[2]
COMPACT = """
import sys
from datetime import datetime
from pathlib import Path
from catalog.store import Store
from lake.commit import Lake
from lake.maintain import compact_all
from schemas.settings import Home
home = Home(Path(sys.argv[1]))
compact_all(Lake(home, Store.at(home.catalog), lambda: datetime.fromisoformat(sys.argv[3])))
"""


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"), ("m2", "water_meter"))
    return feed


def hours(feed, count, first=0):
    """One commit an hour: a reading of m1, the same reading again, one of m2, something that cannot be read."""
    for number in range(first, first + count):
        reading = {"time": z(NOW - number * HOUR), "seq": number, "volume_total_m3": 1000 - number}
        feed.say(topic("m1"), reading)
        feed.say(topic("m1"), reading)
        feed.say(topic("m2"), reading)
        feed.say(topic("m2"), b"poison")
        feed.commit()


def killed(feed, program, step):
    """The program in a process of its own, killed at a step of its commit."""
    command = [sys.executable, "-c", program, str(feed.home.path), str(feed.journal.folder), NOW.isoformat()]
    environment = os.environ | {"DRAVA_TEST_KILL_AT": step}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


def everything(feed):
    """All that SQL shows of readings, raw messages and the sheets."""
    tables = ("water_meter", "water_meter_revisions", "raw_messages", "quarantine", "balance")
    with open_snapshot(feed.home.path, tables=tables, limited=False) as lake:
        return {name: lake.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in tables}


def parquet(feed, table):
    """How many files the newest snapshot has."""
    return len(DeltaTable(feed.home.lake / table, version=plans.latest(feed.store).versions[table]).file_uris())


def test_crash_between_the_compacted_file_and_the_removal_of_its_inputs(feed):
    """arc#157: inputs and output of a compaction both stayed visible after a crash, and every row counted twice."""
    hours(feed, 3)
    before = everything(feed)
    killed(feed, COMPACT, "delta_first")
    assert everything(feed) == before
    feed.restart()
    hours(feed, 1, first=3)
    assert len(view(feed, "water_meter")) == 8
    feed.check()


def test_a_backup_that_starts_in_the_middle_of_a_compaction(feed, tmp_path):
    """arc#930: such a backup held the files of before and of after, and a restored town had all its rows twice."""
    hours(feed, 3)
    before = everything(feed)
    killed(feed, COMPACT, "delta_first")
    lake = Lake(feed.home, feed.store, lambda: NOW)
    backup(lake, tmp_path / "backup", copy_tail, progress=lambda _: None)
    restore(tmp_path / "backup", None, tmp_path / "restored", lambda: NOW)
    restored = Feed(tmp_path / "restored")
    assert everything(restored) == before
    assert restored.commit() == Counter()


def test_the_journal_replayed_twice(feed):
    """arc#229: a log that was applied and not yet removed was applied again after each restart."""
    hours(feed, 2)
    before = everything(feed)
    for _ in range(2):
        feed.restart()
        assert feed.commit() == Counter()
    assert everything(feed) == before
    feed.check()


def test_replay_after_a_partial_flush(feed):
    """Arc PR#199: after a crash half way through a flush, the half that was stored came a second time."""
    for number in range(3):
        feed.say(topic("m1"), {"time": z(NOW - number * HOUR), "seq": number, "volume_total_m3": 9})
        feed.journalled()
    killed(feed, WRITER, "delta_first")
    feed.restart()
    feed.commit()
    assert [seq for (seq,) in feed.sql("SELECT seq FROM water_meter_revisions ORDER BY seq")] == [0, 1, 2]
    feed.check()


def test_recovery_leaves_the_file_that_is_being_written(feed):
    """arc#594: recovery deleted the log that the running process was writing; what came after it was gone."""
    hours(feed, 1)
    feed.say(topic("m1"), {"time": z(NOW + HOUR / 60), "seq": 7, "volume_total_m3": 1001})
    feed.journalled()
    killed(feed, WRITER, "plan_written")
    written = {path.name: path.read_bytes() for path in feed.journal.folder.iterdir()}
    feed.restart()  # recovers beside the open journal
    feed.commit()
    assert written.keys() <= {path.name for path in feed.journal.folder.iterdir()}
    hours(feed, 1, first=1)  # the receiver goes on in the same file
    feed.journal.trim(feed.journal.last_row - 1)
    feed.say(topic("m2"), {"time": z(NOW + HOUR / 60), "seq": 8, "volume_total_m3": 1001})
    feed.commit()
    assert [seq for (seq,) in feed.sql("SELECT seq FROM water_meter WHERE seq > 5 ORDER BY seq")] == [7, 8]
    Reader(feed.journal.folder).verify()
    feed.check()


def test_rows_equal_in_key_different_in_value(feed):
    """arc#1232: compaction kept one of them, by chance, and deleted the others."""
    for value in (1, 2, 3, 2):
        feed.say(topic("m1"), {"time": z(NOW), "volume_total_m3": value})
        feed.commit()
    for _ in range(2):
        stored = feed.sql("SELECT CAST(volume_total_m3 AS INTEGER) FROM water_meter_revisions ORDER BY revision")
        assert [value for (value,) in stored] == [1, 2, 3]
        assert feed.sql("SELECT CAST(volume_total_m3 AS INTEGER) FROM water_meter") == [(3,)]
        compact_all(feed.lake)
    feed.check()


def test_an_upload_of_48_hours_over_the_change_of_the_clock_crashed_in_the_middle(feed):
    """arc#228, timescaledb#10296: writes that span partitions lost rows, the more so around a change of the clock."""
    feed.now = NOW.replace(month=3, day=30)
    start = feed.now - 48 * HOUR  # in the middle: 29 March 2026, a day of 23 hours
    upload = [{"time": z(start + n * HOUR / 4), "seq": n, "volume_total_m3": n} for n in range(192)]
    feed.say(topic("m1"), upload)
    feed.journalled()
    killed(feed, WRITER, "delta_first")
    feed.restart()
    feed.say(topic("m1"), upload)  # the device has no acknowledgement and sends it again
    feed.commit()
    assert feed.sql("SELECT count(*), count(DISTINCT seq), sum(seq) FROM water_meter_revisions") == [(192, 192, 18336)]
    local = "CAST(observed_at AT TIME ZONE 'Europe/Ljubljana' AS DATE)"
    days = dict(feed.sql(f"SELECT CAST({local} AS VARCHAR), count(*) FROM water_meter GROUP BY 1"))
    assert days["2026-03-29"] == 23 * 4
    feed.check()


def test_many_small_files_come_to_few(feed):
    """influxdb#27301, arc PR#103: tens of thousands of small files stayed, or were merged in memory without bound."""
    hours(feed, 8)
    before = everything(feed)
    assert parquet(feed, "water_meter") == 8
    compact_all(feed.lake)
    assert everything(feed) == before
    days = feed.sql("SELECT DISTINCT day FROM water_meter")
    assert parquet(feed, "water_meter") == len(days) < 3


def test_disk_full_during_a_write_then_space_returns(feed, monkeypatch):
    """thingsboard#11751: the disk was full, the database did not start again, and nobody knew what to delete."""
    from lake import commit  # noqa: PLC0415 - the one place whose writes fail here

    hours(feed, 1)
    before = everything(feed)
    feed.say(topic("m1"), {"time": z(NOW + HOUR / 60), "seq": 5, "volume_total_m3": 1001})
    feed.journalled()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(commit, "write_parquet", full)
        with pytest.raises(OSError, match="No space"):
            feed.writer.commit_from(feed.reader, 100)
        assert everything(feed) == before
    assert feed.commit()["stored"] == 1
    feed.check()


def revised(feed, count, first=0):
    """Commits of five messages: three rows, one of them a revision; a duplicate; one that cannot be read."""
    for number in range(first, first + count):
        feed.say(topic("m1"), {"time": z(NOW), "seq": 1000 + number, "volume_total_m3": number})
        hours(feed, 1, first=number + 1)


def test_ingestion_compaction_and_questions_at_once(feed):
    """ducklake#650, #1094: with all of them at once rows were doubled, or came back after they had been deleted."""
    ended, wrong, seen = threading.Event(), [], set()
    other = Feed.__new__(Feed)
    other.__dict__ |= feed.__dict__
    other.restart()

    def ask():
        tables = ("raw_messages", "water_meter_revisions", "balance")
        while not ended.is_set():
            with open_snapshot(feed.home.path, tables=tables, limited=False) as lake:
                raw = lake.execute("SELECT count(*), count(DISTINCT message_id) FROM raw_messages").fetchone()
                kept = lake.execute("SELECT count(*), count(DISTINCT (device_id, seq)) FROM water_meter_revisions")
                rows, distinct = kept.fetchone()
                received = lake.execute("SELECT sum(received) FROM balance").fetchone()[0]
            seen.add(raw[0])
            if not raw[0] == raw[1] == received or raw[0] % 5 or rows != distinct or raw[0] * 3 != rows * 5:
                wrong.append((*raw, received, rows, distinct))

    def tidy():
        while not ended.is_set():
            compact_all(other.lake)

    revised(feed, 3)
    threads = [threading.Thread(target=ask), threading.Thread(target=tidy)]
    for thread in threads:
        thread.start()
    try:
        revised(feed, 10, first=3)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert len(seen) > 1
    feed.check()
