"""Proves that the journal takes what the lake cannot: locked, away, or its disk full; and that it goes on by itself."""

import contextlib
import fcntl
import json
import os
import sqlite3
import subprocess
from datetime import timedelta

import pytest

from tests.ingest.feeding import BEGAN, NOW, topic, z
from tests.ingest.mqttside import publish
from tests.ingest.town import Town, readings, wait_for

QUICK = "[ingest]\nflush_seconds = 0.2\nmin_free_mb = 0\n"


@contextlib.contextmanager
def locked_catalogue(town):
    db = sqlite3.connect(town.home.catalog / "catalog.sqlite", isolation_level=None, timeout=30)
    db.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


@contextlib.contextmanager
def locked_lake(town):
    handle = os.open(town.home.lake / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


@pytest.mark.parametrize("lock", [locked_catalogue, locked_lake])
def test_a_lake_that_is_locked_is_journalled_for_and_drained_afterwards(tmp_path, broker, lock):
    town = Town(tmp_path / "home", broker.url, more=QUICK)
    town.subscribe()
    with town.serve() as service:
        publish(broker.port, readings(100))
        wait_for(lambda: town.committed() == 100)
        with lock(town):
            publish(broker.port, readings(2000, first=100))
            wait_for(lambda: town.waiting() == 2100)
            assert town.committed() == 100
        wait_for(lambda: town.committed() == 2100)
        assert service.end() == 0
        assert service.said[-1]["acknowledged"] == 2100
    town.check(2100)


def test_a_journal_that_is_taken_away_under_a_running_receiver_ends_it_and_the_next_start_tells(tmp_path, broker):
    """Nothing more is acknowledged into a file without a name; what the broker keeps comes to the next start."""
    town = Town(tmp_path / "home", broker.url, more=QUICK)
    town.subscribe()
    with town.serve() as service:
        publish(broker.port, readings(100))
        wait_for(lambda: town.committed() == 100)
        with locked_lake(town):
            publish(broker.port, readings(50, first=100))
            wait_for(lambda: town.waiting() == 150)
            (town.home.journal / "main" / "00000001.sqlite").unlink()
            publish(broker.port, readings(70, first=150))
            assert service.hear("was taken away while it was written")["level"] == "error"
        assert service.process.wait(60) == 2
    with town.serve() as service:
        assert service.hear("may be lost")["why"] == "journal"
        wait_for(lambda: town.committed() == 170)
        assert service.end() == 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("no right to mount a small file system here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fat(count):
    """Messages that do not compress: they fill the disk."""
    for n in range(count):
        body = {"time": z(BEGAN + timedelta(minutes=n)), "seq": n, "volume_total_m3": n / 10}
        yield topic("m1"), json.dumps(body | {"x": os.urandom(1000).hex()}).encode()


@pytest.mark.parametrize(
    ("part", "word", "finding"),
    [("journal", "cannot be written", "session.refusing"), ("lake", "takes nothing", "session.trouble")],
)
def test_a_full_disk_is_said_and_space_lets_it_go_on_by_itself(tmp_path, broker, small_disk, part, word, finding):
    """Journalling stops acknowledgements and the broker keeps; committing stops, and the journal keeps."""
    town = Town(tmp_path / "home", broker.url, more=QUICK)
    place = town.home.path / part
    place.rmdir()
    place.symlink_to(small_disk)
    town.subscribe()
    with town.serve() as service:
        publish(broker.port, readings(1))
        wait_for(lambda: town.committed() == 1)
        ballast = small_disk / "ballast"
        free = os.statvfs(small_disk)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - 2**20)
        publish(broker.port, list(fat(2000))[1:])
        assert service.hear(word)["level"] == "warning"
        if part == "lake":
            wait_for(lambda: town.waiting() == 2000)
        else:
            assert town.waiting() < 2000
        assert word in town.doctor()[finding]
        ballast.unlink()  # now there is space: nobody restarts anything
        wait_for(lambda: town.committed() == 2000)
        assert service.end() == 0
    town.check(2000)
    assert service.said[-1]["acknowledged"] == 2000
    assert finding not in town.doctor()


def test_little_room_is_a_warning_before_anything_stops(tmp_path, broker):
    """The order under pressure: warn, make room, and only then stop."""
    town = Town(tmp_path / "home", broker.url, more=QUICK)
    free = os.statvfs(tmp_path)
    least = free.f_bavail * free.f_frsize // 2**20 * 2 // 3  # less is free than twice of it
    town.subscribe()
    publish(broker.port, readings(10))
    with town.serve(env={"DRAVA_METRICS__LISTEN": "", "DRAVA_INGEST__MIN_FREE_MB": str(least)}) as service:
        assert service.hear("old versions")["level"] == "warning"
        service.hear("room was made")
        wait_for(lambda: town.committed() == 10)
        assert service.end() == 0
    town.check(10)


def test_a_clock_that_steps_back_an_hour(tmp_path, broker):
    """The next run has a clock an hour behind: the same readings again and new ones, each once; doctor names it."""
    town = Town(tmp_path / "home", broker.url, more=QUICK)
    town.subscribe()
    for number, now in enumerate([NOW, NOW - timedelta(hours=1)]):
        publish(broker.port, readings(100, first=100 * number))
        publish(broker.port, readings(100 * number))  # and all of them again
        code, said = town.run(as_of=now.isoformat())
        assert code == 0, said
    assert "clock.behind" in town.doctor(as_of=now.isoformat())
    town.check(200)
    assert town.sql("SELECT sum(duplicate) FROM balance") == [(100,)]
