"""The exchange of a device: the thing keeps its history, the old device ends and the new one begins. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pydantic import ValidationError

from devices.csvfile import Row
from devices.merge import Assignment, Book, merge
from devices.problems import Fault, Problem
from devices.registry import Registration
from devices.rows import explain

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Exchange:
    """What the protocol of an exchange says. None: it does not say; in a correction that stays as it was."""

    old: str
    new: str
    at: int  # µs since 1970 UTC
    end_register: Decimal | None = None
    start_register: Decimal | None = None
    model: str | None = None
    gateway: str | None = None
    calibrated_until: int | None = None


def exchanged(book: Book, what: Exchange) -> tuple[Book, list[Problem]]:
    """Exchange a device, or correct an exchange of these two that is registered already, also its time."""
    try:
        rows = _rows(book, what)
    except ValidationError as error:
        return book, explain(error, Row(0, {}))
    if rows:
        return merge(book, rows)
    moment = _EPOCH + timedelta(microseconds=what.at)
    detail = {"device": what.old, "time": moment}
    return book, [Problem(0, "device_id", what.old, Fault.NOT_PLACED, detail)]


def _rows(book: Book, what: Exchange) -> list[Registration]:
    """What the exchange says of both devices; nothing where the old one hung nowhere."""
    known = _exchange(book, what)
    if known is not None:
        return _corrected(book, what, *known)
    hung = [a for a in book.assignments.values() if a.device_id == what.old and _holds(a, what.at)]
    return [_closing(book, what, hung[0]), _opening(book, what, hung[0].thing_id)] if hung else []


def _holds(assignment: Assignment, at: int) -> bool:
    return assignment.valid_from < at and (assignment.valid_to is None or assignment.valid_to >= at)


def _exchange(book: Book, what: Exchange) -> tuple[Assignment, Assignment] | None:
    """The exchange of these two that is known: the old one ended when the new one began, at the same thing."""
    for first in book.assignments.values():
        if first.device_id == what.old and first.valid_to is not None:
            second = book.assignments.get((what.new, first.thing_id, first.valid_to))
            if second is not None:
                return first, second
    return None


def _corrected(book: Book, what: Exchange, first: Assignment, second: Assignment) -> list[Registration]:
    rows = [_closing(book, what, first), _opening(book, what, first.thing_id, second)]
    if second.valid_from != what.at:
        rows.append(_row(book, what.new, first.thing_id, second.valid_from, withdrawn=True))
    return rows


def _closing(book: Book, what: Exchange, assignment: Assignment) -> Registration:
    end = {"valid_to": what.at, "end_register": what.end_register}
    return _row(book, what.old, assignment.thing_id, assignment.valid_from, **end)


def _opening(book: Book, what: Exchange, thing: str, known: Assignment | None = None) -> Registration:
    said: dict[str, object] = {name: getattr(what, name) for name in ("model", "gateway", "calibrated_until")}
    start = what.start_register
    if known is not None:
        start = known.start_register if start is None else start
        said |= {"valid_to": known.valid_to, "end_register": known.end_register}
    return _row(book, what.new, thing, what.at, start_register=start, **said)


def _row(book: Book, device: str, thing: str, since: int, **more: object) -> Registration:
    family = book.things[thing].family
    return Registration.model_validate(
        {"device_id": device, "family": family, "thing_id": thing, "valid_from": since, **more}
    )
