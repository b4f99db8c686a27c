"""From what a device says to readings: the profile's frame decoder, then the profile's fields, family by family."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from devices.words import LOCAL, Profile, Source
from ingest.codecs.frames import DECODERS
from ingest.codecs.record import Housekeeping, Reading, Rejected, Times, Uplink
from ingest.meaning import MISSING, local_us, time_us, value_of
from schemas.reasons import Reason
from schemas.vocabulary import families

LONGEST = 255  # no LoRaWAN frame is longer
ASSUMED = "assumed_local"  # the time source of a clock without an offset: its zone is the profile's word
_WORDS = re.compile(r"[\s,;|]+")
_CALM = frozenset({"", "ok", "none", "normal"})  # what devices write where no flag is set


@dataclass
class _Found:
    """What one record says, by family; what no profile names stays aside as it came."""

    values: dict[str, dict[str, object]] = field(default_factory=dict)
    extra: dict[str, object] = field(default_factory=dict)
    clock: object = None

    def put(self, family: str, column: str, value: object) -> bool:
        """Whether the value is taken: two fields of one column must agree."""
        return self.values.setdefault(family, {}).setdefault(column, value) == value


def readings(profile: Profile, uplink: Uplink, zone: tzinfo = UTC) -> list[Reading] | Housekeeping | Rejected:
    """Give the readings of one uplink: the live ones first, then those the device kept. One bad value rejects all.

    `zone` is the municipality's, for device clocks that the profile calls local.
    """
    found = _object(profile, uplink)
    if isinstance(found, Rejected):
        return found
    if isinstance(found, Housekeeping) or not found:
        return Housekeeping(found.kind if isinstance(found, Housekeeping) else "device_info", uplink.device)
    live, past = _split(profile, found)
    if len(past) > LONGEST:
        return Rejected(Reason.TOO_LARGE, f"{len(past)} records of history are more than a LoRaWAN frame holds")
    clock = _zone(profile, zone)
    made = [_live(profile, uplink, live, clock), *(_past(profile, uplink, record, clock) for record in past)]
    rejected = next((one for one in made if isinstance(one, Rejected)), None)
    if rejected:
        return rejected
    kept = [reading for some in made if not isinstance(some, Rejected) for reading in some]
    if not kept:
        return Rejected(Reason.NO_MEASURE, f"no field of {profile.id} among: {', '.join(found)[:200]}")
    return kept


def spoken(profile: Profile, reading: Reading, zone: tzinfo = UTC) -> list[Reading] | Housekeeping | Rejected:
    """Give the readings of what a codec read already, where the device's words are the profile's.

    Columns of the family may stand among them under their own names.
    """
    own = set(profile.tree)
    if profile.history:
        own.add(profile.history.field)
    theirs = {key: value for key, value in reading.values.items() if key in own}
    if not theirs:
        return [reading]
    plain = {key: value for key, value in reading.values.items() if key not in own}
    said = Uplink(reading.device, reading.time, reading.seq, None, None, theirs, reading.next_best)
    made = readings(profile, said, zone)
    if not isinstance(made, list) or not plain:
        return made
    columns = families()[profile.family]
    ours = {key: value for key, value in plain.items() if key in columns.measures or key in columns.keys}
    rest = {key: value for key, value in plain.items() if key not in ours}
    first = made[0]
    values = {**ours, **first.values}
    whole = Reading(
        first.device, first.time, values, first.seq, first.next_best, first.history, first.extra | rest, first.family
    )
    return [whole, *made[1:]]


def _zone(profile: Profile, local: tzinfo) -> tzinfo | None:
    name = profile.clock.zone
    return local if name == LOCAL else ZoneInfo(name) if name else None


def _object(profile: Profile, uplink: Uplink) -> dict[str, object] | Housekeeping | Rejected:
    """The frame itself where we can read it, else what the network server made of it."""
    decoder = DECODERS.get(profile.decoder or "")
    if uplink.data and decoder:
        if len(uplink.data) > LONGEST:
            return Rejected(Reason.BAD_FRAME, f"{len(uplink.data)} bytes are more than a LoRaWAN frame holds")
        return decoder(uplink.data, uplink.port)
    if uplink.object:
        return uplink.object
    if uplink.data:
        return Rejected(Reason.BAD_FRAME, f"{profile.id} reads objects, not frames")
    return Rejected(Reason.NO_MEASURE, "the uplink carries neither a frame nor an object")


def _split(profile: Profile, found: dict[str, object]) -> tuple[dict[str, object], list[object]]:
    name = profile.history.field if profile.history else None
    past = found.get(name) if name else None
    if not isinstance(past, list):
        return found, []
    return {key: value for key, value in found.items() if key != name}, past


def _live(profile: Profile, uplink: Uplink, record: dict[str, object], zone: tzinfo | None) -> list[Reading] | Rejected:
    time, best = uplink.time, uplink.next_best
    if profile.clock.field in record:
        record = dict(record)
        said = record.pop(profile.clock.field)
        own = time_us(said)
        assumed = local_us(said, zone, near=best[0][1] if best else None) if own is None and zone else None
        time = own if own is not None else time
        best = ((ASSUMED, assumed), *best) if assumed is not None else best
    return _made(profile, uplink, record, time, best, history=False)


def _past(profile: Profile, uplink: Uplink, record: object, zone: tzinfo | None) -> list[Reading] | Rejected:
    if profile.history is None or not isinstance(record, dict):
        return Rejected(Reason.WRONG_SHAPE, "a record of the history is not an object")
    record = dict(record)
    said = record.pop(profile.history.time, None)
    time = time_us(said)
    if time is None and zone:  # history has no other time: what the profile says of its clock is taken at its word
        time = local_us(said, zone)
    return _made(profile, uplink, record, time, (), history=True)


def _made(
    profile: Profile, uplink: Uplink, record: dict[str, object], time: int | None, best: Times, *, history: bool
) -> list[Reading] | Rejected:
    found = _Found()
    wrong = _mapped(profile, record, profile.tree, found, found.extra)
    if wrong is not None:
        return wrong
    made: list[Reading] = []
    for family in profile.families:  # its own first: that one has what no profile names
        values = found.values.get(family)
        if values:
            other = None if family == profile.family else family
            extra = {} if made else found.extra
            made.append(Reading(uplink.device, time, values, uplink.seq, best, history, extra, other))
    return made


def _mapped(
    profile: Profile,
    record: Mapping[str, object],
    tree: Mapping[str, object],
    found: _Found,
    rest: dict[str, object],
) -> Rejected | None:
    """Put the named fields into `found`, and the others into `rest`. Returns what is wrong with one."""
    for key, raw in record.items():
        leaf = tree.get(key, MISSING)
        if isinstance(leaf, Source):
            wrong = _taken(profile, key, leaf, raw, found, rest)
        elif leaf is MISSING:
            rest[key] = raw
            continue
        elif leaf is None:  # to be dropped
            continue
        else:
            wrong = _inside(profile, key, leaf, raw, found, rest)
        if wrong is not None:
            return Rejected(wrong.reason, f"{key[:40]}: {wrong.detail}"[:200])
    return None


def _inside(
    profile: Profile, key: str, tree: object, raw: object, found: _Found, rest: dict[str, object]
) -> Rejected | None:
    """Follow a path into an object, or into a list by number."""
    below = {str(place): value for place, value in enumerate(raw)} if isinstance(raw, list) else raw
    if not isinstance(below, dict) or not isinstance(tree, dict):
        rest[key] = raw
        return None
    left: dict[str, object] = {}
    wrong = _mapped(profile, below, tree, found, left)
    if left:
        rest[key] = left
    return wrong


def _taken(
    profile: Profile, key: str, source: Source, raw: object, found: _Found, rest: dict[str, object]
) -> Rejected | None:
    family = source.family or profile.family
    if source.column is None:
        return _flags(source, family, key, raw, found, rest)
    value = value_of(source, raw)
    if isinstance(value, Rejected):
        return value
    if value is MISSING:
        rest[key] = raw
    elif not found.put(family, source.column, value):
        return Rejected(Reason.WRONG_SHAPE, f"another field gives {source.column} another value")
    return None


def _flags(
    source: Source, family: str, key: str, raw: object, found: _Found, rest: dict[str, object]
) -> Rejected | None:
    """Bits of a number or words of a text as columns: one that is set wins. What no column stands for is kept."""
    if raw is None or raw in source.sentinels:
        rest[key] = raw
        return None
    told = dict(_bits(source, raw) if source.bits else _flagged(source, raw))
    if not told:
        return Rejected(Reason.WRONG_TYPE, f"{str(raw)[:40]!r} holds no {'bits' if source.bits else 'words'}")
    values = found.values.setdefault(family, {})
    for column, is_set in told.items():
        if column:
            values[column] = bool(values.get(column)) or is_set
        elif is_set:
            rest[key] = raw
    return None


def _bits(source: Source, raw: object) -> Iterator[tuple[str, bool]]:
    """Pairs of column and whether it is set; the empty column stands for bits without a name."""
    number = int(raw) if isinstance(raw, float) and raw.is_integer() else raw
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**64:
        return
    named = sum(1 << int(bit) for bit in source.bits)
    for column in source.columns:
        mask = sum(1 << int(bit) for bit, name in source.bits.items() if name == column)
        yield column, bool(number & mask)
    yield "", bool(number & ~named)


def _flagged(source: Source, raw: object) -> Iterator[tuple[str, bool]]:
    if not isinstance(raw, str):
        return
    said = {word.casefold() for word in _WORDS.split(raw.strip())} - _CALM
    known = {word.casefold(): column for word, column in source.flags.items()}
    for column in source.columns:
        yield column, any(known.get(word) == column for word in said)
    yield "", bool(said - known.keys())
