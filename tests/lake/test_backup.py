"""Backups of a lake at work: whole or not there, each file once, and what is restored goes on where the backup was."""

import os
import shutil
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
from lake import backup as room
from lake import manifest as manifests
from lake.backup import STEPS, prune
from lake.maintain import checkpoint, compact_all
from lake.restore import restore
from lake.snapshot import find
from lake.verify import verify
from schemas.errors import DravaError
from schemas.settings import Home
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z

ROOT = Path(__file__).parents[2]


def clock():
    return NOW


def backup(lake, folder, **options):
    return room.backup(lake, folder, copy_tail, **options)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    feed = Feed(tmp_path_factory.mktemp("filled") / "home")
    feed.register(("m1", "water_meter"), ("c1", "waste_container"))
    for number in range(3):
        hour(feed, number)
    feed.journal.close()
    feed.store.close()
    return feed.home.path


@pytest.fixture
def feed(filled, tmp_path):
    return Feed(shutil.copytree(filled, tmp_path / "home"))


def hour(feed, number):
    """One commit: a reading of each device."""
    at = z(NOW - number * HOUR)
    feed.say(topic("m1"), {"time": at, "volume_total_m3": 1000 - number})
    feed.say(topic("c1", "waste_container"), {"time": at, "fill_pct": number % 100})
    feed.commit()


def reopen(path):
    """The restored home, as a new process would open it."""
    return Feed(path)


def data_files(folder):
    return {path for path in (folder / "data").rglob("*") if path.is_file()}


def readings(feed):
    return feed.sql("SELECT count(*), sum(volume_total_m3) FROM water_meter")[0]


def test_a_restored_home_is_the_same_and_goes_on(feed, tmp_path):
    feed.say(topic("m1"), {"time": z(NOW - 50 * HOUR), "volume_total_m3": 7})
    feed.journalled()  # acknowledged, and not yet in the lake
    done = backup(feed.lake, tmp_path / "b")
    assert done.manifest.rows["water_meter"] == 3
    assert done.manifest.balance["received"] == 6
    restore(tmp_path / "b", None, tmp_path / "new", clock)
    again = reopen(tmp_path / "new")
    assert again.journal.uuid == feed.journal.uuid  # the same session at the broker, the same positions
    assert readings(again) == (3, 2997)
    assert again.commit()["stored"] == 1, "what was acknowledged is stored"
    assert again.commit() == Counter(), "and only once"
    hour(again, 60)
    hour(again, 1)  # known already
    assert readings(again) == (5, 3944)
    again.check()
    assert Reader(again.journal.folder).verify() == 3, "what was in the lake is not copied; the chain goes on"
    again.journal.close()
    found = verify(again.home, again.store, deep=True)
    assert found.problems == []
    assert found.rows["water_meter"] == 5


def test_only_what_is_new_is_copied(feed, tmp_path):
    first = backup(feed.lake, tmp_path / "b")
    assert backup(feed.lake, tmp_path / "b").copied_files == 0
    before = data_files(tmp_path / "b")
    hour(feed, 30)
    tables = len(plans.latest(feed.store).versions)
    done = backup(feed.lake, tmp_path / "b")
    assert done.copied_files == 2 * tables  # of each table one file and one entry of its log
    assert len(data_files(tmp_path / "b") - before) == 2 * tables
    assert first.copied_files + done.copied_files == len(data_files(tmp_path / "b"))


def test_what_was_lost_in_the_folder_is_copied_again(feed, tmp_path):
    backup(feed.lake, tmp_path / "b")
    missing, short, *_ = sorted(data_files(tmp_path / "b"))
    missing.unlink()
    short.write_bytes(b"")
    done = backup(feed.lake, tmp_path / "b")
    assert done.copied_files == 2
    assert list(manifests.damage(tmp_path / "b", done.manifest)) == []


def test_what_no_snapshot_shows_is_not_in_the_backup(feed, tmp_path):
    """A stranger's commit after the snapshot's version, and the snapshots before it."""
    DeltaTable(feed.home.lake / "water_meter").delete()
    backup(feed.lake, tmp_path / "b")
    restore(tmp_path / "b", None, tmp_path / "new", clock)
    again = reopen(tmp_path / "new")
    assert verify(again.home, again.store).problems == []
    assert readings(again)[0] == 3
    assert plans.thin_snapshots(again.store, drop_before=2**62, thin_before=0) == []
    assert find(again.home.path, "1").oldest_instead


