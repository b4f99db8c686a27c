"""The ChirpStack codec: uplinks with all their times, housekeeping by kind, a true reason for all that is hostile."""

import json

import pytest

from ingest.codecs.chirpstack import decode
from ingest.codecs.record import DEEPEST, Housekeeping, Rejected, Uplink, epoch_us
from schemas.reasons import Reason

EUI = "24e124fffe00a1b2"
TOPIC = f"application/3f0c/device/{EUI}/event/"
HEARD = "2026-02-03T04:05:06.700000+00:00"


def event(kind="up", topic=None, **fields):
    return decode(TOPIC + kind if topic is None else topic, json.dumps(fields).encode())


def uplink(**fields) -> Uplink:
    found = event(**fields)
    assert isinstance(found, list), found
    assert len(found) == 1
    return found[0]


def rejected(found) -> Reason:
    assert isinstance(found, Rejected), found
    assert found.detail
    return found.reason


def test_an_uplink_carries_frame_counter_port_and_times():
    found = uplink(
        time="2026-02-03T04:05:06.789012345+00:00",
        deviceInfo={"devEui": EUI.upper(), "deviceName": "bin", "deviceProfileName": "bins"},
        fCnt=7,
        fPort=85,
        data="AXVX",
        rxInfo=[{"gatewayId": "a", "nsTime": HEARD}, {"gatewayId": "b", "gwTime": HEARD}],
    )
    assert found == Uplink(
        device=EUI,
        time=None,  # the device has no clock
        seq=7,
        port=85,
        data=b"\x01\x75\x57",
        object=None,
        next_best=(("network_server", epoch_us("2026-02-03T04:05:06.789012+00:00")),),
        model="bins",
    )


def test_the_events_own_time_is_a_gateways_where_a_gateway_knows_it():
    heard = [{"gwTime": HEARD}, {"gwTime": "2026-02-03T04:05:06.699000Z"}]
    assert uplink(time=HEARD, rxInfo=heard).next_best == (("gateway", epoch_us(HEARD)),)


def test_nanoseconds_are_cut_off_not_rounded():
    found = uplink(time="2026-02-03T04:05:06.999999999+00:00")
    assert found.next_best == (("network_server", epoch_us("2026-02-03T04:05:06.999999Z")),)


def test_the_time_of_gateways_before_2024_is_read():
    assert uplink(rxInfo=[{"time": HEARD}]).next_best == (("gateway", epoch_us(HEARD)),)


def test_of_several_gateways_the_first_to_hear_counts_in_any_order():
    heard = [{"gwTime": f"2026-02-03T04:05:0{second}Z"} for second in (8, 6, 7)]
    first = (("gateway", epoch_us("2026-02-03T04:05:06Z")),)
    assert uplink(rxInfo=heard).next_best == uplink(rxInfo=heard[::-1]).next_best == first


def test_network_time_comes_from_the_receiver_where_the_event_has_none():
    assert uplink(rxInfo=[{"nsTime": HEARD}]).next_best == (("network_server", epoch_us(HEARD)),)


def test_a_time_that_is_none_is_as_good_as_missing():
    assert uplink(time="yesterday", rxInfo=[{"gwTime": "2026-02-03T04:05:06"}]).next_best == ()


def test_every_field_but_the_device_may_be_missing():
    assert uplink() == Uplink(EUI, None, None, None, None, None)
    assert uplink(deviceInfo=None, rxInfo=None, data=None, object=None, fCnt=None) == uplink()


def test_the_object_of_the_network_server_is_kept():
    assert uplink(object={"distance": 640.0, "past": [{"a": 1}]}).object == {"distance": 640.0, "past": [{"a": 1}]}


