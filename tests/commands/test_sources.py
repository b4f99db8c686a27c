"""`drava sources add`: the foreign broker is asked, the bridge written, and what it got at QoS 0 waits for Drava."""

import asyncio
import contextlib
import getpass
import json
import threading
from pathlib import Path
from types import SimpleNamespace

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from cli import app
from commands.demo import broker as demo_broker
from commands.deploy import files
from ingest.mqtt311 import ask
from ingest.session import Session
from ingest.sources import KINDS
from schemas.errors import DravaError
from schemas.settings import Broker, Home
from tests.ingest.mqttside import PATIENCE, Heard, publish, within

EUI = "24e124fffe00a1b2"
TOPIC = f"application/7/device/{EUI}/event/up"
MESSAGE = {"deviceInfo": {"devEui": EUI}, "time": "2026-02-03T04:05:06Z", "fPort": 85, "data": "A4I6AQQAAQ=="}
pytestmark = pytest.mark.skipif(demo_broker.mosquitto() is None, reason="mosquitto is not installed")


@pytest.fixture
def drava(tmp_path):
    """A home, and its commands: what they print, or what they raise."""

    def run(*words: str):
        done = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), *words])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    run("init", str(tmp_path / "home"), "--municipality", "ptuj", "--lang", "en")
    run.home = tmp_path / "home"
    return run


def ours(folder: Path, *conf_d: Path, drop: str = "") -> SimpleNamespace:
    """Our own Mosquitto as it is deployed: drava.conf and the bridges in one folder, on a free port without users."""
    folder.mkdir()
    inside = folder / "conf.d"
    inside.mkdir()
    port = demo_broker.free_port()
    text = demo_broker.adapted(demo_broker.CONF.read_text(), port, folder, getpass.getuser())
    (inside / "drava.conf").write_text(text)
    for file in conf_d:
        lines = [line for line in file.read_text().splitlines() if not (drop and drop in line)]
        (inside / file.name).write_text("\n".join(lines) + "\n")
    (folder / "main.conf").write_text(f"include_dir {inside}\n")
    command = [demo_broker.mosquitto(), "-c", str(folder / "main.conf")]
    process = demo_broker._launch(command, folder / "broker.log", [port])
    return SimpleNamespace(port=port, url=f"mqtt://127.0.0.1:{port}", stop=lambda: demo_broker._stop(process))


class Witness:
    """Another subscriber of our broker, which tells when the bridge has brought what was published."""

    def __init__(self, port: int) -> None:  # noqa: D107
        self.count, self._moved = 0, threading.Condition()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._heard
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("application/#", 0)
        assert ready.wait(PATIENCE)

    def _heard(self, *_: object) -> None:
        with self._moved:
            self.count += 1
            self._moved.notify()

    def wait(self, count: int) -> None:
        with self._moved:
            assert self._moved.wait_for(lambda: self.count >= count, PATIENCE), self.count

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.asynccontextmanager
async def receiver(url: str, home: Path):
    """Our receiver's session, subscribed to the topics of ChirpStack; it leaves as an absence like any other."""
    heard = Heard()
    found = Session(Broker(url=url), "drava-test", list(KINDS["chirpstack"].filters), heard, home)
    running = asyncio.create_task(found.run())
    try:
        await within(found.ready.wait())
        yield heard
    finally:
        found.stop()
        await within(asyncio.gather(running, return_exceptions=True))


def brought_while_away(tmp_path: Path, drava, remote, count: int, drop: str = "") -> int:
    """Publish at QoS 0 on the foreign broker while Drava is away; how many it gets when it is back."""
    (file,) = (drava.home / "bridges").iterdir()
    local = ours(tmp_path / f"ours{drop}", file, drop=drop)
    try:
        witness = Witness(local.port)

        async def subscribed() -> None:
            async with receiver(local.url, tmp_path):
                pass

        asyncio.run(subscribed())
        while not witness.count:  # until the bridge stands; each of these is one message more
            publish(remote.port, [(TOPIC, b"{}")], qos=0)
            with witness._moved:
                witness._moved.wait_for(lambda: witness.count, 0.2)
        begun = witness.count
        publish(remote.port, ((TOPIC, MESSAGE | {"fCnt": n}) for n in range(count)), qos=0)
        witness.wait(begun + count)
        witness.close()

        async def back() -> list:
            async with receiver(local.url, tmp_path) as heard:
                publish(local.port, [(TOPIC, b"last")])
                done = 0
                while not any(message[1] == b"last" for message in heard.messages):
                    heard.moved.clear()
                    for delivery in heard.deliveries[done:]:  # the broker's window is 1,000
                        delivery.journalled()
                    done = len(heard.deliveries)
                    await within(heard.moved.wait())
                return heard.messages

        return sum(b"fCnt" in payload for _, payload, *_ in asyncio.run(back()))
    finally:
        local.stop()


def test_what_the_bridge_got_at_qos_0_waits_for_drava(tmp_path, drava, broker):
    """Two real Mosquittos: with the bridge as it is written all of 2,000 are kept, without its two lines none."""
    drava("sources", "add", "chirpstack", "--url", broker.url)
    assert brought_while_away(tmp_path, drava, broker, 2000) == 2000
    assert brought_while_away(tmp_path, drava, broker, 50, drop="_qos") == 0


