"""The broker as `drava deploy` sets it up: TLS, a user for everyone, nobody speaks for another. A real Mosquitto."""

import asyncio
import contextlib
import json
import re
import shlex
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from commands.demo import broker as demo_broker
from commands.deploy import files
from ingest.probe import probe
from ingest.session import Session
from schemas.errors import DravaError
from schemas.settings import Broker
from tests.ingest.feeding import topic
from tests.ingest.mqttside import FILTERS, PATIENCE, Heard, until, within
from tests.ingest.town import Town, readings

ROOT = Path(__file__).parents[2]
HOST = "localhost"
DEBIAN = (
    "pid_file {0}/mosquitto.pid\npersistence true\npersistence_location {0}/\nlog_dest stderr\ninclude_dir {0}/conf.d\n"
)
EXPIRED = (
    "-startdate 20200101000000Z -enddate 20200201000000Z -notext -batch -config ca.cnf -cert ca.crt -keyfile ca.key"
)
AUTHORITY = """\
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
policy = any
default_md = sha256
rand_serial = yes
copy_extensions = copy
[any]
commonName = supplied
"""


def openssl(folder, line):
    subprocess.run(["openssl", *shlex.split(line)], cwd=folder, check=True, capture_output=True, timeout=60)


def documented():
    """The commands by which docs/operations.md makes an authority and a certificate for the broker."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    return [line.replace("HOST", HOST) for line in re.findall(r"^    openssl (.+)$", text, re.MULTILINE)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What `drava deploy` writes, with the paths of this test, certificates and users."""
    for program in ("mosquitto_passwd", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    folder = tmp_path_factory.mktemp("etc")
    for line in documented():
        openssl(folder, line)
    (folder / "conf.d").mkdir()
    for path, text in files("ptuj").items():
        if path.startswith("etc/mosquitto/"):
            own = text.replace("/etc/mosquitto/certs/", f"{folder}/").replace("/etc/mosquitto/", f"{folder}/")
            (folder / path.removeprefix("etc/mosquitto/")).write_text(own)
    (folder / "drava.passwd").touch(0o600)
    for user in ("drava-ptuj", "m1", "m2", "g1"):
        command = ["mosquitto_passwd", "-b", str(folder / "drava.passwd"), user, f"secret of {user}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    (folder / "mosquitto.conf").write_text(DEBIAN.format(folder) + "user root\n")
    (folder / "password").write_text("secret of drava-ptuj\n")
    return folder


def started(place, certificate="server.crt", port=None):
    """Mosquitto with one of the certificates; gives its process and its port."""
    port = port or demo_broker.free_port()
    conf = place / "conf.d" / "drava.conf"
    text = re.sub(r"^listener .*$", f"listener {port} 127.0.0.1", conf.read_text(), flags=re.MULTILINE)
    conf.write_text(re.sub(r"^certfile .*$", f"certfile {place}/{certificate}", text, flags=re.MULTILINE))
    command = [demo_broker.mosquitto(), "-c", str(place / "mosquitto.conf")]
    return demo_broker._launch(command, place / "broker.log", [port]), port


@pytest.fixture(scope="module")
def port(place):
    process, port = started(place)
    yield port
    demo_broker._stop(process)


def ours(place, port, **more):
    kept = {"username": "drava-ptuj", "password_file": "password", "ca_file": "ca.crt"} | more
    return Broker(url=f"mqtts://{HOST}:{port}", **kept)


class Device:
    """A device or gateway: a client that is not ours, with its own user over TLS."""

    def __init__(self, place, port, user, password=None):  # noqa: D107
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.tls_set(str(place / "ca.crt"))
        self.client.username_pw_set(user, password or f"secret of {user}")
        self.connected, self.told, self.answers = threading.Event(), threading.Event(), []
        self.client.on_connect = self._connected
        self.client.on_publish = self._published
        self.client.connect(HOST, port)
        self.client.loop_start()
        assert self.connected.wait(PATIENCE)

    def _connected(self, _client, _data, _flags, code, _properties):
        self.code = code.getName()
        self.connected.set()

    def _published(self, _client, _data, _number, code, _properties):
        self.answers.append(code.getName())
        self.told.set()

    def publish(self, where, payload=b"{}"):
        """Gives the broker's answer."""
        self.told.clear()
        self.client.publish(where, payload, qos=1)
        assert self.told.wait(PATIENCE)
        return self.answers[-1]

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


@contextlib.contextmanager
def device(place, port, user, password=None):
    found = Device(place, port, user, password)
    try:
        yield found
    finally:
        found.leave()


def test_everything_that_is_published_comes_over_tls_to_the_lake(place, port, tmp_path):
    """`drava ingest` with user, password file and authority; publishers over TLS; the balance adds up."""
    town = Town(tmp_path / "home", f"mqtts://{HOST}:{port}")
    (town.home.path / "secrets" / "password").write_text("secret of drava-ptuj\n")
    shutil.copy(place / "ca.crt", town.home.path / "secrets" / "ca.crt")
    with (town.home.path / "drava.toml").open("a") as file:
        file.write('username = "drava-ptuj"\npassword_file = "secrets/password"\nca_file = "secrets/ca.crt"\n')
    assert town.run(idle="0.05")[0] == 0  # from now on the broker queues for us
    for user in ("m1", "m2"):
        with device(place, port, user) as sender:
            for where, body in readings(40):
                if where == topic(user):
                    assert sender.publish(where, json.dumps(body).encode()) in {
                        "Success",
                        "No matching subscribers",
                    }
    code, said = town.run()
    assert code == 0, said
    assert town.sql("SELECT device_id, count(*) FROM water_meter GROUP BY 1 ORDER BY 1") == [("m1", 2), ("m2", 2)]


@pytest.mark.parametrize(
    ("user", "where", "answer"),
    [
        ("m1", "ptuj/water_meter/m1/telemetry", "Success"),
        ("m1", "ptuj/water_meter/m2/telemetry", "Not authorized"),
        ("m1", "maribor/water_meter/m1/telemetry", "Not authorized"),
        ("m1", "ptuj/water_meter/m1/telemetry/more", "Not authorized"),
        ("m1", "ptuj/water_meter/m1", "Not authorized"),
        ("m1", "$SYS/broker/uptime", "Not authorized"),
        ("g1", "ptuj/gateway/g1/telemetry", "Success"),
        ("g1", "ptuj/gateway/g2/telemetry", "Not authorized"),
        ("drava-ptuj", "ptuj/water_meter/m1/telemetry", "Not authorized"),
    ],
)
def test_a_device_speaks_as_itself_and_as_nobody_else(place, port, user, where, answer):
    with device(place, port, user) as sender:
        assert sender.publish(where).replace("No matching subscribers", "Success") == answer


def test_a_device_hears_nothing(place, port):
    """What others publish is not for it: a subscription is granted and never served."""
    with device(place, port, "m2") as curious, device(place, port, "m1") as sender:
        heard, subscribed = [], threading.Event()
        curious.client.on_message = lambda *_: heard.append(1)
        curious.client.on_subscribe = lambda *_: subscribed.set()
        curious.client.subscribe("ptuj/#", qos=1)
        assert subscribed.wait(PATIENCE)
        sender.publish(topic("m1"))
        curious.publish(topic("m2"))  # answered after anything that was before it
        assert heard == []


@pytest.mark.parametrize(("user", "password"), [("m1", "wrong"), ("stranger", "secret of m1"), ("", "")])
def test_nobody_is_let_in_without_a_name_and_its_password(place, port, user, password):
    with device(place, port, user, password or "none") as sender:
        assert sender.code == "Not authorized"


def test_without_tls_there_is_no_conversation(place, port):
    with socket.create_connection((HOST, port), PATIENCE) as plain:
        plain.sendall(b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x1e\x00\x00\x02m1")
        try:
            answer = plain.recv(4096)
        except ConnectionError:
            answer = b""
    assert answer[:1] != b"\x20"  # no CONNACK
    with pytest.raises(DravaError, match="mqtts://"):
        probe(Broker(url=f"mqtts://{HOST}:{not_tls(place)}"), place)


def not_tls(place):
    """A port where something answers that is no TLS."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        with server, server.accept()[0] as client:
            client.recv(1)
            client.sendall(b"HTTP/1.1 400 what?\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    return server.getsockname()[1]


def refusal(place, broker):
    """What `drava ingest` says on its first attempt, and `drava doctor` of the same broker."""
    notes = []

    async def story():
        session = Session(broker, "drava-tls", FILTERS, Heard(), place)
        session.note = notes.append
        running = asyncio.create_task(session.run())
        await until(lambda: notes)
        session.stop()
        await within(running)

    asyncio.run(story())
    with pytest.raises(DravaError) as error:
        probe(broker, place)
    return notes[0], error.value


def test_an_authority_that_did_not_sign_the_brokers_certificate(place, port):
    openssl(
        place, "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout o.key -out other.crt"
    )
    said, error = refusal(place, ours(place, port, ca_file="other.crt"))
    assert "from an authority that we do not trust" in said
    assert "broker.ca_file" in said
    assert "trying again" in said
    assert "broker.ca_file" in error.hint


def test_a_certificate_for_another_name(place, port):
    said, error = refusal(place, ours(place, port).model_copy(update={"url": f"mqtts://127.0.0.1:{port}"}))
    assert "is for another name" in said
    assert "broker.url" in error.hint


def test_an_expired_certificate_and_after_its_renewal_it_goes_on(place):
    """Nobody has to restart ingestion when the broker has its new certificate."""
    (place / "ca.cnf").write_text(AUTHORITY)
    (place / "index.txt").touch()
    openssl(place, f"ca {EXPIRED} -in server.csr -out expired.crt")
    process, port = started(place, "expired.crt")
    try:
        said, error = refusal(place, ours(place, port))
    finally:
        demo_broker._stop(process)
    assert "has expired" in said
    assert "renew it at the broker" in said
    assert "renew it at the broker" in error.hint
    asyncio.run(renewed(place))


async def renewed(place):
    """One session: first the broker shows the expired certificate, then the new one."""
    process, port = await asyncio.to_thread(started, place, "expired.crt")
    notes = []
    waiting = Session(ours(place, port), "drava-tls", FILTERS, Heard(), place)
    waiting.note = notes.append
    running = asyncio.create_task(waiting.run())
    await until(lambda: notes)
    demo_broker._stop(process)
    process, _ = await asyncio.to_thread(started, place, "server.crt", port)
    try:
        await within(waiting.ready.wait())
        waiting.stop()
        await within(running)
    finally:
        demo_broker._stop(process)


@pytest.mark.parametrize("contents", [None, "no certificate\n"])
def test_an_authority_file_that_is_of_no_use_is_one_line(tmp_path, contents):
    if contents is not None:
        (tmp_path / "ca.crt").write_text(contents)
    with pytest.raises(DravaError, match=r"broker\.ca_file .*ca\.crt"):
        Session(ours(tmp_path, 1, password_file=""), "drava-tls", FILTERS, Heard(), tmp_path)
