"""`drava backup`, `drava restore`, `drava verify` on the command line: words, JSON, exit codes."""

import json
import sqlite3
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from cli import app
from lake import manifest as manifests
from schemas.errors import DravaError
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"))
    for number in range(2):
        feed.say(topic("m1"), {"time": z(NOW - number * HOUR), "volume_total_m3": 1000 - number})
        feed.say(topic("nobody"), b"poison")
        feed.commit()
    return feed


def drava(feed, *words, lang="en"):
    options = ["--home", str(feed.home.path), "--as-of", NOW.isoformat(), *map(str, words)]
    return CliRunner(env={"DRAVA_LANG": lang, "COLUMNS": "200"}).invoke(app, options, catch_exceptions=True)


def answer(done):
    return json.loads(done.stdout)


def test_a_backup_is_made_listed_checked_and_restored(feed, tmp_path):
    made = answer(drava(feed, "backup", tmp_path / "b", "--json"))
    assert (made["backup"], made["snapshot"]) == ("000001-20260302T060000Z", 2)
    assert made["copied_files"] > 0
    again = answer(drava(feed, "backup", "--keep", 1, tmp_path / "b", "--json"))  # options first
    assert (again["copied_files"], again["pruned"]) == (0, [made["backup"]])
    assert [one["backup"] for one in answer(drava(feed, "backup", "list", tmp_path / "b", "--json"))] == [
        "000002-20260302T060000Z"
    ]
    assert answer(drava(feed, "backup", "check", tmp_path / "b", "--json"))["problems"] == []
    done = drava(feed, "restore", tmp_path / "b", tmp_path / "new", "--verify", "--json")
    assert done.exit_code == 0, done.stdout
    found = answer(done)
    assert found["rows"] == {"water_meter": 2, "quarantine": 2, "raw_messages": 4, "balance": 4}
    assert (found["journal_rows"], found["balance"]["received"], found["problems"]) == (0, 4, [])


def test_a_copy_on_the_same_disk_is_said_to_be_one(feed, tmp_path):
    assert "same disk" in drava(feed, "backup", tmp_path / "b").stderr


def test_check_and_restore_see_a_flipped_byte(feed, tmp_path):
    drava(feed, "backup", tmp_path / "b")
    path = next((tmp_path / "b/data/water_meter").glob("day=*/*.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    done = drava(feed, "backup", "check", tmp_path / "b", "--json")
    assert done.exit_code == 1
    assert [one["problem"] for one in answer(done)["problems"]] == ["contents"]
    refused = drava(feed, "restore", tmp_path / "b", tmp_path / "new").exception
    assert isinstance(refused, DravaError)
    assert "not what was written" in str(refused)


def test_restore_says_what_the_backup_did_not_hold(feed, tmp_path):
    feed.home.file.write_text(feed.home.file.read_text() + 'password_file = "secrets/mqtt-password"\n')
    (feed.home.secrets / "mqtt-password").write_text("hush")
    drava(feed, "backup", tmp_path / "b")
    assert "holds no passwords" in drava(feed, "restore", tmp_path / "b", tmp_path / "new").stdout
    drava(feed, "backup", tmp_path / "b", "--with-secrets")
    assert "holds no passwords" not in drava(feed, "restore", tmp_path / "b", tmp_path / "new2").stdout


def test_a_recount_that_differs_is_a_problem(feed, tmp_path):
    """What was true when the backup was made is compared with what is there now."""
    drava(feed, "backup", tmp_path / "b")
    manifest = manifests.chosen(tmp_path / "b", None)
    folder = tmp_path / "b" / "backups" / manifest.name
    (folder / "manifest.json").unlink()
    manifests.write(folder, replace(manifest, balance=manifest.balance | {"received": 5}))
    done = drava(feed, "restore", tmp_path / "b", tmp_path / "new", "--verify", "--json")
    assert done.exit_code == 1
    assert answer(done)["problems"] == [{"where": "balance.received", "what": "4 instead of 5 at the backup"}]


class TestVerify:
    def test_all_is_well(self, feed):
        done = drava(feed, "verify", "--json")
        assert done.exit_code == 0
        found = answer(done)
        assert found["problems"] == []
        assert (found["journal_rows"], found["rows"]["water_meter"]) == (2, 2)
        assert drava(feed, "verify", "--deep").exit_code == 0

    def test_a_changed_journal(self, feed):
        with sqlite3.connect(next(feed.journal.folder.glob("*.sqlite"))) as db:
            db.execute("UPDATE rows SET body = body || x'00' WHERE id = 1")
        done = drava(feed, "verify", "--json")
        assert done.exit_code == 1
        assert [one["where"] for one in answer(done)["problems"]] == ["journal/main"]

    def test_a_missing_file_in_both_languages(self, feed):
        next((feed.home.lake / "water_meter").glob("day=*/*.parquet")).unlink()
        done = drava(feed, "verify")
        assert done.exit_code == 1
        assert "is missing" in done.stdout
        assert "manjka" in drava(feed, "verify", lang="sl").stdout

    def test_a_balance_that_cannot_be_read(self, feed):
        path = next((feed.home.lake / "balance").glob("day=*/*.parquet"))
        path.write_bytes(b"x" * path.stat().st_size)
        done = drava(feed, "verify", "--json")
        assert done.exit_code == 1
        assert [one["where"] for one in answer(done)["problems"]] == ["balance"]

    def test_a_balance_that_does_not_add_up(self, feed):
        with feed.store.engine.begin() as db:
            db.exec_driver_sql("UPDATE journals SET messages = messages + 1")
        done = drava(feed, "verify", "--json")
        assert done.exit_code == 1
        assert [one["where"] for one in answer(done)["problems"]] == ["balance"]
