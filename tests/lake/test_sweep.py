"""Proves what a sweep lets go of, and that nothing which can still be asked for goes, killed at any step."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from sqlalchemy import update

from catalog import plans
from catalog import store as tables
from catalog.store import Store
from ingest.tail import copy_tail
from lake import chain, log
from lake.backup import backup
from lake.maintain import Keeper, checkpoint, compact_all
from lake.restore import restore
from lake.snapshot import find
from lake.sweep import STEPS, sweep
from lake.verify import verify
from schemas.settings import Home
from tests.ingest.feeding import NOW, Feed
from tests.lake.test_maintain import contents, fill, filled, shown

ROOT = Path(__file__).parents[2]
COMMITS = 6


@pytest.fixture
def feed(tmp_path):
    return filled(tmp_path, COMMITS)


def parquet(feed):
    return set(feed.home.lake.rglob("*.parquet"))


def test_a_sweep_deletes_no_file_that_a_kept_snapshot_names(feed):
    compact_all(feed.lake)
    answers, before, there = shown(feed), contents(feed), parquet(feed)
    first = str(plans.latest(feed.store).id)
    sweep(feed.lake)
    assert parquet(feed) == there  # everything is younger than the time kept
    feed.now += timedelta(days=10)
    fill(feed, 1, COMMITS)
    sweep(feed.lake)
    assert shown(feed, at=first) == answers
    feed.now += timedelta(days=40)
    swept = sweep(feed.lake)
    assert swept.files > 0
    assert parquet(feed) < there | parquet(feed)
    after = contents(feed)
    assert after["water_meter"][0] == before["water_meter"][0] + 2
    feed.check()


def test_a_sweep_deletes_what_a_crash_left_and_nothing_young(feed):
    stray = feed.home.lake / "water_meter" / "day=2026-03-02" / "0000009999.parquet"
    stray.write_bytes(b"left by a crash")
    sweep(feed.lake)
    assert stray.exists()  # another writer may be about to name it
    long_ago = (NOW - timedelta(days=60)).timestamp()
    os.utime(stray, (long_ago, long_ago))
    before = contents(feed)
    sweep(feed.lake)
    assert not stray.exists()
    assert contents(feed) == before


def test_raw_messages_go_after_their_time_and_nothing_else(feed):
    feed.now += timedelta(days=91)
    before, balance = contents(feed), feed.sql("SELECT sum(received) FROM balance")
    assert sweep(feed.lake).raw_days == 1
    assert feed.sql("SELECT count(*) FROM raw_messages") == [(0,)]
    after = contents(feed)
    assert {n: v for n, v in after.items() if n != "raw_messages"} == {
        n: v for n, v in before.items() if n != "raw_messages"
    }
    assert feed.sql("SELECT sum(received) FROM balance") == balance
    fill(feed, 1, COMMITS)
    assert feed.sql("SELECT count(*) FROM raw_messages") == [(5,)]


# --- logs ------------------------------------------------------------------------------------------------------------
LONG = timedelta(days=20)  # more than snapshots are kept
KEPT = 3


def logs(feed):
    return {name: log.kept(feed.home.lake / name) for name in plans.latest(feed.store).versions}


def published(feed):
    """The numbers of the snapshots that readers can choose."""
    return [str(int(path.stem.partition("-")[0])) for path in sorted((feed.home.published / "snapshots").iterdir())]


def everything(feed, numbers=None):
    """Snapshots (those that a sweep keeps) as they read, and every table at every version that one of them names."""
    found = {}
    for number in numbers or published(feed)[-KEPT:]:
        found[number] = shown(feed, at=number)
        for name, version in find(feed.home.path, number).tables.items():
            found[name, version] = sorted(DeltaTable(feed.home.lake / name, version=version).file_uris())
    return found


def unbroken(feed):
    assert verify(feed.home, feed.store, deep=True).problems == []
    feed.check()


@pytest.fixture
def aged(feed):
    """Each log has entries 0 to 11 and checkpoints at 8 and 10; all snapshots but three are past their time."""
    fill(feed, 2, COMMITS)
    checkpoint(feed.lake)
    feed.now += LONG
    fill(feed, 2, COMMITS + 2)
    checkpoint(feed.lake)
    fill(feed, 1, COMMITS + 4)
    return feed


def test_the_beginning_of_a_log_goes_and_every_kept_snapshot_opens(aged):
    before = everything(aged)
    assert sweep(aged.lake).entries == 8 * len(logs(aged))
    assert len(published(aged)) == KEPT
    assert everything(aged) == before
    for name, versions in logs(aged).items():
        assert versions == [8, 9, 10, 11]  # 9 is the oldest that a kept snapshot names
        assert log.checkpoints(aged.home.lake / name) == [8, 10]
    unbroken(aged)
    aged.restart()
    fill(aged, 1, COMMITS + 5)
    unbroken(aged)
    assert sweep(aged.lake).entries == 0


def test_a_log_of_young_snapshots_stays(feed):
    checkpoint(feed.lake)
    before = logs(feed)
    assert sweep(feed.lake).entries == 0
    assert logs(feed) == before


@pytest.mark.parametrize("size", [0, 500])
def test_a_checkpoint_that_does_not_open_is_no_beginning(aged, size):
    """A power cut before this program synced them, or a bad disk: the entries before are what there is."""
    torn = log.checkpoint_of(aged.home.lake / "water_meter", 8)
    torn.write_bytes(torn.read_bytes()[:size])
    before = logs(aged)["water_meter"]
    sweep(aged.lake)
    assert logs(aged)["water_meter"] == before
    assert logs(aged)["raw_messages"] == [8, 9, 10, 11]


SWEEP = """
import sys
from datetime import datetime
from pathlib import Path
from catalog.store import Store
from lake.commit import Lake
from lake.sweep import STEPS, sweep
from schemas.settings import Home
home = Home(Path(sys.argv[1]))
sweep(Lake(home, Store.at(home.catalog), lambda: datetime.fromisoformat(sys.argv[2])))
"""


@pytest.mark.parametrize(
    "step", ["begins_noted:1", "entry_dropped:11", *(pytest.param(f"{s}:1", marks=pytest.mark.soak) for s in STEPS)]
)
def test_a_sweep_killed_at_any_step_leaves_every_kept_snapshot(aged, step):
    """Also one that a power cut left: a hole before the new beginning is nobody's loss."""
    before = everything(aged)
    command = [sys.executable, "-c", SWEEP, str(aged.home.path), aged.now.isoformat()]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ | {"DRAVA_TEST_KILL_AT": step}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert everything(aged) == before  # before anybody goes on
    unbroken(aged)
    if step.startswith("entry_dropped"):
        log.path_of(aged.home.lake / "raw_messages", 4).unlink(missing_ok=True)
        unbroken(aged)
    aged.restart()
    sweep(aged.lake)
    assert set(map(tuple, logs(aged).values())) == {(8, 9, 10, 11)}
    assert len(published(aged)) == KEPT
    assert everything(aged) == before
    unbroken(aged)


