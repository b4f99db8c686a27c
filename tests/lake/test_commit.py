"""Proves that a commit is decided once and visible once: killed at every step, with two writers, with a full disk."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable
from sqlalchemy import select

from catalog import plans
from catalog import store as tables
from ingest.drain import main as writer_main
from ingest.run import WRITER
from lake.commit import Lake
from lake.snapshot import find
from schemas.errors import DravaError
from schemas.steps import COMMIT
from tests.ingest.feeding import HOUR, NOW, Feed, multiset, topic, view, z

ROOT = Path(__file__).parents[2]
STEPS = [step for step in COMMIT if step != "trimmed"]  # the journal's, not the commit's


@pytest.fixture
def feed(tmp_path):
    """Three journal rows: three commits. Six tables, two days, duplicates and poison in each."""
    feed = Feed(tmp_path / "home", more="[ingest]\nflush_rows = 100\n")
    feed.register(("m1", "water_meter"), ("c1", "waste_container"))
    for row in range(3):
        for number in range(0, 100, 4):
            when = {"time": z(NOW - number * HOUR / 2), "seq": row}
            feed.say(topic("m1"), when | {"volume_total_m3": 1000 - number})
            feed.say(topic("c1", "waste_container"), when | {"fill_pct": number + row})
            feed.say(topic("u1"), when | {"volume_total_m3": 3})
            feed.say(topic("m1"), b"poison %d" % number)
        feed.journalled()
    return feed


def start_writer(feed, kill_at=""):
    """The real writer process; its receiver is gone, so it commits what waits and ends."""
    command = [sys.executable, "-c", WRITER, str(feed.home.path), str(feed.journal.folder), NOW.isoformat()]
    environment = os.environ | ({"DRAVA_TEST_KILL_AT": kill_at} if kill_at else {})
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def killed_at(feed, step):
    writer = start_writer(feed, step)
    writer.communicate(timeout=60)
    assert writer.returncode == -signal.SIGKILL, step


def finish(feed):
    """Another writer goes on, in this process."""
    feed.restart()
    while feed.writer.commit_from(feed.reader, 100):
        pass
    feed.lake.tables.clear()


def check(feed):
    """All readers agree with what was sent: polars, deltalake with plain DuckDB, our SQL; each message once."""
    feed.check()
    assert feed.sql("SELECT count(*), sum(volume_total_m3) FROM water_meter") == [(25, 25 * 1000 - 1200)]
    assert feed.sql("SELECT count(*), sum(fill_pct) FROM waste_container") == [(25, 1250)]
    revisions = "SELECT fill_pct - revision, count(*) FROM waste_container_revisions GROUP BY 1 ORDER BY 1"
    assert feed.sql(revisions) == [(number, 3) for number in range(0, 100, 4)]
    assert feed.quarantined() == {"not_json": 75, "unknown_device": 75}
    versions = plans.latest(feed.store).versions
    for name, version in versions.items():
        folder = feed.home.lake / name
        lazily = pl.scan_delta(str(folder)).collect()
        table = DeltaTable(folder)
        assert table.version() == version, "what no snapshot shows is not in the table"
        plain = duckdb.sql(f"SELECT * FROM read_parquet({table.file_uris()}, hive_partitioning = true)").pl()
        assert multiset(lazily.select(sorted(lazily.columns)).drop("day")) == multiset(
            plain.select(sorted(plain.columns)).drop("day").cast({n: t for n, t in lazily.schema.items() if n != "day"})
        ), name
    assert plans.pending(feed.store) is None
    assert feed.writer.position(feed.reader) == feed.journal.last_row


def test_undisturbed(feed):
    writer = start_writer(feed)
    writer.communicate(timeout=60)
    assert writer.returncode == 0
    assert plans.latest(feed.store).id == 3
    check(feed)


@pytest.mark.parametrize("step", [*(f"{step}:1" for step in STEPS), "plan_written:2", "delta_first:7"])
def test_killed_at_every_step(feed, step):
    killed_at(feed, step)
    finish(feed)
    check(feed)


@pytest.mark.soak
@pytest.mark.parametrize("first", STEPS)
@pytest.mark.parametrize("second", STEPS)
def test_killed_again_while_recovering(feed, first, second):
    killed_at(feed, f"{first}:2")
    killed_at(feed, f"{second}:1")
    finish(feed)
    check(feed)


@pytest.mark.parametrize("first", ["plan_written", "delta_first"])
def test_killed_again_while_rolling_forward(feed, first):
    for step in (first, "delta_first", "delta_committed", "snapshot_made"):
        killed_at(feed, f"{step}:1")
    finish(feed)
    check(feed)


def test_what_was_committed_is_shown_by_the_next_writer_though_nothing_waits(feed):
    """Killed between the catalogue and the published file: the next start shows it, no message is needed for that."""
    killed_at(feed, "snapshot_made:3")
    assert feed.sql("SELECT count(*) FROM raw_messages") == [(200,)]
    writer = start_writer(feed)
    writer.communicate(timeout=60)
    assert writer.returncode == 0
    check(feed)


def test_registry_changed_between_crash_and_replay(feed):
    """The plan is rolled forward as written: a message decided to be unknown stays in quarantine, and is not lost."""
    killed_at(feed, "plan_written:1")
    feed.register(("u1", "water_meter"))
    finish(feed)
    feed.check()
    found = dict(feed.sql("SELECT device_id, count(*) FROM water_meter GROUP BY 1"))
    assert found == {"m1": 25, "u1": 25}  # from the second row of the journal on
    assert feed.quarantined() == {"not_json": 75, "unknown_device": 25}


def test_registry_changed_before_anything_was_decided(feed):
    killed_at(feed, "files_written:1")
    feed.register(("u1", "water_meter"))
    finish(feed)
    feed.check()
    assert feed.quarantined() == {"not_json": 75}


def test_the_order_of_a_plan_is_kept_whatever_the_settings_say_now(feed):
    """An upgrade or another setting between crash and replay changes nothing of what was decided."""
    killed_at(feed, "delta_first:1")
    text = feed.home.file.read_text().replace(
        "flush_rows = 100", "flush_rows = 100\nfuture_minutes = 0\ntoo_old_days = 1"
    )
    feed.home.file.write_text(text)
    position = plans.position(feed.store, feed.reader.uuid)
    assert position.row == 0
    feed.restart()
    with feed.lake.exclusive():
        pass
    assert plans.position(feed.store, feed.reader.uuid).row == 1
    assert feed.sql("SELECT count(*) FROM water_meter") == [(25,)]


def test_two_writers_at_once_on_one_journal(feed):
    writers = [start_writer(feed), start_writer(feed)]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    feed.restart()
    check(feed)


def test_a_pending_plan_is_rolled_forward_once_by_two_writers(feed):
    killed_at(feed, "plan_written:2")
    writers = [start_writer(feed), start_writer(feed)]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    feed.restart()
    check(feed)


def test_two_receivers_two_journals_one_lake(feed):
    """The same messages through both: the second copy is a duplicate, and every message is on the sheet."""
    other = Feed(feed.home.path, journal="second")
    other.waiting = []
    for row in feed.reader.read(0, 10**9):
        other.journal.append([(row.batch, 0)])
    writers = [start_writer(feed), start_writer(other)]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    assert feed.sql("SELECT count(*), count(DISTINCT message_id) FROM raw_messages") == [(600, 600)]
    assert feed.sql("SELECT count(*) FROM water_meter_revisions") == [(25,)]
    assert feed.sql("SELECT count(*) FROM waste_container_revisions") == [(75,)]
    sums = "sum(received) = sum(decoded + quarantined), sum(readings) = sum(stored + revised + duplicate)"
    assert feed.sql(f"SELECT {sums} FROM balance") == [(True, True)]


def test_writers_that_take_turns_know_what_the_other_wrote(feed):
    """Each holds handles and marks from before the other's commit."""
    other = Feed.__new__(Feed)
    other.__dict__ |= feed.__dict__
    other.restart()
    writers = [feed.writer, other.writer]
    turn = 0
    while writers[turn % 2].commit_from(feed.reader, 100):
        turn += 1
    assert turn == 3
    check(feed)


