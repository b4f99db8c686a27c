"""Records of an M-Bus message (EN 13757-3): data and value information, and the value itself."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from math import isfinite
from struct import unpack
from typing import NamedTuple

from ingest.codecs.frames.frame import Broken

_FILLER = 0x2F
_BCD = {0x9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}
_SIZES = {0x0: 0, 0x1: 1, 0x2: 2, 0x3: 3, 0x4: 4, 0x5: 4, 0x6: 6, 0x7: 8, 0x8: 0} | _BCD
_REAL, _VARIABLE, _SPECIAL = 0x5, 0xD, 0xF
_FUNCTIONS = ("", "max_", "min_", "error_state_")
_MAKER = 0xFF
_MAKERS = {0x25: "infocode", 0x1C: "ald_last_day", 0x16: "module_type_config_number", 0x1B: "ald"}  # Kamstrup's own
_PROFILE = b"\x13"
_FURTHER = {b"": "", _PROFILE: "", b"\x3c": "reverse_", b"\xbc\x13": "reverse_"}  # orthogonal
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


class Head(NamedTuple):
    """What stands before a value: its name, the power of ten of its unit, and how its bytes are to be read."""

    name: str
    power: int
    storage: int
    field: int

    def scaled(self, value: float) -> float:
        """The number in the unit of the name, rounded as late as possible."""
        if self.power == 0:
            return value
        return value / 10.0**-self.power if self.power < 0 else value * 10.0**self.power


class Record(NamedTuple):
    """One value: the raw number (None where the meter has none), or the bytes of a profile."""

    head: Head
    size: int
    value: int | None = None
    profile: bytes = b""
    real: float | None = None

    @property
    def name(self) -> str:
        """What the value is, with the unit where several are used for it."""
        return self.head.name

    @property
    def storage(self) -> int:
        """Which of the meter's moments it belongs to; 0 is now."""
        return self.head.storage

    def is_base_of(self, other: "Record") -> bool:
        """Whether the other is the profile that begins with this value."""
        return not self.profile and self.head[:3] == other.head[:3]


def records(data: bytes) -> Iterator[Record]:
    """Give the records of a message. Raises Broken with the reason where one cannot be read."""
    at = 0
    while at < len(data):
        if data[at] == _FILLER:
            at += 1
            continue
        end = _chain(data, _chain(data, at))
        head = _head(data[at:end])
        if head.field == _VARIABLE:
            end += 1
            size = int.from_bytes(data[end - 1 : end])
        else:
            size = _SIZES[head.field]
        at = end + size
        if at > len(data):
            raise Broken(f"the message is cut off after {len(data)} bytes of records")
        yield _record(head, data[end:at])


def _chain(data: bytes, at: int) -> int:
    """Where a byte and its extensions end: as long as the highest bit is set, another follows."""
    while at < len(data):
        at += 1
        if not data[at - 1] & 0x80:
            return at
    raise Broken(f"the message is cut off after {len(data)} bytes of records")


@lru_cache(maxsize=512)  # a meter sends the same few all its life
def _head(raw: bytes) -> Head:
    if raw[0] & 0x0F == _SPECIAL:
        raise Broken(f"data information {raw[0]:02x} has a special function that this meter does not use")
    end = _chain(raw, 0)
    storage = raw[0] >> 6 & 1 | sum((more & 0x0F) << 1 + 4 * n for n, more in enumerate(raw[1:end]))
    name, power = _meaning(raw[end:])
    if raw[0] & 0x0F == _VARIABLE and raw[end + 1 :][-1:] != _PROFILE:
        raise Broken("a value of variable length that is no profile")
    if any(more & 0x70 for more in raw[1:end]):
        name += "_tariff"  # of another tariff or subunit: never to be taken for the whole
    return Head(_FUNCTIONS[raw[0] >> 4 & 3] + name, power, storage, raw[0] & 0x0F)


def _meaning(codes: bytes) -> tuple[str, int]:
    if codes[0] == _MAKER and len(codes) == 2 and codes[1] in _MAKERS:  # noqa: PLR2004
        return _MAKERS[codes[1]], 0
    found = _VALUES.get(codes[0] & 0x7F)
    if found is None or codes[0] == _MAKER or codes[1:] not in _FURTHER:
        raise Broken(f"value information {codes.hex(' ')} is not of this meter")
    name, power = found
    return _FURTHER[codes[1:]] + name, power


def _record(head: Head, raw: bytes) -> Record:
    if head.field == _VARIABLE:
        if len(raw) < _SHORTEST_PROFILE:
            raise Broken(f"the profile of {head.name} is too short")
        return Record(head, 0, profile=raw)
    if head.field == _REAL:
        real = unpack("<f", raw)[0]
        return Record(head, 4, real=real if isfinite(real) else None)
    return Record(head, len(raw), _number(head.name, raw, bcd=head.field in _BCD))


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
