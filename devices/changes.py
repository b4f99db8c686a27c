"""What an import changes: rows before and after, to be written, shown to people, and undone. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from devices.facts import IN_SERVICE, Facts, Subject, Value, at
from devices.merge import Assignment, Book, Key, collisions, device_of, thing_of
from devices.problems import Fault, Problem

Entity = Literal["things", "devices", "assignments", "facts"]
What = Literal["added", "changed", "ended", "reopened", "withdrawn"]


@dataclass(frozen=True)
class Change:
    """One row of the registry before and after; None: it was not, or is no more. Values are fit for JSON."""

    entity: Entity
    key: tuple[Any, ...]
    before: Any
    after: Any


@dataclass(frozen=True)
class Effect:
    """What becomes different of one object from a moment on: for each column the old value and the new one."""

    kind: str
    id: str
    what: What
    since: int
    columns: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def changes(old: Book, new: Book) -> list[Change]:
    """Give every row that differs."""
    found: list[Change] = []
    for entity, one, other in (("things", old.things, new.things), ("devices", old.devices, new.devices)):
        families = ({key: entry.family for key, entry in book.items()} for book in (one, other))
        found += _differing(entity, *families)  # type: ignore[arg-type]
    hung = ({key: _row(value) for key, value in book.assignments.items()} for book in (old, new))
    found += _differing("assignments", *hung)
    for subject in sorted(_touched(old, new)):
        for change in _differing("facts", old.facts.get(subject, {}), new.facts.get(subject, {})):
            found.append(replace(change, key=(*subject, *change.key)))
    return found


def _differing(entity: Entity, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[Change]:
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield Change(entity, key if isinstance(key, tuple) else (key,), old.get(key), new.get(key))


def _touched(old: Book, new: Book) -> set[Subject]:
    """The subjects whose facts were written; what was not is the very same object in both."""
    return {s for s in {*old.facts, *new.facts} if old.facts.get(s) is not new.facts.get(s)}


def _row(assignment: Assignment) -> dict[str, Any]:
    registers = (assignment.start_register, assignment.end_register)
    start, end = (None if value is None else f"{value.normalize():f}" for value in registers)
    return {"valid_to": assignment.valid_to, "start_register": start, "end_register": end}


def effects(old: Book, new: Book) -> list[Effect]:
    """Tell people what the import means: by object and moment, in the order of kind, id and time."""
    found = [effect for subject in _touched(old, new) for effect in _of_subject(subject, old, new)]
    for key in {*old.assignments, *new.assignments}:
        before, after = old.assignments.get(key), new.assignments.get(key)
        if before != after:
            found.append(_of_assignment(key, before, after))
    return sorted(found, key=lambda effect: (effect.kind, effect.id, effect.since))


def _of_assignment(key: Key, before: Assignment | None, after: Assignment | None) -> Effect:
    one, other = (_row(a) if a else {} for a in (before, after))
    columns = {n: (one.get(n), other.get(n)) for n in {**one, **other} if one.get(n) != other.get(n)}
    what: What = "added" if before is None else "withdrawn" if after is None else "changed"
    return Effect("assignment", f"{key[0]} @ {key[1]}", what, key[2], columns)


def _of_subject(subject: Subject, old: Book, new: Book) -> Iterator[Effect]:
    one, other = old.facts.get(subject, {}), new.facts.get(subject, {})
    moments = sorted({key[1] for key in {*one, *other} if one.get(key) != other.get(key)})
    if not other:
        yield Effect(*subject, "withdrawn", min((since for _, since in one), default=0))
        return
    for number, moment in enumerate(moments):
        before, after = at(one, moment), at(other, moment)
        was, there = before.pop(IN_SERVICE, None), after.pop(IN_SERVICE, None)
        columns = {n: (before.get(n), after.get(n)) for n in {**before, **after} if before.get(n) != after.get(n)}
        what: What = "changed"
        if not one and not number:
            what = "added"
        elif was != there and (was is True or there is True):
            what = "reopened" if there is True else "ended"
        if columns or what != "changed":
            yield Effect(*subject, what, moment, columns)


def undone(book: Book, wrong: Sequence[Change], number: int, later: Mapping[str, int]) -> tuple[Book, list[Problem]]:
    """Take an import back: every row that it changed is what it was before.

    What is not any more as the import left it is a problem: `later` says which import changed it last (by keys as
    `name_of` gives them). Devices stay known: what is stored of them is theirs.
    """
    new = Book(dict(book.things), dict(book.devices), dict(book.assignments), dict(book.facts))
    problems = []
    for change in wrong:
        if not _as_left(book, change):
            detail = {"number": number, "later": later.get(name_of(change), number)}
            problems.append(Problem(0, change.entity, " ".join(map(str, change.key)), Fault.CHANGED_SINCE, detail))
        _take_back(new, change)
    _refold(new, wrong)
    restored = {_assignment_key(change): 0 for change in wrong if change.entity == "assignments"}
    problems += collisions(new.assignments.values(), restored)
    return new, problems


def _as_left(book: Book, change: Change) -> bool:
    """Whether a row is what the import made of it."""
    if change.entity == "facts":
        kind, id_, name, since = change.key
        return bool(book.facts.get((kind, id_), {}).get((name, since)) == change.after)
    if change.entity == "assignments":
        known = book.assignments.get(_assignment_key(change))
        return bool((None if known is None else _row(known)) == change.after)
    return True  # families follow from their assignments


def name_of(change: Change) -> str:
    """Name a changed row."""
    return f"{change.entity} {change.key}"


def _take_back(book: Book, change: Change) -> None:
    if change.entity == "assignments":
        key = _assignment_key(change)
        if change.before is None:
            book.assignments.pop(key, None)
        else:
            book.assignments[key] = assignment_of(key, change.before)
    elif change.entity == "facts":
        kind, id_, name, since = change.key
        facts: Facts = dict(book.facts.get((kind, id_), {}))
        if change.before is None:
            facts.pop((name, since), None)
        else:
            facts[name, since] = change.before
        if facts:
            book.facts[kind, id_] = facts
        else:
            book.facts.pop((kind, id_), None)


def _assignment_key(change: Change) -> Key:
    device, thing, since = change.key
    return str(device), str(thing), int(since)


def assignment_of(key: Key, row: Mapping[str, Any]) -> Assignment:
    """Give an assignment from its row in a change."""
    start, end = (None if row[n] is None else Decimal(row[n]) for n in ("start_register", "end_register"))
    return Assignment(*key, row["valid_to"], start, end)


def _refold(book: Book, wrong: Iterable[Change]) -> None:
    """Bring things and devices in line with their facts; a thing where nothing hangs any more is gone."""
    families = {(c.entity, c.key[0]): c.before for c in wrong if c.entity in ("things", "devices") and c.before}
    placed = {assignment.thing_id for assignment in book.assignments.values()}
    named = {(c.key[0], c.key[1]) for c in wrong if c.entity == "facts"}
    things = {c.key[0] for c in wrong if c.entity == "things"} | {id_ for kind, id_ in named if kind == "thing"}
    for name in things:
        known = book.things.pop(name, None)
        family = families.get(("things", name)) or (known.family if known else None)
        if family and name in placed:
            book.things[name] = thing_of(name, family, book.facts.get(("thing", name), {}))
        else:
            book.facts.pop(("thing", name), None)
    for name in {c.key[0] for c in wrong if c.entity == "devices"} | {id_ for kind, id_ in named if kind == "device"}:
        family = families.get(("devices", name)) or book.devices[name].family
        book.devices[name] = device_of(name, family, book.facts.get(("device", name), {}))


def said(value: Value) -> str:
    """Give a value for people; an empty one as a dash."""
    return "–" if value is None else str(value)
