"""`drava doctor` finds what is broken, says what to do, and is silent about the rest; each fault is a real one."""

import getpass
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from string import Formatter

import pytest
from typer.testing import CliRunner

from catalog.outbox import Letter, done, post_new
from catalog.store import Store
from cli import app
from commands.demo import broker as demo_broker
from ingest.brokerconf import queue, unreadable
from ingest.health import Level, Say, texts
from schemas.errors import DravaError
from tests.ingest.feeding import NOW, Feed, topic, z
from tests.ingest.mqttside import publish

ROOT = Path(__file__).parents[2]
AT_REST = {"encryption"}  # depends on the machine that runs the tests, as does the clock's synchronisation


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    feed = Feed(tmp_path_factory.mktemp("healthy") / "home")
    feed.register(("w1", "water_meter"))
    feed.say(topic("w1"), {"time": z(NOW - timedelta(hours=1)), "volume_total_m3": 5})
    feed.say(topic("w2"), {"time": z(NOW - timedelta(hours=1)), "volume_total_m3": 5})
    feed.commit()
    feed.journal.close()
    feed.store.close()
    return feed.home.path


@pytest.fixture
def feed(healthy, tmp_path):
    return Feed(shutil.copytree(healthy, tmp_path / "home"))


def doctor(feed, *words, later=timedelta(0), lang="en", url=None):
    environment = {"DRAVA_LANG": lang} | ({"DRAVA_BROKER__URL": url} if url else {})
    options = ["--home", str(feed.home.path), "--as-of", (NOW + later).isoformat(), "doctor", *words]
    return CliRunner(env=environment).invoke(app, options)


def cases(feed, *words, **options):
    """What was found that is not ok, as check.case, apart from the broker where none is given."""
    done = doctor(feed, "--json", *words, **options)
    found = json.loads(done.stdout)
    failed = {f["check"] for f in found if f["level"] == "fail"}
    assert done.exit_code == (1 if failed else 0)
    skipped = AT_REST | (set() if options.get("url") else {"broker"}) | ({"queue"} if not words else set())
    return [
        f"{f['check']}.{f['case']}"
        for f in found
        if f["level"] != "ok" and f["check"] not in skipped and f["case"] != "alone"
    ]


def test_a_healthy_home_with_this_repositorys_broker_passes(feed, broker):
    done = doctor(feed, "--broker-conf", str(ROOT / "mosquitto.conf"), "--json", url=broker.url)
    assert done.exit_code == 0, done.output
    found = {f["check"]: f for f in json.loads(done.stdout)}
    assert [name for name, f in found.items() if f["level"] != "ok" and name not in AT_REST | {"clock"}] == []
    assert set(found) == set(texts()) - {"home"}
    assert found["balance"]["what"] == "the balance adds up: 2 messages, 1 readings"


@pytest.mark.parametrize("lang", ["sl", "en"])
def test_people_read_findings_and_what_to_do_in_their_language(feed, lang):
    done = doctor(feed, lang=lang, url="mqtt://127.0.0.1:9")
    assert done.exit_code == 1
    words = {
        "sl": ["✓ balance: bilanca se izide", "✗ broker: posrednik"],
        "en": ["✓ balance: the balance adds up", "→ "],
    }
    assert all(word in done.stdout for word in words[lang]), done.stdout


def test_every_finding_has_its_texts_in_both_languages_with_the_same_facts():
    def braces(text):
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    for check, found in texts().items():
        for case, entry in found.items():
            assert Level(entry["level"])
            assert {"en", "sl"} <= set(entry), (check, case)
            assert (entry["level"] == "ok") or {"do_en", "do_sl"} <= set(entry), (check, case)
            facts = braces(entry["en"])
            assert braces(entry["sl"]) <= facts | {"url"}, (check, case)
    source = "".join((ROOT / "ingest" / name).read_text() for name in ("doctor.py", "surroundings.py"))
    source += (ROOT / "commands" / "doctor.py").read_text()
    used = set(re.findall(r'"([a-z]+\.[a-z_]+)"', source))
    assert {f"{check}.{case}" for check, found in texts().items() for case in found} <= used
    assert Say("sl")("disk.ok", free=1234).what == "na disku je prostih 1,234 MB"


