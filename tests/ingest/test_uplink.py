"""Uplinks by their profile: columns in the family's units, the unnamed kept aside, wrong values refused, not bent."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.profiles import profiles
from devices.words import Profile
from ingest.codecs.record import Housekeeping, Reading, Rejected, Uplink
from ingest.uplink import readings
from schemas.reasons import Reason

UDL, TLD, DI = (profiles()[f"milesight_{model}"] for model in ("em310_udl", "em400_tld", "em300_di"))
HEARD = (("network_server", 1_772_341_200_000_000),)


def uplink(data: bytes | str | None = None, object: dict | None = None) -> Uplink:  # noqa: A002 - the field's name
    return Uplink("d1", None, 5, 85, bytes.fromhex(data) if isinstance(data, str) else data, object, HEARD)


def profile(**changes) -> Profile:
    body = UDL.model_dump() | {"decoder": None} | changes
    return Profile.model_validate(body)


def reason(found) -> Reason:
    assert isinstance(found, Rejected), found
    assert found.detail
    return found.reason


def test_a_frame_becomes_one_reading_in_the_columns_of_its_family():
    assert readings(UDL, uplink("017557 03823a01 040001")) == [
        Reading("d1", None, {"battery_pct": 87, "distance_mm": 314, "tilt": True}, 5, HEARD)
    ]


def test_an_object_of_the_same_fields_gives_the_same_reading():
    frame = "017557 03675300 0468 79 05c8d2040000 20ced0c7a3695300780200d2040000"
    decoded = {
        "battery": 87.0,
        "temperature": 8.3,
        "humidity": 60.5,
        "pulse": 1234.0,
        "history": [{"timestamp": 1772341200.0, "temperature": 8.3, "humidity": 60.0, "pulse": 1234.0}],
    }
    assert readings(DI, uplink(object=decoded)) == readings(DI, uplink(frame))


def test_the_past_has_its_own_time_and_no_other():
    live, past = readings(DI, uplink("017557 20ced0c7a3695300780200d2040000"))
    assert (live.time, live.next_best, live.history) == (None, HEARD, False)
    assert (past.time, past.next_best, past.history) == (1_772_341_200_000_000, (), True)
    assert past.values == {"ambient_temp_cel": 8.3, "pulse_count": 1234}


def test_a_message_of_the_past_alone_has_no_live_reading():
    assert [r.history for r in readings(DI, uplink("20ced0c7a3695300780200d2040000"))] == [True]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1772341200, 1_772_341_200_000_000),
        (1772341200.5, 1_772_341_200_500_000),
        (1772341200500, 1_772_341_200_500_000),
        ("2026-03-01T05:00:00Z", 1_772_341_200_000_000),
        ("2026-03-01T05:00:00", None),
        ("now", None),
        (None, None),
        (True, None),
        (-1, None),
        (10**400, None),
        ({}, None),
    ],
)
def test_the_time_of_a_past_record_is_read_or_missing_never_guessed(time, expected):
    (found,) = readings(DI, uplink(object={"history": [{"timestamp": time, "pulse": 1}]}))
    assert (found.time, found.history) == (expected, True)


def test_the_frame_goes_before_the_object():
    assert readings(UDL, uplink("03823a01", {"distance": 99}))[0].values == {"distance_mm": 314}
    assert reason(readings(UDL, uplink("0382", {"distance": 99}))) is Reason.BAD_FRAME


def test_fields_without_a_name_are_kept_aside_and_dropped_ones_nowhere():
    body = {"distance": 314, "plate": "MB-123", "ssid": {"a": [1]}}
    (found,) = readings(profile(drop=["plate"]), uplink(object=body))
    assert found.values == {"distance_mm": 314}
    assert found.extra == {"ssid": {"a": [1]}}


def test_a_unit_is_converted_as_declared():
    fields = {"level": {"column": "distance_mm", "unit": "cm"}}
    assert readings(profile(fields=fields), uplink(object={"level": 12.5}))[0].values == {"distance_mm": 125.0}


def test_a_sign_of_no_value_is_no_value_and_its_text_is_kept():
    fields = {"t": {"column": "temp_cel", "sentinels": ["No Sensor", 127]}, "distance": {"column": "distance_mm"}}
    for sign in ("No Sensor", 127, 127.0, None):
        (found,) = readings(profile(fields=fields), uplink(object={"t": sign, "distance": 1}))
        assert found.values == {"distance_mm": 1}
        assert found.extra == {"t": sign}


def test_texts_that_stand_for_values():
    fields = {"lid": {"column": "lid_open", "values": {"open": True, "1": True, "0": False}}}
    for said, meant in (("open", True), (1, True), (0.0, False), (False, False)):
        assert readings(profile(fields=fields), uplink(object={"lid": said}))[0].values == {"lid_open": meant}
    assert reason(readings(profile(fields=fields), uplink(object={"lid": "ajar"}))) is Reason.WRONG_TYPE


@pytest.mark.parametrize("value", ["12", True, [], {}, 10**400, "", "NaN"])
def test_no_number_where_a_number_belongs_is_refused(value):
    assert reason(readings(UDL, uplink(object={"distance": value}))) is Reason.WRONG_TYPE


@pytest.mark.parametrize("value", [1.5, 2**63, 1e300])
def test_a_count_is_whole_and_fits(value):
    assert reason(readings(DI, uplink(object={"pulse": value}))) is Reason.WRONG_TYPE


def test_a_wrong_value_in_the_past_refuses_the_message():
    body = {"pulse": 2, "history": [{"timestamp": 1772341200, "pulse": "one"}]}
    assert reason(readings(DI, uplink(object=body))) is Reason.WRONG_TYPE
    assert reason(readings(DI, uplink(object={"history": [7]}))) is Reason.WRONG_SHAPE


def test_more_history_than_a_frame_can_hold_is_refused():
    records = [{"timestamp": 1772341200 + n, "pulse": n} for n in range(256)]
    assert len(readings(DI, uplink(object={"history": records[1:]}))) == 255
    assert reason(readings(DI, uplink(object={"history": records}))) is Reason.TOO_LARGE


def test_a_detail_is_short_however_long_the_value():
    found = readings(UDL, uplink(object={"distance": "9" * 10**6}))
    assert len(found.detail) < 200


def test_a_message_without_a_measure_says_so():
    assert reason(readings(UDL, uplink())) is Reason.NO_MEASURE
    assert reason(readings(UDL, uplink(b"", {}))) is Reason.NO_MEASURE
    assert reason(readings(UDL, uplink(object={"colour": "red"}))) is Reason.NO_MEASURE
    assert reason(readings(UDL, uplink(object={"distance": None}))) is Reason.NO_MEASURE


def test_two_fields_of_one_column_must_agree():
    assert readings(UDL, uplink(object={"position": "tilt", "tilt": "tilt"}))[0].values == {"tilt": True}
    assert reason(readings(UDL, uplink(object={"position": "tilt", "tilt": "normal"}))) is Reason.WRONG_SHAPE


def test_a_frame_that_nobody_can_read_is_bad():
    assert reason(readings(profile(), uplink("0102"))) is Reason.BAD_FRAME
    assert reason(readings(UDL, uplink(bytes.fromhex("017557") * 100))) is Reason.BAD_FRAME


def test_a_device_that_only_introduces_itself_is_housekeeping():
    assert readings(UDL, uplink("ff0bff ff0101")) == Housekeeping("device_info", "d1")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=3)
NAMES = st.sampled_from(["battery", "distance", "position", "pulse", "temperature", "timestamp", "x"])
RECORDS = st.dictionaries(NAMES, VALUES, max_size=5)


@settings(deadline=None)
@given(
    st.sampled_from([UDL, TLD, DI]),
    RECORDS,
    st.none() | st.lists(RECORDS | SCALARS, max_size=3),
    st.binary(max_size=40),
)
def test_no_uplink_raises_and_every_reading_has_a_measure(profile, body, history, data):
    body = body if history is None else body | {"history": history}
    for sent in (uplink(object=body), uplink(data, body)):
        found = readings(profile, sent)
        if isinstance(found, list):
            assert found
            assert all(r.values and r.device == "d1" for r in found)
            assert all(r.history or r.next_best == HEARD for r in found)
        else:
            assert isinstance(found, Rejected | Housekeeping)
