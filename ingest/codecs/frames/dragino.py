"""Dragino LDDS75 and DDS75: ultrasonic distance, battery, and the temperature of a probe where one is attached."""

from struct import Struct

from ingest.codecs.frames.frame import Found, Values, bad, unknown_port
from ingest.codecs.record import Housekeeping

_PORTS = {2: "reading", 5: "device_status"}
_FULL = Struct(">HHBhB")
_SHORT = Struct(">HHB")  # before firmware 1.1.4
_BATTERY = 0x3FFF  # the two bits above are none of the voltage
_NO_PROBE = 0x7FFF
_NEAREST = 20  # mm: the sensor says 20 for whatever is nearer than it can measure


def decode(data: bytes, port: int | None = None) -> Found:
    """Read one frame; where no distance was measured, the vendor's words for it stand in its place."""
    if port == 5:  # noqa: PLR2004 - the ports are told above
        return Housekeeping("device_status")
    if port not in {2, None}:
        return unknown_port(port, _PORTS)
    if len(data) == _SHORT.size:
        return _reading(*_SHORT.unpack(data))
    if len(data) != _FULL.size:
        return bad(f"a reading has {_FULL.size} or {_SHORT.size} bytes, not {len(data)}")
    battery, distance, interrupt, tenths, sensor = _FULL.unpack(data)
    found = _reading(battery, distance, interrupt) | {"Sensor_flag": sensor}
    return found if tenths == _NO_PROBE else found | {"TempC_DS18B20": tenths / 10}


def _reading(battery: int, distance: int, interrupt: int) -> Values:
    said = "No Sensor" if distance == 0 else "Invalid Reading" if distance <= _NEAREST else distance
    return {"Bat": (battery & _BATTERY) / 1000, "Distance": said, "Interrupt_flag": interrupt}