def test_a_compaction_during_the_backup_doubles_nothing(feed, tmp_path):
    """arc#930: inputs and output of a compaction in one backup, rows counted twice for ever."""
    started = []

    def compact_once(_):
        if not started:
            started.append(compact_all(feed.lake))

    done = backup(feed.lake, tmp_path / "b", progress=compact_once)
    assert started[0] > 4
    assert plans.latest(feed.store).id > done.manifest.snapshot
    for name in ("during", "after"):
        restore(tmp_path / "b", None, tmp_path / name, clock)
        assert readings(reopen(tmp_path / name))[0] == 3
        backup(feed.lake, tmp_path / "b")  # then one after the compaction, into the same folder


def test_backups_while_commits_and_compactions_run(feed, tmp_path):
    """Each restores to a state in which messages, rows and journal agree."""
    stop = threading.Event()
    failed = []

    def work():
        try:
            for number in range(10, 1000):
                hour(feed, number)
                if number % 7 == 0:
                    compact_all(feed.lake)
                if stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - told by the test
            failed.append(error)

    other = Feed(tmp_path / "home", journal="other")  # a process of its own: lake, store, lock
    worker = threading.Thread(target=work)
    worker.start()
    made = [backup(other.lake, tmp_path / "b").manifest for _ in range(4)]
    stop.set()
    worker.join()
    assert not failed
    assert len({manifest.snapshot for manifest in made}) > 1
    for manifest in made:
        restore(tmp_path / "b", manifest.name, tmp_path / manifest.name, clock)
        again = reopen(tmp_path / manifest.name)
        assert readings(again)[0] == manifest.rows["water_meter"] == manifest.balance["received"] // 2
        again.commit()
        again.check()
        again.journal.close()


@pytest.mark.parametrize("step", ["files_written", "plan_written", "delta_first", "delta_committed", "snapshot_made"])
def test_a_commit_that_a_crash_interrupted_is_whole_in_the_backup(feed, tmp_path, step):
    """Between two steps of a commit nothing belongs together: the backup completes it first, or does not see it."""
    feed.say(topic("m1"), {"time": z(NOW - 20 * HOUR), "volume_total_m3": 500})
    feed.journalled()
    command = [sys.executable, "-c", WRITER, str(feed.home.path), str(feed.journal.folder), NOW.isoformat()]
    how = {"cwd": ROOT, "env": os.environ | {"DRAVA_TEST_KILL_AT": step}, "stdin": subprocess.DEVNULL}
    assert subprocess.run(command, check=False, **how).returncode == -signal.SIGKILL
    backup(feed.lake, tmp_path / "b")
    restore(tmp_path / "b", None, tmp_path / "new", clock)
    again = reopen(tmp_path / "new")
    assert verify(again.home, again.store, deep=True).problems == []
    assert readings(again)[0] + again.commit()["stored"] == 4
    again.check()


BACKUP = """
import sys; from pathlib import Path; from datetime import datetime
from catalog.store import Store; from ingest.tail import copy_tail; from lake.backup import backup
from lake.commit import Lake; from schemas.settings import Home
home = Home(Path(sys.argv[1]))
lake = Lake(home, Store.at(home.catalog), lambda: datetime.fromisoformat(sys.argv[3]))
backup(lake, Path(sys.argv[2]), copy_tail, keep=1)
"""


@pytest.mark.parametrize("step", STEPS)
def test_killed_during_a_backup(feed, tmp_path, step):
    """The older backup stays whole; the next one succeeds and clears up."""
    old = backup(feed.lake, tmp_path / "b").manifest
    hour(feed, 20)
    command = [sys.executable, "-c", BACKUP, str(feed.home.path), str(tmp_path / "b"), NOW.isoformat()]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ | {"DRAVA_TEST_KILL_AT": step}, check=False)
    assert killed.returncode == -signal.SIGKILL
    listed = manifests.names(tmp_path / "b")
    assert (len(listed) == 2) == (step == "backup_made")
    assert (old.name in listed) == (step != "backup_pruned")
    for name in listed:
        assert list(manifests.damage(tmp_path / "b", manifests.read(tmp_path / "b", name))) == []
    done = backup(feed.lake, tmp_path / "b", keep=1)
    assert manifests.names(tmp_path / "b") == [done.manifest.name]
    assert data_files(tmp_path / "b") == {
        tmp_path / "b" / entry.stored for entry in done.manifest.files if entry.stored.startswith("data/")
    }
    assert not (tmp_path / "b" / ".new").exists()
    restore(tmp_path / "b", None, tmp_path / "new", clock)
    assert readings(reopen(tmp_path / "new"))[0] == 4


