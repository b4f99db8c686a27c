"""`drava devices provision` against a real Mosquitto: each user may publish its own topic, and nothing else."""

import base64
import getpass
import json
import shutil
import signal
import stat
import subprocess
import threading
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
import pytest
import typer
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import select
from typer.testing import CliRunner

from catalog.store import Store, audit
from commands import devices, home
from commands.context import Context
from commands.demo import broker as demo_broker
from devices import provision
from schemas.errors import DravaError

PATIENCE = 20
REFUSED = 135  # MQTT 5: not authorized
DEVICES = (
    "device_id,family,thing_id,valid_from,gateway\n"
    "SL-1,streetlight,lamp-1,2025-01-01,\nSL-2,streetlight,lamp-2,2025-01-01,\n"
    "SL-3,streetlight,lamp-3,2025-01-01,lights north\nk,streetlight,lamp-4,2025-01-01,SL-1\n"
)


class Town:
    """A home whose broker files are those of a running Mosquitto."""

    def __init__(self, path, port=0, process=None):  # noqa: D107
        self.path, self.port, self.process = path, port, process
        self.files = ("--passwords", str(path / "passwd"), "--acl", str(path / "acl"))
        self.app = typer.Typer()
        devices.add(self.app)
        home.add(self.app)

        @self.app.callback()
        def options(ctx: typer.Context):
            ctx.obj = Context(path=path / "home", as_of=datetime(2026, 3, 1, tzinfo=UTC))

        self.run("init", str(path / "home"), "--municipality", "ptuj", "--broker", "mqtts://broker.example")
        (path / "devices.csv").write_text(DEVICES)
        self.run("devices", "import", str(path / "devices.csv"))
        (path / "passwd").write_text("")
        (path / "acl").write_text("# by hand\nuser operator\ntopic read #\n")

    def run(self, *words):
        done = CliRunner().invoke(self.app, words)
        if isinstance(done.exception, Exception):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    def provision(self, *words):
        said = json.loads(self.run("devices", "provision", *words, *self.files, "--json"))
        if self.process:
            self.process.send_signal(signal.SIGHUP)
        return said


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    program = demo_broker.mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed")
    path = tmp_path_factory.mktemp("provisioned")
    found = Town(path, demo_broker.free_port())
    rules = ["allow_anonymous false", f"password_file {path}/passwd", f"acl_file {path}/acl"]
    user = f"user {getpass.getuser()}"  # started as root it would become another, who may not read the files
    conf = "\n".join([f"listener {found.port} 127.0.0.1", *rules, user, "log_dest stderr", ""])
    (path / "mosquitto.conf").write_text(conf)
    with (path / "log").open("wb") as log:
        found.process = subprocess.Popen([program, "-c", path / "mosquitto.conf"], stdout=log, stderr=log)
    try:
        while not demo_broker._accepts(found.port):
            assert found.process.poll() is None, (path / "log").read_text()
        yield found
    finally:
        found.process.terminate()
        found.process.wait(PATIENCE)


class Side:
    """One client of the broker, in MQTT 5: its reason codes say what was refused."""

    def __init__(self, port, user, secret):  # noqa: D107
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.username_pw_set(user, secret)
        self.answered, self.moved, self.heard, self.codes = threading.Event(), threading.Event(), [], {}
        self.code = None
        self.client.on_connect = self._connected
        self.client.on_publish = self._published
        self.client.on_message = lambda _c, _u, message: (self.heard.append(message.topic), self.moved.set())
        self.client.on_subscribe = lambda *_: self.moved.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.answered.wait(PATIENCE)

    def _connected(self, _client, _data, _flags, code, _properties):
        self.code = code.value
        self.answered.set()

    def _published(self, _client, _data, number, code, _properties):
        self.codes[number] = code.value
        self.moved.set()

    def publish(self, topic):
        """Publish with QoS 1; gives the broker's reason code."""
        self.moved.clear()
        number = self.client.publish(topic, b"{}", qos=1).mid
        while number not in self.codes:
            assert self.moved.wait(PATIENCE)
            self.moved.clear()
        return self.codes[number]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def connected(port, user, secret, *, wanted=0):
    """Connect, again until the broker has read its files anew; gives the last client."""
    for _ in range(20):
        side = Side(port, user, secret)
        if side.code == wanted:
            return side
        side.close()
    raise AssertionError(side.code)


