"""The brokers of the demo keep what they promise: QoS 1 for an absent subscriber, from both protocol versions."""

import socket
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from commands.demo import broker as demo_broker
from schemas.errors import DravaError

TOPIC = "ptuj/water_meter/m{}/telemetry"
SECONDS = 20


def subscriber(port: int, want: int) -> tuple[mqtt.Client, list[bytes], threading.Event]:
    """A persistent MQTT 5 session; the event is set when it holds `want` messages."""
    got: list[bytes] = []
    enough, ready = threading.Event(), threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="drava-test", protocol=mqtt.MQTTv5)

    def on_message(_client, _data, message):
        got.append(message.payload)
        if len(set(got)) >= want:
            enough.set()

    client.on_connect = lambda *_: client.subscribe("ptuj/#", qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = on_message
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    client.connect("127.0.0.1", port, keepalive=60, clean_start=False, properties=properties)
    client.loop_start()
    assert ready.wait(SECONDS)
    return client, got, enough


def leave(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def publish(port: int, protocol: mqtt.MQTTProtocolVersion, payloads: list[bytes]) -> None:
    """Publish with QoS 1 and wait until the broker has acknowledged every message."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"gateway-{protocol}", protocol=protocol)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = [client.publish(TOPIC.format(protocol), payload, qos=1) for payload in payloads]
    for message in sent:
        message.wait_for_publish(SECONDS)
        assert message.is_published()
    leave(client)


@pytest.mark.parametrize("embedded", [False, True], ids=["mosquitto", "embedded"])
def test_keeps_messages_of_both_versions_for_an_absent_subscriber(tmp_path: Path, embedded: bool) -> None:
    if embedded:
        pytest.importorskip("iotcore")
    payloads = {version: [f"{version} {n}".encode() for n in range(1500)] for version in (4, 5)}
    with demo_broker.running(tmp_path, embedded=embedded) as broker:
        first, _, _ = subscriber(broker.port, 1)
        leave(first)
        publish(broker.port_311, mqtt.MQTTv311, payloads[4])
        publish(broker.port, mqtt.MQTTv5, payloads[5])
        again, got, enough = subscriber(
            broker.port, 3000
        )  # 1500 each: more than the 1000 that Mosquitto keeps by default
        assert enough.wait(SECONDS), f"{len(set(got))} of 3000"
        leave(again)
    assert set(got) == {*payloads[4], *payloads[5]}
    assert broker.title.startswith("iotcore" if embedded else "mosquitto")


def test_mosquitto_keeps_sessions_and_queues_over_its_own_restart(tmp_path: Path) -> None:
    with demo_broker.running(tmp_path) as broker:
        client, _, _ = subscriber(broker.port, 1)
        leave(client)
        publish(broker.port_311, mqtt.MQTTv311, [b"before the restart"])
    with demo_broker.running(tmp_path, port=broker.port) as broker:
        client, got, enough = subscriber(broker.port, 1)
        assert enough.wait(SECONDS)
        leave(client)
    assert got == [b"before the restart"]


def test_is_gone_at_the_end(tmp_path: Path) -> None:
    with demo_broker.running(tmp_path) as broker:
        assert Path(f"/proc/{broker.pid}").exists()
    assert not Path(f"/proc/{broker.pid}").exists()


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with (
            pytest.raises(DravaError, match=r"the broker did not start: .*in use"),
            demo_broker.running(tmp_path, port=taken.getsockname()[1]),
        ):
            pass


def test_no_broker_at_all_is_one_line_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_broker, "mosquitto", lambda: None)
    monkeypatch.setattr(demo_broker, "version", _not_installed)
    with pytest.raises(DravaError, match="apt-get install -y mosquitto"), demo_broker.running(tmp_path):
        pass


def _not_installed(name: str) -> str:
    raise demo_broker.PackageNotFoundError(name)


def test_no_line_of_the_repositorys_configuration_names_the_machine_in_a_run(tmp_path: Path) -> None:
    conf = demo_broker.adapted(demo_broker.CONF.read_text("utf-8"), 4711, tmp_path, "me")
    in_force = [line for line in conf.splitlines() if line and not line.startswith("#")]
    assert [line for line in in_force if line.startswith("listener")] == ["listener 4711 127.0.0.1"]
    assert [line for line in in_force if "/var/" in line or "/etc/" in line] == []
    assert "persistence true" in in_force


def test_the_configuration_keeps_the_promises_that_drava_relies_on() -> None:
    """The broker never accepts a packet we refuse, and never drops for an absent subscriber."""
    lines = demo_broker.CONF.read_text("utf-8").splitlines()
    settings = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    assert int(settings["max_packet_size"]) < 1024 * 1024
    assert settings["max_queued_messages"] == settings["max_queued_bytes"] == "0"
    assert settings["persistence"] == "true"
    assert int(settings["autosave_interval"]) <= 30
    assert settings["listener"].endswith("127.0.0.1") or settings["allow_anonymous"] == "false"