def test_a_full_disk_leaves_the_older_backup(feed, tmp_path):
    """A limit on the size of a file stands for the disk that is full."""
    old = backup(feed.lake, tmp_path / "b").manifest
    hour(feed, 20)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
    home = ["--home", str(feed.home.path), "--as-of", NOW.isoformat()]
    run = "from cli import run; run()"
    command = [sys.executable, "-c", limit + run, *home, "backup", str(tmp_path / "b")]
    full = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert full.returncode == 2
    assert full.stderr.startswith("drava: the backup could not be written")
    assert manifests.names(tmp_path / "b") == [old.name]
    assert list(manifests.damage(tmp_path / "b", old)) == []
    backup(feed.lake, tmp_path / "b")


def test_keep_deletes_nothing_that_a_kept_backup_names(feed, tmp_path):
    names = []
    for number in range(10, 14):
        hour(feed, number)
        compact_all(feed.lake)  # each backup has files of its own, and shares others
        names.append(backup(feed.lake, tmp_path / "b").manifest.name)
    before = data_files(tmp_path / "b")
    assert prune(tmp_path / "b", 2) == names[:2]
    assert manifests.names(tmp_path / "b") == names[2:]
    assert data_files(tmp_path / "b") < before
    for name in names[2:]:
        assert list(manifests.damage(tmp_path / "b", manifests.read(tmp_path / "b", name))) == []


def test_nothing_is_deleted_where_a_kept_manifest_cannot_be_read(feed, tmp_path):
    for _ in range(3):
        last = backup(feed.lake, tmp_path / "b").manifest.name
    before = data_files(tmp_path / "b")
    flip(tmp_path / "b" / "backups" / last / "manifest.json")
    with pytest.raises(DravaError, match=r"manifest\.json"):
        prune(tmp_path / "b", 1)
    assert len(manifests.names(tmp_path / "b")) == 3
    assert data_files(tmp_path / "b") == before


def flip(path):
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


@pytest.mark.parametrize("part", ["data/water_meter", "data/water_meter/_delta_log", "backups/*/catalog", "backups"])
def test_a_flipped_byte_is_found(feed, tmp_path, part):
    backup(feed.lake, tmp_path / "b")
    victim = next(path for folder in sorted((tmp_path / "b").glob(part)) for path in sorted(folder.rglob("*.*"))[-1:])
    flip(victim)
    with pytest.raises(DravaError):
        restore(tmp_path / "b", None, tmp_path / "new", clock)
    with pytest.raises(DravaError, match=r"not a Drava home|format"):
        Home(tmp_path / "new")


def test_a_file_that_came_again_with_other_contents_keeps_both(feed, tmp_path):
    """A restored home makes file names anew that the lost one had made too: the older backup keeps its own."""
    backup(feed.lake, tmp_path / "b")
    hour(feed, 20)
    lost = backup(feed.lake, tmp_path / "b").manifest
    restore(tmp_path / "b", manifests.names(tmp_path / "b")[0], tmp_path / "new", clock)
    again = reopen(tmp_path / "new")
    hour(again, 21)
    other = backup(again.lake, tmp_path / "b").manifest
    assert {e.path for e in lost.files} == {e.path for e in other.files}
    for manifest, total in ((lost, 3977), (other, 3976)):
        assert list(manifests.damage(tmp_path / "b", manifest)) == []
        restore(tmp_path / "b", manifest.name, tmp_path / manifest.name, clock)
        assert readings(reopen(tmp_path / manifest.name)) == (4, total)


def test_restored_from_a_checkpoint_without_the_log_before_it(feed, tmp_path):
    checkpoint(feed.lake)
    hour(feed, 20)
    manifest = backup(feed.lake, tmp_path / "b").manifest
    log = [e.path for e in manifest.files if e.path.startswith("lake/water_meter/_delta_log")]
    assert len(log) == 3  # the checkpoint, its own entry, the one after
    restore(tmp_path / "b", None, tmp_path / "new", clock)
    again = reopen(tmp_path / "new")
    assert readings(again)[0] == 4
    hour(again, 21)
    assert readings(again)[0] == 5
    again.check()


