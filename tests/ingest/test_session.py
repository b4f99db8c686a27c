"""Proves the session against a real Mosquitto: what is owed is acknowledged late, and nothing is owed twice."""

import asyncio
import contextlib
import itertools
import os
import re
import signal
import subprocess
import threading

import mqtt5
import paho.mqtt.client as mqtt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from commands.demo import broker as demo_broker
from ingest import connection as wire
from ingest.connection import Connection
from ingest.session import Session
from schemas.errors import DravaError
from schemas.settings import Broker
from tests.ingest.mqttside import FILTERS, Heard, publish, session, until, within

WHERE = "ptuj/water_meter/m1/telemetry"


def run(coroutine):
    return asyncio.run(coroutine)


def numbers(heard):
    return [int(payload) for _, payload, *_ in heard.messages]


async def settled(connected):
    """What was written is with the broker: our good-bye comes after it on the same connection."""
    connected.stop()
    await within(connected.running)


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(broker, tmp_path):
    async def story():
        async with session(broker.url, tmp_path) as first:
            await asyncio.to_thread(publish, broker.port, [(WHERE, n) for n in range(5)])
            await first.heard.wait(5)
            assert first.counters.acknowledged == 0
        async with session(broker.url, tmp_path) as second:
            assert sorted(int(p) for _, p, *_ in await second.heard.wait(5)) == list(range(5))
            assert all(duplicate for *_, duplicate in second.heard.messages)
            second.heard.acknowledge()
            await settled(second)
        async with session(broker.url, tmp_path) as third:
            await asyncio.to_thread(publish, broker.port, [(WHERE, 99)])
            await third.heard.wait(1)
            assert numbers(third.heard) == [99]

    run(story())


def test_acknowledgements_die_with_their_connection(broker, tmp_path):
    """A PUBACK kept over a reconnect would acknowledge another message: packet ids begin anew."""

    async def story():
        async with session(broker.url, tmp_path) as connected:
            await asyncio.to_thread(publish, broker.port, [(WHERE, n) for n in range(3)])
            await connected.heard.wait(3)
            kept = list(connected.heard.deliveries)
            connected.heard.deliveries.clear()
            connected._connection.abandon("as if the network had failed")
            await connected.heard.wait(3)
            for delivery in kept:
                delivery.journalled()
            assert connected.counters.acknowledged == 0
        async with session(broker.url, tmp_path) as later:
            await later.heard.wait(3)
            assert sorted(numbers(later.heard)) == [0, 1, 2]

    run(story())


