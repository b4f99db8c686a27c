"""`verify` sees what is missing, shortened, unreadable or strange, and nothing where all is well."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from catalog import pins
from lake.maintain import compact_all
from lake.snapshot import files_of, find
from lake.verify import verify
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"), ("c1", "waste_container"))
    for number in range(3):
        at = z(NOW - number * HOUR)
        feed.say(topic("m1"), {"time": at, "volume_total_m3": 1000 - number})
        feed.say(topic("c1", "waste_container"), {"time": at, "fill_pct": number})
        feed.commit()
    return feed


def where(feed, **options):
    return [problem.where for problem in verify(feed.home, feed.store, **options).problems]


def test_a_sound_home(feed):
    found = verify(feed.home, feed.store, deep=True)
    assert found.problems == []
    assert found.rows == {"water_meter": 3, "waste_container": 3, "raw_messages": 6, "balance": 6}


def test_a_missing_and_a_shortened_file(feed):
    one, two, _ = sorted((feed.home.lake / "water_meter").glob("day=*/*.parquet"))
    one.unlink()
    two.write_bytes(two.read_bytes()[:-1])
    assert sorted(where(feed)) == sorted("/".join(path.parts[-3:]) for path in (one, two))


def test_only_deep_reads(feed):
    path = next((feed.home.lake / "water_meter").glob("day=*/*.parquet"))
    path.write_bytes(b"x" * path.stat().st_size)
    assert where(feed) == []
    assert where(feed, deep=True) == ["/".join(path.parts[-3:])]


def test_a_log_that_cannot_be_read(feed):
    for entry in (feed.home.lake / "water_meter/_delta_log").glob("*.json"):
        entry.write_text("no")
    assert where(feed) == ["water_meter, log entry 0", "water_meter"]


def test_a_stranger_in_the_table(feed):
    DeltaTable(feed.home.lake / "water_meter").delete()
    assert where(feed) == ["water_meter"]


def test_published_files_that_disagree(feed):
    current = feed.home.published / "current.json"
    shown = current.read_text()
    current.write_text(shown.replace('"id":3', '"id":2'))
    assert where(feed) == ["published/current.json"]
    current.write_text("{")
    assert where(feed) == ["published/current.json"]
    current.write_text(shown)
    small = next((feed.home.published / "small").glob("things-*"))
    small.write_bytes(small.read_bytes()[::-1])
    assert where(feed) == [f"published/small/{small.name}"]
    small.unlink()
    assert where(feed) == [f"published/small/{small.name}"]


def test_files_that_a_pinned_snapshot_alone_needs(feed):
    pinned = find(feed.home.path)
    pins.pin(feed.store, pinned.id, "report for 2026", who="ana", now=NOW)
    feed.say(topic("m1"), {"time": z(NOW + HOUR), "volume_total_m3": 1001})
    feed.commit()
    assert compact_all(feed.lake)
    assert where(feed, deep=True) == []
    newest = {file.path for file in files_of(feed.home.path, find(feed.home.path), "water_meter")}
    alone = [Path(file.path) for file in files_of(feed.home.path, pinned, "water_meter") if file.path not in newest]
    alone[0].unlink()
    assert where(feed) == ["/".join(alone[0].parts[-3:])]
    shown = next((feed.home.published / "snapshots").glob(f"{pinned.id:012d}-*.json"))
    shown.write_text("{")
    assert where(feed) == [f"published/snapshots/{shown.name}"]
