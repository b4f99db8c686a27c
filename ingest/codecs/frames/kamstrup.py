"""Kamstrup flowIQ and MULTICAL water meters over LoRaWAN: an unencrypted M-Bus message (EN 13757-3 and -7).

Values of one time make one record. Times are the meter's own clock, without a zone. Hourly profiles are unfolded from
their base value backwards (EN 13757-3, annex F).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from ingest.codecs.frames.frame import Found, Values, bad
from ingest.codecs.frames.mbus import Broken, Record, records, stamp
from ingest.codecs.record import Housekeeping

_INFO = (
    "dry",
    "reverse",
    "leak",
    "burst",
    "tamper",
    "low_battery",
    "low_ambient_temperature",
    "high_ambient_temperature",
)
_HEADERS = {0x78: 1, 0x7A: 5, 0x72: 13}  # bytes before the records, by the control information that comes first
_NO_ALD, _INVALID = 4095, "Invalid"  # the vendor's word where the meter has no value
_SPACINGS = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
_MONTHS = {3: 1, 2: 3, 1: 6}
_IN_MONTHS = 254
_DOWNWARDS, _SIGNED = 2, 3  # increment modes of a profile


class Profile(NamedTuple):
    """How a compact profile is spaced, and its differences."""

    mode: int
    unit: int
    value: int
    steps: list[int | None]


def decode(data: bytes, port: int | None = None) -> Found:  # noqa: ARG001 - the port may be set by the owner
    """Read one message."""
    start = _HEADERS.get(data[0]) if data else None
    if start is None or len(data) < start:
        return bad("this is no M-Bus message with its header")
    if start > 1 and data[start - 1] & 0x1F:
        return bad("the M-Bus message is encrypted")
    try:
        found = list(records(data[start:]))
        return _by_time(found)
    except Broken as error:
        return bad(str(error))


def _by_time(found: list[Record]) -> Found:
    times = {one.storage: stamp(one) for one in found if one.name == "date_time" and one.value is not None}
    made: dict[str | None, Values] = {}
    for one in found:
        if one.name != "date_time":
            time = times.get(one.storage)
            for at, key, value in _profile(found, one, time) if one.profile else _values(one, time):
                record = made.setdefault(_text(at), {})
                if record.setdefault(key, value) != value:
                    raise Broken(f"{key} has two values for one time")
    return _sorted(made, times.get(0))


def _sorted(made: dict[str | None, Values], now: datetime | None) -> Found:
    live = made.pop(None, {})
    current = made.pop(_text(now), {}) if now else {}
    live |= {"timestamp": _text(now)} | current if current else {}
    if not made and set(live) <= {"module_type_config_number"}:
        return Housekeeping("installation")
    return live | ({"history": [{"timestamp": time} | values for time, values in made.items()]} if made else {})


def _values(one: Record, time: datetime | None) -> Iterator[tuple[datetime | None, str, object]]:
    if not one.name.endswith("infocode") or one.value is None:  # the highest of a day is one of bits too
        none = (one.value is None and one.real is None) or (one.name == "ald_last_day" and one.value == _NO_ALD)
        yield time, one.name, _INVALID if none else one.scaled(one.value or 0)
        return
    for bit, name in enumerate(_INFO):
        yield time, name, bool(one.value >> bit & 1)
    if one.value >> len(_INFO):
        yield time, "infocode", one.value  # bits that are not documented


def _profile(found: list[Record], one: Record, start: datetime | None) -> Iterator[tuple[datetime, str, object]]:
    if start is None:
        raise Broken(f"the profile of {one.name} has no base time")
    base = next((other for other in found if not other.profile and other.alike(one)), None)
    if base is None or base.value is None:
        raise Broken(f"the profile of {one.name} has no base value")
    profile, value, at = _unfolded(one), base.value, start
    for step in profile.steps:
        if step is None:
            return  # what lies before an invalid difference is not known
        at = _earlier(at, profile)
        value += step if profile.mode == _DOWNWARDS else -step
        yield at, one.name, one.scaled(value)


def _unfolded(one: Record) -> Profile:
    control, spacing = one.profile[0], one.profile[1]
    size, mode, data = control & 0x0F, control >> 6, one.profile[2:]
    if not 1 <= size <= 4 or mode == 0 or len(data) % size:  # noqa: PLR2004
        raise Broken(f"the profile of {one.name} is of a form that no meter of this kind sends")
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    invalid = (b"\x00" * (size - 1) + b"\x80") if mode == _SIGNED else b"\xff" * size
    read = [None if p == invalid else int.from_bytes(p, "little", signed=mode == _SIGNED) for p in pieces]
    return Profile(mode, control >> 4 & 3, spacing, read)


def _earlier(time: datetime, profile: Profile) -> datetime:
    try:
        if 0 < profile.value <= 250:  # noqa: PLR2004 - so the standard
            return time - profile.value * _SPACINGS[profile.unit]
        if profile.value == _IN_MONTHS and profile.unit in _MONTHS:
            month = time.year * 12 + time.month - 1 - _MONTHS[profile.unit]
            return time.replace(year=month // 12, month=month % 12 + 1)
    except (OverflowError, ValueError):
        raise Broken("a profile leads to a day that no calendar holds") from None
    raise Broken("the spacing of a profile is not defined")


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