def test_what_is_done_to_a_shortened_log_is_found(aged):
    sweep(aged.lake)
    folder = aged.home.lake / "raw_messages"

    def found():
        [problem] = verify(aged.home, aged.store).problems
        return problem.where, problem.what

    first, middle = log.path_of(folder, 8), log.path_of(folder, 9)
    sound, other = first.read_bytes(), middle.read_bytes()
    middle.unlink()
    assert found() == ("raw_messages, log entry 9", chain.MISSING)
    middle.write_bytes(other)
    first.unlink()
    assert found() == ("raw_messages, log entry 8", chain.MISSING)
    first.write_bytes(sound.replace(b'"kind":"ingest"', b'"kind":"erase"'))
    assert found()[0] == "raw_messages, log entry 8"
    with aged.store.begin() as db:  # plans go after their time: the catalogue's own note of the beginning stays
        db.execute(update(tables.plans).values(body="{}"))
    assert found() == ("raw_messages, log entry 8", chain.UNLIKE_BEGIN)
    first.write_bytes(sound)
    unbroken(aged)


def test_a_home_restored_from_a_shortened_log_begins_where_its_copy_does(aged, tmp_path):
    sweep(aged.lake)
    answers = shown(aged)
    backup(aged.lake, tmp_path / "backups", copy_tail)
    restore(tmp_path / "backups", None, tmp_path / "restored", lambda: aged.now)
    home = Home(tmp_path / "restored")
    store = Store.at(home.catalog)
    assert {at.version for at in plans.begins(store).values()} == {10}  # a backup begins at the last checkpoint
    assert verify(home, store, deep=True).problems == []
    store.close()
    restored = Feed(home.path)
    restored.now = aged.now
    assert shown(restored) == answers
    fill(restored, 2, COMMITS + 5)
    assert verify(home, restored.store, deep=True).problems == []
    log.path_of(home.lake / "raw_messages", 10).unlink()
    assert [problem.what for problem in verify(home, restored.store).problems] == [chain.MISSING]


def test_what_a_crash_left_shown_of_a_dropped_snapshot_goes(aged):
    """Killed between the catalogue and the folder: `--at` must not find a snapshot whose files are gone."""
    folder = aged.home.published / "snapshots"
    names = {path.name: path.read_bytes() for path in folder.iterdir()}
    sweep(aged.lake)
    kept = {path.name for path in folder.iterdir()}
    oldest = min(names)
    (folder / oldest).write_bytes(names[oldest])
    sweep(aged.lake)
    assert {path.name for path in folder.iterdir()} == kept
    assert find(aged.home.path, "1").oldest_instead


def test_a_writer_that_never_rests_sweeps_too(aged):
    keeper = Keeper(aged.lake)
    keeper.after_commit()
    assert logs(aged)["raw_messages"][0] == 0
    aged.now += timedelta(hours=2)
    keeper.after_commit()
    assert logs(aged)["raw_messages"][0] == 8
    kept = published(aged)[-KEPT:]
    before = everything(aged)
    aged.now += timedelta(hours=2)
    keeper.after_commit()
    assert everything(aged, kept) == before
    newest = published(aged)[-1]
    assert newest not in kept  # a day that is over became one file meanwhile: the same rows
    assert shown(aged, at=newest) == before[kept[-1]]


def test_a_home_without_a_commit_has_nothing_to_sweep(tmp_path):
    swept = sweep(Feed(tmp_path / "home").lake)
    assert (swept.snapshots, swept.entries, swept.files) == (0, 0, 0)
