"""Records of an M-Bus message (EN 13757-3): data and value information, and the value itself."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import isfinite
from struct import unpack
from typing import NamedTuple

_FILLER = 0x2F
_BCD = {0x9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}
_SIZES = {0x0: 0, 0x1: 1, 0x2: 2, 0x3: 3, 0x4: 4, 0x6: 6, 0x7: 8, 0x8: 0} | _BCD
_REAL, _VARIABLE, _SPECIAL = 0x5, 0xD, 0xF
_FUNCTIONS = ("", "max_", "min_", "error_state_")
_MAKER = 0xFF
_MAKERS = {0x25: "infocode", 0x1C: "ald_last_day", 0x16: "module_type_config_number", 0x1B: "ald"}  # Kamstrup's own
_PROFILE, _REVERSE = 0x13, 0x3C
_SHORTEST_PROFILE = 3

# first code, how many, name, power of ten of the first: each next code is ten times as much
_GROUPS = (
    (0x00, 8, "energy_wh", -3),
    (0x08, 8, "energy_j", 0),
    (0x10, 8, "volume", -6),
    (0x18, 8, "mass", -3),
    (0x28, 8, "power", -3),
    (0x30, 8, "power_j_h", 0),
    (0x38, 8, "volume_flow", -6),
    (0x40, 8, "volume_flow_m3_min", -7),
    (0x48, 8, "volume_flow_m3_s", -9),
    (0x50, 8, "mass_flow", -3),
    (0x58, 4, "flow_temperature", -3),
    (0x5C, 4, "return_temperature", -3),
    (0x60, 4, "temperature_difference", -3),
    (0x64, 4, "external_temperature", -3),
    (0x68, 4, "pressure", -3),
)
_PLAIN = [f"{what}_time_{unit}" for what in ("on", "operating") for unit in ("s", "min", "h", "d")]
_VALUES = {first + n: (name, power + n) for first, count, name, power in _GROUPS for n in range(count)}
_VALUES |= {0x20 + n: (name, 0) for n, name in enumerate(_PLAIN)}
_VALUES |= {0x6C: ("date_time", 0), 0x6D: ("date_time", 0), 0x78: ("fabrication_no", 0)}


class Broken(Exception):  # noqa: N818 - raised and caught within a decoder
    """Why a message cannot be read."""


class Record(NamedTuple):
    """One value: the raw number (None where the meter has none), or the bytes of a profile."""

    name: str
    power: int
    storage: int
    size: int
    value: int | None = None
    profile: bytes = b""
    real: float | None = None

    def scaled(self, value: int) -> float:
        """The number in the unit of its name, rounded as late as possible."""
        if self.real is not None:
            return self.real * 10.0**self.power
        factor: int = 10 ** abs(self.power)
        return value / factor if self.power < 0 else value * factor

    def alike(self, other: "Record") -> bool:
        """Whether one is the base of the other's profile."""
        return (self.name, self.power, self.storage) == (other.name, other.power, other.storage)


