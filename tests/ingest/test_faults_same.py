"""Proves over a real broker that the same readings give the same lake however they come, and poison stops nobody."""

import contextlib
import random
import socket
from datetime import timedelta
from itertools import zip_longest

import mqtt5

from catalog.store import Store
from tests.ingest.feeding import HOUR, NOW, register, topic, z
from tests.ingest.mqttside import publish
from tests.ingest.test_poison import BYTES, TOPICS
from tests.ingest.town import Town, wait_for

QUICK = "[ingest]\nflush_rows = 100\nflush_seconds = 0.2\n"
WHOLE = "* EXCLUDE (received_at, ingested_at, message_id, revision)"


def lake(town):
    return town.sql(f"SELECT {WHOLE} FROM water_meter ORDER BY ALL")


def test_twice_in_any_order_retained_by_two_gateways_or_in_one_upload_is_the_same_lake(tmp_path, broker):
    """48 h of a meter and of one behind a gateway: once, in order; then shuffled, doubled, retained, uploaded whole."""
    hours = [{"time": z(NOW - (48 - n) * HOUR), "seq": n, "volume_total_m3": 100 + n / 4} for n in range(48)]
    behind = [reading | {"device": "g1m"} for reading in hours]
    gateway = "ptuj/gateway/g1/telemetry"
    towns = []
    for name in ("plain", "wild"):
        town = Town(tmp_path / name, broker.url, more=QUICK)
        store = Store.at(town.home.catalog)
        register(store, ("g1m", "water_meter"), gateway="g1")
        store.close()
        towns.append(town)
    plain, wild = towns
    plain.subscribe()
    publish(broker.port, [(topic("m1"), reading) for reading in hours] + [(gateway, [reading]) for reading in behind])
    code, said = plain.run(as_of=NOW.isoformat())
    assert code == 0, said
    wild.subscribe()  # the same name: the session of `plain` goes on, and is empty
    messages = [(topic("m1"), reading) for reading in hours] + [(gateway, [reading]) for reading in behind]
    messages += messages  # each device sends everything twice
    messages += [("ptuj/gateway/g2/telemetry", [reading]) for reading in behind]  # and another gateway hears it
    dice = random.Random(5)
    dice.shuffle(messages)
    publish(broker.port, messages[:100])
    publish(broker.port, [(topic("m1"), hours[-1])], retain=True)
    code, said = wild.run(as_of=NOW.isoformat(), kill_at="journalled")  # what it had not acknowledged comes again
    publish(broker.port, messages[100:])
    publish(broker.port, [(topic("m1"), list(reversed(hours))), (gateway, behind)])
    code, said = wild.run(as_of=(NOW + timedelta(seconds=5)).isoformat())
    assert code == 0, said
    assert len(lake(plain)) == 96
    assert lake(wild) == lake(plain)
    assert wild.sql("SELECT count(*) FROM water_meter_revisions") == [(96,)]
    for town in towns:
        town.check_balance()
    assert plain.sql("SELECT count(*) FROM quarantine") == [(0,)]
    held = wild.sql("SELECT DISTINCT reason, gateway FROM quarantine")
    assert held == [("foreign_gateway", "g2")], "a device is its own gateway's: nobody else speaks for it"


def thrown_out(port, packet):
    """Send what the broker does not take: it ends the sender's connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
        stream.sendall(mqtt5.ConnectPacket("evil", clean_start=True).write())
        assert stream.recv(100)
        with contextlib.suppress(ConnectionError):  # it may end it before it has all
            stream.sendall(packet)
            while stream.recv(1000):
                pass


def publication(where, payload=b"1"):
    return mqtt5.PublishPacket(where, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1).write()


ODD = [where for where in TOPICS.values() if where.count("/") == 3 and where[:5] == "ptuj/" and where.isprintable()]
LONGEST = "ptuj/x/" + "y" * (65_535 - len("ptuj/x//telemetry")) + "/telemetry"
REFUSED = {
    "256 MB": b"\x32\xff\xff\xff\x7f" + bytes(2_000_000),  # the header says so; the rest need not come
    "newline": publication(TOPICS["newline"]),
    "nul in a topic": publication("ptuj/x/\0/telemetry"),
    "topic not UTF-8": publication("ptuj/x/__/telemetry").replace(b"__", b"\xff\xfe"),
    "200 levels": publication("ptuj/" + "/".join("x" * 201)),
}


def test_poison_over_the_wire_is_held_and_stops_nobody(tmp_path, broker):
    """What the broker takes is stored or held with its reason; what it refuses ends its sender's connection alone."""
    town = Town(tmp_path / "home", broker.url, more=QUICK)
    around = set(tmp_path.iterdir())
    town.subscribe()
    good = [
        (topic("m2"), {"time": z(NOW - HOUR + timedelta(seconds=n)), "seq": n, "volume_total_m3": n})
        for n in range(len(BYTES) + 10)
    ]
    with town.serve(as_of=NOW.isoformat()) as service:
        for packet in REFUSED.values():
            thrown_out(broker.port, packet)
            publish(broker.port, [good.pop(0)])
        bad = [(topic("m1"), payload) for payload, _ in BYTES.values()] + [(where, b"1") for where in [*ODD, LONGEST]]
        clocks = [NOW.replace(year=1970), NOW.replace(year=2105), NOW + HOUR, NOW - HOUR]
        wrong = [(topic(f"m{n}"), {"time": z(told), "volume_total_m3": 1}) for n, told in enumerate(clocks, 3)]
        publish(broker.port, [message for row in zip_longest(bad, good, wrong) for message in row if message])
        wait_for(lambda: town.committed() == len(BYTES) + 10 + len(clocks))
        assert service.end() == 0
        assert service.said[-1]["connects"] == 1
    held = dict(town.sql("SELECT payload, reason FROM quarantine WHERE topic = 'ptuj/water_meter/m1/telemetry'"))
    assert held == {payload: reason for payload, reason in BYTES.values()}  # noqa: C416 - says what is what
    assert {topic for (topic,) in town.sql("SELECT topic FROM quarantine")} == {where for where, _ in bad}
    placed = town.sql(
        "SELECT observed_at, time_source, quality FROM water_meter WHERE device_id <> 'm2' ORDER BY device_id"
    )
    assert placed == [(NOW, "broker", 3)] * 3 + [(NOW - HOUR, "device", 1)], "an hour behind may be a late message"
    town.check_balance()
    assert set(tmp_path.iterdir()) == around