def test_open_secrets_and_missing_folders(feed):
    secret = feed.home.path / "secrets" / "mqtt-password"
    secret.write_text("x")
    secret.chmod(0o644)
    (feed.home.path / "lake").chmod(0o755)
    (feed.home.path / "exports").rmdir()
    assert cases(feed) == ["permissions.wide", "permissions.secret_open", "permissions.missing"]
    done = doctor(feed)
    assert f"→ chmod 600 {secret}" in done.stdout


def set_(feed, text):
    feed.home.file.write_text(text + feed.home.file.read_text())


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("[ingest]\nmin_free_mb = 1000000000\n", ["disk.full"]),
        ("session_expiry_h = 24\n", ["settings.session_expiry"]),
        ('username = "x"\n', []),
    ],
)
def test_settings_that_endanger_data(feed, more, found):
    feed.home.file.write_text(feed.home.file.read_text() + more)
    assert cases(feed) == found


def test_a_strange_time_zone(feed):
    feed.home.file.write_text('timezone = "Mars/Olympus"\n' + feed.home.file.read_text())
    assert cases(feed) == ["home.unreadable"]


def test_a_clock_behind_the_data(feed):
    assert cases(feed, later=-timedelta(hours=1)) == ["clock.behind"]


def test_a_newer_home_is_refused(feed):
    (feed.home.path / "format").write_text("99\n")
    done = doctor(feed)
    assert done.exit_code == 1
    assert "has format 99" in done.stdout


def test_a_catalogue_that_is_none(feed):
    feed.store.close()
    (feed.home.catalog / "catalog.sqlite").write_bytes(b"not a database at all" * 100)
    done = doctor(feed)
    assert done.exit_code == 1
    assert "catalogue" in done.stdout
    assert "restore it from a backup" in done.stdout


def test_a_wrong_setting_is_named(feed):
    feed.home.file.write_text(feed.home.file.read_text() + "longest_outage = 3\n")
    done = doctor(feed)
    assert done.exit_code == 1
    assert "broker.longest_outage" in done.stdout


def test_messages_that_wait(feed):
    feed.say(topic("w1"), {"time": z(NOW), "volume_total_m3": 6})
    feed.journalled()
    assert cases(feed) == []  # a receiver holds the journal, and they are young
    assert cases(feed, later=timedelta(minutes=10)) == ["journal.stuck"]
    feed.journal.close()
    assert cases(feed) == ["journal.left"]


def test_a_journal_that_was_changed(feed):
    (segment,) = feed.journal.folder.glob("*.sqlite")
    db = sqlite3.connect(segment)
    with db:
        db.execute("UPDATE rows SET body = body || x'00' WHERE id = 1")
    db.close()
    assert cases(feed) == ["journal.broken"]


def test_an_interrupted_commit_is_named_and_completed(feed):
    feed.say(topic("w1"), {"time": z(NOW), "volume_total_m3": 6})
    feed.journalled()
    killed = subprocess.run(
        [sys.executable, "-c", COMMIT, str(feed.home.path), str(feed.journal.folder), NOW.isoformat()],
        cwd=ROOT,
        env=os.environ | {"DRAVA_TEST_KILL_AT": "plan_written"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert cases(feed) == ["plan.unfinished"]
    assert cases(feed) == []
    assert feed.sql("SELECT count(*) FROM water_meter") == [(2,)]


COMMIT = """
import os, sys
from datetime import datetime
from pathlib import Path
from catalog.store import Store
from ingest.journal import Reader
from ingest.writer import Writer
from lake.commit import Lake
from schemas.settings import Home
home = Home(Path(sys.argv[1]))
store = Store.at(home.catalog)
clock = lambda: datetime.fromisoformat(sys.argv[3])
Writer(home, store, Lake(home, store, clock), clock).commit_from(Reader(Path(sys.argv[2])), 1000)
"""


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: os.truncate(path, 10)])
def test_files_of_the_lake_that_are_gone_or_cut_short(feed, harm):
    (file,) = (feed.home.lake / "water_meter").rglob("*.parquet")
    harm(file)
    found = doctor(feed, "--json")
    assert found.exit_code == 1
    assert [f["what"] for f in json.loads(found.stdout) if f["check"] == "lake"] == [
        f"table water_meter: 1 files are missing or cut short, first {file}"
    ]


