"""Packets of the NAS UL20xx, firmware 1.0 (ports 24, 25) and 1.1 (ports 23, 26), as the vendor's decoder shows them."""

from collections.abc import Callable
from functools import lru_cache
from math import log10
from struct import Struct

from ingest.codecs.frames.frame import Broken, Values

EARLIEST = 1_420_070_400  # 2015: a clock before was never set
_NONE = 0xFF
_DALI = (
    "driver_error",
    "lamp_failure",
    "lamp_on",
    "limit_error",
    "fade_running",
    "reset_state",
    "missing_short_address",
    "power_failure",
)
_ALERTS = ("voltage_alert_in_24h", "lamp_error_alert_in_24h", "power_alert_in_24h", "power_factor_alert_in_24h")
# from bit 0 upwards; without a name where a bit says nothing
_STATUS = ("", "dali_connection_error", "", "", "", "metering_com_error", "ext_rtc_warning", "internal_relay_closed")
_STATUS_BEFORE_1_1_4 = (*_STATUS[:2], "ldr_input_on", "", "dig_input_on", *_STATUS[5:])
_OLD_STATUS = ("dali_error_external", *_STATUS_BEFORE_1_1_4[1:5], "hardware_error", "", "internal_relay_closed")
_OUTPUTS = ("", "", "open_drain_output_on", "", "", "", "lumalink_connected", "lumalink_connected_after_boot")
_METERING = (
    "lamp_error_alert",
    "over_current_alert",
    "under_voltage_alert",
    "over_voltage_alert",
    "low_power_factor_alert",
)
_REASONS = {n: f"profile_{n}" for n in range(8)} | {0x21: "calendar_day", 0x22: "calendar_night"}
_REASONS |= {0x30 + n: f"calendar_dawn_step_{n}" for n in range(16)}
_REASONS |= {0x50 + n: f"calendar_dusk_step_{n}" for n in range(16)}
_REASONS |= {0x80 + n: f"light_monitor_step_{n}" for n in range(8)}
_REASONS |= {0x70: "dig_inactive", 0x71: "dig_active", 245: "relay_off", 246: "driver_not_found"}
_REASONS |= {248: "fallback_active", 250: "ldr_input_active", 252: "dig_input_active", 253: "manual_active"}
_OLD_REASONS = {246: "driver_not_found", 247: "calendar_active", 248: "init_active", 249: "profile_not_active"}
_OLD_REASONS |= {250: "ldr_input_active", 252: "dig_input_active", 253: "manual_active", 254: "value_differ"}
_DAYS = ("holiday", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NOTICES = {0x80: "dig_input_notification", 0x81: "ldr_input_notification"}
_NOTICES |= {0x85: "light_sensor_notification", 0x86: "location_notification"}
_RADIO, _DIMMING = Struct("<Bbb"), Struct("<BBBB")
_LUX = {0x02: "light_sensor__lx", 0x03: "d4i_light_sensor__lx"}


class _Bytes:
    """Little-endian numbers that are taken one after the other, or named as missing."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int = 1, *, signed: bool = False) -> int:
        if size > self.left:
            raise Broken(f"the packet is cut off at byte {self.at}")
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little", signed=signed)

    def several(self, layout: Struct) -> tuple[int, ...]:
        if layout.size > self.left:
            raise Broken(f"the packet is cut off at byte {self.at}")
        self.at += layout.size
        return layout.unpack_from(self.data, self.at - layout.size)


def packet(data: bytes, port: int) -> Values:
    """Read one packet whole. Raises Broken with the reason. A clock that was never set is "invalid_timestamp"."""
    rest = _Bytes(data)
    found = _PACKETS[port](rest)
    if rest.left:
        raise Broken(f"{rest.left} bytes are left after the packet")
    return found


def _address(code: int, all_ones: str | None = None) -> str:
    if code == 0x01:
        return "analog_0_10v"
    if code == 0xFE:  # noqa: PLR2004
        return "dali_broadcast"
    if code == _NONE and all_ones:
        return all_ones
    if code & 1:
        raise Broken(f"{code:02x} is no address")
    return f"dali_group_{code >> 1 & 0x0F}" if code & 0x80 else f"dali_single_{code >> 1 & 0x3F}"


def _bits(names: tuple[str, ...], value: int) -> Values:
    return dict(_named(names, value))


@lru_cache(maxsize=1024)  # a byte has 256 values
def _named(names: tuple[str, ...], value: int) -> Values:
    return {name: bool(value >> bit & 1) for bit, name in enumerate(names) if name}


def _dali(value: int) -> Values:
    """The status byte of a driver; all ones where it did not answer."""
    return {} if value == _NONE else _bits(_DALI, value)


def _level(value: int) -> object:
    return "n/a" if value == _NONE else value


def _clock(rest: _Bytes) -> object:
    seconds = rest.take(4)
    return seconds if seconds >= EARLIEST else "invalid_timestamp"


def _radio(rest: _Bytes) -> Values:
    rssi, snr, temperature = rest.several(_RADIO)
    return {"downlink_rssi__dBm": -rssi, "downlink_snr__dB": snr, "mcu_temperature__C": temperature}


def _status(rest: _Bytes) -> Values:
    header = rest.take()
    if header > 1:
        raise Broken(f"status packets with header {header:02x} are not known")
    found: Values = {"packet_type": "status_packet", "device_unix_epoch": _clock(rest)}
    bits = rest.take()
    status = _bits(_STATUS if header else _STATUS_BEFORE_1_1_4, bits)
    more = rest.take() if header else 0
    found |= {"status": status} | _radio(rest)
    if header:
        status |= _bits(_OUTPUTS, more)
    else:
        more = rest.take()
        status["open_drain_output_on"] = bool(more >> 2 & 1)
        found |= {"ldr_input_value": rest.take()} if more & 2 else {}
    if header or more & 0x10:
        found["active_alerts"] = _bits(_ALERTS, rest.take() >> 4)
    found |= {"sensor_source": _sensors(rest)} if header else {}
    return found | {"dimming_source": _all(rest, _dimming)}


def _all(rest: _Bytes, read: Callable[[_Bytes], Values]) -> list[Values]:
    found = []
    while rest.left:
        found.append(read(rest))
    return found


def _sensors(rest: _Bytes) -> Values:
    size = rest.take()
    end = rest.at + size
    found: Values = {}
    while rest.at < end:
        kind = rest.take()
        if kind == 0x01:
            found["ldr_input"] = rest.take()
        elif kind in _LUX:
            found[_LUX[kind]] = _lux(rest.take(2))
        elif kind == 0x04:  # noqa: PLR2004 - kinds of the vendor
            found["dig_input_1_on"] = bool(rest.take() & 1)
        elif kind == 0x08:  # noqa: PLR2004
            degrees = rest.take()
            found["tilt_sensor__deg"] = None if degrees == _NONE else degrees
        else:
            raise Broken(f"sensor source {kind:02x} is not known")
    if rest.at != end:
        raise Broken("the sensor sources are longer than announced")
    return found


def _lux(raw: int) -> str:
    """As the vendor writes it: four digits, of which as many after the point as the size leaves."""
    if raw == 0xFFFF:  # noqa: PLR2004
        return "unavailable"
    lux = 10 ** ((raw & 0x7FFF) / 4000) / 1000
    return f"{lux:.{3 - int(min(max(log10(lux), 0), 3))}f}"


def _dimming(rest: _Bytes) -> Values:
    address, reason, level, status = rest.several(_DIMMING)
    known = _REASONS.get(reason, f"reason_{reason}")
    found: Values = {"address": _address(address), "reason": known}
    return found | {"dimming_level__percent": _level(level), "status": _dali(status)}


def _driver(rest: _Bytes) -> Values:
    return {"address": _address(rest.take()), "status": _dali(rest.take())}


def _old_status(rest: _Bytes) -> Values:
    found: Values = {"packet_type": "status_packet", "device_unix_epoch": _clock(rest)}
    bits = rest.take()
    status = _bits(_OLD_STATUS, bits)
    found |= {"status": status} | _radio(rest)
    more = rest.take()
    status["open_drain_output_on"] = bool(more >> 2 & 1)
    found["analog_interfaces"] = _bits(_ALERTS, more >> 4)
    found |= {"ldr_input_value": rest.take()} if more & 2 else {}
    return found | {"profiles": _all(rest, _old_profile)}


def _old_profile(rest: _Bytes) -> Values:
    number, version, address = rest.take(), rest.take(), _address(rest.take(), "all_devices")
    days = [day for day, on in _bits(_DAYS, rest.take()).items() if on]
    known = _OLD_REASONS.get(version, version)
    found: Values = {"profile_id": "no_profile" if number == _NONE else number, "profile_version": known}
    return found | {"address": address, "days_active": days, "dimming_level__percent": _level(rest.take())}


def _usage(rest: _Bytes) -> Values:
    header = rest.take()
    if header:
        raise Broken(f"usage packets with header {header:02x} are not known")
    return _old_usage(rest)


def _old_usage(rest: _Bytes) -> Values:
    return {"packet_type": "usage_packet", "consumption": _all(rest, _consumption)}


def _consumption(rest: _Bytes) -> Values:
    found: Values = {"address": _address(rest.take(), "internal_measurement")}
    there = rest.take()
    for bit, (name, size) in enumerate(_USED):
        if there >> bit & 1:
            found[name] = _used(name, rest.take(size))
    return found


_USED = (
    ("active_energy__Wh", 4),
    ("active_power__W", 2),
    ("load_side_energy__Wh", 4),
    ("load_side_power__W", 2),
    ("power_factor", 1),
    ("mains_voltage__V", 1),
    ("driver_operating_time__h", 4),
    ("lamp_on_time__h", 4),
)


def _used(name: str, raw: int) -> object:
    if name == "power_factor":
        return "unknown" if raw == _NONE else raw / 100
    if name == "driver_operating_time__h":
        return int(raw / 3600 + 0.5)
    return int(raw / 360 + 0.5) / 10 if name == "lamp_on_time__h" else raw


def _alert(rest: _Bytes) -> Values:
    kind, second = rest.take(), rest.take()
    if kind == 0x83:  # noqa: PLR2004 - kinds of the vendor
        return {"packet_type": "dali_driver_alert", "drivers": _all(rest, _driver)}
    if kind == 0x84:  # noqa: PLR2004
        values: Values = {"power__W": rest.take(2), "voltage__V": rest.take(2), "power_factor": rest.take() / 100}
        return {"packet_type": "metering_alert"} | _bits(_METERING, second) | values
    if kind in _NOTICES:
        while rest.left:
            rest.take()
        return {"packet_type": _NOTICES[kind]}
    raise Broken(f"alerts of kind {kind:02x} are not known")


_PACKETS: dict[int, Callable[[_Bytes], Values]] = {
    23: _status,
    24: _old_status,
    25: _old_usage,
    26: _usage,
    61: _alert,
}