def test_nothing_is_committed_outside_of_the_lock(feed):
    with pytest.raises(DravaError, match="outside"):
        feed.lake.commit("ingest", {})


def test_a_table_without_rows_is_not_touched(feed):
    finish(feed)
    assert set(plans.latest(feed.store).versions) == {
        "water_meter", "waste_container", "raw_messages", "quarantine", "balance"
    }  # fmt: skip
    assert not (feed.home.lake / "hydrant").exists()


def test_a_full_disk_leaves_what_was_and_goes_on_when_there_is_space(feed, monkeypatch):
    """thingsboard#11751: no file can be written for a while, then again; nothing is lost, nothing is twice."""
    from lake import commit  # noqa: PLC0415 - the one place whose writes fail here

    real, left = commit.write_parquet, [7]

    def write(*args):
        left[0] -= 1
        if 0 <= left[0] < 4:
            raise OSError(28, "No space left on device")
        return real(*args)

    monkeypatch.setattr(commit, "write_parquet", write)
    feed.restart()
    failures = 0
    while True:
        try:
            if not feed.writer.commit_from(feed.reader, 100):
                break
        except OSError:
            failures += 1
    assert failures
    check(feed)


def test_a_log_that_cannot_be_written_is_written_later_from_the_plan(feed, monkeypatch):
    from lake import log  # noqa: PLC0415 - the one place whose writes fail here

    real, left = log.put, [6]

    def put(*args):
        left[0] -= 1
        if 0 <= left[0] < 3:
            raise OSError(28, "No space left on device")
        return real(*args)

    monkeypatch.setattr(log, "put", put)
    feed.restart()
    failures = 0
    while True:
        try:
            if not feed.writer.commit_from(feed.reader, 100):
                break
        except OSError:
            failures += 1
            assert plans.pending(feed.store) is not None
    assert failures
    check(feed)


