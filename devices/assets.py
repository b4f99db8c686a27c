"""What the registry of objects becomes when rows are added to it, or why it must not. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from devices.facts import ALWAYS, IN_SERVICE, Facts, Subject, Value, last, live
from devices.kinds import Kind
from devices.problems import Fault, Problem

FactsBySubject = dict[Subject, Facts]


@dataclass(frozen=True)
class AssetRow:
    """One row: what holds of an object from `since` (None: not said) until `until`. What is not in `values` stays."""

    line: int
    id: str
    since: int | None = None
    until: int | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    withdrawn: bool = False  # it never was: all that is said of it is taken back


def merge_assets(known: FactsBySubject, kind: Kind, rows: Sequence[AssetRow]) -> tuple[FactsBySubject, list[Problem]]:
    """Add rows to the objects of a kind. `known` must hold those of the kinds that it refers to.

    A row with `valid_from` holds from then on; the values before stay. One without adds what nobody has said yet, and
    is refused where it would change a value: a change needs its date. Where there are problems the result is not to be
    used.
    """
    new = dict(known)
    problems = list(_twice(kind, rows))
    for row in sorted(rows, key=lambda row: (row.since or ALWAYS, row.id, row.line)):
        subject = (kind.name, row.id)
        if row.withdrawn:
            new.pop(subject, None)
        else:
            problems += _say(new, subject, row)
    areas = {value for row in rows for name, value in row.values.items() if name == "area_id"}
    for area in sorted(str(area) for area in areas if ("area", str(area)) not in new):
        new["area", area] = {(IN_SERVICE, ALWAYS): True}
    for row in rows:
        if not row.withdrawn:
            problems += _references(new, kind, row)
            problems += _required(new, kind, row)
    return new, sorted(problems, key=lambda problem: (problem.line, problem.column))


def _say(book: FactsBySubject, subject: Subject, row: AssetRow) -> Iterator[Problem]:
    facts = dict(book.get(subject, {}))
    since = row.since
    if since is None:
        since = min((moment for _, moment in facts), default=ALWAYS)
        said = last(facts)
        for name, value in row.values.items():
            if said.get(name, value) != value:
                yield Problem(row.line, name, str(value), Fault.SINCE_NEEDED, {"old": said[name]})
    if row.until is not None and row.until <= since:
        yield Problem(row.line, "valid_to", "", Fault.ENDS_BEFORE_START)
        return
    live(facts, since, row.until)
    for name, value in row.values.items():
        if row.since is not None or name not in {known for known, _ in facts}:
            facts[name, since] = value
    book[subject] = facts


def _twice(kind: Kind, rows: Sequence[AssetRow]) -> Iterator[Problem]:
    seen: dict[tuple[str, int | None], AssetRow] = {}
    for row in rows:
        first = seen.setdefault((row.id, row.since), row)
        if (first.until, first.values, first.withdrawn) != (row.until, row.values, row.withdrawn):
            yield Problem(row.line, kind.key, row.id, Fault.OBJECT_TWICE, {"line": first.line})


def _references(book: FactsBySubject, kind: Kind, row: AssetRow) -> Iterator[Problem]:
    """What a row names must be there; an object does not lie inside itself."""
    for name, other in kind.refs.items():
        target = row.values.get(name)
        if target is None:
            continue
        if (other, str(target)) not in book:
            fault = Fault.PARENT_UNKNOWN if other == kind.name else Fault.REF_UNKNOWN
            yield Problem(row.line, name, str(target), fault, {"kind": other})
        elif other == kind.name and _circle(book, (other, row.id), name):
            yield Problem(row.line, name, str(target), Fault.PARENT_CYCLE)


def _required(book: FactsBySubject, kind: Kind, row: AssetRow) -> Iterator[Problem]:
    said = last(book.get((kind.name, row.id), {}))
    for name, column in kind.columns.items():
        if column.required and name not in said:
            yield Problem(row.line, name, "", Fault.REQUIRED)


def _circle(book: FactsBySubject, start: Subject, name: str) -> bool:
    passed: set[Subject] = set()
    here: Subject | None = start
    while here is not None and here in book:
        if here in passed:
            return True
        passed.add(here)
        above = last(book[here]).get(name)
        here = None if above is None else (here[0], str(above))
    return False
