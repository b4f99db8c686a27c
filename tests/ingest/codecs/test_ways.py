"""From each network server's topic to rows in the lake: the route chooses the codec, the registry the profile."""

import base64
from datetime import timedelta

import pytest

from tests.ingest.feeding import HOUR, NOW, Feed, z

EUI = "24e124fffe00a1b2"
FRAME = bytes.fromhex("03823a01040001")
AT = NOW - HOUR
ROUTES = {
    "application/+/device/+/event/+": "chirpstack",
    "v3/+/devices/+/up": "tts",
    "loriot/#": "loriot",
    "thingpark/#": "thingpark",
    "wmbusmeters/+": "wmbusmeters",
}
FOREIGN = '[[route]]\nfilter = "bins/+/state"\ncodec = "json"\ndevice = "topic.2"\ntime = "ts"\nseq = "n"\n'
BASE64 = base64.b64encode(FRAME).decode()
UPLINKS = {
    f"application/7/device/{EUI}/event/up": {"time": z(AT), "fCnt": 7, "fPort": 85, "data": BASE64},
    "v3/city@t/devices/bin-7/up": {
        "end_device_ids": {"device_id": "bin-7", "dev_eui": EUI.upper()},
        "uplink_message": {"received_at": z(AT), "f_cnt": 7, "f_port": 85, "frm_payload": BASE64},
    },
    "loriot/app": {
        "cmd": "rx",
        "EUI": EUI.upper(),
        "ts": round(AT.timestamp() * 1000),
        "fcnt": 7,
        "port": 85,
        "data": FRAME.hex(),
    },
    "thingpark/up": {
        "DevEUI_uplink": {"Time": z(AT), "DevEUI": EUI, "FPort": "85", "FCntUp": "7", "payload_hex": FRAME.hex()}
    },
    f"bins/{EUI}/state": {"ts": z(AT), "n": 7, "distance": 314, "position": "tilt"},
}


@pytest.fixture
def feed(tmp_path):
    routes = "".join(f'[[route]]\nfilter = "{topic}"\ncodec = "{codec}"\n' for topic, codec in ROUTES.items())
    feed = Feed(tmp_path / "home", more=routes + FOREIGN)
    feed.register((EUI, "waste_container"), model="EM310-UDL")
    feed.register(("41507712", "water_meter"))
    return feed


def ask(feed: Feed, query: str) -> list:
    feed.commit()
    return feed.sql(query)


@pytest.mark.parametrize("topic", UPLINKS)
def test_an_uplink_becomes_the_same_row_whatever_server_brings_it(feed, topic):
    feed.say(topic, UPLINKS[topic])
    rows = ask(feed, "SELECT device_id, observed_at, distance_mm, tilt, seq, profile FROM waste_container")
    assert rows == [(EUI, AT, 314, True, 7, "milesight_em310_udl")]


def test_a_telegram_of_wmbusmeters_becomes_a_row(feed):
    said = {"media": "cold water", "meter": "kamwater", "id": "41507712", "total_m3": 3.871, "status": "LEAK"}
    feed.say("wmbusmeters/41507712", said | {"timestamp": z(AT)})
    rows = ask(feed, "SELECT observed_at, CAST(volume_total_m3 AS DOUBLE), alarm_leak, time_source FROM water_meter")
    assert rows == [(AT, 3.871, True, "gateway")]


def test_what_is_simulated_is_housekeeping_and_what_is_damaged_waits(feed):
    topic = "v3/city@t/devices/bin-7/up"
    feed.say(topic, UPLINKS[topic] | {"simulated": True}, at=NOW - timedelta(hours=2))
    feed.say(topic, b'{"end_device_ids": {} "x": 1}')
    assert ask(feed, "SELECT sum(housekeeping), sum(quarantined) FROM balance") == [(1, 1)]
    assert ask(feed, "SELECT count(*) FROM waste_container") == [(0,)]