def test_what_was_published_can_be_asked_as_it_was(feed):
    from lake.query import open_snapshot  # noqa: PLC0415 - this one only

    finish(feed)
    for number, received in ((1, 100), (2, 200), (3, 300)):
        with open_snapshot(feed.home.path, at=str(number), tables=["raw_messages", "balance"]) as lake:
            assert lake.execute("SELECT count(*) FROM raw_messages").fetchall() == [(received,)]
            assert lake.execute("SELECT sum(received) FROM balance").fetchall() == [(received,)]


def test_revised_and_dirty_days_are_part_of_the_commit(feed):
    killed_at(feed, "delta_committed:2")
    finish(feed)
    assert plans.revised(feed.store) == {"waste_container": ["2026-02-28", "2026-03-01", "2026-03-02"]}
    with feed.store.begin() as db:
        days = {(row.dataset, row.first) for row in db.execute(select(tables.dirty))}
    assert ("water_meter", "2026-03-02") in days
    assert view(feed, "waste_container", ["min(fill_pct)"]) == [(2,)]


def test_files_are_readable_by_the_group_and_changed_by_nobody(feed):
    finish(feed)
    for path in feed.home.lake.rglob("*"):
        if path.name == ".lock":
            continue
        wanted = 0o750 if path.is_dir() else 0o440 if path.suffix == ".parquet" else 0o640
        assert path.stat().st_mode & 0o777 == wanted, path


def test_the_writers_main_is_what_the_receiver_starts():
    assert writer_main.__module__ in WRITER
    assert Lake.__name__ == "Lake"


def test_everything_that_a_commit_names_was_synced_before_it(feed, monkeypatch):
    """A power cut leaves no name without its contents: files, log entries, folders, and what readers are shown."""
    synced, real = set(), os.fsync

    def fsync(handle):
        real(handle)
        synced.add(os.fstat(handle).st_ino)

    def publish(*args):
        asked = [path for path in feed.home.lake.rglob("*") if path.name != ".lock"]
        unsynced.extend(path for path in asked if path.stat().st_ino not in synced)
        return catalogue(*args)

    unsynced, catalogue = [], plans.publish
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(plans, "publish", publish)
    finish(feed)
    assert unsynced == []
    shown = [path for path in feed.home.published.rglob("*") if path.is_file()]
    assert [path for path in shown if path.stat().st_ino not in synced] == []


def test_published_taken_away_is_made_again(tmp_path):
    """Everything in it comes from the catalogue; until then readers are told, and do not see an empty lake."""
    feed = Feed(tmp_path / "home")
    feed.register(("w1", "water_meter"))
    lake = Lake(feed.home, feed.store, lambda: NOW)
    for number in range(2):
        feed.say(topic("w1"), {"time": z(NOW - number * HOUR), "volume_total_m3": 10 - number})
        feed.commit()
        with lake.exclusive():  # one that has shown this snapshot already
            pass
        shutil.rmtree(feed.home.published)
        with pytest.raises(DravaError, match=r"current\.json is gone"):
            find(feed.home.path)
        with lake.exclusive():
            pass
        assert feed.sql("SELECT count(*) FROM water_meter JOIN devices USING (device_id)") == [(number + 1,)]
