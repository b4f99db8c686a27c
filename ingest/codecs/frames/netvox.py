"""Netvox R72624 (R726 series): outdoor noise, temperature, humidity and wind, big-endian; all ones where none is."""

from struct import Struct

from ingest.codecs.frames.frame import Found, Values, bad, unknown_port
from ingest.codecs.record import Housekeeping

_PORTS = {6: "report", 7: "configuration", 14: "calibration"}
_SIZE, _SERIES, _NOTHING = 11, b"\x01\x09", 0xFFFF
_REPORTS = {
    0x07: (Struct(">4xHHHx"), ("co2", "nh3", "noise"), 10),
    0x0C: (Struct(">4xhHHx"), ("temperature", "humidity", "wind_speed"), 100),
}


def decode(data: bytes, port: int | None = None) -> Found:
    """Read one report; answers to settings are housekeeping."""
    if port in {7, 14}:
        return Housekeeping(_PORTS[port])
    if port is not None and port not in _PORTS:
        return unknown_port(port, _PORTS)
    if len(data) != _SIZE or data[:2] != _SERIES:
        return bad(f"a report of this series has {_SIZE} bytes and begins with {_SERIES.hex(' ')}")
    report = _REPORTS.get(data[2])
    if report is None:
        return Housekeeping("version") if data[2] == 0 else bad(f"report type {data[2]:02x} is not of this model")
    layout, names, parts = report
    found: Values = {"battery_volt": data[3] / 10}
    for name, raw in zip(names, layout.unpack(data), strict=True):
        if raw != (_NOTHING if name != "temperature" else -1):
            found[name] = raw / parts
    return found
