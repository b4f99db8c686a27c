"""Frames of water meters: registers of the past with their own times, alarms, and no value from a doubtful frame."""

import struct

import pytest

from ingest.codecs.frames import DECODERS
from ingest.codecs.record import Rejected
from schemas.reasons import Reason

T = 1_772_341_200  # 2026-03-01T05:00:00Z
W1, FLOWIQ = DECODERS["axioma_qalcosonic_w1"], DECODERS["kamstrup_flowiq"]


def read(decoder, frame, port=None):
    return decoder(frame if isinstance(frame, bytes) else bytes.fromhex(frame), port)


def refused(found, word: str) -> bool:
    assert isinstance(found, Rejected), found
    assert (found.reason, word in found.detail) == (Reason.BAD_FRAME, True), found
    return True


def w1(time=T, status=0, litres=5000, logged=T - 7200, before=4000, steps=(400, 300), warm=None, tail=b""):
    temperature = b"" if warm is None else struct.pack("<h", warm)
    log = struct.pack("<II", logged, before) + struct.pack(f"<{len(steps)}H", *steps)
    return struct.pack("<IBI", time, status, litres) + temperature + log + tail


def test_w1_gives_its_register_and_those_of_full_hours_before():
    found = read(W1, w1(time=T + 600, logged=T - 7000), 100)
    assert (found["timestamp"], found["volume"]) == (T + 600, 5.0)
    assert [(past["timestamp"], past["volume"]) for past in found["history"]] == [
        (T - 7200, 4.0),
        (T - 3600, 4.4),
        (T, 4.7),
    ]
    assert "temperature" not in found


def test_w1_with_temperature_is_told_from_the_one_without_by_its_log():
    found = read(W1, w1(warm=-125), 100)
    assert found["temperature"] == -1.25
    assert [past["volume"] for past in found["history"]] == [4.0, 4.4, 4.7]


def test_w1_reads_padding_and_a_young_log_and_no_log_that_runs_ahead():
    assert read(W1, w1(tail=b"\x2f"), 100) == read(W1, w1(), 100)
    assert len(read(W1, w1(steps=(400, 300, 0, 0)), 100)["history"]) == 3
    assert refused(read(W1, w1(steps=(400, 300, 0, 5)), 100), "fit 0 of the layouts")
    assert refused(read(W1, w1(tail=b"\x01"), 100), "layouts")
    assert refused(read(W1, w1(logged=T + 3600), 100), "layouts")


@pytest.mark.parametrize(
    ("status", "set_"),
    [
        (0x00, set()),
        (0x04, {"low_battery"}),
        (0x08, {"permanent_error"}),
        (0x10, {"temporary_error", "pipe_empty"}),
        (0x30, {"temporary_error", "leakage"}),
        (0x20, {"leakage"}),
        (0xB0, {"temporary_error", "burst"}),
        (0x70, {"temporary_error", "backflow"}),
        (0x90, {"temporary_error", "low_temperature"}),
        (0x8C, {"low_battery", "permanent_error", "low_temperature"}),
    ],
)
def test_w1_status(status, set_):
    found = read(W1, struct.pack("<IB", T, status), 103)
    assert {name for name, value in found.items() if value is True} == set_
    assert found["leakage"] in {True, False}
    assert found["status"] == status


def test_w1_says_nothing_of_states_whose_code_is_not_documented():
    found = read(W1, struct.pack("<IB", T, 0x40), 103)
    assert not {"leakage", "burst", "backflow", "low_temperature", "pipe_empty"} & found.keys()


def test_w1_daily_registers_are_those_of_the_day_before():
    steps = sum((n + 1) << 14 * n for n in range(23)).to_bytes(41, "little")
    frame = struct.pack("<BIBI", 1, T + 3600, 0, 10_000) + steps
    past = read(W1, frame, 100)["history"]
    midnight = T - 5 * 3600
    assert [one["timestamp"] for one in past] == [midnight - 86400 + 3600 * n for n in range(1, 25)]
    assert (past[0]["volume"], past[1]["volume"], past[-1]["volume"]) == (10.0, 10.001, 10.276)
    assert read(W1, frame + b"\x2f", 100) == read(W1, frame, 100)
    assert refused(read(W1, frame[:-1] + b"\x04", 100), "scaled")