class _Bytes:
    """Bytes that are taken one after the other, or named as missing."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Broken(f"the message is cut off after {len(self.data)} bytes of records")
        self.at += count
        return self.data[self.at - count : self.at]

    def one(self) -> int:
        return self.take(1)[0]

    def chain(self, first: int) -> list[int]:
        """A byte and its extensions: as long as the highest bit is set, another follows."""
        chain = [first]
        while chain[-1] & 0x80:
            chain.append(self.one())
        return chain


def records(data: bytes) -> Iterator[Record]:
    """Give the records of a message. Raises Broken with the reason where one cannot be read."""
    rest = _Bytes(data)
    while rest.at < len(data):
        first = rest.one()
        if first != _FILLER:
            yield _record(rest, first)


def _record(rest: _Bytes, first: int) -> Record:
    if first & 0x0F == _SPECIAL:
        raise Broken(f"data information {first:02x} has a special function that this meter does not use")
    chain = rest.chain(first)
    storage = first >> 6 & 1 | sum((more & 0x0F) << 1 + 4 * n for n, more in enumerate(chain[1:]))
    codes = rest.chain(rest.one())
    name, power = _meaning(codes)
    name = _FUNCTIONS[first >> 4 & 3] + name
    if any(more & 0x70 for more in chain[1:]):
        name += "_tariff"  # of another tariff or subunit: never to be taken for the whole
    field = first & 0x0F
    if field == _VARIABLE:
        return Record(name, power, storage, 0, profile=_variable(rest, codes))
    if field == _REAL:
        real = unpack("<f", rest.take(4))[0]
        return Record(name, power, storage, 4, real=real if isfinite(real) else None)
    raw = rest.take(_SIZES[field])
    return Record(name, power, storage, len(raw), _number(name, raw, bcd=field in _BCD))


def _meaning(codes: list[int]) -> tuple[str, int]:
    written = " ".join(f"{code:02x}" for code in codes)
    if codes[0] == _MAKER and len(codes) == 2 and codes[1] in _MAKERS:  # noqa: PLR2004
        return _MAKERS[codes[1]], 0
    found = _VALUES.get(codes[0] & 0x7F)
    if found is None or codes[0] == _MAKER or codes[1:] not in ([], [_PROFILE], [_REVERSE]):
        raise Broken(f"value information {written} is not of this meter")
    name, power = found
    return (f"reverse_{name}" if codes[1:] == [_REVERSE] else name), power


def _variable(rest: _Bytes, codes: list[int]) -> bytes:
    raw = rest.take(rest.one())
    if codes[-1] != _PROFILE or len(raw) < _SHORTEST_PROFILE:
        raise Broken("a value of variable length that is no profile")
    return raw


def _number(name: str, raw: bytes, *, bcd: bool) -> int | None:
    """The value as an integer; None where the bytes are the sign of no value (annex A)."""
    if not raw:
        return None
    if bcd:
        digits = raw[::-1].hex()
        return int(digits) if digits.isdecimal() else None
    if name == "date_time" or name.endswith("infocode"):
        return int.from_bytes(raw, "little")
    if any(name.endswith(own) for own in _MAKERS.values()):
        return None if raw == b"\xff" * len(raw) else int.from_bytes(raw, "little")
    return None if raw == bytes(len(raw) - 1) + b"\x80" else int.from_bytes(raw, "little", signed=True)


def stamp(record: Record) -> datetime | None:
    """The winter time of a `date_time` record (types F, G and I), or None where the meter says it is not valid."""
    value = record.value or 0
    try:
        if record.size == 2:  # noqa: PLR2004 - a date
            return None if value == 0xFFFF else datetime(*_day(value), 0, 0)  # noqa: DTZ001, PLR2004
        if record.size == 4:  # noqa: PLR2004 - minute, hour, date
            century = value >> 13 & 3
            year, month, day = _day(value >> 16)
            year = year - 100 + 100 * century if century else year
            at = datetime(year, month, day, value >> 8 & 0x1F, value & 0x3F)  # noqa: DTZ001
            summer = timedelta(hours=value >> 15 & 1)  # an hour that the meter adds in summer, and says so
            return None if value & 0x80 else at - summer
        if record.size == 6:  # noqa: PLR2004 - second, minute, hour, date
            at = datetime(*_day(value >> 24), value >> 16 & 0x1F, value >> 8 & 0x3F, value & 0x3F)  # noqa: DTZ001
            return None if value >> 8 & 0x80 else at
    except (ValueError, OverflowError):
        raise Broken("a time that no calendar holds") from None
    raise Broken(f"a time of {record.size} bytes")


def _day(value: int) -> tuple[int, int, int]:
    """Year, month, day of a type G date."""
    return 2000 + (value >> 5 & 7 | (value >> 12 & 0x0F) << 3), value >> 8 & 0x0F, value & 0x1F
