"""Milesight's frames: items of channel, type and value, one after the other, little-endian.

Formats are those of the vendor's user guides; where guide and recorded frames differ, the frames decide.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from struct import Struct
from typing import NamedTuple

from ingest.codecs.record import Rejected
from schemas.reasons import Reason

Values = dict[str, object]


class Item(NamedTuple):
    """The layout of one item's value, and what its numbers mean."""

    layout: Struct
    read: Callable[..., Values]


def _item(layout: str, read: Callable[..., Values]) -> Item:
    return Item(Struct(f"<{layout}"), read)


def _alarm(code: int) -> object:
    return {0: False, 1: True}.get(code, code)  # a status we do not know stays the number it is


def _position(code: int) -> Values:
    return {"position": {0: "normal", 1: "tilt"}.get(code, code)}


def _temperature(tenths: int) -> Values:
    return {"temperature": tenths / 10}


def _distance(mm: int) -> Values:
    return {"distance": mm}


def _humidity(halves: int) -> Values:
    return {"humidity": halves / 2}


def _water(water_conv: int, pulse_conv: int, water: float) -> Values:
    """Since firmware 1.3 the counter converts by itself, into a unit that only its owner knows."""
    return {"water_conv": water_conv / 10, "pulse_conv": pulse_conv / 10, "water": water if isfinite(water) else None}


def _past(time: int, tenths: int, halves: int, contact: Values) -> Values:
    return {"history": {"timestamp": time} | _temperature(tenths) | _humidity(halves) | contact}


def _past_pulse(*record: int) -> Values:
    time, tenths, halves, mode, level, pulse = record
    return _past(time, tenths, halves, _contact(mode, level, {"pulse": pulse}))


def _past_water(*record: int) -> Values:
    time, tenths, halves, alarm, mode, level, *water = record
    return _past(time, tenths, halves, {"water_alarm": alarm, **_contact(mode, level, _water(*water))})


def _contact(mode: int, level: int, counted: Values) -> Values:
    """The one input is a switch or a counter; what the other would say is not to be believed."""
    meant: dict[int, Values] = {1: {"gpio": level}, 2: counted}
    return meant.get(mode, {"gpio_type": mode})


_BATTERY = {b"\x01\x75": _item("B", lambda percent: {"battery": percent})}
_TEMPERATURE = {b"\x03\x67": _item("h", _temperature)}
# What a device says of itself when it joins: power on, protocol, hardware, firmware, class, serial number.
_SIZES = {0x0B: 1, 0x01: 1, 0x09: 2, 0x0A: 2, 0x0F: 1, 0x16: 8}
_ABOUT = {bytes([0xFF, kind]): _item(f"{size}x", dict) for kind, size in _SIZES.items()}

_EM310_UDL = {
    b"\x03\x82": _item("H", _distance),
    b"\x04\x00": _item("B", _position),
}
_EM400_TLD = _TEMPERATURE | {
    b"\x04\x82": _item("H", _distance),
    b"\x05\x00": _item("B", _position),
    b"\x83\x67": _item("hB", lambda tenths, alarm: _temperature(tenths) | {"temperature_alarm": _alarm(alarm)}),
    b"\x84\x82": _item("HB", lambda mm, alarm: _distance(mm) | {"distance_alarm": _alarm(alarm)}),
}
_EM300_DI = _TEMPERATURE | {
    b"\x04\x68": _item("B", _humidity),
    b"\x05\x00": _item("B", lambda level: {"gpio": level}),
    b"\x85\x00": _item("BB", lambda level, alarm: {"gpio": level, "gpio_alarm": _alarm(alarm)}),
    b"\x05\xc8": _item("I", lambda count: {"pulse": count}),
    b"\x05\xe1": _item("HHf", _water),
    b"\x85\xe1": _item("HHfB", lambda wc, pc, water, alarm: _water(wc, pc, water) | {"water_alarm": alarm}),
    b"\x20\xce": _item("IhBBBI", _past_pulse),
    b"\x21\xce": _item("IhBBBBHHf", _past_water),
}


def _decode(items: Mapping[bytes, Item], data: bytes) -> Values | Rejected:
    found: Values = {}
    history: list[object] = []
    at = 0
    while at < len(data):
        head = data[at : at + 2]
        item = items.get(head)
        if item is None:
            return Rejected(Reason.BAD_FRAME, f"byte {at}: channel and type {head.hex(' ')} are not of this model")
        at += 2
        if at + item.layout.size > len(data):
            return Rejected(Reason.BAD_FRAME, f"byte {at}: {head.hex(' ')} is cut off")
        values = item.read(*item.layout.unpack_from(data, at))
        history += [values.pop("history")] if "history" in values else []
        found |= values
        at += item.layout.size
    return found | {"history": history} if history else found


def _decoder(items: Mapping[bytes, Item]) -> Callable[[bytes], Values | Rejected]:
    known = {**_BATTERY, **_ABOUT, **items}
    return lambda data: _decode(known, data)


DECODERS = {
    "milesight_em310_udl": _decoder(_EM310_UDL),
    "milesight_em400_tld": _decoder(_EM400_TLD),
    "milesight_em300_di": _decoder(_EM300_DI),
}
