"""Yobiiq EM4301 electricity meter: items of channel, type and value, big-endian; its owner chooses which it sends."""

from ingest.codecs.frames.frame import Found, Values, bad, unknown_port
from ingest.codecs.record import Housekeeping

_PORTS = dict.fromkeys((*range(1, 11), 50), "items")
_ABOUT = 50
_ERROR = b"\x0b\x0a"  # the one item that its channel tells
_PHASES = ("L1", "L2", "L3")

_NAMES = {0x00: "index", 0x01: "timestamp", 0x03: "dataloggerTimestamp", 0x2B: "midYearOfCertification"}
_WAYS = ("ImportL123T1", "ImportL123T2", "ExportL123T1", "ExportL123T2")
_LISTS: tuple[tuple[int, list[str], int, int, bool], ...] = (  # first type, names, bytes, parts, whether signed
    (0x04, [f"{what}Energy{way}" for what in ("active", "reactive") for way in _WAYS], 4, 1, False),
    (0x0C, [f"voltage{phase}N" for phase in _PHASES], 4, 10, True),
    (0x0F, ["currentL123", *(f"current{phase}" for phase in _PHASES)], 4, 1, True),
    (0x13, ["activePowerL123", *(f"activePower{phase}" for phase in _PHASES)], 4, 1, True),
    (0x17, [f"{what}Power{phase}" for what in ("reactive", "apparent") for phase in _PHASES], 4, 1000, True),
    (0x1D, [f"powerFactor{phase}" for phase in _PHASES], 1, 100, True),
    (0x20, [*(f"phaseAngle{phase}" for phase in _PHASES), "frequency"], 2, 100, True),
    (0x24, ["totalSystemActivePower"], 4, 1, False),
    (0x25, ["totalSystemReactivePower", "totalSystemApparentPower"], 4, 1000, False),
    (0x27, [*(f"maximum{phase}CurrentDemand" for phase in _PHASES), "averagePower"], 4, 1, True),
)
_Item = tuple[str, int, int, bool]
_ITEMS: dict[int, _Item] = {kind: (name, 4, 1, False) for kind, name in _NAMES.items()}
for _first, _names, _size, _parts, _signed in _LISTS:
    _ITEMS |= {_first + n: (name, _size, _parts, _signed) for n, name in enumerate(_names)}
_ITEMS |= dict.fromkeys((0xF0, 0xF1, 0xF2), ("", 2, 1, False))  # year of making, firmware, hardware: not kept
_TOTALS = ("activeEnergyImportL123", "activeEnergyExportL123")


def decode(data: bytes, port: int | None = None) -> Found:
    """Read one frame. The register of both tariffs together is given where both are there."""
    if port == _ABOUT:
        return Housekeeping("device_info")
    if port is not None and port not in _PORTS:
        return unknown_port(port, _PORTS)
    if len(data) == 1:
        return Housekeeping("command")
    found = _items(data)
    if isinstance(found, dict):
        for total in _TOTALS:
            first, second = found.get(f"{total}T1"), found.get(f"{total}T2")
            if isinstance(first, int) and isinstance(second, int):
                found[total] = first + second
    return found


def _items(data: bytes) -> Found:
    found: Values = {}
    at = 0
    while at < len(data):
        head = data[at : at + 2]
        item = ("modbusErrorCode", 1, 1, False) if head == _ERROR else _ITEMS.get(int.from_bytes(head[1:]))
        if item is None or len(head) == 1:
            return bad(f"byte {at}: {head.hex(' ')} is not an item of this meter")
        name, size, parts, signed = item
        raw = data[at + 2 : at + 2 + size]
        if len(raw) < size:
            return bad(f"byte {at}: {name} is cut off")
        value = int.from_bytes(raw, signed=signed)
        if name:
            found[name] = value if parts == 1 else value / parts
        at += 2 + size
    return found