def test_another_client_with_our_id_is_named_and_not_fought(broker, tmp_path):
    async def story():
        one = Session(Broker(url=broker.url), "drava-same", FILTERS, Heard(), tmp_path)
        two = Session(Broker(url=broker.url), "drava-same", FILTERS, Heard(), tmp_path)
        tasks = [asyncio.create_task(one.run()), asyncio.create_task(two.run())]
        done, _ = await within(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
        one.stop()
        two.stop()
        await within(asyncio.gather(*tasks, return_exceptions=True))
        with pytest.raises(DravaError, match="'drava-same'") as error:
            done.pop().result()
        assert "client_id" in error.value.hint

    run(story())


def test_a_restart_of_the_broker_keeps_the_session_and_its_messages(tmp_path):
    port = demo_broker.free_port()

    async def story():
        with demo_broker.running(tmp_path / "broker", port=port) as broker:
            async with session(broker.url, tmp_path) as connected:
                await asyncio.to_thread(publish, port, [(WHERE, 1)])
                await connected.heard.wait(1)
        with demo_broker.running(tmp_path / "broker", port=port) as broker:
            await asyncio.to_thread(publish, port, [(WHERE, 2)])
            async with session(broker.url, tmp_path) as connected:
                await connected.heard.wait(2)
                assert sorted(numbers(connected.heard)) == [1, 2]

    run(story())


def test_a_broker_that_goes_and_comes_finds_us_again(tmp_path):
    """Killed without a word, it forgets the session: we subscribe again and say what that may mean."""
    port = demo_broker.free_port()

    async def story():
        notes = []
        with demo_broker.running(tmp_path / "broker", port=port) as broker:
            connected = Session(Broker(url=broker.url), "drava-test", FILTERS, Heard(), tmp_path)
            connected.note = notes.append
            running = asyncio.create_task(connected.run())
            await within(connected.ready.wait())
            os.kill(broker.pid, signal.SIGKILL)
        with demo_broker.running(tmp_path / "fresh", port=port):
            await until(lambda: any("forgotten our session" in note for note in notes))
            for number in range(100):  # until subscribed: the broker keeps nothing for who is not
                await asyncio.to_thread(publish, port, [(WHERE, number)])
                if connected.sink.messages:
                    break
            await connected.sink.wait(1)
            connected.stop()
            await within(running)
        assert any("trying again" in note for note in notes)

    run(story())


def test_a_broker_that_is_not_there_yet_is_waited_for(tmp_path):
    port = demo_broker.free_port()

    async def story():
        waiting = Session(Broker(url=f"mqtt://127.0.0.1:{port}"), "drava-early", FILTERS, Heard(), tmp_path)
        running = asyncio.create_task(waiting.run())
        await until(lambda: waiting.counters.notes)
        with demo_broker.running(tmp_path / "broker", port=port):
            await within(waiting.ready.wait())
            waiting.stop()
            await within(running)

    run(story())


def guarded(folder, *lines):
    """The repository's configuration with users and rights."""
    found = subprocess.run(["mosquitto_passwd", "-c", "-b", str(folder / "passwd"), "drava", "right"], check=False)
    if found.returncode:
        pytest.skip("mosquitto_passwd does not work here")
    (folder / "passwd").chmod(0o600)
    (folder / "acl").write_text("\n".join(lines) + "\n")
    conf = folder / "guarded.conf"
    text = demo_broker.CONF.read_text().replace("allow_anonymous true", "allow_anonymous false")
    conf.write_text(text + f"\npassword_file {folder / 'passwd'}\nacl_file {folder / 'acl'}\n")
    return conf


def refused(tmp_path, monkeypatch, password, *acl):
    monkeypatch.setattr(demo_broker, "CONF", guarded(tmp_path, *acl))
    (tmp_path / "secret").write_text(password + "\n")

    async def story():
        with demo_broker.running(tmp_path / "broker") as broker:
            where = Broker(url=broker.url, username="drava", password_file="secret")
            await within(Session(where, "drava-x", FILTERS, Heard(), tmp_path).run())

    with pytest.raises(DravaError) as error:
        run(story())
    return error.value


def test_a_wrong_password_ends_with_what_to_do(tmp_path, monkeypatch):
    error = refused(tmp_path, monkeypatch, "wrong", "user drava", "topic read ptuj/#")
    assert "not_authorized" in error.what or "bad_user_name_or_password" in error.what
    assert "password" in error.hint


def test_a_password_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DravaError, match="nowhere"):
        Session(Broker(username="u", password_file="nowhere"), "x", FILTERS, Heard(), tmp_path)


def test_a_packet_beyond_the_brokers_limit_disturbs_nobody_else(broker, tmp_path):
    async def story():
        async with session(broker.url, tmp_path) as connected:
            client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
            gone, ready = threading.Event(), threading.Event()
            client.on_connect = lambda *_: ready.set()
            client.on_disconnect = lambda *_: gone.set()
            client.connect("127.0.0.1", broker.port)
            client.loop_start()
            assert await asyncio.to_thread(ready.wait, 10)
            client.publish(WHERE, b"x" * 1_100_000, qos=1)
            assert await asyncio.to_thread(gone.wait, 10), "the sender must notice"
            client.disconnect()
            client.loop_stop()
            largest = 1_000_000 - len(WHERE) - 16
            await asyncio.to_thread(publish, broker.port, [(WHERE, b"7"), (WHERE, b"8" * largest)])
            await connected.heard.wait(2)
            assert [len(payload) for _, payload, *_ in connected.heard.messages] == [1, largest]
            assert connected.counters.connects == 1

    run(story())


def test_a_limit_of_ours_below_the_brokers_is_told(broker, tmp_path):
    async def story():
        notes = []
        small = Session(Broker(url=broker.url, max_packet_kb=10), "drava-small", FILTERS, Heard(), tmp_path)
        small.note = notes.append
        running = asyncio.create_task(small.run())
        await within(small.ready.wait())
        small.stop()
        await within(running)
        assert any("max_packet_size" in note for note in notes)

    run(story())


