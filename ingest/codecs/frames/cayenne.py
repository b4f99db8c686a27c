"""Cayenne Low Power Payload: items of channel, type and value, big-endian; each value is named by type and channel."""

from collections.abc import Callable

from ingest.codecs.frames.frame import Found, Values, bad

_Read = Callable[[bytes], object]


def _whole(parts: int = 1, *, signed: bool = False) -> _Read:
    def read(raw: bytes) -> object:
        value = int.from_bytes(raw, signed=signed)
        return value if parts == 1 else value / parts

    return read


def _several(names: tuple[str, ...], parts: tuple[int, ...], size: int) -> _Read:
    def read(raw: bytes) -> object:
        pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
        numbers = [int.from_bytes(piece, signed=True) / part for piece, part in zip(pieces, parts, strict=True)]
        return dict(zip(names, numbers, strict=True))

    return read


def _colour(raw: bytes) -> object:
    return dict(zip(("r", "g", "b"), raw, strict=True))


_AXES = ("x", "y", "z")
_PLACE = ("latitude", "longitude", "altitude")
_TYPES: dict[int, tuple[str, int, _Read]] = {
    0: ("digital_in", 1, _whole()),
    1: ("digital_out", 1, _whole()),
    2: ("analog_in", 2, _whole(100, signed=True)),
    3: ("analog_out", 2, _whole(100, signed=True)),
    100: ("generic_sensor", 4, _whole()),
    101: ("luminosity", 2, _whole()),
    102: ("presence", 1, _whole()),
    103: ("temperature", 2, _whole(10, signed=True)),
    104: ("relative_humidity", 1, _whole(2)),
    113: ("accelerometer", 6, _several(_AXES, (1000, 1000, 1000), 2)),
    115: ("barometric_pressure", 2, _whole(10)),
    116: ("voltage", 2, _whole(100)),
    117: ("current", 2, _whole(1000)),
    118: ("frequency", 4, _whole()),
    120: ("percentage", 1, _whole()),
    121: ("altitude", 2, _whole(signed=True)),
    125: ("concentration", 2, _whole()),
    128: ("power", 2, _whole()),
    130: ("distance", 4, _whole(1000)),
    131: ("energy", 4, _whole(1000)),
    132: ("direction", 2, _whole()),
    133: ("unix_time", 4, _whole()),
    134: ("gyrometer", 6, _several(_AXES, (100, 100, 100), 2)),
    135: ("colour", 3, _colour),
    136: ("gps", 9, _several(_PLACE, (10_000, 10_000, 100), 3)),
    142: ("switch", 1, _whole()),
}


def decode(data: bytes, port: int | None = None) -> Found:  # noqa: ARG001 - the port may be set by the owner
    """Read one frame. The same item twice: the owner's device is set wrongly, and neither is believed."""
    found: Values = {}
    at = 0
    while at < len(data):
        kind = _TYPES.get(data[at + 1]) if at + 1 < len(data) else None
        if kind is None:
            return bad(f"byte {at}: {data[at : at + 2].hex(' ')} is no channel and type of Cayenne LPP")
        name, size, read = kind
        raw = data[at + 2 : at + 2 + size]
        if len(raw) < size:
            return bad(f"byte {at}: {name} of channel {data[at]} is cut off")
        key = f"{name}_{data[at]}"
        if key in found:
            return bad(f"byte {at}: {name} of channel {data[at]} comes twice")
        found[key] = read(raw)
        at += 2 + size
    return found
