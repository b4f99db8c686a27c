"""Parametric PCR2 radar: how many passed from left to right and back, in the interval and since power-on."""

from struct import Struct

from ingest.codecs.frames import cayenne
from ingest.codecs.frames.frame import Found, Values, bad, unknown_port
from ingest.codecs.record import Housekeeping

_PORTS = {14: "counts", 190: "configuration"}
_ITEMS = {0x01: "TEMP", 0x0A: "LTR", 0x16: "RTL"}
_EXTENDED = {b"\xbe\x01\x03": Struct(">3xHHHHBHh"), b"\xbe\x01\x04": Struct(">3xHHHHHHh")}
_NAMES = ("LTR", "RTL", "LTR_SUM", "RTL_SUM", "SBX_BATT", "SBX_PV")
_LPP = {"presence_0": "LTR", "presence_1": "RTL", "temperature_2": "TEMP"}
_WORD = 3


def decode(data: bytes, port: int | None = None) -> Found:
    """Read one frame of counts, in any of the four forms that the owner can choose."""
    if port == 190:  # noqa: PLR2004 - the ports are told above
        return Housekeeping("configuration")
    if port not in {14, None}:
        return unknown_port(port, _PORTS)
    layout = _EXTENDED.get(data[:3])
    if layout is not None:
        return _extended(layout, data)
    return _lpp(data) if data[:2] == b"\x00\x66" else _items(data)


def _extended(layout: Struct, data: bytes) -> Found:
    if len(data) != layout.size:
        return bad(f"counts of payload version {data[2]} have {layout.size} bytes, not {len(data)}")
    *counts, tenths = layout.unpack(data)
    found: Values = dict(zip(_NAMES, counts, strict=True))
    return found | {"DIFF": abs(counts[2] - counts[3]), "TEMP": tenths / 10}


def _lpp(data: bytes) -> Found:
    found = cayenne.decode(data)
    if not isinstance(found, dict):
        return found
    unknown = found.keys() - _LPP.keys()
    if unknown:
        return bad(f"{min(unknown)} is not of this device")
    return {_LPP[key]: value for key, value in found.items()}


def _items(data: bytes) -> Found:
    found: Values = {}
    for at in range(0, len(data), _WORD):
        name, word = _ITEMS.get(data[at]), data[at + 1 : at + _WORD]
        if name is None:
            return bad(f"byte {at}: {data[at]:02x} is not an item of this device")
        if len(word) < _WORD - 1:
            return bad(f"byte {at}: {name} is cut off")
        value = int.from_bytes(word, signed=name == "TEMP")
        found[name] = value / 10 if name == "TEMP" else value
    return found
