"""The codecs of The Things Stack, LORIOT and ThingPark: uplinks, what is left out, housekeeping, true reasons."""

import json

import pytest

from ingest.codecs import loriot, thingpark, tts
from ingest.codecs.record import DEEPEST, Housekeeping, Rejected, Uplink, epoch_us
from schemas.reasons import Reason

EUI = "24e124fffe00a1b2"
IDS = {"device_id": "bin-7", "dev_eui": EUI.upper(), "application_ids": {"application_id": "city"}}
TOPIC = "v3/city@ptuj/devices/bin-7/up"
NS, AS = "2026-02-03T04:05:06.123456789Z", "2026-02-03T04:05:07Z"


def of_tts(topic=TOPIC, **fields):
    return tts.decode(topic, json.dumps({"end_device_ids": IDS, "received_at": AS} | fields).encode())


def of_loriot(**fields):
    return loriot.decode("", json.dumps({"cmd": "rx", "EUI": EUI.upper()} | fields).encode())


def of_thingpark(**fields):
    return thingpark.decode("", json.dumps({"DevEUI_uplink": {"DevEUI": EUI.upper()} | fields}).encode())


def one(found) -> Uplink:
    assert isinstance(found, list), found
    (sent,) = found
    assert isinstance(sent, Uplink)
    return sent


def rejected(found) -> Reason:
    assert isinstance(found, Rejected), found
    assert found.detail
    return found.reason


def test_the_things_stack_uplink():
    message = {"f_port": 85, "f_cnt": 9, "frm_payload": "AXVX", "received_at": NS, "version_ids": {"model_id": "em310"}}
    message |= {"decoded_payload": {"battery": 87}, "rx_metadata": [{"time": "2026-02-03T04:05:05Z"}]}
    times = (("network_server", epoch_us("2026-02-03T04:05:06.123456Z")),)
    expected = Uplink(EUI, None, 9, 85, b"\x01\x75\x57", {"battery": 87}, times, "em310")
    assert one(of_tts(uplink_message=message)) == expected


def test_the_things_stack_leaves_out_what_is_zero():
    sent = one(of_tts(uplink_message={}))
    assert (sent.seq, sent.port, sent.data, sent.next_best) == (0, 0, None, (("network_server", epoch_us(AS)),))


def test_what_is_simulated_never_becomes_a_reading():
    assert of_tts(simulated=True, uplink_message={"frm_payload": "AXVX"}) == Housekeeping("simulated", EUI)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("join_accept", "join"),
        ("downlink_queued", "downlink_queued"),
        ("downlink_sent", "downlink_sent"),
        ("downlink_ack", "downlink_ack"),
        ("downlink_nack", "downlink_nack"),
        ("downlink_failed", "downlink_failed"),
        ("location_solved", "location"),
        ("service_data", "service_data"),
    ],
)
def test_other_messages_of_the_things_stack_are_housekeeping(key, kind):
    assert of_tts(topic="", **{key: {"x": 1}}) == Housekeeping(kind, EUI)


def test_a_device_without_an_eui_has_its_id():
    assert one(of_tts(end_device_ids={"device_id": "bin-7"}, uplink_message={})).device == "bin-7"
    assert one(of_tts(end_device_ids=None, uplink_message={})).device == "bin-7"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"topic": "v3/city@ptuj/devices/bin-8/up", "uplink_message": {}}, Reason.DEVICE_MISMATCH),
        ({"topic": "", "end_device_ids": None, "uplink_message": {}}, Reason.WRONG_SHAPE),
        ({"topic": "", "end_device_ids": {"device_id": "../x"}, "uplink_message": {}}, Reason.WRONG_SHAPE),
        ({"end_device_ids": IDS | {"dev_eui": "zz"}, "uplink_message": {}}, Reason.WRONG_SHAPE),
        ({"uplink_message": {"f_cnt": -1}}, Reason.WRONG_SHAPE),
        ({"uplink_message": {"f_cnt": "1"}}, Reason.WRONG_SHAPE),
        ({"uplink_message": {"frm_payload": "no base64"}}, Reason.BAD_FRAME),
        ({"uplink_message": [1]}, Reason.WRONG_SHAPE),
        ({"simulated": "yes"}, Reason.WRONG_SHAPE),
        ({}, Reason.WRONG_SHAPE),
    ],
)
def test_what_is_no_message_of_the_things_stack(fields, reason):
    assert rejected(of_tts(**fields)) is reason