def test_publishers_of_any_kind_are_understood(broker, tmp_path):
    """MQTT 3.1.1 and 5, QoS 0 to 2, with every property that a publisher may set."""
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("a", "b"), ("č", "š" * 1000)]
    properties.ContentType = "application/json"
    properties.ResponseTopic = "a/b"
    properties.CorrelationData = bytes(range(256))
    properties.MessageExpiryInterval = 60
    properties.PayloadFormatIndicator = 1

    def everyone():
        for qos in (0, 1, 2):
            publish(broker.port, [(WHERE, qos)], version=mqtt.MQTTv311, qos=qos)
            publish(broker.port, [(WHERE, 10 + qos)], properties=properties, qos=qos)

    async def story():
        async with session(broker.url, tmp_path) as connected:
            await asyncio.to_thread(everyone)
            await connected.heard.wait(6)
            found = {int(payload): qos for _, payload, qos, *_ in connected.heard.messages}
            assert found == {0: 0, 10: 0, 1: 1, 11: 1, 2: 1, 12: 1}

    run(story())


def test_hostile_topics_and_payloads_come_through_as_they_are(broker, tmp_path):
    topics = [
        "ptuj/x/../telemetry",
        "ptuj/x/a'b\"c; DROP TABLE plans/telemetry",
        "ptuj/x/\u202e\U0001f4a7č/telemetry",
        "ptuj//" + "/telemetry",
        "ptuj/x/" + "y" * 60_000 + "/telemetry",
    ]
    payloads = [b"", b"\0", bytes(range(256)), b"{" * 50_000]

    async def story():
        async with session(broker.url, tmp_path) as connected:
            sent = [(where, b"1") for where in topics] + [(WHERE, payload) for payload in payloads]
            await asyncio.to_thread(publish, broker.port, sent)
            await connected.heard.wait(len(sent))
            assert [(where, payload) for where, payload, *_ in connected.heard.messages] == sent
            assert connected.counters.connects == 1

    run(story())


def test_a_retained_message_comes_once_for_a_session(broker, tmp_path):
    """node-red#2119: reconnecting must not bring it again; a new session marks it as retained."""
    publish(broker.port, [(WHERE, 1)], retain=True)

    async def story():
        async with session(broker.url, tmp_path) as first:
            await first.heard.wait(1)
            assert [retain for *_, retain, _ in first.heard.messages] == [True]
            first.heard.acknowledge()
            await settled(first)
        async with session(broker.url, tmp_path) as second:
            await asyncio.to_thread(publish, broker.port, [(WHERE, 2)])
            await second.heard.wait(1)
            assert numbers(second.heard) == [2]

    run(story())


def test_reading_pauses_above_the_bound_and_goes_on_when_journalled(broker, tmp_path, monkeypatch):
    monkeypatch.setattr(wire, "UNJOURNALLED_BYTES", 200_000)
    body = b"x" * 50_000

    async def story():
        async with session(broker.url, tmp_path) as connected:
            await asyncio.to_thread(publish, broker.port, [(WHERE, body)] * 40)
            await until(lambda: connected._connection._paused)
            assert len(connected.heard.messages) < 40
            done = 0
            while connected.counters.acknowledged < 40:
                connected.heard.moved.clear()
                for delivery in connected.heard.deliveries[done:]:
                    delivery.journalled()
                    done += 1
                if connected.counters.acknowledged < 40:
                    await within(connected.heard.moved.wait())
            assert connected.counters.acknowledged == 40

    run(story())


def test_a_connection_that_says_nothing_is_given_up(tmp_path, monkeypatch):
    """Half open: the other side took the connection, greeted, and was never heard again."""
    monkeypatch.setattr(wire, "KEEP_ALIVE", 1)
    greetings = []

    async def silent(reader, writer):
        await reader.read(1000)
        greetings.append(1)
        writer.write(mqtt5.ConnAckPacket(session_present=False).write())
        await reader.read()
        writer.close()

    async def story():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        waiting = Session(Broker(url=f"mqtt://127.0.0.1:{port}"), "drava-half", FILTERS, Heard(), tmp_path)
        notes = []
        waiting.note = notes.append
        running = asyncio.create_task(waiting.run())
        await until(lambda: len(greetings) > 1)
        waiting.stop()
        await within(running)
        server.close()
        assert any("silent" in note for note in notes)

    run(story())