def test_a_source_is_tested_and_its_bridge_and_routes_are_written(drava, broker):
    told = drava("sources", "add", "chirpstack", "--url", broker.url)
    file = drava.home / "bridges" / "drava_source_ptuj_chirpstack.conf"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "topic application/+/device/+/event/+ in 1" in file.read_text()
    assert "granted: application/+/device/+/event/+ at QoS 1" in told
    assert "lost" in told
    assert "topic read application/+/device/+/event/+" in told
    assert max("drava.conf", file.name) == file.name, "Mosquitto reads it after drava.conf"
    assert "etc/mosquitto/conf.d/drava.conf" in files("ptuj")
    (route,) = Home(drava.home).settings.route
    assert (route.filter, route.codec) == ("application/+/device/+/event/+", "chirpstack")


def test_adding_it_again_changes_nothing(drava, broker):
    drava("sources", "add", "tts", "--url", broker.url, "--username", "city@ttn", "--no-test")
    before = (drava.home / "drava.toml").read_text()
    drava("sources", "add", "tts", "--url", broker.url, "--username", "city@ttn", "--no-test")
    assert (drava.home / "drava.toml").read_text() == before
    assert len(Home(drava.home).settings.route) == len(KINDS["tts"].filters)


def test_listening_checks_the_codec_and_never_chooses_it(drava, broker):
    publish(broker.port, [(TOPIC, MESSAGE)], qos=1, retain=True)
    publish(broker.port, [(f"application/7/device/{EUI}/event/join", b"no json")], qos=1, retain=True)
    said = json.loads(drava("sources", "add", "chirpstack", "--url", broker.url, "--listen", "0.3", "--json"))
    words = {heard["topic"].rpartition("/")[2]: heard["codec"] for heard in said["heard"]}
    assert words["up"] == "readings"
    assert words["join"].startswith("not_json")


def test_any_broker_with_topics_and_a_codec_of_its_own(drava, broker):
    words = ["--name", "meters", "--filter", "wmbusmeters/+", "--codec", "wmbusmeters"]
    drava("sources", "add", "mqtt", "--url", broker.url, *words)
    assert (drava.home / "bridges" / "drava_source_ptuj_meters.conf").is_file()
    (route,) = Home(drava.home).settings.route
    assert (route.filter, route.codec) == ("wmbusmeters/+", "wmbusmeters")


def test_tls_and_passwords_stand_in_the_bridge(drava):
    (drava.home / "secrets" / "tts").write_text("NNSXS.secret\n")
    words = ["--username", "city@ttn", "--password-file", "secrets/tts", "--no-test"]
    drava("sources", "add", "tts", "--url", "mqtts://eu1.cloud.thethings.example", *words)
    text = (drava.home / "bridges" / "drava_source_ptuj_tts.conf").read_text()
    for line in (
        "address eu1.cloud.thethings.example:8883",
        "remote_username city@ttn",
        "remote_password NNSXS.secret",
        "bridge_capath /etc/ssl/certs",
        "bridge_protocol_version mqttv311",
    ):
        assert f"\n{line}\n" in text


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["mqtt", "--url", "mqtt://127.0.0.1:1"], "no topics"),
        (["chirpstack", "--url", "mqtt://127.0.0.1:1"], "does not answer"),
        (["chirpstack", "--url", "http://x"], "--url"),
        (["chirpstack", "--url", "mqtt://h", "--name", "../x"], "name of a source"),
        (["chirpstack", "--url", "mqtt://h", "--username", "a\nallow_anonymous true"], "space or a quote"),
        (["mqtt", "--url", "mqtt://h", "--filter", "a b/+"], "space or a quote"),
        (["mqtt", "--url", "mqtt://h", "--filter", "a/#/b", "--no-test"], "filter"),
        (["mqtt", "--url", "mqtt://h", "--filter", "a", "--codec", "os"], "no codec"),
        (["chirpstack", "--url", "mqtt://h", "--password-file", "nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(drava, words, what):
    before = (drava.home / "drava.toml").read_text()
    with pytest.raises(DravaError, match=what):
        drava("sources", "add", *words)
    assert (drava.home / "drava.toml").read_text() == before


def test_a_route_of_another_codec_is_not_overruled(drava, broker):
    drava("sources", "add", "chirpstack", "--url", broker.url, "--no-test")
    with pytest.raises(DravaError, match="routes"):
        drava("sources", "add", "mqtt", "--url", broker.url, "--filter", KINDS["chirpstack"].filters[0])


def test_a_broker_that_lets_nobody_in_says_why(tmp_path):
    port = demo_broker.free_port()
    (tmp_path / "closed.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\n")
    process = demo_broker._launch(
        [demo_broker.mosquitto(), "-c", str(tmp_path / "closed.conf")], tmp_path / "log", [port]
    )
    try:
        with pytest.raises(DravaError, match="refuses us"):
            ask(("127.0.0.1", port), ["a/#"])
    finally:
        demo_broker._stop(process)