def test_own_topic_is_accepted_and_anothers_is_refused(served):
    first, second = served.provision("SL-1"), served.provision("SL-2")
    gateway = served.provision("--gateway", "lights north")
    drava = served.provision("--drava")["user"]
    own = (served.path / "home" / "secrets" / "mqtt-password").read_text().strip()
    reader = connected(served.port, drava, own)
    reader.client.subscribe("ptuj/#", qos=1)
    assert reader.moved.wait(PATIENCE)
    one, two = (connected(served.port, said["user"], said["password"]) for said in (first, second))
    north = connected(served.port, "lights north", gateway["password"])
    mine, yours = "ptuj/streetlight/SL-1/telemetry", "ptuj/streetlight/SL-2/telemetry"
    assert one.publish(yours) == one.publish("ptuj/gateway/SL-1/telemetry") == one.publish("maribor/x") == REFUSED
    assert two.publish(mine) == two.publish("ptuj/hydrant/SL-2/telemetry") == reader.publish(mine) == REFUSED
    assert north.publish(mine) == north.publish("ptuj/streetlight/SL-3/telemetry") == REFUSED
    accepted = [(one, mine), (two, yours), (north, "ptuj/gateway/lights north/telemetry")]
    for side, topic in accepted:
        reader.moved.clear()
        assert side.publish(topic) in (0, 16)  # 16: nobody listens
        while topic not in reader.heard:
            assert reader.moved.wait(PATIENCE)
            reader.moved.clear()
    assert reader.heard == [topic for _, topic in accepted]
    for side in (one, two, north, reader):
        side.close()


def test_rotated_and_revoked_passwords_are_refused_after_a_reload(served):
    old = served.provision("SL-3")["password"]
    connected(served.port, "SL-3", old).close()
    new = served.provision("SL-3", "--rotate")["password"]
    connected(served.port, "SL-3", new).close()
    assert Side(served.port, "SL-3", old).code == REFUSED
    served.provision("SL-3", "--revoke")
    connected(served.port, "SL-3", new, wanted=REFUSED).close()


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
def test_the_hash_is_that_of_mosquitto_passwd(tmp_path):
    file = tmp_path / "passwd"
    subprocess.run(["mosquitto_passwd", "-b", "-c", file, "u", "geslo"], check=True)
    kind, iterations, salt, _ = file.read_text().strip().partition(":")[2].split("$")[1:]
    assert (kind, int(iterations)) == ("7", provision.ITERATIONS)
    assert file.read_text().strip() == f"u:{provision.hashed('geslo', base64.b64decode(salt))}"


def test_files_keep_their_mode_and_what_others_wrote_and_new_ones_are_private(town):
    (town.path / "passwd").write_text("operator:$7$101$x$y\n")
    (town.path / "passwd").chmod(0o640)
    secret = town.provision("SL-1")["password"]
    assert stat.S_IMODE((town.path / "passwd").stat().st_mode) == 0o640
    before = [(town.path / name).read_text() for name in ("passwd", "acl")]
    assert before[0].startswith("operator:$7$101$x$y\nSL-1:$7$101$")
    assert secret not in "".join(before)
    assert before[1].startswith("# by hand\nuser operator\ntopic read #\n# drava: SL-1\nuser SL-1\ntopic write ptuj/")
    town.provision("SL-2")
    town.provision("SL-2", "--revoke")
    assert [(town.path / name).read_text() for name in ("passwd", "acl")] == before
    town.run("devices", "provision", "SL-2")
    for name in ("mosquitto.passwd", "mosquitto.acl"):
        assert stat.S_IMODE((town.path / "home" / "secrets" / name).stat().st_mode) == 0o600


def test_the_password_is_shown_once_and_is_nowhere_else(town):
    said = town.run("devices", "provision", "SL-1")
    secret = next(line.partition(": ")[2] for line in said.splitlines() if line.startswith("geslo"))
    assert len(secret) == 32
    assert "kill -HUP" in said
    held = [path for path in town.path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert held == []
    with Store.at(town.path / "home" / "catalog").begin() as db:
        details = db.execute(select(audit.c.detail).where(audit.c.action == "provision")).scalars().all()
    rights = ["topic write ptuj/streetlight/SL-1/telemetry"]
    assert details == [{"user": "SL-1", "action": "provision", "rights": rights}]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name one"),
        (("SL-1", "--gateway", "lights north"), "name one"),
        (("nobody",), "no device 'nobody'"),
        (("--gateway", "nowhere"), "no device is registered to the gateway"),
        (("--gateway", "SL-1"), "is a device too"),
        (("SL-2", "--rotate"), "no user of the broker"),
        (("SL-2", "--revoke"), "no user of the broker"),
        (("operator",), "no device"),
    ],
)
def test_what_would_surprise_is_refused(town, words, says):
    with pytest.raises(DravaError, match=says) as refused:
        town.provision(*words)
    assert refused.value.hint


def test_a_user_that_is_there_gets_no_new_password_by_accident_and_rules_by_hand_are_named(town):
    town.provision("SL-1")
    with pytest.raises(DravaError, match="already"):
        town.provision("SL-1")
    with (town.path / "acl").open("a") as acl:
        acl.write("user SL-2\ntopic write #\n")
    with pytest.raises(DravaError, match="Drava did not write"):
        town.provision("SL-2")
    assert "SL-2" not in (town.path / "passwd").read_text()
