"""Our own JSON: one reading as an object, or an array of them, on our own topics.

`{"time": RFC 3339 or epoch, "seq": integer, "<measure>": number}`; in place of a number also
`{"value": number, "unit": UCUM}`. A gateway's objects name their `device`. This is the general path: every odd form
ends here. Plain objects of known devices take the typed path of `ingest.decode`, which gives the same readings.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ingest.codecs.record import Decoded, Reading, Rejected, epoch_us, too_deep
from ingest.topics import is_gateway
from schemas.reasons import Reason

MAX_ELEMENTS = 10_000
UNTRUSTED = 0  # 1970: a time that nobody believes, so that what comes next is the rule for wrong clocks

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RAW = msgspec.json.Decoder(list[msgspec.Raw])


def decode(topic: str, payload: bytes) -> Decoded:
    """Give the readings of one message; a wrong element of an array is a Rejected in its place."""
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Rejected(Reason.NOT_JSON, str(error)[:200])
    if too_deep(document):
        return Rejected(Reason.WRONG_SHAPE, "nested too deeply")
    if isinstance(document, dict):
        found = _reading(topic, document, history=False)
        return found if isinstance(found, Rejected) else [found]
    if not isinstance(document, list) or not document:
        return Rejected(Reason.WRONG_SHAPE, "neither an object nor a filled array of objects")
    if len(document) > MAX_ELEMENTS:
        return Rejected(Reason.TOO_LARGE, f"{len(document)} elements, at most {MAX_ELEMENTS} are read")
    named = Counter(_named(element) for element in document)
    # several readings of one device are its memory; one each of several devices is a gateway's live round
    return [
        _reading(topic, element, history=named[_named(element)] > 1)
        if isinstance(element, dict)
        else Rejected(Reason.WRONG_SHAPE, "the element is not an object")
        for element in document
    ]


def elements(payload: bytes) -> list[bytes]:
    """The elements of an array as they came, byte for byte."""
    return [bytes(raw) for raw in _RAW.decode(payload)]


def _named(element: object) -> str:
    name = element.get("device", element.get("device_id")) if isinstance(element, dict) else None
    return name if isinstance(name, str) else ""


def _reading(topic: str, fields: dict[str, Any], *, history: bool) -> Reading | Rejected:
    levels = topic.split("/")
    named = fields.pop("device", fields.pop("device_id", None))
    if named is not None and not isinstance(named, str):
        return Rejected(Reason.WRONG_TYPE, "device is not a text")
    if is_gateway(levels):
        if not named:
            return Rejected(Reason.WRONG_SHAPE, "a gateway's reading must name its device")
        device = named
    else:
        device = levels[-2] if len(levels) > 1 else ""
        if named is not None and named != device:
            return Rejected(Reason.DEVICE_MISMATCH, f"the topic says {device[:64]!r}, the payload {named[:64]!r}")
    seq = fields.pop("seq", None)
    if seq is not None and (type(seq) is not int or not 0 <= seq < 2**63):
        return Rejected(Reason.WRONG_TYPE, "seq is not a whole number from 0 to 2^63")
    return Reading(device, time_of(fields.pop("time", None)), fields, seq=seq, history=history)


def time_of(value: object) -> int | None:
    """µs since 1970; None where there is no time, UNTRUSTED where it cannot be one (no offset, no number, no date)."""
    if value is None:
        return None
    if isinstance(value, str):
        return written(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return epoch_number(value)
    return UNTRUSTED


def written(text: str) -> int:
    """A time as µs since 1970: RFC 3339 rounded to µs, else the wider forms of ISO 8601, else UNTRUSTED."""
    try:
        found = (msgspec.convert(text, datetime) - _EPOCH) // _MICROSECOND
    except (msgspec.ValidationError, TypeError):  # no time, or one without an offset
        return epoch_us(text) or UNTRUSTED
    return found


def epoch_number(value: float) -> int:
    """An epoch time in s, ms, µs or ns, told apart by size (s until the year 5138), as µs."""
    size = abs(value)
    for limit, factor in ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1)):
        if size < limit:
            return round(value * factor)
    return int(value // 1000) if size < 1e20 else UNTRUSTED  # noqa: PLR2004 - ns until the year 5138


def as_datetime(microseconds: int | None) -> datetime | None:
    """A datetime of µs since 1970; what no calendar holds is 1970, which is never trusted."""
    if microseconds is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return _EPOCH
