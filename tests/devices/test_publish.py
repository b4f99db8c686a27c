"""Publishing to a real Mosquitto: everything acknowledged once, and a broker that refuses or dies is named."""

import getpass
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from devices.publish import publish
from schemas.errors import DravaError

MESSAGES = [(f"ptuj/water_meter/wm-{n % 7}/telemetry", b'{"n":%d}' % n) for n in range(3000)]


@dataclass
class Broker:
    url: str
    process: subprocess.Popen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Start Mosquitto with more lines of configuration; it ends with the test."""
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed: make test installs it, or says how")
    started: list[subprocess.Popen] = []

    def run(*lines: str, scheme: str = "mqtt") -> Broker:
        port = free_port()
        conf = tmp_path / "mosquitto.conf"
        own = (f"user {getpass.getuser()}", f"listener {port} 127.0.0.1", *lines, "max_queued_messages 0")
        conf.write_text("\n".join(own) + "\n")
        process = subprocess.Popen(["mosquitto", "-c", str(conf)], stderr=subprocess.PIPE)
        started.append(process)
        assert any(b"running" in line for line in process.stderr), "mosquitto did not start"
        return Broker(f"{scheme}://127.0.0.1:{port}", process)

    yield run
    for process in started:
        process.terminate()
        process.communicate()


class Listener:
    """An independent subscriber that keeps what it is given and knows when it has enough."""

    def __init__(self, url: str, enough: int) -> None:
        """Subscribe to everything at `url`."""
        self.heard: list[tuple[str, bytes, int]] = []
        self.enough, self.ready = threading.Event(), threading.Event()
        self._wanted = enough
        self.client = Client(CallbackAPIVersion.VERSION2, "listener")
        self.client.on_message = self._on_message
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.connect("127.0.0.1", int(url.rsplit(":", 1)[1]))
        self.client.loop_start()
        assert self.ready.wait(10)

    def _on_message(self, _client, _data, message) -> None:
        self.heard.append((message.topic, message.payload, message.qos))
        if len(self.heard) >= self._wanted:
            self.enough.set()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize(("protocol", "window"), [("5", 1000), ("3.1.1", 1000), ("5", 1), ("3.1.1", 7)])
def test_every_message_arrives_once_and_in_order(start, protocol, window):
    broker = start("allow_anonymous true")
    listener = Listener(broker.url, len(MESSAGES))
    reports: list[int] = []
    sent = publish(
        MESSAGES, url=broker.url, client_id="city", protocol=protocol, window=window, progress=reports.append
    )
    assert listener.enough.wait(20)
    listener.stop()
    assert sent == len(MESSAGES)
    assert listener.heard == [(topic, payload, 1) for topic, payload in MESSAGES]
    assert reports == sorted(reports)
    assert reports[-1] == len(MESSAGES)


def test_nothing_to_say_is_said_quickly(start):
    assert publish([], url=start("allow_anonymous true").url, client_id="city") == 0


def passwords(folder: Path) -> Path:
    file = folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(file), "city", "secret"], check=True)
    return file


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_refused_with_a_hint(start, tmp_path, protocol):
    broker = start("allow_anonymous false", f"password_file {passwords(tmp_path)}")
    with pytest.raises(DravaError, match=r"refused the connection.*Check user, password"):
        publish(MESSAGES, url=broker.url, client_id="c", username="city", password="wrong", protocol=protocol)
    assert publish(MESSAGES, url=broker.url, client_id="c", username="city", password="secret", protocol=protocol)


def test_a_topic_that_the_access_list_forbids_is_named_as_a_refusal(start, tmp_path):
    rights = tmp_path / "acl"
    rights.write_text("topic write ours/#\n")
    broker = start("allow_anonymous true", f"acl_file {rights}")
    assert publish([("ours/a", b"1")], url=broker.url, client_id="c") == 1
    with pytest.raises(DravaError, match="refused a message: Not authorized"):
        publish([("theirs/a", b"1")], url=broker.url, client_id="c")


def test_a_broker_that_is_not_there_is_named():
    with pytest.raises(DravaError, match=r"cannot reach the broker.*Start the broker"):
        publish(MESSAGES, url=f"mqtt://127.0.0.1:{free_port()}", client_id="city")


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:1883", "mqtt://127.0.0.1:port"])
def test_what_is_no_address_of_a_broker_is_refused(url):
    with pytest.raises(DravaError, match="is not a broker's address"):
        publish(MESSAGES, url=url, client_id="city")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_dies_on_the_way_ends_the_publishing(start, protocol):
    broker = start("allow_anonymous true")

    def deadly() -> Iterator[tuple[str, bytes]]:
        for n, message in enumerate(MESSAGES):
            if n == 2000:
                broker.process.kill()
                broker.process.wait()
            yield message

    with pytest.raises(DravaError, match=r"went away after \d+ acknowledged"):
        publish(deadly(), url=broker.url, client_id="city", protocol=protocol, window=100)


def test_the_broker_may_ask_for_a_smaller_window():
    """A peer that speaks only as much MQTT as needed: it allows 3 messages under way and acknowledges none for long."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(10)
    pending: list[int] = []

    def serve() -> None:
        peer, _ = server.accept()
        with peer:
            peer.settimeout(10)
            peer.recv(4096)  # CONNECT
            peer.sendall(bytes([0x20, 6, 0, 0, 3, 0x21, 0, 3]))  # CONNACK, Receive Maximum 3
            answered = 0
            while answered < 9:
                identifiers = publishes(peer)
                pending.append(len(identifiers))
                answered += len(identifiers)
                peer.sendall(b"".join(b"\x40\x02" + identifier for identifier in identifiers))
            peer.recv(4096)  # DISCONNECT

    def publishes(peer: socket.socket) -> list[bytes]:
        """Packet identifiers of all that comes until the other side has to wait."""
        data = peer.recv(4096)
        peer.settimeout(0.1)
        try:
            while True:
                data += peer.recv(4096)
        except TimeoutError:
            peer.settimeout(10)
        found = []
        while data:
            size, topic = data[1], struct.unpack("!H", data[2:4])[0]
            found.append(data[4 + topic : 6 + topic])
            data = data[2 + size :]
        return found

    thread = threading.Thread(target=serve)
    thread.start()
    sent = publish([("a", b"1")] * 9, url=f"mqtt://127.0.0.1:{server.getsockname()[1]}", client_id="c", window=100)
    thread.join(10)
    server.close()
    assert sent == 9
    assert pending == [3, 3, 3]


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key beside it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate to test with")
    file = folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file.with_suffix(".key")),
         "-out", str(file)],
        check=True, capture_output=True,
    )  # fmt: skip
    return file


def test_mqtts_trusts_the_given_authority_and_no_other(start, tmp_path):
    ours, other = certificate(tmp_path, "ours"), certificate(tmp_path, "other")
    broker = start("allow_anonymous true", f"certfile {ours}", f"keyfile {ours.with_suffix('.key')}", scheme="mqtts")
    assert publish(MESSAGES, url=broker.url, client_id="city", ca_file=str(ours)) == len(MESSAGES)
    with pytest.raises(DravaError, match=r"cannot be trusted.*broker.ca_file"):
        publish(MESSAGES, url=broker.url, client_id="city", ca_file=str(other))
    with pytest.raises(DravaError, match="cannot read the certificate"):
        publish(MESSAGES, url=broker.url, client_id="city", ca_file=str(tmp_path / "none.pem"))
