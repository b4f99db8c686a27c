"""From an uplink to readings: the profile's frame decoder, then the profile's columns and units."""

from math import isfinite
from typing import cast

from devices.profiles import Profile, Source
from ingest.codecs.frames import DECODERS
from ingest.codecs.record import Housekeeping, Reading, Rejected, Uplink, epoch_us
from schemas import units
from schemas.reasons import Reason

LONGEST = 255  # no LoRaWAN frame is longer

_SECONDS_END = 100_000_000_000  # the year 5138 in s, 1973 in ms: above it a number must mean ms
_INT64 = 2**63
_MISSING = object()


def readings(profile: Profile, uplink: Uplink) -> list[Reading] | Housekeeping | Rejected:
    """Give the readings of one uplink: the live one first, then those the device kept. One bad value rejects all."""
    found = _object(profile, uplink)
    if isinstance(found, Rejected):
        return found
    if not found:
        return Housekeeping("device_info", uplink.device)
    live, past = _split(profile, found)
    if len(past) > LONGEST:
        return Rejected(Reason.TOO_LARGE, f"{len(past)} records of history are more than a LoRaWAN frame holds")
    made = [_live(profile, uplink, live), *(_past(profile, uplink, record) for record in past)]
    kept = [reading for reading in made if isinstance(reading, Rejected) or reading.values]
    rejected = next((reading for reading in kept if isinstance(reading, Rejected)), None)
    if not kept:
        return Rejected(Reason.NO_MEASURE, f"no field of {profile.id} among: {', '.join(found)[:200]}")
    return rejected or cast("list[Reading]", kept)


def _object(profile: Profile, uplink: Uplink) -> dict[str, object] | Rejected:
    """The frame itself where we can read it, else what the network server made of it."""
    decoder = DECODERS.get(profile.decoder or "")
    if uplink.data and decoder:
        if len(uplink.data) > LONGEST:
            return Rejected(Reason.BAD_FRAME, f"{len(uplink.data)} bytes are more than a LoRaWAN frame holds")
        return decoder(uplink.data)
    if uplink.object:
        return uplink.object
    if uplink.data:
        return Rejected(Reason.BAD_FRAME, f"{profile.id} reads objects, not frames")
    return Rejected(Reason.NO_MEASURE, "the uplink carries neither a frame nor an object")


def _split(profile: Profile, found: dict[str, object]) -> tuple[dict[str, object], list[object]]:
    field = profile.history.field if profile.history else None
    past = found.get(field) if field else None
    if not isinstance(past, list):
        return found, []
    return {key: value for key, value in found.items() if key != field}, past


def _live(profile: Profile, uplink: Uplink, record: dict[str, object]) -> Reading | Rejected:
    mapped = _mapped(profile, record)
    if isinstance(mapped, Rejected):
        return mapped
    values, extra = mapped
    return Reading(uplink.device, uplink.time, values, uplink.seq, uplink.next_best, extra=extra)


def _past(profile: Profile, uplink: Uplink, record: object) -> Reading | Rejected:
    if profile.history is None or not isinstance(record, dict):
        return Rejected(Reason.WRONG_SHAPE, "a record of the history is not an object")
    time = _time(record.get(profile.history.time))
    mapped = _mapped(profile, {key: value for key, value in record.items() if key != profile.history.time})
    if isinstance(mapped, Rejected):
        return mapped
    values, extra = mapped
    return Reading(uplink.device, time, values, uplink.seq, history=True, extra=extra)


def _mapped(profile: Profile, record: dict[str, object]) -> tuple[dict[str, object], dict[str, object]] | Rejected:
    """Give the named fields by their columns, and the rest as it came."""
    values: dict[str, object] = {}
    extra: dict[str, object] = {}
    for key, raw in record.items():
        source = profile.fields.get(key)
        value = _MISSING if source is None else _value(source, raw)
        if isinstance(value, Rejected):
            return Rejected(value.reason, f"{key[:40]}: {value.detail}")
        if source is not None and value is not _MISSING:
            if values.setdefault(source.column, value) != value:
                return Rejected(Reason.WRONG_SHAPE, f"{key[:40]}: another field gives {source.column} another value")
        elif key not in profile.drop:
            extra[key] = raw
    return values, extra


def _value(source: Source, raw: object) -> object:
    """Give the value in the column's unit; _MISSING where the device says that it has none."""
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)  # ChirpStack's objects know only floating point
    if raw is None or (source.sentinels and _is_sign(source, raw)):
        return _MISSING
    value = source.values.get(str(raw), raw) if source.values and isinstance(raw, str | int) else raw
    if source.measure.type == "bool":
        return value if isinstance(value, bool) else _wrong(source, raw)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _wrong(source, raw)
    converted = _converted(source, value)
    return _wrong(source, raw) if converted is None else converted


def _is_sign(source: Source, raw: object) -> bool:
    return any(raw == sign and isinstance(raw, bool) == isinstance(sign, bool) for sign in source.sentinels)


def _converted(source: Source, value: float) -> float | None:
    measure = source.measure
    try:
        same = source.unit is None or source.unit == measure.unit
        found = value if same else units.convert(value, source.unit or "", measure.unit)
        if found is None or not isfinite(found) or (measure.type == "int" and (found % 1 or abs(found) >= _INT64)):
            return None
    except (OverflowError, ValueError):  # no float is so large, or it is none at all
        return None
    return int(found) if measure.type == "int" else found


def _wrong(source: Source, raw: object) -> Rejected:
    return Rejected(Reason.WRONG_TYPE, f"{str(raw)[:40]!r} is not a {source.measure.type}")


def _time(raw: object) -> int | None:
    if isinstance(raw, str):
        return epoch_us(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw < _SECONDS_END * 1000:
        return None
    return int(raw * (1_000_000 if raw < _SECONDS_END else 1000))
