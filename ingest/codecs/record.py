"""What a codec makes of a message: plain values, the same for every codec."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from schemas.reasons import Reason

DEEPEST = 32
_NESTS = (dict, list)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Times = tuple[tuple[str, int], ...]
"""Pairs of time source and µs since 1970, the most trusted first."""


class Reading(Struct, frozen=True, gc=False):
    """One device at one time. `values` are keyed by the measure's column, or as the device says it."""

    device: str
    time: int | None  # the device's own clock, µs since 1970
    values: dict[str, object]
    seq: int | None = None
    next_best: Times = ()  # where `time` is missing or not trusted
    history: bool = False  # measured earlier and kept by the device: no other time than its own will do
    extra: dict[str, object] = {}  # fields that no profile names
    family: str | None = None  # where it is not the device's own: a profile may feed two


class Uplink(Struct, frozen=True, gc=False):
    """What a LoRaWAN device said. Only its profile can tell what that means."""

    device: str
    time: int | None
    seq: int | None
    port: int | None
    data: bytes | None  # decrypted frame
    object: dict[str, object] | None  # what the network server made of it
    next_best: Times = ()
    model: str | None = None  # what the network server calls the device type: a hint to people; the registry decides


class Housekeeping(Struct, frozen=True):
    """A message about the network, not about the city."""

    kind: str
    device: str | None = None


class Rejected(Struct, frozen=True):
    """Wrong data is a value: why it cannot be read, and a detail for a person."""

    reason: Reason
    detail: str


Decoded = Sequence[Reading | Uplink | Rejected] | Housekeeping | Rejected
"""One wrong element of an array stands as Rejected among its neighbours."""
Codec = Callable[[str, bytes], Decoded]
"""From topic and payload to plain values. Never raises, never looks at lake, clock or registry."""


def too_deep(value: object, levels: int = DEEPEST) -> bool:
    """Whether lists and objects are nested deeper than this: what passes can be walked by anyone without fear."""
    inside = [value] if isinstance(value, _NESTS) else []
    for _ in range(levels):
        inside = [
            child
            for one in inside
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, _NESTS)
        ]
        if not inside:
            return False
    return any(inside)


def epoch_us(text: str) -> int | None:
    """Read RFC 3339 as µs since 1970, finer digits cut off; None where it is no time or has no offset."""
    try:
        found = datetime.fromisoformat(text)
        return (found - _EPOCH) // _MICROSECOND if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