def test_an_empty_delta_log(feed):
    log = max((feed.home.lake / "water_meter" / "_delta_log").glob("*.json"))
    log.write_bytes(b"")
    assert cases(feed)[0] == "lake.log"
    log.write_bytes(b'{"commitInfo"')
    assert cases(feed)[0] == "lake.log"


def test_a_balance_that_does_not_add_up(feed):
    with feed.lake.exclusive():
        gone = [file for files in feed.lake.tables["raw_messages"].files().values() for file in files]
        feed.lake.rewrite("erase", {}, {"raw_messages": gone})
    assert cases(feed) == ["balance.difference"]


@contextmanager
def mosquitto(folder, *lines):
    """Mosquitto with a configuration of the test's own."""
    program = demo_broker.mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed: make test installs it, or says how")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    conf = folder / "own.conf"
    conf.write_text("\n".join([f"listener {port} 127.0.0.1", *lines, ""]))
    process = subprocess.Popen([program, "-c", str(conf)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if "running" in line:
                break
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_what_the_broker_would_drop(feed, tmp_path):
    with mosquitto(tmp_path, "allow_anonymous true") as url:
        assert cases(feed, url=url) == ["broker.packet_size"]
    with mosquitto(tmp_path, "allow_anonymous true", "max_packet_size 9000000") as url:
        assert cases(feed, url=url) == ["broker.larger_packets"]
    with mosquitto(tmp_path, "allow_anonymous true", "max_packet_size 1000000", "max_qos 0") as url:
        assert cases(feed, url=url) == ["broker.qos"]


def test_a_broker_that_refuses_us(feed, tmp_path):
    with mosquitto(tmp_path, "allow_anonymous false") as url:
        assert cases(feed, url=url) == ["broker.unreachable"]
        assert "not authorized" in doctor(feed, url=url).stdout
    assert cases(feed, url=url) == ["broker.unreachable"]


@pytest.mark.parametrize(
    ("conf", "found"),
    [
        ("", ["queue.short", "queue.volatile", "queue.slow"]),
        ("persistence true\nmax_queued_messages 5000\nmax_inflight_messages 0\nautosave_on_changes true\n", []),
        (
            "persistence true\nmax_queued_messages 0\nmax_inflight_messages 0\nmax_queued_bytes 9\n",
            ["queue.bytes", "queue.window_wide"],
        ),
        (
            "persistence true\nmax_queued_messages 0\nmax_inflight_messages 0\npersistent_client_expiration 1d\n",
            ["queue.expiry", "queue.window_wide"],
        ),
        ("max_queued_messages many\n", ["queue.unreadable"]),
    ],
)
def test_the_queue_must_last_for_the_longest_outage(feed, tmp_path, conf, found):
    (tmp_path / "m.conf").write_text(conf)
    assert cases(feed, "--broker-conf", str(tmp_path / "m.conf")) == found


def test_a_subscription_that_the_acl_lets_nothing_through(feed, tmp_path):
    """Mosquitto grants it all the same: the ACL file says so, where we may read it; else no message says it."""
    words = tmp_path / "passwd"
    done = subprocess.run(["mosquitto_passwd", "-c", "-b", str(words), "drava", "right"], check=False)
    if done.returncode:
        pytest.skip("mosquitto_passwd does not work here")
    words.chmod(0o644)
    (tmp_path / "acl").write_text("user drava\ntopic read elsewhere/#\n")
    (feed.home.secrets / "mqtt").write_text("right")
    (feed.home.secrets / "mqtt").chmod(0o600)
    own = 'username = "drava"\npassword_file = "secrets/mqtt"\n'
    feed.home.file.write_text(feed.home.file.read_text() + own)
    lines = ["allow_anonymous false", f"password_file {words}", f"acl_file {tmp_path / 'acl'}"]
    lines.append(f"user {getpass.getuser()}")  # else it gives up root's rights, and cannot read what is ours
    limits = ["max_packet_size 1000000", "persistence true", "max_queued_messages 0", "max_inflight_messages 0"]
    with mosquitto(tmp_path, *lines, *limits, "autosave_interval 10", f"persistence_location {tmp_path}/") as url:
        assert cases(feed, "--broker-conf", str(tmp_path / "own.conf"), url=url) == ["broker.acl"]
        assert cases(feed, url=url, later=timedelta(days=2)) == ["broker.quiet"]
        (tmp_path / "acl").write_text("pattern write ptuj/+/%u/telemetry\nuser drava\ntopic read ptuj/#\n")
        assert cases(feed, "--broker-conf", str(tmp_path / "own.conf"), url=url) == []


@pytest.mark.parametrize(
    ("acl", "denied"),
    [
        ("user drava\ntopic read ptuj/#\n", []),
        ("user drava\ntopic ptuj/+/+/telemetry\n", []),
        ("pattern read +/+/+/telemetry\n", []),
        ("user drava\ntopic write ptuj/#\n", ["ptuj/+/+/telemetry"]),
        ("user other\ntopic read ptuj/#\n", ["ptuj/+/+/telemetry"]),
        ("topic read ptuj/#\nuser drava\n", ["ptuj/+/+/telemetry"]),
        ("user drava\ntopic read ptuj/water_meter/+/telemetry\n", ["ptuj/+/+/telemetry"]),
        ("user drava\ntopic deny ptuj/#\n", ["ptuj/+/+/telemetry"]),
    ],
)
def test_what_an_acl_lets_us_read(tmp_path, acl, denied):
    (tmp_path / "acl").write_text(acl)
    assert unreadable(tmp_path / "acl", "drava", ["ptuj/+/+/telemetry"]) == denied


def test_a_configuration_in_parts_is_read_as_one(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "drava.conf").write_text("max_queued_messages 0\nautosave_interval 10\n")
    (tmp_path / "mosquitto.conf").write_text(f"persistence true\ninclude_dir {tmp_path / 'conf.d'}\n")
    found = queue(tmp_path / "mosquitto.conf")
    assert (found.messages, found.saved_every, found.persistent) == (0, 10, True)


def test_the_window_of_the_broker_is_printed(feed, broker):
    """Decision 0005: what the broker alone holds is lost with it, and that is ten seconds as delivered."""
    done = doctor(feed, "--broker-conf", str(ROOT / "mosquitto.conf"), url=broker.url)
    assert "✓ queue: the broker saves its queues every 10 s" in done.stdout


def test_messages_that_the_broker_dropped(feed, tmp_path):
    """A session that is away and a queue of five: Mosquitto counts what it threw away, and doctor reads it."""
    with mosquitto(
        tmp_path, "allow_anonymous true", "max_packet_size 1000000", "max_queued_messages 5", "sys_interval 1"
    ) as url:
        port = url.rpartition(":")[2]
        away = ["mosquitto_sub", "-V", "5", "-p", port, "-q", "1", "-c", "-i", "away", "-x", "3600", "-t", "#", "-E"]
        subprocess.run(away, check=True)
        publish(int(port), [(topic("w1"), n) for n in range(50)])
        end = time.monotonic() + 20
        while cases(feed, url=url) != ["broker.dropped"]:  # it counts once a second
            assert time.monotonic() < end


def test_the_queue_of_a_configuration_that_is_not_there(tmp_path):
    with pytest.raises(DravaError, match="cannot be read"):
        queue(tmp_path / "none.conf")


def test_a_disk_that_is_read_only(feed, tmp_path):
    """A disk in trouble is often mounted so: doctor says it, and looks at what can be looked at."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("mounting needs root")
    try:
        home = place / "home"
        shutil.copytree(feed.home.path, home)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        done = CliRunner(env={"DRAVA_LANG": "en"}).invoke(app, ["--home", str(home), "doctor", "--json"])
        failed = {f"{f['check']}.{f['case']}" for f in json.loads(done.stdout) if f["level"] == "fail"}
        assert {"disk.readonly", "lake.unwritable"} <= failed
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_messages_about_alarms_that_do_not_leave(feed):
    store = Store.at(feed.home.catalog)
    made = NOW - timedelta(hours=3)
    letter = Letter("a1.1.water", "a1", "water", 1, "new", {"subject": "x", "text": "x", "document": {}}, made, made)
    post_new(store, [letter])
    assert cases(feed) == ["messages.stuck"]
    done(store, letter, "failed", NOW, "550 no such user")
    assert cases(feed) == ["messages.failed"]
    store.close()
