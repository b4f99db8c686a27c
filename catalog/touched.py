"""What a change of the registry touches: marks for the tables of the registry, with the days for which it counts. Pure.

A thing or device is there from its first assignment on: before that a change of what is said of it touches nothing.
What is said last holds in `things` and `areas` for all days; in their dated tables from its moment on.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from catalog.marks import EVER, STILL, Mark, spans
from devices.changes import Change
from devices.facts import ALWAYS
from devices.kinds import kinds
from devices.merge import Book
from schemas.clock import moment

FURTHEST = timedelta(hours=14)  # of a zone from UTC: the marks need not know the zone
UNHEARD = ("title",)  # no number depends on it
_LAST = {"thing": "things", "device": "devices", "area": "areas"}  # tables of what was said last
_DATED = {"thing": "things_history", "device": "devices_history"}


def touched(old: Book, new: Book, found: Iterable[Change]) -> list[Mark]:
    """Give the marks of a change of the registry from `old` to `new`, whose rows are `found`."""
    since: dict[tuple[str, str], int] = {}
    marks: list[Mark] = []
    for change in found:
        if change.entity == "assignments":
            marks += _assignment(change)
        elif change.entity == "facts" and change.key[2] not in UNHEARD:
            subject = (change.key[0], change.key[1])
            since[subject] = min(change.key[3], since.get(subject, change.key[3]))
        elif change.entity != "facts":
            since.setdefault((change.entity.removesuffix("s"), change.key[0]), ALWAYS)
    begun = _begun(old, new)
    for (kind, id_), moment_ in since.items():
        first = _first(begun.get((kind, id_), ALWAYS))
        if kind in _LAST:
            marks.append(Mark(_LAST[kind], id_, first, STILL))
        marks.append(Mark(_DATED.get(kind) or kinds()[kind].dated_table, id_, max(first, _first(moment_)), STILL))
    return spans(marks)


def _begun(old: Book, new: Book) -> Mapping[tuple[str, str], int]:
    """When each thing and device was first assigned, in either registry."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for book in (old, new):
        for one in book.assignments.values():
            found["thing", one.thing_id].append(one.valid_from)
            found["device", one.device_id].append(one.valid_from)
    return {subject: min(moments) for subject, moments in found.items()}


def _assignment(change: Change) -> Iterator[Mark]:
    """The days between two ends, those of another register, or all of an assignment that is new or gone."""
    device, thing, valid_from = change.key
    before: Mapping[str, Any] = change.before or {}
    after: Mapping[str, Any] = change.after or {}
    ends = [row["valid_to"] for row in (before, after) if row]
    days: list[tuple[str, str]] = []
    if not (before and after):
        days.append((_first(valid_from), _last(ends[0])))
    else:
        if before["valid_to"] != after["valid_to"]:
            days.append((min(map(_ending, ends)), max(map(_last, ends))))
        if before["start_register"] != after["start_register"]:
            days.append((_first(valid_from), _last(valid_from)))
        if before["end_register"] != after["end_register"]:
            days += [(_first(end), _last(end)) for end in ends if end is not None]
    for first, last in days:
        yield Mark("assignments", thing, first, last)
        yield Mark("assignments", device, first, last)


def _first(at: int) -> str:
    return EVER if at == ALWAYS else str((moment(at) - FURTHEST).date())


def _ending(at: int | None) -> str:
    return STILL if at is None else _first(at)


def _last(at: int | None) -> str:
    return STILL if at is None else str((moment(at) + FURTHEST).date())
