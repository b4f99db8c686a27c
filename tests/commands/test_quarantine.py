"""`drava quarantine` shows what is held without harm, says what to do, and tries it again."""

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from cli import app
from commands.quarantine import REMEDIES, safe
from schemas.reasons import TEXTS, Reason
from tests.ingest.feeding import NOW, Feed, topic, z


@pytest.fixture
def feed(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    feed = Feed(tmp_path / "home")
    feed.register(("w1", "water_meter"))
    at = z(NOW - timedelta(hours=1))
    feed.say(topic("w1"), b"\x1b]0;owned\x07\xff{", at=NOW - timedelta(days=1))
    feed.say(topic("w1"), b"\x1b]0;owned\x07\xff{")
    feed.say(topic("w2"), {"time": at, "volume_total_m3": 5})
    feed.say(topic("w2"), {"time": at, "volume_total_m3": 6})
    feed.commit()
    return feed


def quarantine(feed, *words, lang="en"):
    options = ["--home", str(feed.home.path), "--as-of", NOW.isoformat(), "quarantine", *words]
    return CliRunner(env={"DRAVA_LANG": lang}).invoke(app, options)


def test_the_list_counts_by_reason_and_device(feed):
    rows = json.loads(quarantine(feed, "list", "--json").stdout)
    assert [(r["reason"], r["device_id"], r["count"]) for r in rows] == [
        ("not_json", "w1", 2),
        ("unknown_device", "w2", 2),
    ]
    assert (rows[0]["first"], rows[0]["last"]) == ("2026-03-01T06:00:00+00:00", "2026-03-02T06:00:00+00:00")
    only = json.loads(quarantine(feed, "list", "--json", "--reason", "unknown_device").stdout)
    assert [r["device_id"] for r in only] == ["w2"]
    assert quarantine(feed, "list", "--reason", "whim").exit_code == 2
    told = quarantine(feed, "list", lang="sl").stdout
    assert TEXTS[Reason.NOT_JSON]["sl"] in told
    assert "2026-03-02 07:00:00" in told  # local time


def test_one_entry_is_shown_without_harm_and_with_its_remedy(feed):
    digest = json.loads(quarantine(feed, "list", "--json").stdout)[0]["hash"]
    done = quarantine(feed, "show", digest[:10])
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.stdout
    assert "\\x1b]0;owned\\x07\\xff{" in done.stdout
    assert REMEDIES[Reason.NOT_JSON].en in done.stdout
    (entry,) = json.loads(quarantine(feed, "show", digest, "--json").stdout)
    assert bytes.fromhex(entry["payload_hex"]) == b"\x1b]0;owned\x07\xff{"
    assert (entry["topic"], entry["count"]) == (topic("w1"), 2)


@pytest.mark.parametrize(("digest", "says"), [("0" * 32, "no held message"), ("xyz", "not a message's hash")])
def test_what_is_not_there_is_said(feed, digest, says):
    assert says in str(quarantine(feed, "show", digest).exception)


def test_replay_tells_what_became_of_it(feed):
    feed.register(("w2", "water_meter"))
    done = quarantine(feed, "replay", "--reason", "unknown_device", lang="sl")
    assert done.exit_code == 0, done.output
    assert (
        "Poskušeno 2, rešeno 2, v karanteni ostaja 0. Odčitki: shranjeni 1, dopolnjeni 0, popravljeni 1" in done.stdout
    )
    counts = json.loads(quarantine(feed, "replay", "--json").stdout)
    assert (counts["tried"], counts["resolved"], counts["held"]) == (2, 0, 2)
    assert feed.quarantined() == {"not_json": 2}
    feed.check()


def test_one_message_is_replayed_by_its_hash(feed):
    feed.register(("w2", "water_meter"))
    digest = json.loads(quarantine(feed, "list", "--json", "--device", "w2").stdout)[0]["hash"]
    counts = json.loads(quarantine(feed, "replay", digest[:12], "--json").stdout)
    assert (counts["tried"], counts["resolved"]) == (1, 1)


def test_every_reason_has_its_remedy_in_both_languages():
    assert set(REMEDIES) == set(Reason)
    assert all(text.sl != text.en for text in REMEDIES.values())


def test_safe_text_can_be_read_back():
    hostile = "č[red]\n\x00\u202e".encode() + b"\xfe"
    assert safe(hostile) == "č[red]\\n\\x00\\u202e\\xfe"
