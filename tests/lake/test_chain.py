"""The chain of log entries names the first link that is not what was written: a file, an entry, a plan, an order."""

import json

import pytest
from deltalake import DeltaTable
from sqlalchemy import select, update

from catalog import plans
from catalog import store as tables
from lake import chain, log, maintain
from lake.verify import verify
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z

COMMITS = 4


@pytest.fixture
def feed(tmp_path):
    """Raw log entries 1 to 4, made by plans 1 to 4; entry 0 made the table."""
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"))
    for number in range(COMMITS):
        feed.say(topic("m1"), {"time": z(NOW - number * HOUR), "volume_total_m3": 1000 - number})
        feed.commit()
    return feed


def raw(feed, version=None):
    folder = feed.home.lake / "raw_messages"
    return folder if version is None else log.path_of(folder, version)


def found(feed, *, deep=False):
    problems = verify(feed.home, feed.store, deep=deep).problems
    return [(problem.where, problem.what) for problem in problems]


def without_plans(feed):
    """Plans are kept for 14 days: older links are held by each other alone."""
    with feed.store.begin() as db:
        db.execute(update(tables.plans).values(body="{}"))


def forged(feed, first):
    """One who alters an entry and makes all later ones fit."""
    previous = None
    for version in range(first, COMMITS + 1):
        lines = raw(feed, version).read_text().splitlines()
        info = json.loads(lines[0])
        info["commitInfo"]["timestamp" if previous is None else "previous"] = previous or 0
        body = "\n".join([json.dumps(info, separators=(",", ":")), *lines[1:], ""]).encode()
        raw(feed, version).write_bytes(body)
        previous = log.link(body)


def test_a_sound_chain(feed):
    assert verify(feed.home, feed.store, deep=True).problems == []
    assert verify(feed.home, feed.store).links == COMMITS * 3  # of three tables
    assert plans.ends(feed.store)["raw_messages"] == plans.Applied(4, log.link(raw(feed, 4).read_bytes()))


@pytest.mark.parametrize("table", ["raw_messages", "water_meter"])
def test_a_file_that_was_altered(feed, table):
    path = sorted((feed.home.lake / table).glob("day=*/*.parquet"))[1]
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.chmod(0o640)
    path.write_bytes(body)
    assert found(feed, deep=True) == [("/".join(path.parts[-3:]), chain.ALTERED)]


def test_a_file_that_was_replaced_by_a_sound_one(feed):
    """Page checksums agree, size and rows as well: only the hash in the log tells."""
    path = min(raw(feed).glob("day=*/*.parquet"))
    body = path.read_bytes()
    path.chmod(0o640)
    path.write_bytes(body.replace(b"parquet-cpp-arrow", b"parquet-cpp-error"))
    assert path.read_bytes() != body
    assert found(feed, deep=True) == [("/".join(path.parts[-3:]), chain.ALTERED)]


@pytest.mark.parametrize("version", range(1, COMMITS + 1))
@pytest.mark.parametrize("kept", [True, False])
def test_an_entry_that_was_altered_is_named(feed, version, kept):
    if not kept:
        without_plans(feed)
    entry = raw(feed, version)
    entry.write_text(entry.read_text().replace('"kind":"ingest"', '"kind":"erase"'))
    [(where, what)] = found(feed)
    assert where == f"raw_messages, log entry {version}"
    assert what == (chain.UNLIKE_PLAN if kept else chain.UNLIKE_END if version == COMMITS else chain.ALTERED)


def test_an_entry_that_made_the_table_is_held_by_the_next(feed):
    raw(feed, 0).write_text(raw(feed, 0).read_text().replace("CREATE TABLE", "create table"))
    assert found(feed) == [("raw_messages, log entry 0", chain.ALTERED)]


def test_a_chain_that_was_forged_from_somewhere_on(feed):
    forged(feed, 2)
    assert found(feed) == [("raw_messages, log entry 2", chain.UNLIKE_PLAN)]
    without_plans(feed)
    assert found(feed) == [(f"raw_messages, log entry {COMMITS}", chain.UNLIKE_END)]


def test_a_plan_row_that_was_altered(feed):
    with feed.store.begin() as db:
        body = json.loads(db.execute(select(tables.plans.c.body).where(tables.plans.c.id == 3)).scalar_one())
        body["links"]["raw_messages"] = "0" * 64
        db.execute(update(tables.plans).where(tables.plans.c.id == 3).values(body=json.dumps(body)))
    assert found(feed) == [("raw_messages, log entry 3", chain.UNLIKE_PLAN)]


@pytest.mark.parametrize("kept", [True, False])
def test_an_order_that_was_altered(feed, kept):
    if not kept:
        without_plans(feed)
    two, three = raw(feed, 2).read_bytes(), raw(feed, 3).read_bytes()
    raw(feed, 2).write_bytes(three)
    raw(feed, 3).write_bytes(two)
    [(where, what)] = found(feed)
    assert (where, what) == ("raw_messages, log entry 2" if kept else "raw_messages, log entry 1", chain.ALTERED)


def test_an_entry_that_is_gone(feed):
    maintain.checkpoint(feed.lake)  # so that the table can be read all the same
    raw(feed, 2).unlink()
    assert found(feed) == [("raw_messages, log entry 2", chain.MISSING)]
    raw(feed, 0).unlink()
    raw(feed, 1).unlink()
    assert found(feed) == [], "the oldest may go: maintenance does it"
    raw(feed, 4).unlink()
    assert ("raw_messages, log entry 4", chain.MISSING) in found(feed)


def test_rows_that_somebody_else_took_away(feed):
    """Deltalake's own delete, then a commit of ours: the chain goes on, and the stranger is named."""
    DeltaTable(raw(feed)).delete()
    feed.restart()
    feed.say(topic("m1"), {"time": z(NOW + HOUR / 30), "volume_total_m3": 1001})
    feed.commit()
    assert ("raw_messages, log entry 5", chain.STRANGE) in found(feed)


def test_compaction_is_a_link_like_any_other(feed):
    maintain.compact_all(feed.lake)
    feed.restart()
    feed.say(topic("m1"), {"time": z(NOW), "volume_total_m3": 1000})
    feed.commit()
    assert found(feed, deep=True) == []
    entry = raw(feed, COMMITS + 1)
    entry.write_text(entry.read_text().replace('"dataChange":false', '"dataChange":true'))
    assert found(feed) == [(f"raw_messages, log entry {COMMITS + 1}", chain.UNLIKE_PLAN)]


def test_entries_of_an_older_program_carry_no_hash(feed):
    """A home that was made before: its chain begins where this program began."""
    without_plans(feed)
    for version in range(1, COMMITS + 1):
        lines = [line for line in raw(feed, version).read_text().splitlines() if "commitInfo" not in line]
        raw(feed, version).write_text("\n".join(lines))
    with feed.store.begin() as db:
        db.execute(tables.meta.delete().where(tables.meta.c.key == "end.raw_messages"))
    feed.restart()
    feed.say(topic("m1"), {"time": z(NOW), "volume_total_m3": 1000})
    feed.commit()
    assert found(feed) == []
    raw(feed, COMMITS).write_text(raw(feed, COMMITS).read_text() + "\n")
    assert found(feed) == [(f"raw_messages, log entry {COMMITS}", chain.ALTERED)]
