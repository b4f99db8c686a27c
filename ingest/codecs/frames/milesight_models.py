"""Which items each Milesight model sends: measurements, alarms, history, answers to settings."""

from collections.abc import Callable, Mapping
from math import isfinite

from ingest.codecs.frames.frame import Decoder, Values
from ingest.codecs.frames.milesight import Item, cellular, decoder, item

Items = dict[bytes, Item]


_COUNTED = 2**23  # from here on a number of 32 bits leaves out every other pulse


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


def _depth(cm: int) -> Values:
    error = {0xFFFF: "collection failed", 0xFFFD: "out of range"}.get(cm)
    return {"depth_error": error} if error else {"depth": cm}


def _water(water_conv: int, pulse_conv: int, water: float) -> Values:
    """Since firmware 1.3 the counter converts by itself, into a unit that only its owner knows.

    The pulses it counted follow from its own rule, as long as the number it sends still tells one from the next.
    """
    said: Values = {"water_conv": water_conv / 10, "pulse_conv": pulse_conv / 10}
    said["water"] = water if isfinite(water) else None
    if isfinite(water) and water >= 0 and water_conv and pulse_conv:
        pulses = water * pulse_conv / water_conv
        if pulses < _COUNTED:
            said["pulse"] = round(pulses)
    return said


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


def _current(hundredths: int) -> Values:
    return {"current_sensor_status": "read failed"} if hundredths == 0xFFFF else {"current": hundredths / 100}  # noqa: PLR2004


def _cable(tenths: int) -> Values:
    error = {-3: "over range alarm", -1: "read failed"}.get(tenths)
    return {"temperature_sensor_status": error} if error else _temperature(tenths)


_ALARMS = ("threshold_alarm", "threshold_alarm_release", "over_range_alarm", "over_range_alarm_release")


def _current_alarm(highest: int, lowest: int, current: int, bits: int) -> Values:
    flags: Values = {f"current_{name}": bool(bits >> bit & 1) for bit, name in enumerate(_ALARMS)}
    return _current(current) | {"current_max": highest / 100, "current_min": lowest / 100} | flags


def _presence(code: int) -> Values:
    return {"pir": {0: "idle", 1: "trigger"}.get(code, code)}


def _past_air(tvoc_in: str) -> Callable[..., Values]:
    def read(*record: int) -> Values:
        time, tenths, halves, pir, light, co2, tvoc, pressure, pm2_5, pm10, hcho = record
        air = {"light_level": light, "co2": co2, tvoc_in: tvoc, "pressure": pressure / 10}
        dust = {"pm2_5": pm2_5, "pm10": pm10, "hcho": hcho / 100}
        return _past(time, tenths, halves, _presence(pir) | air | dust)

    return read


def _sizes(sizes: Mapping[int, int]) -> Items:
    """Items of which only the length matters: what a device says of itself, and its answers to settings."""
    return {bytes([ch, kind]): item(f"{size}x", dict) for kind, size in sizes.items() for ch in (0xFF, 0xFE)}


_BATTERY = {b"\x01\x75": item("B", lambda percent: {"battery": percent})}
_TEMPERATURE = {b"\x03\x67": item("h", _temperature)}
_ABOUT = _sizes(
    # when it joins: power on, protocol, hardware, firmware, class, serial number, description, reset
    {0x0B: 1, 0x01: 1, 0x09: 2, 0x0A: 2, 0x0F: 1, 0x16: 8, 0xFF: 2, 0xFE: 1}
    # intervals, threshold, reboot, clock, zone, repeats, history, key, time synchronisation, resending
    | {0x02: 2, 0x03: 2, 0x06: 9, 0x10: 1, 0x11: 4, 0x17: 2, 0x1C: 2, 0x27: 1, 0x28: 1, 0x35: 8, 0x3B: 1, 0x4A: 1}
    | {0x68: 1, 0x69: 1, 0x6A: 3, 0x84: 1, 0x8E: 3, 0x96: 8, 0xF1: 4, 0xF2: 2, 0xF5: 1}
)