class _Wire(asyncio.Transport):
    """Takes what a connection writes; nothing is sent."""

    def __init__(self):
        super().__init__()
        self.written = b""
        self.aborted = False

    def is_reading(self):
        return False

    def write(self, data):
        self.written += data

    def abort(self):
        self.aborted = True

    def is_closing(self):
        return self.aborted

    def pause_reading(self):
        pass

    resume_reading = pause_reading


GRANTED = mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE])
PACKETS = [mqtt5.ConnAckPacket(session_present=True), GRANTED] + [
    mqtt5.PublishPacket(f"ptuj/x/{n}/telemetry", b"%d" % n * (n % 300), qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=n)
    for n in range(1, 40)
]
STREAM = b"".join(packet.write() for packet in PACKETS)


@settings(max_examples=50, deadline=None)
@given(cuts=st.sets(st.integers(1, len(STREAM) - 1), max_size=60))
def test_packets_may_be_cut_anywhere(cuts):
    async def story():
        heard = Heard()
        owner = Session(Broker(), "x", FILTERS, heard, None)
        connection, wire = Connection(owner), _Wire()
        connection.connection_made(wire)
        edges = [0, *sorted(cuts), len(STREAM)]
        for start, end in itertools.pairwise(edges):
            connection.data_received(STREAM[start:end])
        assert [len(p) for _, p, *_ in heard.messages] == [len(b"%d" % n * (n % 300)) for n in range(1, 40)]
        assert owner.ready.is_set()
        wire.written = b""
        heard.acknowledge()
        assert wire.written == b"".join(b"\x40\x02" + n.to_bytes(2, "big") for n in range(1, 40))
        assert connection._unjournalled == 0
        assert not wire.aborted

    run(story())


def against(answer):
    """Run a session against a server that answers as told until it came again; gives what it said, or raises."""
    came = []

    async def serve(reader, writer):
        came.append(1)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                for packet in answer(data):
                    writer.write(packet)
        writer.close()

    async def story():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        found = Session(Broker(url=f"mqtt://127.0.0.1:{port}"), "drava-fake", FILTERS, Heard(), None)
        running = asyncio.create_task(found.run())

        def again():
            return [note for note in found.counters.notes if "trying again" in note]

        await until(lambda: running.done() or (len(came) > 1 and again()))
        found.stop()
        try:
            await within(running)
        finally:
            server.close()
        return again()

    return run(story())


CONNECT, SUBSCRIBE = 0x10, 0x82
GREETING = mqtt5.ConnAckPacket(session_present=False).write()


def test_a_refused_subscription_ends_with_what_to_do():
    refusal = mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.NOT_AUTHORIZED]).write()
    with pytest.raises(DravaError, match=re.escape(FILTERS[0])) as error:
        against(lambda data: [GREETING] if data[0] == CONNECT else [refusal])
    assert "ACL" in error.value.hint


@pytest.mark.parametrize("code", ["SERVER_UNAVAILABLE", "SERVER_BUSY", "USE_ANOTHER_SERVER", "QUOTA_EXCEEDED"])
def test_a_broker_that_is_busy_is_asked_again(code):
    busy = mqtt5.ConnAckPacket(session_present=False, reason_code=getattr(mqtt5.ConnAckReasonCode, code)).write()
    assert all(code.lower() in note for note in against(lambda _: [busy]))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the codec panics on the third
@pytest.mark.parametrize(
    "packet",
    [b"\x00\x00", b"\xf0\xff\xff\xff\xff\x7f", b"\x31\x05\x00\x03\xff\xfe\xfd", b"\x31\x02\x00\x09"],
    ids=["reserved type", "length without end", "topic not UTF-8", "topic longer than its packet"],
)
def test_a_malformed_packet_ends_the_connection_not_the_program(packet):
    assert against(lambda data: [GREETING, packet] if data[0] == CONNECT else [])


def test_a_trickle_is_read_in_breaths(broker, tmp_path):
    """One message after the other: what comes within 40 ms is one delivery."""

    async def story():
        async with session(broker.url, tmp_path) as connected:
            await asyncio.to_thread(one_by_one, broker.port, 300)
            await connected.heard.wait(300)
            assert len(connected.heard.deliveries) < 150

    run(story())


def one_by_one(port, count):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for number in range(count):
        client.publish(WHERE, str(number), qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
