"""Milesight frames: every item by its bytes, the past with its own time, no guess from a cut or foreign frame."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.codecs.frames import DECODERS
from ingest.codecs.record import Rejected
from schemas.reasons import Reason

UDL, TLD, DI = (DECODERS[f"milesight_{model}"] for model in ("em310_udl", "em400_tld", "em300_di"))

ITEMS = [
    (UDL, "01 75 57", {"battery": 87}),
    (UDL, "03 82 3a 01", {"distance": 314}),
    (UDL, "03 82 ff ff", {"distance": 65535}),
    (UDL, "04 00 00", {"position": "normal"}),
    (UDL, "04 00 01", {"position": "tilt"}),
    (UDL, "04 00 02", {"position": 2}),
    (TLD, "03 67 b5 ff", {"temperature": -7.5}),
    (TLD, "04 82 3a 01", {"distance": 314}),
    (TLD, "05 00 01", {"position": "tilt"}),
    (TLD, "83 67 2c 01 00", {"temperature": 30.0, "temperature_alarm": False}),
    (TLD, "83 67 2c 01 01", {"temperature": 30.0, "temperature_alarm": True}),
    (TLD, "84 82 3a 01 01", {"distance": 314, "distance_alarm": True}),
    (TLD, "84 82 3a 01 07", {"distance": 314, "distance_alarm": 7}),
    (DI, "03 67 53 00", {"temperature": 8.3}),
    (DI, "04 68 79", {"humidity": 60.5}),
    (DI, "05 00 01", {"gpio": 1}),
    (DI, "85 00 01 01", {"gpio": 1, "gpio_alarm": True}),
    (DI, "05 c8 d2 04 00 00", {"pulse": 1234}),
    (DI, "05 c8 ff ff ff ff", {"pulse": 4294967295}),
    (DI, "05 e1 0a 00 64 00 00 00 9a 42", {"water_conv": 1.0, "pulse_conv": 10.0, "water": 77.0, "pulse": 770}),
    (DI, "05 e1 0a 00 64 00 00 00 c0 7f", {"water_conv": 1.0, "pulse_conv": 10.0, "water": None}),
    (
        DI,
        "85 e1 0a 00 64 00 00 00 9a 42 03",
        {"water_conv": 1.0, "pulse_conv": 10.0, "water": 77.0, "pulse": 770, "water_alarm": 3},
    ),
    (
        DI,
        "20 ce d0 c7 a3 69 53 00 78 02 00 d2 04 00 00",
        {"history": [{"timestamp": 1772341200, "temperature": 8.3, "humidity": 60.0, "pulse": 1234}]},
    ),
    (
        DI,
        "20 ce d0 c7 a3 69 53 00 78 01 01 00 00 00 00",
        {"history": [{"timestamp": 1772341200, "temperature": 8.3, "humidity": 60.0, "gpio": 1}]},
    ),
    (
        DI,
        "20 ce d0 c7 a3 69 53 00 78 09 00 d2 04 00 00",
        {"history": [{"timestamp": 1772341200, "temperature": 8.3, "humidity": 60.0, "gpio_type": 9}]},
    ),
    (
        DI,
        "21 ce d0 c7 a3 69 53 00 78 00 02 00 0a 00 64 00 00 00 9a 42",
        {
            "history": [
                {
                    "timestamp": 1772341200,
                    "temperature": 8.3,
                    "humidity": 60.0,
                    "water_alarm": 0,
                    "water_conv": 1.0,
                    "pulse_conv": 10.0,
                    "water": 77.0,
                    "pulse": 770,
                }
            ]
        },
    ),
]


@pytest.mark.parametrize(("decoder", "frame", "values"), ITEMS, ids=[frame for _, frame, _ in ITEMS])
def test_an_item_is_read_and_every_cut_of_it_refused(decoder, frame, values):
    data = bytes.fromhex(frame)
    assert decoder(data) == values
    for end in range(1, len(data)):
        cut = decoder(data[:end])
        assert isinstance(cut, Rejected), end
        assert cut.reason is Reason.BAD_FRAME


@pytest.mark.parametrize(
    ("water_conv", "pulse_conv", "water", "pulses"),
    [
        (10, 100, 21.9, 219),  # 21.899999618530273 as it is sent
        (10, 10, 8_388_607.0, 8_388_607),
        (10, 10, 8_388_608.0, None),
        (0, 10, 5.0, None),
        (10, 0, 5.0, None),
        (10, 10, -1.0, None),
        (10, 10, math.inf, None),
    ],
)
def test_pulses_follow_from_water_as_long_as_they_can_be_told_apart(water_conv, pulse_conv, water, pulses):
    assert DI(b"\x05\xe1" + struct.pack("<HHf", water_conv, pulse_conv, water)).get("pulse") == pulses


def test_items_stand_one_after_the_other():
    assert UDL(bytes.fromhex("017557 03823a01 040001")) == {"battery": 87, "distance": 314, "position": "tilt"}


def test_records_of_the_past_keep_their_order_beside_the_live_values():
    records = b"".join(
        b"\x20\xce" + struct.pack("<IhBBBI", 1772341200 - 3600 * n, 80, 100, 2, 0, 10 - n) for n in (1, 2)
    )
    found = DI(bytes.fromhex("017557") + records)
    assert found["battery"] == 87
    assert [(past["timestamp"], past["pulse"]) for past in found["history"]] == [(1772337600, 9), (1772334000, 8)]


def test_what_a_device_says_of_itself_when_it_joins_is_no_measurement():
    assert UDL(bytes.fromhex("ff0bff ff0101 ff166329c42503920003 ff090100 ff0a0101 ff0f00")) == {}
    assert UDL(bytes.fromhex("ff0bff 03823a01")) == {"distance": 314}


def test_an_item_of_another_model_refuses_the_whole_frame_and_says_where():
    found = UDL(bytes.fromhex("017557 0468 64"))
    assert isinstance(found, Rejected)
    assert found.reason is Reason.BAD_FRAME
    assert "byte 3" in found.detail
    assert "04 68" in found.detail


@settings(deadline=None)
@given(st.sampled_from([name for name in sorted(DECODERS) if "milesight" in name]), st.binary(max_size=300))
def test_no_bytes_make_a_decoder_raise(name, data):
    found = DECODERS[name](data)
    assert isinstance(found, dict) or found.reason is Reason.BAD_FRAME


@settings(deadline=None)
@given(st.lists(st.sampled_from([bytes.fromhex(frame) for decoder, frame, _ in ITEMS if decoder is DI]), max_size=20))
def test_any_sequence_of_whole_items_is_a_frame(items):
    found = DI(b"".join(items))
    assert isinstance(found, dict)
    assert len(found.get("history", [])) == sum(item[1] == 0xCE for item in items)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-(2**15), 2**15 - 1), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_a_record_of_the_past_says_what_was_put_into_it(time, tenths, halves, pulse):
    found = DI(b"\x20\xce" + struct.pack("<IhBBBI", time, tenths, halves, 2, 0, pulse))
    past = {"timestamp": time, "temperature": tenths / 10, "humidity": halves / 2, "pulse": pulse}
    assert found == {"history": [past]}
