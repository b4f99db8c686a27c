"""The examples of a profile are its tests: what each must yield, against what it does."""

import base64
from collections.abc import Sequence

from devices.words import Example, Expected, Profile
from ingest import codecs
from ingest.codecs.record import Housekeeping, Reading, Rejected, Uplink, epoch_us
from ingest.uplink import readings, spoken
from schemas.errors import DravaError

Outcome = Sequence[Reading] | Housekeeping | Rejected


def differences(profile: Profile, example: Example) -> list[str]:
    """Say where an example and what the profile makes of it part; empty where it comes true."""
    found = outcome(profile, example)
    if example.rejected or example.housekeeping:
        told = found.reason.value if isinstance(found, Rejected) else ""
        told = found.kind if isinstance(found, Housekeeping) and example.housekeeping else told
        expected = example.rejected or example.housekeeping
        return [] if told == expected else [f"{expected} is expected, and it gives {_shown(found)}"]
    if isinstance(found, Rejected | Housekeeping) or len(found) != len(example.reading):
        return [f"{len(example.reading)} readings are expected, and it gives {_shown(found)}"]
    pairs = zip(found, example.reading, strict=True)
    return [line for reading, expected in pairs for line in _compared(reading, expected)]


def outcome(profile: Profile, example: Example) -> Outcome:
    """What the profile makes of an example."""
    if example.data is not None:
        frame = base64.b64decode(example.data)
        return readings(profile, Uplink("example", None, None, example.port, frame, None))
    try:
        codec = codecs.load(example.codec or "")
    except DravaError as error:
        raise DravaError(f"example {example.title!r}: {error.what}", error.hint) from None
    sent = codec(example.topic, (example.payload or "").encode())
    if isinstance(sent, Rejected | Housekeeping):
        return sent
    made: list[Reading] = []
    for one in sent:
        found = read(profile, one)
        if isinstance(found, Rejected | Housekeeping):
            return found
        made += found
    return made


def read(profile: Profile, one: Reading | Uplink | Rejected) -> list[Reading] | Housekeeping | Rejected:
    """Apply a profile to what a codec gave."""
    if isinstance(one, Rejected):
        return one
    return readings(profile, one) if isinstance(one, Uplink) else spoken(profile, one)


def _compared(reading: Reading, expected: Expected) -> list[str]:
    times = [reading.time, *(time for _, time in reading.next_best)]
    best = next((time for time in times if time is not None), None)
    pairs = [
        ("values", dict(expected.values), reading.values),
        ("extra", dict(expected.extra), reading.extra),
        ("history", expected.history, reading.history),
        ("family", expected.family, reading.family),
    ]
    if expected.time is not None:
        pairs.append(("time", epoch_us(expected.time), best))
    return [f"{name}: {want!r} is expected, and it gives {got!r}" for name, want, got in pairs if want != got]


def _shown(found: Outcome) -> str:
    match found:
        case Rejected():
            return f"rejected: {found.reason.value} ({found.detail})"
        case Housekeeping():
            return f"housekeeping: {found.kind}"
        case _:
            return f"{len(found)} readings: {', '.join(str(one.values) for one in found)}"