def stamp(year, month, day, hour, minute, summer=False):
    date = day | (year % 8) << 5 | month << 8 | (year - 2000) // 8 << 12
    return struct.pack("<BBH", minute, hour | 0x20 | summer << 7, date)


NOON = b"\x44\x6d" + stamp(2026, 7, 1, 12, 0)
BASE = b"\x44\x13" + struct.pack("<I", 4321)


def test_flowiq_unfolds_a_profile_backwards_and_stops_at_an_invalid_difference():
    profile = b"\x4d\x93\x13\x08\x62\x01" + struct.pack("<HHH", 12, 0xFFFF, 7)
    found = read(FLOWIQ, b"\x78" + NOON + BASE + profile)
    assert found == {
        "history": [
            {"timestamp": "2026-07-01T12:00:00", "volume": 4.321},
            {"timestamp": "2026-07-01T11:00:00", "volume": 4.309},
        ]
    }


@pytest.mark.parametrize(
    ("control", "times"),
    [
        ("42 0f", ["11:59:45", "11:59:30"]),
        ("52 0f", ["11:45", "11:30"]),
        ("62 06", ["06:00", "00:00"]),
        ("72 01", ["06-30", "06-29"]),
        ("72 fe", ["06-01", "05-01"]),
        ("62 fe", ["04-01", "01-01"]),
    ],
)
def test_flowiq_spacings(control, times):
    profile = b"\x4d\x93\x13\x06" + bytes.fromhex(control) + struct.pack("<HH", 1, 2)
    past = read(FLOWIQ, b"\x78" + NOON + BASE + profile)["history"]
    assert [wanted in one["timestamp"] for wanted, one in zip(times, past[1:], strict=True)] == [True, True]


def test_flowiq_signed_and_rising_profiles():
    up = b"\x4d\x93\x13\x04\xa1\x01" + bytes([5, 6])
    assert [one["volume"] for one in read(FLOWIQ, b"\x78" + NOON + BASE + up)["history"]] == [4.321, 4.326, 4.332]
    signed = b"\x4d\x93\x13\x05\xe1\x01" + struct.pack("<bbB", 5, -6, 0x80)
    assert [one["volume"] for one in read(FLOWIQ, b"\x78" + NOON + BASE + signed)["history"]] == [4.321, 4.316, 4.322]


def test_flowiq_values_of_now_and_its_summer_time():
    now = b"\x04\x6d" + stamp(2026, 7, 1, 13, 5, summer=True) + b"\x04\x13" + struct.pack("<I", 4400)
    flow = b"\x02\x3b" + struct.pack("<h", -120) + b"\x01\x5b\x0c" + b"\x01\x67\x80" + b"\x04\x93\x3c\x07\x00\x00\x00"
    found = read(FLOWIQ, b"\x7a\x01\x00\x00\x00" + now + flow)
    assert found == {
        "timestamp": "2026-07-01T12:05:00",
        "volume": 4.4,
        "volume_flow": -0.12,
        "flow_temperature": 12,
        "external_temperature": "Invalid",
        "reverse_volume": 0.007,
    }


def test_flowiq_bits_that_are_not_documented_stay_visible():
    found = read(FLOWIQ, b"\x78" + b"\x02\xff\x25" + b"\x05\x01")
    assert (found["dry"], found["leak"], found["reverse"], found["infocode"]) == (True, True, False, 0x105)


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        ("", "header"),
        ("55", "header"),
        ("7a0100", "header"),
        ("7a01000005" + "0413e1100000", "encrypted"),
        ("78" + "0413e110", "cut off"),
        ("78" + "04fd17e1100000", "fd 17"),
        ("78" + "0f00", "special"),
        ("78" + "0d1303010203", "variable length"),
        ("78" + "446d000000004413e1100000", "calendar"),
        ("78" + "4413e1100000" + "4d931306620101020304", "base time"),
        ("78" + "0413e1100000" + "0413e2100000", "two values"),
    ],
)
def test_flowiq_refuses_with_a_true_reason(frame, word):
    assert refused(read(FLOWIQ, frame), word)


def test_w1_as_a_bare_frame_is_told_by_its_length():
    assert read(W1, struct.pack("<IB", T, 4))["low_battery"]
    assert read(W1, w1())["volume"] == 5.0
