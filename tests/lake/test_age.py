"""A catalogue or a journal that is older than the lake is refused: it would skip what is new without a word."""

import shutil
from pathlib import Path

import pytest

from catalog.store import Store
from ingest.drain import Drain
from lake.commit import Lake
from schemas.errors import DravaError
from tests.ingest.feeding import NOW, Feed, topic


def say(feed: Feed, number: int) -> None:
    feed.say(topic("m1"), {"time": f"2026-03-01T0{number}:00:00Z", "seq": number, "volume_total_m3": number})
    feed.commit()


def test_a_catalogue_from_before_the_last_commits_is_refused(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"))
    say(feed, 1)
    feed.store.close()
    old = tmp_path / "old"
    shutil.copytree(feed.home.catalog, old)
    say(feed, 2)
    feed.store.close()
    shutil.rmtree(feed.home.catalog)
    shutil.copytree(old, feed.home.catalog)
    lake = Lake(feed.home, Store.at(feed.home.catalog), lambda: NOW)
    with pytest.raises(DravaError, match="older than the lake"), lake.exclusive():
        pass


def test_a_journal_that_ends_before_its_position_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"))
    say(feed, 1)
    feed.journal.close()
    old = tmp_path / "old"
    shutil.copytree(feed.journal.folder, old)
    feed = Feed(tmp_path / "home")
    say(feed, 2)
    feed.journal.close()
    shutil.rmtree(feed.journal.folder)
    shutil.copytree(old, feed.journal.folder)
    with pytest.raises(DravaError, match="ends at row 1, the catalogue has row 2"):
        Drain(feed.home, feed.journal.folder, lambda: NOW, None).open()