@pytest.mark.parametrize("kind", ["status", "join", "ack", "txack", "log", "location", "integration"])
def test_other_events_are_housekeeping_of_their_device(kind):
    assert event(kind, deviceInfo={"devEui": EUI.upper()}) == Housekeeping(kind, EUI)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("status", {"margin": 5, "batteryLevel": 71.5}),
        ("join", {"devAddr": "0078a9f1"}),
        ("ack", {"queueItemId": "b", "acknowledged": False, "fCntDown": 4}),
        ("txack", {"downlinkId": 11, "queueItemId": "b", "gatewayId": "c"}),
        ("log", {"level": "WARNING", "code": "UPLINK_F_CNT_RESET", "description": "…"}),
        ("location", {"location": {"latitude": 46.42, "longitude": 15.87}}),
        ("integration", {"integrationName": "x", "eventType": "y", "object": {}}),
    ],
)
def test_without_the_default_topic_the_fields_tell_the_events_apart(kind, fields):
    assert event(topic="ptuj/lora", deviceInfo={"devEui": EUI}, **fields) == Housekeeping(kind, EUI)


def test_an_uplink_needs_no_topic_either():
    assert uplink(topic="", deviceInfo={"devEui": EUI}, devAddr="0078a9f1", data="AXVX").data == b"\x01\x75\x57"


def test_the_topic_names_the_device_where_the_payload_does_not():
    assert uplink(topic=f"site/device/{EUI.upper()}/event/up").device == EUI


def test_a_payload_of_another_device_than_its_topic_is_refused():
    assert rejected(event(deviceInfo={"devEui": "24e124fffe00ffff"})) is Reason.DEVICE_MISMATCH


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (TOPIC + "up", b"", Reason.NOT_JSON),
        (TOPIC + "up", b"\x0a\x10protobuf", Reason.NOT_JSON),
        (TOPIC + "up", b'{"object":{"distance":NaN}}', Reason.NOT_JSON),
        (TOPIC + "up", b'{"time":"\xff"}', Reason.NOT_JSON),
        (TOPIC + "up", b"[1,2]", Reason.WRONG_SHAPE),
        (TOPIC + "up", b"null", Reason.WRONG_SHAPE),
        (TOPIC + "up", b'{"fCnt":-1}', Reason.WRONG_SHAPE),
        (TOPIC + "up", b'{"fCnt":1e999}', Reason.WRONG_SHAPE),
        (TOPIC + "up", b'{"object":[1]}', Reason.WRONG_SHAPE),
        (TOPIC + "up", b'{"object":{"distance":' + b"9" * 6000 + b"}}", Reason.WRONG_SHAPE),
        (TOPIC + "up", b'{"rxInfo":{"gwTime":1}}', Reason.WRONG_SHAPE),
        (TOPIC + "up", b'{"data":"not base64"}', Reason.BAD_FRAME),
        (TOPIC + "up", '{"data":"č"}'.encode(), Reason.BAD_FRAME),
        (TOPIC + "down", b"{}", Reason.WRONG_SHAPE),
        ("application/1/device/'; drop table/event/up", b"{}", Reason.WRONG_SHAPE),
        ("a", b'{"deviceInfo":{"devEui":"../../etc"},"data":""}', Reason.WRONG_SHAPE),
        ("a", b'{"data":"AXVX"}', Reason.WRONG_SHAPE),
        ("a", b'{"hello":"world"}', Reason.WRONG_SHAPE),
    ],
)
def test_what_is_no_event_is_rejected_with_a_true_reason(topic, payload, reason):
    assert rejected(decode(topic, payload)) is reason


@pytest.mark.parametrize("bomb", [b'{"a":' * 200_000, b'{"object":' * 200_000 + b"1", b'{"x":' + b"[" * 200_000])
def test_nesting_without_end_is_rejected(bomb):
    assert rejected(decode(TOPIC + "up", bomb)) in {Reason.WRONG_SHAPE, Reason.NOT_JSON}


def test_an_object_may_be_nested_as_deep_as_stated_and_no_deeper():
    def nested(levels):
        return b'{"object":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"

    assert isinstance(decode(TOPIC + "up", nested(DEEPEST)), list)
    assert rejected(decode(TOPIC + "up", nested(DEEPEST + 1))) is Reason.WRONG_SHAPE