def test_permissions_and_times_are_those_of_the_home(feed, tmp_path):
    backup(feed.lake, tmp_path / "b")
    restore(tmp_path / "b", None, tmp_path / "new", clock)
    for path in sorted(feed.home.lake.rglob("*.parquet")):
        made = tmp_path / "new" / path.relative_to(feed.home.path)
        assert (made.stat().st_mode, made.stat().st_mtime_ns) == (path.stat().st_mode, path.stat().st_mtime_ns)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir() if path.is_dir()}
    assert modes == {"journal": 0o700, "catalog": 0o700, "secrets": 0o700} | dict.fromkeys(
        ("lake", "published", "exports"), 0o750
    )
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0


def test_secrets_only_when_asked(feed, tmp_path):
    (feed.home.secrets / "mqtt-password").write_text("hush")
    (feed.home.secrets / "mqtt-password").chmod(0o600)
    backup(feed.lake, tmp_path / "b")
    assert not [path for path in (tmp_path / "b").rglob("*") if path.is_file() and b"hush" in path.read_bytes()]
    backup(feed.lake, tmp_path / "b", with_secrets=True)
    restore(tmp_path / "b", None, tmp_path / "new", clock)
    assert (tmp_path / "new/secrets/mqtt-password").stat().st_mode & 0o777 == 0o600


def test_an_empty_home(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.journal.close()
    backup(feed.lake, tmp_path / "b")
    restore(tmp_path / "b", None, tmp_path / "new", clock)
    assert reopen(tmp_path / "new").sql("SELECT count(*) FROM raw_messages") == [(0,)]


def test_what_is_refused(feed, tmp_path, monkeypatch):
    with pytest.raises(DravaError, match="inside the home"):
        backup(feed.lake, feed.home.path / "exports")
    with pytest.raises(DravaError, match="no backup"):
        restore(tmp_path / "none", None, tmp_path / "new", clock)
    manifest = backup(feed.lake, tmp_path / "b").manifest
    with pytest.raises(DravaError, match="not empty"):
        restore(tmp_path / "b", None, feed.home.path, clock)
    with manifests.held(tmp_path / "b"):
        with pytest.raises(DravaError, match="in use"):
            backup(feed.lake, tmp_path / "b")
        with pytest.raises(DravaError, match="in use"):
            restore(tmp_path / "b", None, tmp_path / "busy", clock)
    with pytest.raises(DravaError, match="no backup 'x'"):
        restore(tmp_path / "b", "x", tmp_path / "new", clock)
    other = Feed(tmp_path / "other", more='title = "x"')
    other.home.settings.municipality = "maribor"
    with pytest.raises(DravaError, match="holds backups of ptuj"):
        backup(other.lake, tmp_path / "b")
    path = tmp_path / "b" / "backups" / manifest.name / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1,', '"format": 2,', 1))
    with pytest.raises(DravaError, match="newer"):
        restore(tmp_path / "b", None, tmp_path / "new", clock)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("place", ["../outside", "/etc/passwd", "published/current.json", "lake/../../x"])
def test_a_manifest_cannot_write_outside(feed, tmp_path, place):
    made = backup(feed.lake, tmp_path / "b").manifest
    folder = tmp_path / "b" / "backups" / made.name
    (folder / "manifest.json").unlink()
    made.files[0] = manifests.Entry(**(vars(made.files[0]) | {"path": place}))
    manifests.write(folder, made)
    with pytest.raises(DravaError, match="may not have"):
        restore(tmp_path / "b", None, tmp_path / "new", clock)


def test_a_torn_folder_is_not_a_backup(feed, tmp_path):
    made = backup(feed.lake, tmp_path / "b").manifest
    (tmp_path / "b" / "backups" / made.name / "manifest.json").unlink()
    assert manifests.names(tmp_path / "b") == []


def test_a_catalogue_in_postgresql_is_refused(feed, tmp_path, monkeypatch):
    monkeypatch.setattr(feed.store.engine.dialect, "name", "postgresql")
    with pytest.raises(DravaError, match="pg_dump"):
        backup(feed.lake, tmp_path / "b")
