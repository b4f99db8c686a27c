"""What one value of a device means by its profile: a number in the column's unit, yes or no, or nothing."""

import re
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from math import isfinite

from devices.words import Source
from ingest.codecs.record import Rejected, epoch_us
from schemas import units
from schemas.reasons import Reason

MISSING = object()

_SECONDS_END = 100_000_000_000  # the year 5138 in s, 1973 in ms: above it a number must mean ms
_INT64 = 2**63
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?")
_MICROSECOND = 1_000_000


def value_of(source: Source, raw: object) -> object:
    """Give the value in the column's unit; MISSING where the device has none, Rejected where it is no value."""
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)  # ChirpStack's objects know only floating point
    if raw is None or (source.sentinels and _is_sign(source, raw)):
        return MISSING
    value: object = source.values.get(str(raw), raw) if source.values and isinstance(raw, str | int) else raw
    if source.measure.type == "bool":
        return value if isinstance(value, bool) else _wrong(source, raw)
    unit = source.unit
    if isinstance(value, dict) and "value" in value:  # a quantity that says its unit itself
        unit = units.code(value.get("unit")) or unit
        value = value["value"]
        if value is None:
            return MISSING
    if source.decimal and isinstance(value, str):
        value = _number(value, source.decimal)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _wrong(source, raw)
    if unit is not None and units.conversion(unit, source.measure.unit) is None:
        return Rejected(Reason.WRONG_UNIT, f"{unit[:32]!r} cannot become {source.measure.unit!r}")
    converted = _converted(source, value, unit)
    return _wrong(source, raw) if converted is None else converted


def _is_sign(source: Source, raw: object) -> bool:
    return any(raw == sign and isinstance(raw, bool) == isinstance(sign, bool) for sign in source.sentinels)


def _number(text: str, mark: str) -> float | None:
    """A number in a text; a stray mark at its end ("3,") is none."""
    plain = text.strip().rstrip(",;. ").replace(mark, ".")
    return float(plain) if _NUMBER.fullmatch(plain) else None


def _converted(source: Source, value: float, unit: str | None) -> float | None:
    measure = source.measure
    try:
        if source.scale is not None:
            value = float(Fraction(str(value)) * Fraction(str(source.scale)))  # tenths stay exact
        found = value if unit is None or unit == measure.unit else units.convert(value, unit, measure.unit)
        if found is None or not isfinite(found) or (measure.type == "int" and (found % 1 or abs(found) >= _INT64)):
            return None
    except (OverflowError, ValueError):  # no float is so large, or it is none at all
        return None
    return int(found) if measure.type == "int" else found


def _wrong(source: Source, raw: object) -> Rejected:
    return Rejected(Reason.WRONG_TYPE, f"{str(raw)[:40]!r} is not a {source.measure.type}")


def time_us(raw: object) -> int | None:
    """A time that says which it is, as µs since 1970: RFC 3339, or seconds or milliseconds of the epoch."""
    if isinstance(raw, str):
        return epoch_us(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw < _SECONDS_END * 1000:
        return None
    return int(raw * (_MICROSECOND if raw < _SECONDS_END else 1000))


def local_us(raw: object, zone: tzinfo, near: int | None = None) -> int | None:
    """A time of the clock on the wall as µs since 1970; None where that clock never showed it.

    Of the hour that autumn has twice, the one nearer to `near` is meant, without it the first.
    """
    try:
        said = datetime.fromisoformat(raw) if isinstance(raw, str) else None
        if said is None or said.tzinfo is not None:
            return None
        always = zone.utcoffset(None)
        if always is not None:  # a zone without summer time
            return round((said.replace(tzinfo=UTC) - always).timestamp() * _MICROSECOND)
        meant = [round(said.replace(tzinfo=zone, fold=fold).timestamp() * _MICROSECOND) for fold in (0, 1)]
        back = [datetime.fromtimestamp(us / _MICROSECOND, UTC).astimezone(zone).replace(tzinfo=None) for us in meant]
    except (ValueError, OverflowError):
        return None
    possible = [us for us, wall in zip(meant, back, strict=True) if abs((wall - said).total_seconds()) < 1]
    if not possible:
        return None
    return possible[0] if near is None else min(possible, key=lambda us: abs(us - near))
