"""Foreign JSON by declared paths: where the device, the time and the measures stand is said in a route, never guessed.

A path is `data.temperature`, `values[0].v`, `$.data['a.b']`; `topic.3` is the third level of the topic.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from ingest.codecs.json import MAX_ELEMENTS, time_of
from ingest.codecs.record import Decoded, Reading, Rejected, Uplink, too_deep
from schemas.errors import DravaError
from schemas.reasons import Reason

LONGEST_ID = 128
_STEP = re.compile(r"\.?([^.\[\]'\s]+)|\[(\d{1,6})\]|\['([^']{1,200})'\]")
_LEVEL = re.compile(r"topic\.([1-9]\d?)")
_MISSING = object()


@dataclass(frozen=True)
class Path:
    """Where something stands: a level of the topic (from 1), or steps into the document."""

    steps: tuple[str | int, ...]
    level: int = 0

    @classmethod
    def of(cls, text: str) -> "Path":
        """Read a path. Raises DravaError where it is none."""
        if level := _LEVEL.fullmatch(text):
            return cls((), int(level[1]))
        rest = text.removeprefix("$")
        steps = list(_STEP.finditer(rest))
        if not steps or "".join(step[0] for step in steps) != rest:
            raise DravaError(f"{text!r} is no path", "Write it like data.temperature, values[0].v or topic.3")
        return cls(tuple(_step(step) for step in steps))

    def find(self, topic: str, document: object) -> object:
        """What stands there; _MISSING where nothing does."""
        if self.level:
            levels = topic.split("/")
            return levels[self.level - 1] if self.level <= len(levels) else _MISSING
        for step in self.steps:
            if isinstance(step, int) and isinstance(document, list):
                document = document[step] if step < len(document) else _MISSING
            elif isinstance(document, dict):
                document = document.get(str(step), _MISSING)
            else:
                return _MISSING
        return document


def _step(found: re.Match[str]) -> str | int:
    name, index, quoted = found.groups()
    if index is not None:
        return int(index)
    return str(quoted if quoted is not None else name)


@dataclass(frozen=True)
class Field:
    """A measure's place, and its unit as UCUM where it is not the measure's own."""

    path: Path
    unit: str | None = None


@dataclass(frozen=True)
class Paths:
    """What a route declares. Without fields the device's profile reads the document."""

    device: Path
    time: Path | None = None
    seq: Path | None = None
    records: Path | None = None  # a list inside the document, each of whose objects is one reading
    fields: Mapping[str, Field] | None = None

    @classmethod
    def of(cls, pairs: Iterable[str]) -> "Paths":
        """From NAME=PATH pairs: device, time, seq, records, and any measure. Raises DravaError."""
        said = {name: path for name, _, path in (pair.partition("=") for pair in pairs)}
        if "device" not in said:
            raise DravaError("no path leads to the device", "Say device=PATH, or device=topic.2 for a topic's level")
        known = {name: Path.of(said.pop(name)) for name in ("device", "time", "seq", "records") if name in said}
        return cls(**known, fields={name: Field(Path.of(path)) for name, path in said.items()} or None)

    def decode(self, topic: str, payload: bytes) -> Decoded:
        """Read one message: its readings, or the document whole for the device's profile."""
        try:
            document = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return Rejected(Reason.NOT_JSON, str(error)[:200])
        if too_deep(document):
            return Rejected(Reason.WRONG_SHAPE, "nested too deeply")
        if self.records is None:
            return [self._record(topic, document, document)]
        listed = self.records.find(topic, document)
        if not isinstance(listed, list) or not listed:
            return Rejected(Reason.WRONG_SHAPE, "the declared path of the records leads to no filled list")
        if len(listed) > MAX_ELEMENTS:
            return Rejected(Reason.TOO_LARGE, f"{len(listed)} records, at most {MAX_ELEMENTS} are read")
        return [self._record(topic, document, record) for record in listed]

    def _record(self, topic: str, document: object, record: object) -> Reading | Uplink | Rejected:
        """Device, time and number may stand in the record or in the document around it."""
        if not isinstance(record, dict):
            return Rejected(Reason.WRONG_SHAPE, "a reading is no object")
        device = _first(self.device, topic, record, document)
        if type(device) is int:
            device = str(device)
        if not isinstance(device, str) or not 0 < len(device) <= LONGEST_ID:
            return Rejected(Reason.WRONG_SHAPE, "the declared path of the device leads to no name")
        seq = _first(self.seq, topic, record, document)
        number = seq if type(seq) is int and 0 <= seq < 2**63 else None
        time = _first(self.time, topic, record, document)
        when = None if time is _MISSING else time_of(time)
        if self.fields is None:
            return Uplink(device, when, number, None, None, record)
        values = self._values(topic, record)
        if not values:
            return Rejected(Reason.NO_MEASURE, f"no declared path leads to a value: {', '.join(self.fields)}"[:200])
        return Reading(device, when, values, seq=number)

    def _values(self, topic: str, record: object) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, field in (self.fields or {}).items():
            value = field.path.find(topic, record)
            if value is not _MISSING and value is not None:
                values[name] = value if field.unit is None else {"value": value, "unit": field.unit}
        return values


def _first(path: Path | None, topic: str, *documents: object) -> object:
    if path is None:
        return _MISSING
    found = (path.find(topic, document) for document in documents)
    return next((value for value in found if value is not _MISSING), _MISSING)