_EM310_UDL = _BATTERY | {
    b"\x03\x82": item("H", _distance),
    b"\x04\x00": item("B", _position),
}
_EM400 = {
    **_BATTERY,
    **_TEMPERATURE,
    b"\x04\x82": item("H", _distance),
    b"\x05\x00": item("B", _position),
    b"\x06\x88": item("iiB", lambda lat, lon, _: {"latitude": lat / 1_000_000, "longitude": lon / 1_000_000}),
    b"\x83\x67": item("hB", lambda tenths, alarm: _temperature(tenths) | {"temperature_alarm": _alarm(alarm)}),
    b"\x84\x82": item("HB", lambda mm, alarm: _distance(mm) | {"distance_alarm": _alarm(alarm)}),
    b"\x88\x00": item("B", lambda alarm: {"disassembly_alarm": _alarm(alarm)}),
    **_sizes({0x13: 1, 0x3E: 1, 0x56: 1, 0x70: 2, 0x71: 1, 0x77: 2, 0xA1: 1, 0xA2: 2, 0xA3: 1, 0xA4: 1}),
}
_EM300_DI = {
    **_BATTERY,
    **_TEMPERATURE,
    b"\x04\x68": item("B", _humidity),
    b"\x05\x00": item("B", lambda level: {"gpio": level}),
    b"\x85\x00": item("BB", lambda level, alarm: {"gpio": level, "gpio_alarm": _alarm(alarm)}),
    b"\x05\xc8": item("I", lambda count: {"pulse": count}),
    b"\x05\xe1": item("HHf", _water),
    b"\x85\xe1": item("HHfB", lambda wc, pc, water, alarm: _water(wc, pc, water) | {"water_alarm": alarm}),
    b"\x20\xce": item("IhBBBI", _past_pulse),
    b"\x21\xce": item("IhBBBBHHf", _past_water),
    **_sizes({0x4E: 2, 0x79: 4, 0x92: 5, 0xA1: 7, 0xA2: 9, 0xA3: 2, 0xA4: 2, 0xC3: 1}),
}
_EM500_SWL = {
    **_BATTERY,
    b"\x03\x77": item("H", _depth),
    b"\x20\xce": item("IH", lambda time, cm: {"history": {"timestamp": time} | _depth(cm)}),
    **_sizes({0x1B: 5}),
}
_EM500_PP = {
    **_BATTERY,
    b"\x03\x7b": item("h", lambda kpa: {"pressure": kpa}),
    b"\x20\xce": item("Ih", lambda time, kpa: {"history": {"timestamp": time, "pressure": kpa}}),
}
_CT10X = _BATTERY | {
    b"\x03\x97": item("I", lambda hundredths: {"total_current": hundredths / 100}),
    b"\x04\x98": item("H", _current),
    b"\x09\x67": item("h", _cable),
    b"\x84\x98": item("HHHB", _current_alarm),
    b"\x89\x67": item("hB", lambda tenths, alarm: _cable(tenths) | {"temperature_alarm": _alarm(alarm)}),
}
_AM319 = {
    **_BATTERY,
    **_TEMPERATURE,
    b"\x04\x68": item("B", _humidity),
    b"\x05\x00": item("B", _presence),
    b"\x06\xcb": item("B", lambda level: {"light_level": level}),
    b"\x07\x7d": item("H", lambda ppm: {"co2": ppm}),
    b"\x08\x7d": item("H", lambda index: {"tvoc": index}),
    b"\x08\xe6": item("H", lambda ug: {"tvoc_ug_m3": ug}),
    b"\x09\x73": item("H", lambda tenths: {"pressure": tenths / 10}),
    b"\x0a\x7d": item("H", lambda hundredths: {"hcho": hundredths / 100}),
    b"\x0b\x7d": item("H", lambda ug: {"pm2_5": ug}),
    b"\x0c\x7d": item("H", lambda ug: {"pm10": ug}),
    b"\x0d\x7d": item("H", lambda hundredths: {"o3": hundredths / 100}),
    b"\x0e\x01": item("B", lambda code: {"beep": "yes" if code == 1 else "no"}),
    b"\x20\xce": item("IhHBBHHHHHH", _past_air("tvoc")),
    b"\x21\xce": item("IhHBBHHHHHH", _past_air("tvoc_ug_m3")),
    **_sizes({0x25: 1, 0x2C: 1, 0x2D: 1, 0x2E: 1, 0x2F: 1, 0x39: 1, 0x3A: 2, 0x3C: 1, 0x3D: 1, 0x3E: 1}),
    **_sizes({0x65: 2, 0x66: 1, 0xF0: 1, 0xF4: 1}),
}

DECODERS: dict[str, Decoder] = {
    "milesight_em310_udl": decoder(_ABOUT | _EM310_UDL),
    "milesight_em400_tld": cellular(_ABOUT | _EM400),
    "milesight_em400_mud": cellular(_ABOUT | _EM400),
    "milesight_em300_di": decoder(_ABOUT | _EM300_DI),
    "milesight_em500_swl": decoder(_ABOUT | _EM500_SWL),
    "milesight_em500_pp": decoder(_ABOUT | _EM500_PP),
    "milesight_ct101": decoder(_ABOUT | _CT10X),
    "milesight_am319": decoder(_ABOUT | _AM319),
}
