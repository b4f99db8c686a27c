"""Whatever arrives, a codec gives a value: no bytes make one raise, hang, or keep memory."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import codecs
from ingest.codecs.declared import Paths
from ingest.codecs.record import Codec, Housekeeping, Reading, Rejected, Uplink
from ingest.codecs.vectors import frames
from tests.ingest.codecs.fuzzing import LONG, QUICK, fuzz

EUI = "24e124fffe00a1b2"
NOW = "2026-02-03T04:05:06Z"
SEEDS: dict[str, list[object]] = {
    "chirpstack": [
        {
            "time": NOW,
            "deviceInfo": {"devEui": EUI, "deviceProfileName": "EM310"},
            "fCnt": 7,
            "fPort": 85,
            "data": "AXVX",
            "object": {"distance": 640.0, "past": [{"a": 1}]},
            "rxInfo": [{"gwTime": NOW, "nsTime": NOW}, {"time": NOW}],
        },
        {"deviceInfo": {"devEui": EUI}, "margin": 5, "batteryLevel": 71.5},
    ],
    "tts": [
        {
            "end_device_ids": {"device_id": "bin-7", "dev_eui": EUI},
            "received_at": NOW,
            "uplink_message": {
                "f_port": 85,
                "f_cnt": 7,
                "frm_payload": "AXVX",
                "decoded_payload": {"battery": 87},
                "received_at": NOW,
                "version_ids": {"model_id": "em310"},
            },
            "simulated": False,
        },
        {"end_device_ids": {"device_id": "bin-7"}, "join_accept": {}},
    ],
    "loriot": [
        {"cmd": "rx", "EUI": EUI, "ts": 1770091506123, "fcnt": 7, "port": 1, "data": "017557", "decoded": {"a": 1}},
        {"cmd": "gw", "EUI": EUI, "encdata": "01", "gws": [{"rssi": -1}]},
    ],
    "thingpark": [
        {
            "DevEUI_uplink": {
                "Time": NOW,
                "DevEUI": EUI,
                "FPort": "85",
                "FCntUp": 7,
                "payload_hex": "017557",
                "payload": {"battery": 87},
                "DriverCfg": {"mod": {"mId": "em310"}},
            }
        },
        {"DevEUI_notification": {"DevEUI": EUI, "Type": "join"}},
        {"DevEUI_location": {"DevEUI": EUI}},
    ],
    "wmbusmeters": [
        {
            "media": "cold water",
            "meter": "kamwater",
            "id": "41507712",
            "total_m3": 3.8,
            "flow_temperature_c": 127,
            "status": "LEAK DRY",
            "timestamp": NOW,
        },
        {"media": "heat", "meter": "x", "id": "1", "heat_kwh": "0.1", "timestamp": NOW},
        {"media": "x", "id": "1", "a_hca": 5},
    ],
    "json": [
        {"time": NOW, "seq": 1, "fill_pct": 5, "temp_cel": {"value": 1, "unit": "Cel"}},
        [{"device": "b1", "time": 1770091506}, {"device": "b1", "seq": 2}],
    ],
    "declared": [{"meta": {"id": "m1"}, "rows": [{"ts": NOW, "n": 1, "t": 21.5}, {"ts": 5, "t": None}]}],
    "vectors": [
        [{"hex": "01 75", "fPort": 85, "decoded": {"a": 1}}],
        {"examples": [{"input": {"bytes": [1, 117]}, "output": {"data": {"a": 1}}}]},
        "// 0175",
    ],
}
PATHS = Paths.of(["device=meta.id", "time=ts", "seq=n", "records=rows", "temp_cel=t", "power_w=$.u[0]['v']"])
TOPICS = [
    "",
    f"application/1/device/{EUI}/event/up",
    "v3/city@t/devices/bin-7/up",
    "wmbusmeters/41507712",
    "ptuj/gateway/g1/telemetry",
]
every_codec = pytest.mark.parametrize("name", SEEDS)


def codec(name: str) -> Codec:
    match name:
        case "declared":
            return PATHS.decode
        case "vectors":
            return lambda _, payload: frames(payload)
        case _:
            return codecs.load(name)


def fits(found: object) -> bool:
    if isinstance(found, Housekeeping | Rejected):
        return True
    return isinstance(found, list) and all(isinstance(one, Reading | Uplink | Rejected) for one in found)


def run(name: str, count: int) -> int:
    seeds = [seed.encode() if isinstance(seed, str) else json.dumps(seed).encode() for seed in SEEDS[name]]
    words = [f'"{key}"'.encode() for seed in SEEDS[name] if isinstance(seed, dict) for key in seed]
    return fuzz(codec(name), seeds, count, topics=TOPICS, words=words, fits=fits)


def test_every_codec_is_fuzzed():
    assert set(SEEDS) >= set(codecs.names())


@every_codec
def test_two_thousand_inputs(name):
    assert run(name, QUICK) > 15


@every_codec
@pytest.mark.soak
@pytest.mark.timeout(900)
def test_two_hundred_thousand_inputs(name):
    assert run(name, LONG) > 15


@every_codec
@settings(deadline=None)
@given(topic=st.sampled_from(TOPICS) | st.text(max_size=30), payload=st.binary(max_size=200))
def test_no_bytes_make_a_codec_raise(name, topic, payload):
    assert fits(codec(name)(topic, payload))


@every_codec
@settings(deadline=None, max_examples=25)
@given(
    topic=st.sampled_from(TOPICS),
    opening=st.sampled_from([b"[", b'{"a":', b'{"object":', b'{"rxInfo":[']),
    depth=st.integers(1, 100_000),
)
def test_no_depth_makes_a_codec_raise(name, topic, opening, depth):
    assert fits(codec(name)(topic, opening * depth))


@every_codec
def test_the_same_bytes_always_give_the_same_value(name):
    for seed in (*SEEDS[name], "{"):
        payload = json.dumps(seed).encode()
        assert codec(name)(TOPICS[1], payload) == codec(name)(TOPICS[1], payload)
