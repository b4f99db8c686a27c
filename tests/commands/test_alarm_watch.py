"""A hydrant opened at the real broker is in the mail of whom it concerns; killed in the middle, each alarm once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller

from catalog.outbox import listed
from catalog.store import Store
from commands.alarm_watch import Watch
from commands.context import Context
from commands.demo.broker import free_port, running
from commands.looking import look
from indicators.header import packs
from lake.snapshot import find
from schemas.settings import Home
from tests.indicators.world import ROOT
from tests.ingest.mqttside import publish

PATIENCE = 60.0
DRAVA = [sys.executable, "-m", "drava"]
HYDRANTS = 3


class Inbox:
    """What the mail server took; after `hold` it keeps the answer back until the test lets it go."""

    def __init__(self):  # noqa: D107
        self.taken = []
        self.news = threading.Condition()

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        with self.news:
            self.taken.append(message_from_bytes(envelope.content, policy=policy.SMTP))
            self.news.notify_all()
        return "250 OK"

    @property
    def ids(self):
        return [message["Message-ID"] for message in self.taken]

    def wait(self, enough):
        with self.news:
            assert self.news.wait_for(lambda: enough(self.taken), PATIENCE), self.ids


@pytest.fixture
def inbox():
    found = Inbox()
    server = Controller(found, hostname="127.0.0.1", port=free_port())
    server.start()
    found.port = server.port
    yield found
    server.stop()


def drava(home, *words):
    done = subprocess.run([*DRAVA, "--home", str(home), *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def opened(n, state, at):
    body = {"time": at.isoformat(), "open_state": state, "pressure_kpa": 350 if state else 480}
    return f"ptuj/hydrant/hy-{n}/telemetry", body


@pytest.fixture
def town(tmp_path, inbox):
    """A broker, a home with hydrants and a recipient, and ingestion."""
    with running(tmp_path / "broker") as broker:
        home = tmp_path / "home"
        drava(home, "init", str(home), "--municipality", "ptuj", "--broker", broker.url)
        with (home / "drava.toml").open("a") as file:
            file.write(f'[mail]\nurl = "smtp://127.0.0.1:{inbox.port}"\nsender = "drava@ptuj.example"\n')
            file.write('[[recipient]]\nname = "water"\nmail = "on-duty@water.example"\n')
        rows = [f"hy-{n},hydrant,hydrant-{n},Mlinsko,2026-01-01" for n in range(HYDRANTS)]
        (tmp_path / "devices.csv").write_text("device_id,family,thing_id,title,valid_from\n" + "\n".join(rows))
        drava(home, "devices", "import", str(tmp_path / "devices.csv"))
        drava(home, "ingest", "--until-idle", "0.1")  # the session at the broker: what comes from now on waits for it
        environment = os.environ | {"DRAVA_INGEST__FLUSH_SECONDS": "0.5", "DRAVA_METRICS__LISTEN": ""}
        ingest = subprocess.Popen([*DRAVA, "--home", str(home), "ingest"], cwd=ROOT, env=environment)
        try:
            yield home, broker.port
        finally:
            ingest.terminate()
            ingest.wait(PATIENCE)


def watching(home, **environment):
    return subprocess.Popen([*DRAVA, "--home", str(home), "alarms", "watch"], cwd=ROOT, env=os.environ | environment)


@pytest.mark.soak
def test_from_the_broker_to_the_mail_and_a_restart_in_the_middle_tells_each_alarm_once(town, inbox):
    home, port = town
    now = datetime.now(UTC)
    publish(port, [opened(n, False, now - timedelta(hours=h)) for n in range(HYDRANTS) for h in (3, 2, 1)])
    publish(port, [opened(n, True, now) for n in range(HYDRANTS)])
    first = watching(home, DRAVA_TEST_KILL_AT="letter_sent:2")
    assert first.wait(PATIENCE) == -signal.SIGKILL
    assert len(inbox.taken) == 2
    second = watching(home)
    try:
        inbox.wait(lambda taken: len({message["Message-ID"] for message in taken}) == HYDRANTS)
        publish(port, [opened(0, False, datetime.now(UTC))])
        with_store(home, lambda letters: any(letter.event == "over" for letter in letters))
    finally:
        second.terminate()
        assert second.wait(PATIENCE) == 0
    counted = Counter(inbox.ids)
    assert len(counted) == HYDRANTS
    assert sorted(counted.values()) == [1, 1, 2]  # that which was under way when it was killed: the same message id
    store = Store.at(home / "catalog")
    states = Counter((letter.event, letter.state) for letter in listed(store, 50))
    store.close()
    assert states == {("new", "sent"): HYDRANTS, ("over", "waiting"): 1}
    assert "Odprt hidrant" in inbox.taken[0]["Subject"]
    listed_alarms = json.loads(drava(home, "alarms", "list", "--json"))
    assert Counter(row["state"] for row in listed_alarms) == {"open": HYDRANTS - 1, "closed": 1}


def with_store(home, enough):
    """Until the outbox is as expected; its file is asked again and again, for another process writes it."""
    store = Store.at(home / "catalog")
    limit = datetime.now(UTC) + timedelta(seconds=PATIENCE)
    while not enough(listed(store, 50)):
        assert datetime.now(UTC) < limit
        threading.Event().wait(0.1)
    store.close()


# --- without a broker: what a look needs -----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    home = tmp_path_factory.mktemp("bare") / "home"
    drava(home, "init", str(home), "--municipality", "ptuj")
    return home


@pytest.fixture
def quiet(bare, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(bare, home)
    watch = Watch(Context(home, None), Home(home), Store.at(home / "catalog"))
    yield watch
    watch.store.close()


@pytest.mark.parametrize("detector", packs("detector"))
def test_a_detector_alone_finds_every_table_that_it_reads(quiet, detector):
    """A look opens what its detectors name and no more: also what a view behind them needs must be there."""
    seen = look(quiet.home, quiet.store, find(quiet.home.path), datetime.now(UTC), [detector])
    assert seen.failed == {}


def test_what_has_not_changed_is_not_looked_at_again(quiet, capsys):
    assert quiet._looked() > 0
    seen = quiet._seen
    assert seen is not None
    quiet._seen = "kept"
    quiet._looked()
    assert quiet._seen == "kept"  # neither the snapshot nor the settings are new


def test_changed_settings_are_taken_and_wrong_ones_are_said(quiet, capsys):
    quiet._looked()
    good = quiet.home.file.read_text("utf-8")
    rule = '\n[[threshold]]\nname = "flood"\nfamily = "river_level"\nmeasure = "level_m"\nabove = 3\nurgent = true\n'
    quiet.home.file.write_text(f'{good}{rule}text = {{ sl = "Visoka voda", en = "High water" }}\n')
    quiet._looked()
    assert "threshold.flood" in quiet._urgent()
    quiet.home.file.write_text(f"{good}{rule}")
    quiet._looked()
    assert "threshold.0.text" in capsys.readouterr().err
    assert "threshold.flood" in quiet._urgent()  # the last settings that could be read
