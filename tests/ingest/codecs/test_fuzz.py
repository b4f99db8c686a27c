"""Whatever arrives, a codec gives a value: no bytes and no JSON make one raise."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import codecs
from ingest.codecs.record import Housekeeping, Reading, Rejected, Uplink

EUI = "24e124fffe00a1b2"
TOPICS = st.sampled_from(
    ["", f"application/1/device/{EUI}/event/up", f"a/device/{EUI}/event/join", "ptuj/water_meter/w1/telemetry"]
)
KEYS = st.sampled_from(
    [
        "time",
        "deviceInfo",
        "devEui",
        "fCnt",
        "fPort",
        "data",
        "object",
        "rxInfo",
        "gwTime",
        "nsTime",
        "level",
        "location",
        "seq",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from([EUI, "AXVX", "2026-02-03T04:05:06Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
)
FLAT = st.dictionaries(KEYS, SCALARS, max_size=4)
EVENTS = st.dictionaries(KEYS, SCALARS | FLAT | st.lists(FLAT | SCALARS, max_size=3), max_size=6)
every_codec = pytest.mark.parametrize("name", codecs.names())


def fits(found: object) -> bool:
    if isinstance(found, Housekeeping | Rejected):
        return True
    return isinstance(found, list) and all(isinstance(one, Reading | Uplink | Rejected) for one in found)


@every_codec
@settings(deadline=None)
@given(topic=TOPICS | st.text(max_size=30), payload=st.binary(max_size=200))
def test_no_bytes_make_a_codec_raise(name, topic, payload):
    assert fits(codecs.load(name)(topic, payload))


@every_codec
@settings(deadline=None)
@given(topic=TOPICS, event=EVENTS | st.lists(EVENTS | SCALARS, max_size=3))
def test_no_json_makes_a_codec_raise(name, topic, event):
    assert fits(codecs.load(name)(topic, json.dumps(event).encode()))


@every_codec
@settings(deadline=None)
@given(topic=TOPICS, event=EVENTS, cut=st.integers(0, 400), byte=st.integers(0, 255))
def test_no_damage_makes_a_codec_raise(name, topic, event, cut, byte):
    payload = bytearray(json.dumps(event).encode())
    assert fits(codecs.load(name)(topic, bytes(payload[:cut])))
    payload[cut % len(payload)] = byte
    assert fits(codecs.load(name)(topic, bytes(payload)))


@every_codec
@settings(deadline=None, max_examples=25)
@given(
    topic=TOPICS,
    opening=st.sampled_from([b"[", b'{"a":', b'{"object":', b'{"rxInfo":[']),
    depth=st.integers(1, 100_000),
)
def test_no_depth_makes_a_codec_raise(name, topic, opening, depth):
    assert fits(codecs.load(name)(topic, opening * depth))


@every_codec
def test_the_same_bytes_always_give_the_same_value(name):
    codec = codecs.load(name)
    for payload in (b'{"time": "2026-02-03T04:05:06Z", "seq": 1, "fill_pct": 5}', b"{"):
        assert codec("ptuj/waste_container/b1/telemetry", payload) == codec(
            "ptuj/waste_container/b1/telemetry", payload
        )
