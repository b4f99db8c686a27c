"""The wmbusmeters codec: measures by medium, alarms from the status, sentinels, and a true reason for what is none."""

import json

import pytest

from ingest.codecs.record import Reading, Rejected, epoch_us
from ingest.codecs.wmbusmeters import LONGEST_ID, decode
from schemas.reasons import Reason
from schemas.vocabulary import families

STAMP = "2026-02-03T04:05:06Z"


def reading(topic="wmbusmeters/41507712", **fields) -> Reading:
    found = message(topic, **fields)
    assert isinstance(found, list), found
    return found[0]


def message(topic="", **fields):
    said = {"_": "telegram", "media": "cold water", "meter": "kamwater", "name": "Ana", "id": "41507712"}
    return decode(topic, json.dumps(said | {"timestamp": STAMP} | fields).encode())


def test_a_water_meter_as_the_kamstrup_driver_tells_it():
    found = reading(
        total_m3=3.871,
        flow_m3h=0.012,
        flow_temperature_c=9,
        external_temperature_c=21,
        target_m3=3.5,
        status="DRY LEAK",
    )
    assert found == Reading(
        "41507712",
        None,
        {
            "volume_total_m3": 3.871,
            "flow_m3h": 0.012,
            "water_temp_cel": 9,
            "ambient_temp_cel": 21,
            "alarm_dry": True,
            "alarm_leak": True,
            "alarm_burst": False,
            "alarm_reverse": False,
        },
        next_best=(("gateway", epoch_us(STAMP)),),
        extra={"media": "cold water", "meter": "kamwater", "target_m3": 3.5, "status": "DRY LEAK"},
    )
    assert set(found.values) <= set(families()["water_meter"].measures)


def test_the_name_that_a_person_gave_is_not_kept():
    assert "Ana" not in str(reading(total_m3=1))


def test_keys_of_old_drivers_have_no_unit():
    assert reading(total_m3=1, flow_temperature=8, external_temperature=23).values["water_temp_cel"] == 8


def test_a_temperature_of_127_is_none():
    found = reading(total_m3=1, flow_temperature_c=127)
    assert "water_temp_cel" not in found.values
    assert "flow_temperature_c" not in found.extra


def test_another_meters_ok_does_not_tell_what_it_cannot_see():
    assert reading(meter="apator162", total_m3=1, status="OK").values == {"volume_total_m3": 1}
    assert reading(meter="apator162", total_m3=1, status="BURST").values["alarm_burst"] is True


def test_a_flag_that_is_not_known_stays_as_the_meter_says_it():
    found = reading(total_m3=1, status="ERROR_FLAGS_800")
    assert found.extra["status"] == "ERROR_FLAGS_800"
    assert found.values["alarm_leak"] is False


@pytest.mark.parametrize(
    ("media", "fields", "family", "values"),
    [
        (
            "heat",
            {"total_energy_consumption_kwh": 44, "total_volume_m3": 0.99, "current_kw": "1.5", "flow_c": 52},
            "heat_meter",
            {"heat_total_kwh": 44, "volume_total_m3": 0.99, "power_kw": 1.5, "t_supply_cel": 52},
        ),
        (
            "electricity",
            {"total_energy_consumption_kwh": 7.9, "current_power_consumption_kw": 0.003},
            "building_energy",
            {"electricity_total_kwh": 7.9, "power_kw": 0.003},
        ),
        ("gas", {"total_m3": 917}, "building_energy", {"gas_total_m3": 917}),
        (
            "room sensor",
            {"current_temperature_c": 21.8, "current_relative_humidity_rh": 43},
            "indoor_climate",
            {"temp_cel": 21.8, "rh_pct": 43},
        ),
        ("warm water", {"total_m3": 1.9}, "water_meter", {"volume_total_m3": 1.9}),
    ],
)
def test_each_medium_has_the_measures_of_its_family(media, fields, family, values):
    assert reading(media=media, meter="x", **fields).values == values
    assert set(values) <= set(families()[family].measures)


def test_a_medium_without_a_family_keeps_its_own_names():
    found = reading(media="heat cost allocation", meter="qcaloric", current_consumption_hca=127, status="OK")
    assert found.values == {"current_consumption_hca": 127}
    assert found.extra["status"] == "OK"


def test_an_alarm_alone_is_a_reading():
    assert reading(meter="x", status="LEAK").values == {"alarm_leak": True}


def test_a_meter_that_says_none_of_our_measures_keeps_its_own_names():
    assert reading(media="electricity", meter="lansenpu", b_counter=870, status="OK").values == {"b_counter": 870}
    assert reading(media="water", meter="faw", consumption_1_months_ago_m3=7.5, total_m3=None).values == {
        "consumption_1_months_ago_m3": 7.5,
        "total_m3": None,
    }


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"2A442D2C998734761B168D2091D37CAC21576C78_02FF207100041308190000441308190000615B7F616713", Reason.NOT_JSON),
        (b"2e44333003020100071b7a634820252f2f0265840842658308820165950802fb1aae01\n", Reason.NOT_JSON),
        (b"hello", Reason.NOT_JSON),
        (b"[1]", Reason.WRONG_SHAPE),
        (b'{"media":"water"}', Reason.WRONG_SHAPE),
        (b'{"id":"1","media":7}', Reason.WRONG_SHAPE),
        (b'{"id":"","media":"water","total_m3":1}', Reason.WRONG_SHAPE),
        (b'{"id":"1","media":"water"}', Reason.NO_MEASURE),
        (b'{"id":"1","media":"water","total_m3":null}', Reason.NO_MEASURE),
        (b'{"id":"1","media":"water","total_m3":"much"}', Reason.WRONG_TYPE),
        (b'{"id":"1","media":"water","total_m3":"nan"}', Reason.WRONG_TYPE),
        (b'{"id":"1","media":"water","total_m3":true}', Reason.WRONG_TYPE),
        (b'{"id":"1","media":"water","total_m3":[1]}', Reason.WRONG_TYPE),
        (b'{"id":"%s","media":"water","total_m3":1}' % (b"1" * (LONGEST_ID + 1)), Reason.WRONG_SHAPE),
    ],
)
def test_what_is_no_reading_has_a_true_reason(payload, reason):
    found = decode("", payload)
    assert isinstance(found, Rejected), found
    assert found.reason is reason
    assert found.detail


def test_a_raw_telegram_is_named_as_what_it_is():
    assert "wmbusmeters must read it" in decode("", b"2e44333003020100071b7a634820252f2f026584").detail


def test_the_topics_meter_must_be_the_payloads():
    found = message("wmbusmeters/99999999", total_m3=1)
    assert isinstance(found, Rejected)
    assert found.reason is Reason.DEVICE_MISMATCH
    assert isinstance(message("wmbusmeters/MyTapWater", total_m3=1), list)


def test_newer_versions_name_the_driver_otherwise():
    said = {"media": "cold water", "driver": "kamwater", "id": "41507712", "status": "OK", "total_m3": 1.5}
    (found,) = decode("", json.dumps(said).encode())
    assert found.values["alarm_leak"] is False
