"""`drava balance` adds up, says where it does not, and leaves with 1 then."""

import json
from datetime import timedelta

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from cli import app
from lake.tables import BALANCE
from tests.ingest.feeding import NOW, Feed, topic, z


@pytest.fixture
def feed(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    feed = Feed(tmp_path / "home")
    feed.register(("w1", "water_meter"))
    at = z(NOW - timedelta(hours=30))
    feed.say(topic("w1"), {"time": at, "volume_total_m3": 5}, at=NOW - timedelta(days=1))
    feed.say(topic("w1"), [{"time": at, "volume_total_m3": 5}, {"time": at, "volume_total_m3": 6}, 7])
    feed.say(topic("w2"), {"time": at, "volume_total_m3": 5})
    feed.commit()
    return feed


def balance(feed, *words, lang="en"):
    options = ["--home", str(feed.home.path), "--as-of", NOW.isoformat(), "balance", *words]
    return CliRunner(env={"DRAVA_LANG": lang}).invoke(app, options)


def test_both_sheets_in_total_and_by_day_device_and_gateway(feed):
    found = json.loads(balance(feed, "--json").stdout)
    assert found["adds_up"]
    shown = {name: count for name, count in found["total"].items() if count}
    assert shown == {
        "received": 3,
        "decoded": 2,
        "quarantined": 1,
        "readings": 4,
        "stored": 1,
        "revised": 1,
        "duplicate": 1,
        "readings_quarantined": 1,
    }
    assert [(row["day"], row["device_id"], row["received"]) for row in found["rows"]] == [
        ("2026-03-01", "w1", 1),
        ("2026-03-02", "w1", 1),
        ("2026-03-02", None, 1),
    ]
    assert [check["name"] for check in found["checks"]] == [
        "messages",
        "readings",
        "rows",
        "quarantine",
        "raw_messages",
        "journals",
    ]
    one = json.loads(balance(feed, "--json", "--day", "2026-03-02", "--device", "w1").stdout)
    assert [(row["received"], row["readings"]) for row in one["rows"]] == [(1, 3)]
    assert one["total"]["received"] == 3


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("sl", ["Sporočila:", "prejeta", "v karanteni", "skupaj", "prejeta sporočila = vsota"]),
        ("en", ["Messages:", "received", "too old", "total", "messages received = the sum"]),
    ],
)
def test_people_read_it_in_their_language(feed, lang, words):
    done = balance(feed, lang=lang)
    assert done.exit_code == 0, done.output
    assert all(word in done.stdout for word in words), done.stdout
    assert "✗" not in done.stdout


def damage(feed, **counts):
    """Write a balance row that nothing stands behind."""
    columns = [pa.array([counts.get(f.name, 0) if pa.types.is_integer(f.type) else "w9"], f.type) for f in BALANCE]
    with feed.lake.exclusive():
        feed.lake.commit("ingest", {"balance": {"2026-03-02": pa.table(columns, schema=BALANCE)}})


def test_a_row_that_does_not_add_up_is_named(feed):
    damage(feed, received=2, decoded=1)
    done = balance(feed)
    assert done.exit_code == 1
    assert "✗ messages received = the sum of what became of them: 5 ≠ 4 (difference +1)" in done.stdout
    assert "Rows that do not add up:" in done.stdout
    wrong = json.loads(balance(feed, "--json").stdout)["wrong"]
    assert [row["device_id"] for row in wrong] == ["w9"]


@pytest.mark.parametrize(
    ("counts", "name"),
    [
        ({"received": 1, "decoded": 1}, {"journals", "raw_messages"}),
        ({"readings": 1, "stored": 1}, {"rows"}),
        ({"readings": 1, "readings_quarantined": 1}, {"quarantine"}),
    ],
)
def test_sheets_that_add_up_are_held_against_what_is_there(feed, counts, name):
    damage(feed, **counts)
    done = balance(feed, "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert {check["name"] for check in found["checks"] if not check["agrees"]} == name
    assert found["wrong"] == []


def test_an_empty_home_adds_up(tmp_path):
    done = balance(Feed(tmp_path / "home"))
    assert done.exit_code == 0, done.output


def test_raw_messages_are_compared_over_the_days_on_which_they_are_kept(feed):
    with feed.lake.exclusive():
        gone = feed.lake.tables["raw_messages"].files()["2026-03-01"]
        feed.lake.rewrite("expire", {}, {"raw_messages": gone})
    assert balance(feed).exit_code == 1
    text = feed.home.file.read_text()
    feed.home.file.write_text(text + "[ingest]\nraw_days = 1\n")
    assert balance(feed).exit_code == 0


def test_who_may_read_the_published_files_alone_has_the_sheets_without_the_journals(feed, monkeypatch):
    monkeypatch.setattr("commands.balance._may_write", lambda _: False)
    found = json.loads(balance(feed, "--json").stdout)
    assert found["adds_up"]
    assert "journals" not in {check["name"] for check in found["checks"]}


def test_a_wrong_day_is_wrong_use(feed):
    assert "not a date" in str(balance(feed, "--day", "yesterday").exception)
