"""NAS UL20xx streetlight controller: lamp state, dimming, power and energy of one lamp and its DALI drivers.

`packet` reads a frame as the vendor's decoder does, address by address; `decode` gives the lamp as a whole. What the
addresses agree on, or one alone says, is the lamp's; the controller's own meter comes before its drivers; what they say
differently stays with each address, and so do energy and power of several drivers: each has a share of them.
"""

from collections.abc import Iterator

from ingest.codecs.frames.frame import Broken, Found, Values, bad, unknown_port
from ingest.codecs.frames.nas_packet import packet
from ingest.codecs.record import Housekeeping

_ABOUT = {49: "settings", 50: "settings", 51: "command", 60: "command", 99: "boot"}
_READ = (23, 24, 25, 26, 61)
_OWN = "internal_measurement"
_SHARES = {"active_energy__Wh", "active_power__W", "load_side_energy__Wh", "load_side_power__W"}
_LISTS = ("dimming_source", "profiles", "consumption", "drivers")
# Bits of fault_code: 0 to 7 as the DALI status byte has them, 8 and above of the controller.
_DALI = {"driver_error": 0, "lamp_failure": 1, "limit_error": 3, "missing_short_address": 6, "power_failure": 7}
_CONTROLLER = {
    "dali_connection_error": 8,
    "metering_com_error": 9,
    "hardware_error": 9,
    "voltage_alert_in_24h": 10,
    "under_voltage_alert": 10,
    "over_voltage_alert": 10,
    "lamp_error_alert_in_24h": 11,
    "lamp_error_alert": 11,
    "power_alert_in_24h": 12,
    "over_current_alert": 12,
    "power_factor_alert_in_24h": 13,
    "low_power_factor_alert": 13,
    "dali_error_external": 14,
    "ext_rtc_warning": 15,
}


def decode(data: bytes, port: int | None = None) -> Found:
    """Read one frame as the state of one lamp."""
    if port in _ABOUT:
        return Housekeeping(_ABOUT[port])
    if port not in _READ:
        return unknown_port(port, dict.fromkeys((*_READ, *_ABOUT)))
    try:
        read = packet(data, port)
    except Broken as error:
        return bad(str(error))
    if str(read["packet_type"]).endswith("_notification"):
        return Housekeeping(str(read["packet_type"]))
    return _lamp(read)


def _lamp(read: Values) -> Values:
    time = read.pop("device_unix_epoch", None)
    parts = [part for name in _LISTS for part in _objects(read.pop(name, []))]
    flat: Values = {}
    for key, value in read.items():
        flat |= value if isinstance(value, dict) else {key: value}
    flat |= _agreed(parts)
    return ({"timestamp": time} if isinstance(time, int) else {}) | flat | _faults(flat, parts)


def _objects(found: object) -> Iterator[Values]:
    """The parts of a packet, one an address, with their status bits beside their values."""
    for one in found if isinstance(found, list) else []:
        status = one.get("status", {})
        yield {key: value for key, value in one.items() if key != "status"} | status


def _agreed(parts: list[Values]) -> Values:
    """One value of each field for the lamp; where drivers differ, each keeps its own under its address."""
    given: dict[str, dict[str, object]] = {}
    for part in parts:
        address = str(part["address"])
        for key, value in part.items():
            if key != "address":
                given.setdefault(key, {})[address] = value
    made: Values = {}
    for key, by_address in given.items():
        values = list(by_address.values())
        if _OWN in by_address:
            made[key] = by_address[_OWN]
        elif len(values) == 1 or (key not in _SHARES and all(value == values[0] for value in values)):
            made[key] = values[0]
        if key not in made or key in _SHARES or any(value != made[key] for value in values):
            others = {address: value for address, value in by_address.items() if address != _OWN}
            made |= {f"{address}.{key}": value for address, value in others.items()} if len(values) > 1 else {}
    return made


def _faults(flat: Values, parts: list[Values]) -> Values:
    """All faults of the lamp as bits; no field where the packet says nothing of faults."""
    bits = [bit for part in parts for name, bit in _DALI.items() if part.get(name)]
    bits += [bit for name, bit in _CONTROLLER.items() if flat.get(name)]
    said = any(name in flat for name in _CONTROLLER) or any(name in part for part in parts for name in _DALI)
    return {"fault_code": sum(1 << bit for bit in set(bits))} if said else {}
