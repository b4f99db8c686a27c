"""What the registry becomes when rows are added to it, or why it must not: pure, the same in any order of the rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from devices.facts import ALWAYS, IN_SERVICE, Facts, Subject, Value, at, last
from devices.problems import Fault, Problem
from devices.registry import FACTS_OF_DEVICE, Registration, distances_fit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPEN = 2**63  # an assignment without end, in comparisons


@dataclass(frozen=True)
class Thing:
    """What is measured or lit or emptied: it keeps its family and its history whatever device hangs there."""

    thing_id: str
    family: str
    area_id: str | None = None
    lat: float | None = None
    lon: float | None = None
    title: str | None = None
    attributes: dict[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class DeviceEntry:
    """What the registry says of a device; where it hangs is said by assignments."""

    device_id: str
    family: str
    model: str | None = None
    gateway: str | None = None
    factors: dict[str, float] = field(default_factory=dict)


Key = tuple[str, str, int]


@dataclass(frozen=True)
class Assignment:
    """A device at a thing from `valid_from` until before `valid_to` (µs since 1970 UTC; None: still there)."""

    device_id: str
    thing_id: str
    valid_from: int
    valid_to: int | None = None
    start_register: Decimal | None = None
    end_register: Decimal | None = None

    @property
    def key(self) -> Key:
        """Identity: what else is said of it may be corrected."""
        return self.device_id, self.thing_id, self.valid_from


@dataclass(frozen=True)
class Book:
    """The whole registry as plain values. `things` and `devices` are what `facts` says of the latest time."""

    things: dict[str, Thing]
    devices: dict[str, DeviceEntry]
    assignments: dict[Key, Assignment]
    facts: dict[Subject, Facts]


EMPTY = Book({}, {}, {}, {})


def merge(book: Book, rows: Sequence[Registration]) -> tuple[Book, list[Problem]]:
    """Add rows to the registry: what a row does not say stays, what it says is put in place of what was there.

    What a row says holds from its `since`, or from where it begins. An assignment ends only where a row says so, and
    is gone only where a row withdraws it; a thing without any assignment left is gone with it. An area that is not
    known yet is made. Problems are those of all rows; where there are any the book is not to be used.
    """
    problems: list[Problem] = []
    distinct = _distinct(rows, problems)
    gone = {_key(row) for row in distinct if row.withdrawn}
    left = {key: found for key, found in book.assignments.items() if key not in gone}
    new = Book(dict(book.things), dict(book.devices), left, dict(book.facts))
    placed = {("device", key[0]) for key in left} | {("thing", key[1]) for key in left}
    lines: dict[Key, int] = {}
    for row in distinct:
        if not row.withdrawn:
            problems += _add(new, row, placed)
            lines[_key(row)] = row.line
    for _, thing_id, _ in gone:
        if ("thing", thing_id) not in placed:
            new.things.pop(thing_id, None)
            new.facts.pop(("thing", thing_id), None)
    problems += collisions(left.values(), lines)
    return new, sorted(problems, key=lambda p: (p.line, p.column))


def _key(row: Registration) -> Key:
    return row.device_id, row.thing_id, row.valid_from


def _add(book: Book, row: Registration, placed: set[tuple[str, str]]) -> list[Problem]:
    """Put what one row says into the book; `placed` are the devices and things that have an assignment."""
    device = book.devices.get(row.device_id) or DeviceEntry(row.device_id, row.family)
    thing = book.things.get(row.thing_id) or Thing(row.thing_id, row.family)
    # without any assignment left it was registered by mistake, and may begin anew in another family
    if ("device", row.device_id) not in placed:
        device = replace(device, family=row.family)
    if ("thing", row.thing_id) not in placed:
        thing = replace(thing, family=row.family)
    placed |= {("device", row.device_id), ("thing", row.thing_id)}
    book.assignments[_key(row)] = _assignment(book.assignments, row)
    _state(book, row)
    book.things[row.thing_id] = thing_of(row.thing_id, thing.family, book.facts.get(("thing", row.thing_id), {}))
    book.devices[row.device_id] = device_of(row.device_id, device.family, book.facts.get(("device", row.device_id), {}))
    if row.area is not None:
        book.facts.setdefault(("area", row.area), {(IN_SERVICE, ALWAYS): True})
    problems = list(_family_kept(row, device, thing))
    if not distances_fit(_factors(at(book.facts.get(("device", row.device_id), {}), _since(row)))):
        problems.append(Problem(row.line, "empty_distance_mm", "", Fault.FILL_DISTANCES))
    return problems


def _since(row: Registration) -> int:
    return row.valid_from if row.since is None else row.since


def _state(book: Book, row: Registration) -> None:
    """Write down what the row says of the thing and of the device, from when it holds."""
    place = _said(area_id=row.area, lat=row.lat, lon=row.lon, title=row.title)
    own = _said(model=row.model, gateway=row.gateway, calibrated_until=row.calibrated_until)
    for subject, said in (
        (("thing", row.thing_id), place | row.attributes),
        (("device", row.device_id), own | row.factors),
    ):
        if said:
            known = book.facts.get(subject, {})
            book.facts[subject] = {**known, **{(name, _since(row)): value for name, value in said.items()}}


def thing_of(thing_id: str, family: str, facts: Facts) -> Thing:
    """Give a thing as its facts have it last."""
    said = last(facts)
    own = {name: said.pop(name, None) for name in ("area_id", "lat", "lon", "title")}
    return Thing(thing_id, family, **own, attributes=said)  # type: ignore[arg-type]


def device_of(device_id: str, family: str, facts: Facts) -> DeviceEntry:
    """Give a device as its facts have it last."""
    said = last(facts)
    own = {name: said.get(name) for name in ("model", "gateway")}
    return DeviceEntry(device_id, family, **own, factors=_factors(said))  # type: ignore[arg-type]


def _factors(said: Mapping[str, Value]) -> dict[str, float]:
    return {name: float(value) for name, value in said.items() if name not in FACTS_OF_DEVICE and value is not None}


def _distinct(rows: Iterable[Registration], problems: list[Problem]) -> list[Registration]:
    """Give rows in the order of time; the same row twice is one row, two that differ are a problem."""
    found = []
    ordered = sorted(rows, key=lambda row: (*_key(row)[::-1], _since(row), row.line))
    for _, same in groupby(ordered, key=lambda row: (_key(row), _since(row))):
        first, *others = same
        found.append(first)
        for other in others:
            if other.model_copy(update={"line": first.line}) != first:
                problems.append(
                    Problem(other.line, "device_id", other.device_id, Fault.ROW_TWICE, {"line": first.line})
                )
    return found


def _family_kept(row: Registration, device: DeviceEntry, thing: Thing) -> Iterator[Problem]:
    if device.family != row.family:
        detail = {"device": row.device_id, "family": device.family}
        yield Problem(row.line, "family", row.family, Fault.DEVICE_FAMILY, detail)
    if thing.family != row.family:
        detail = {"thing": row.thing_id, "family": thing.family}
        yield Problem(row.line, "family", row.family, Fault.THING_FAMILY, detail)


def _said(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _assignment(known: Mapping[Key, Assignment], row: Registration) -> Assignment:
    new = Assignment(row.device_id, row.thing_id, row.valid_from)
    said = _said(valid_to=row.valid_to, start_register=row.start_register, end_register=row.end_register)
    return replace(known.get(new.key, new), **said)


def collisions(assignments: Iterable[Assignment], lines: Mapping[Key, int]) -> Iterator[Problem]:
    """Find what is in two places, or a place with two devices, at one time; `lines` are those to be blamed."""
    found = list(assignments)
    yield from _overlaps(found, lines, lambda a: a.device_id, Fault.DEVICE_ELSEWHERE)
    yield from _overlaps(found, lines, lambda a: a.thing_id, Fault.THING_OCCUPIED)


def _overlaps(
    assignments: Iterable[Assignment], lines: Mapping[Key, int], owner: Callable[[Assignment], str], fault: Fault
) -> Iterator[Problem]:
    """Find assignments of one device, or to one thing, in force at the same time; at least one is a new row."""
    ordered = sorted(assignments, key=lambda a: (owner(a), a.valid_from, a.key))
    for _, group in groupby(ordered, key=owner):
        longest: Assignment | None = None
        for found in group:
            if longest is not None and found.valid_from < _end(longest):
                yield from _collision(longest, found, lines, fault)
            if longest is None or _end(found) > _end(longest):
                longest = found


def _end(assignment: Assignment) -> int:
    return _OPEN if assignment.valid_to is None else assignment.valid_to


def _collision(first: Assignment, second: Assignment, lines: Mapping[Key, int], fault: Fault) -> Iterator[Problem]:
    blamed, other = (second, first) if second.key in lines else (first, second)
    if blamed.key not in lines:
        return
    column = "device_id" if fault is Fault.DEVICE_ELSEWHERE else "thing_id"
    detail = {
        "device": other.device_id,
        "thing": other.thing_id,
        "start": _datetime(other.valid_from),
        "end": "…" if other.valid_to is None else _datetime(other.valid_to),
    }
    value = blamed.device_id if column == "device_id" else blamed.thing_id
    yield Problem(lines[blamed.key], column, value, fault, detail)


def _datetime(moment: int) -> datetime:
    return _EPOCH + timedelta(microseconds=moment)
