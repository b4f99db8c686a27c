"""Kamstrup flowIQ and MULTICAL water meters over LoRaWAN: an unencrypted M-Bus message (EN 13757-3 and -7).

Values of one time make one record. Times are the meter's own clock, without a zone. Hourly profiles are unfolded from
their base value backwards (EN 13757-3, annex F).
"""

from datetime import datetime, timedelta
from functools import lru_cache
from itertools import accumulate, islice

from ingest.codecs.frames.frame import Broken, Found, Values, bad
from ingest.codecs.frames.mbus import Record, records, stamp
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
_Said = tuple[str | None, str, object]  # at which time, what, how much


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
        if one.name == "date_time":
            continue
        time = times.get(one.storage)
        said = _profile(found, one, time) if one.profile else _values(one, time)
        for at, key, value in said:
            if at not in made:
                made[at] = {key: value}
            elif made[at].setdefault(key, value) != value:
                raise Broken(f"{key} has two values for one time")
    return _sorted(made, times.get(0))


def _sorted(made: dict[str | None, Values], now: datetime | None) -> Found:
    live = made.pop(None, {})
    current = made.pop(now.isoformat(), {}) if now else {}
    if now and current:
        live |= {"timestamp": now.isoformat()} | current
    if not made and set(live) <= {"module_type_config_number"}:
        return Housekeeping("installation")
    return live | ({"history": [{"timestamp": time} | values for time, values in made.items()]} if made else {})


def _values(one: Record, time: datetime | None) -> list[_Said]:
    at, value = time.isoformat() if time else None, one.value
    if not one.name.endswith("infocode") or value is None:  # the highest of a day is one of bits too
        number = one.real if value is None else value
        if number is None or (one.name == "ald_last_day" and value == _NO_ALD):
            return [(at, one.name, _INVALID)]
        return [(at, one.name, one.head.scaled(number))]
    told: list[_Said] = [(at, name, bool(value >> bit & 1)) for bit, name in enumerate(_INFO)]
    return [*told, (at, "infocode", value)] if value >> len(_INFO) else told  # bits that are not documented


def _profile(found: list[Record], one: Record, start: datetime | None) -> list[_Said]:
    if start is None:
        raise Broken(f"the profile of {one.name} has no base time")
    base = next((other for other in found if other.is_base_of(one)), None)
    if base is None or base.value is None:
        raise Broken(f"the profile of {one.name} has no base value")
    mode, steps = _unfolded(one)
    values = accumulate(steps if mode == _DOWNWARDS else [-step for step in steps], initial=base.value)
    times = _times(start, one.profile[0] >> 4 & 3, one.profile[1], len(steps))
    name, scaled = one.head.name, one.head.scaled
    return [(at, name, scaled(value)) for at, value in zip(times, islice(values, 1, None), strict=True)]


def _unfolded(one: Record) -> tuple[int, list[int]]:
    """Increment mode and differences; what lies before an invalid difference is not known."""
    control, data = one.profile[0], one.profile[2:]
    size, mode = control & 0x0F, control >> 6
    if not 1 <= size <= 4 or mode == 0 or len(data) % size:  # noqa: PLR2004
        raise Broken(f"the profile of {one.name} is of a form that no meter of this kind sends")
    signed = mode == _SIGNED
    invalid = -1 << 8 * size - 1 if signed else (1 << 8 * size) - 1
    found = [int.from_bytes(data[at : at + size], "little", signed=signed) for at in range(0, len(data), size)]
    return mode, found[: found.index(invalid)] if invalid in found else found


@lru_cache(maxsize=256)  # the meters of a town send the same hours
def _times(start: datetime, unit: int, spacing: int, count: int) -> tuple[str, ...]:
    """The moments before `start`, the latest first."""
    try:
        if 0 < spacing <= 250:  # noqa: PLR2004 - so the standard
            apart = spacing * _SPACINGS[unit]
            return tuple((start - n * apart).isoformat() for n in range(1, count + 1))
        if spacing == _IN_MONTHS and unit in _MONTHS:
            first = start.year * 12 + start.month - 1
            months = [divmod(first - n * _MONTHS[unit], 12) for n in range(1, count + 1)]
            return tuple(start.replace(year=year, month=month + 1).isoformat() for year, month in months)
    except (OverflowError, ValueError):
        raise Broken("a profile leads to a day that no calendar holds") from None
    raise Broken("the spacing of a profile is not defined")