def test_a_damaged_document_is_no_json_and_the_place_is_told():
    found = tts.decode("", b'{"end_device_ids": {} "uplink_message": {}}')
    assert rejected(found) is Reason.NOT_JSON
    assert "byte 22" in found.detail
    assert "Protobuf" not in found.detail
    assert "Protobuf" in tts.decode("", b"\x0a\x10abc").detail


def test_loriot_uplink_of_one_gateway_or_all():
    sent = of_loriot(ts=1770091506123, fcnt=7, port=1, data="017557", rssi=-119)
    times = (("network_server", 1_770_091_506_123_000),)
    assert one(sent) == Uplink(EUI, None, 7, 1, b"\x01\x75\x57", None, times)
    assert of_loriot(cmd="gw", ts=1770091506123, fcnt=7, port=1, data="017557", gws=[{"rssi": -119}]) == sent


def test_other_messages_of_loriot():
    assert of_loriot(cmd="txd") == Housekeeping("downlink_sent", EUI)
    assert rejected(of_loriot(cmd="gateway")) is Reason.WRONG_SHAPE
    assert rejected(of_loriot(EUI=None)) is Reason.WRONG_SHAPE
    assert rejected(of_loriot(EUI="x" * 16)) is Reason.WRONG_SHAPE
    assert rejected(of_loriot(data="0g")) is Reason.BAD_FRAME
    assert "key" in of_loriot(encdata="0011").detail


@pytest.mark.parametrize("time", [-1, 2**53, 2**62])
def test_a_time_of_loriot_that_no_calendar_holds_is_none(time):
    assert one(of_loriot(ts=time, data="01")).next_best == ()


def test_thingpark_uplink_with_numbers_as_they_are_or_as_texts():
    fields = {"Time": "2026-02-03T05:05:06.123+01:00", "payload_hex": "017557", "payload": {"battery": 87}}
    driver = {"DriverCfg": {"mod": {"pId": "milesight", "mId": "em310"}}}
    times = (("network_server", epoch_us("2026-02-03T04:05:06.123Z")),)
    expected = Uplink(EUI, None, 7, 85, b"\x01\x75\x57", {"battery": 87}, times, "em310")
    assert one(of_thingpark(FPort=85, FCntUp=7, **fields, **driver)) == expected
    assert one(of_thingpark(FPort="85", FCntUp="7", **fields, **driver)) == expected


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"DevEUI_notification": {"DevEUI": EUI, "Type": "join"}}, "join"),
        ({"DevEUI_downlink_Sent": {"DevEUI": EUI}}, "downlink_sent"),
        ({"DevEUI_location": {"DevEUI": EUI}}, "location"),
    ],
)
def test_other_documents_of_thingpark_are_housekeeping(document, kind):
    assert thingpark.decode("", json.dumps(document).encode()) == Housekeeping(kind, EUI)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"DevEUI": None}, Reason.WRONG_SHAPE),
        ({"FPort": "256"}, Reason.WRONG_SHAPE),
        ({"FCntUp": "-1"}, Reason.WRONG_SHAPE),
        ({"FCntUp": "1" * 5000}, Reason.WRONG_SHAPE),
        ({"FCntUp": "²"}, Reason.WRONG_SHAPE),
        ({"payload_hex": "xyz"}, Reason.BAD_FRAME),
        ({"payload_hex": "01", "PayloadEncryption": 1}, Reason.BAD_FRAME),
    ],
)
def test_what_is_no_uplink_of_thingpark(fields, reason):
    assert rejected(of_thingpark(**fields)) is reason
    assert rejected(thingpark.decode("", b'{"hello": {}}')) is Reason.WRONG_SHAPE
    assert rejected(thingpark.decode("", b'{"hello": 1}')) is Reason.WRONG_SHAPE


@pytest.mark.parametrize("codec", [tts, loriot, thingpark])
def test_an_object_nested_without_end_is_refused(codec):
    deep = b'{"a":' * (DEEPEST + 2) + b"1" + b"}" * (DEEPEST + 2)
    opening = {
        tts: b'{"end_device_ids":{"device_id":"bin-7"},"uplink_message":{"decoded_payload":%s}}',
        loriot: b'{"cmd":"rx","EUI":"24e124fffe00a1b2","decoded":%s}',
        thingpark: b'{"DevEUI_uplink":{"DevEUI":"24e124fffe00a1b2","payload":%s}}',
    }[codec]
    assert rejected(codec.decode("", opening % deep)) is Reason.WRONG_SHAPE
    assert rejected(codec.decode("", b'{"a":' * 200_000)) in {Reason.WRONG_SHAPE, Reason.NOT_JSON}
