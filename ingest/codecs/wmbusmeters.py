"""wmbusmeters' JSON: readings of wM-Bus meters by the measures of our families, under the meter's own number.

The unit stands in the end of a key (`_m3`, `_kwh`, `_c`); old drivers leave it out. What has no measure stays as it
came; the name that a person gave the meter is not kept, it may be a person's own.
"""

import re
from collections.abc import Iterator, Mapping
from math import isfinite

import msgspec

from ingest.codecs.lorawan import parsed
from ingest.codecs.record import Decoded, Reading, Rejected, Times, epoch_us, too_deep
from schemas.reasons import Reason

Fields = dict[str, object]
LONGEST_ID = 64  # a meter's number has eight digits

_WATER = {
    "total_m3": "volume_total_m3",
    "flow_m3h": "flow_m3h",
    "volume_flow_m3h": "flow_m3h",
    "total_backwards_m3": "reverse_volume_m3",
    "total_backward_m3": "reverse_volume_m3",
    "backflow_m3": "reverse_volume_m3",
    "flow_temperature_c": "water_temp_cel",
    "flow_temperature": "water_temp_cel",
    "external_temperature_c": "ambient_temp_cel",
    "external_temperature": "ambient_temp_cel",
}
_HEAT = {
    "total_energy_consumption_kwh": "heat_total_kwh",
    "total_heating_kwh": "heat_total_kwh",
    "heat_kwh": "heat_total_kwh",
    "total_kwh": "heat_total_kwh",
    "total_cooling_kwh": "cooling_total_kwh",
    "cooling_kwh": "cooling_total_kwh",
    "total_volume_m3": "volume_total_m3",
    "volume_m3": "volume_total_m3",
    "power_kw": "power_kw",
    "current_kw": "power_kw",
    "current_power_consumption_kw": "power_kw",
    "flow_m3h": "flow_m3h",
    "volume_flow_m3h": "flow_m3h",
    "flow_c": "t_supply_cel",
    "flow_temperature_c": "t_supply_cel",
    "forward_temperature_c": "t_supply_cel",
    "t1_temperature_c": "t_supply_cel",
    "return_c": "t_return_cel",
    "return_temperature_c": "t_return_cel",
    "t2_temperature_c": "t_return_cel",
}
_ELECTRICITY = {
    "total_energy_consumption_kwh": "electricity_total_kwh",
    "current_power_consumption_kw": "power_kw",
}
_GAS = {"total_m3": "gas_total_m3"}
_ROOM = {
    "current_temperature_c": "temp_cel",
    "temperature_c": "temp_cel",
    "current_relative_humidity_rh": "rh_pct",
    "relative_humidity_rh": "rh_pct",
    "humidity_rh": "rh_pct",
    "co2_ppm": "co2_ppm",
}
_MEDIA: dict[str, Mapping[str, str]] = {
    "electricity": _ELECTRICITY,
    "gas": _GAS,
    "room sensor": _ROOM,
}
_FLAGS = {
    "DRY": "alarm_dry",
    "REVERSED": "alarm_reverse",
    "REVERSE": "alarm_reverse",
    "REVERSE_FLOW": "alarm_reverse",
    "BACKFLOW": "alarm_reverse",
    "LEAK": "alarm_leak",
    "LEAKING": "alarm_leak",
    "LEAKAGE": "alarm_leak",
    "BURST": "alarm_burst",
    "BURSTING": "alarm_burst",
    "TAMPER": "alarm_tamper",
}
_KAMSTRUP = {"kamwater", "multical21", "flowiq2200", "flowiq3100"}  # their status tells each of these four, or OK
_TOLD = ("alarm_dry", "alarm_reverse", "alarm_leak", "alarm_burst")
_STATUS = ("status", "current_status")
_NOT_AVAILABLE = {"flow_temperature_c": 127, "flow_temperature": 127, "external_temperature_c": 127}
_ASIDE = {"_", "id", "name", "timestamp", "device", "rssi_dbm"}  # of the reader, not of the meter
_UNIT = re.compile(r"_(?:m3|m3h|l|lh|kwh|kw|kvah|kvarh|gj|mj|c|v|a|hz|hca|rh|bar|pa|w|wh|counter|pct|deg)$")
_METER = re.compile(r"[0-9A-Fa-f]{8}")
_TELEGRAM = re.compile(rb"\s*(?:[0-9A-Fa-f]{2}[\s_|]*){10,}\s*")

_fields = msgspec.json.Decoder(dict[str, object])


def decode(topic: str, payload: bytes) -> Decoded:
    """Read one meter's telegram. Its time is when the reader heard it: meters tell theirs without a zone, if at all."""
    if _TELEGRAM.fullmatch(payload[:2048]):
        return Rejected(Reason.NOT_JSON, "a raw wM-Bus telegram: wmbusmeters must read it first, with format=json")
    said = parsed(_fields, payload, "wmbusmeters must be set to format=json")
    if isinstance(said, Rejected):
        return said
    if too_deep(said):
        return Rejected(Reason.WRONG_SHAPE, "nested too deeply")
    meter = _meter(topic, said)
    found = meter if isinstance(meter, Rejected) else _reading(said, str(said.get("media")))
    if isinstance(found, Rejected):
        return found
    values, extra = found
    return [Reading(str(meter), None, values, next_best=_time(said.get("timestamp")), extra=extra)]


def _meter(topic: str, said: Fields) -> str | Rejected:
    meter, media = said.get("id"), said.get("media")
    if not isinstance(meter, str) or not isinstance(media, str) or not meter:
        return Rejected(Reason.WRONG_SHAPE, "this is no meter of wmbusmeters: id or media is missing")
    if len(meter) > LONGEST_ID:
        return Rejected(Reason.WRONG_SHAPE, f"no meter has so long a number: {meter[:40]!r}")
    last = topic.rpartition("/")[2]
    if _METER.fullmatch(last) and last.lower() != meter.lower():
        return Rejected(Reason.DEVICE_MISMATCH, f"the topic says {last!r}, the payload {meter!r}")
    return meter


def _reading(said: Fields, media: str) -> tuple[Fields, Fields] | Rejected:
    """What is a measure of ours, or else what is measured as the meter says it; and all else that it says."""
    columns = _columns(media)
    values = _measures(said, columns)
    if isinstance(values, Rejected):
        return values
    if columns is _WATER:
        values |= _alarms(said)
    kept = columns.keys()
    if not values:
        values = {key: value for key, value in said.items() if _UNIT.search(key) and key not in _ASIDE}
        kept = values.keys()
    if not any(value is not None for value in values.values()):
        return Rejected(Reason.NO_MEASURE, f"nothing measured among: {', '.join(said)[:200]}")
    extra = {
        key: value
        for key, value in said.items()
        if key not in kept and key not in _ASIDE and value is not None and value != ""
    }
    return values, extra


def _measures(said: Fields, columns: Mapping[str, str]) -> Fields | Rejected:
    values: Fields = {}
    for key, column in columns.items():
        if key in said:
            value = _number(said[key])
            if isinstance(value, Rejected):
                return Rejected(value.reason, f"{key}: {value.detail}")
            if value is not None and value != _NOT_AVAILABLE.get(key):
                values.setdefault(column, value)
    return values


def _columns(media: str) -> Mapping[str, str]:
    if "water" in media:  # cold water, warm water, hot water, water
        return _WATER
    if "cooling" in media or ("heat" in media and "cost" not in media):  # a cost allocator has no unit
        return _HEAT
    return _MEDIA.get(media, {})


def _alarms(said: Fields) -> Fields:
    """The alarms that a status raises; a meter that tells each of them says with OK that there is none."""
    flags = set(_flags(said))
    driver = said.get("driver", said.get("meter"))  # newer versions say `driver`
    told: Fields = dict.fromkeys(_TOLD, False) if driver in _KAMSTRUP and flags else {}
    raised: Fields = {_FLAGS[flag]: True for flag in flags if flag in _FLAGS}
    return told | raised


def _flags(said: Fields) -> Iterator[str]:
    for key in _STATUS:
        status = said.get(key)
        if isinstance(status, str):
            yield from status.upper().split()


def _number(value: object) -> float | Rejected | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):  # "0.000", as some drivers write
        text = value
        try:
            value = float(text)
        except ValueError:
            return Rejected(Reason.WRONG_TYPE, f"{text[:40]!r} is no number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Rejected(Reason.WRONG_TYPE, f"{str(value)[:40]!r} is no number")
    try:
        finite = isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        finite = False
    if not finite:
        return Rejected(Reason.WRONG_TYPE, "the number is not finite")
    return value


def _time(stamp: object) -> Times:
    time = epoch_us(stamp) if isinstance(stamp, str) else None
    return () if time is None else (("gateway", time),)
