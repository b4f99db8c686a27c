"""What changed and which indicator has seen it: marks of the lake's and the registry's changes, in their transactions.

A mark says that something of a dataset changed, of one subject (device, thing, area, … or `*`, all of them) and for the
local days from `first` to `last`. Its number is that of the change that set it last. An indicator notes up to which
number it has seen marks, in the transaction that publishes its values; what all have seen is forgotten. So nothing is
recomputed that was not changed, and a crash before that transaction forgets nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, String, cast, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from catalog.registry import reading, version_of
from catalog.store import Store, computed, dirty, meta, runs

ALL = "*"
ERASED = ".erased"  # behind the name of a table: its rows are gone, and nothing is left to be seen of them
LEFT = ".left"  # behind the id of an indicator: days that it has still to compute, besides what other marks say
MANY = 50  # subjects of one dataset and span that are named one by one: the catalogue stays small
EVER, STILL = "0001-01-01", "9999-12-31"  # the first and the last day of spans without an end
_NUMBER, _BEGINNING = "dirty_number", "indicators_begin"


class Mark(NamedTuple):
    """What changed: a table of the lake or the registry or an indicator; whose; on which local days, both included."""

    dataset: str
    subject: str
    first: str
    last: str


@dataclass(frozen=True)
class Position:
    """How far an indicator is: which definition has seen the marks up to which number, as of when (µs)."""

    version: int
    number: int
    as_of: int


@dataclass(frozen=True)
class Run:
    """What a run of indicators has seen, to be noted where its values are published. Times in µs."""

    number: int  # of the last mark that it has seen
    as_of: int
    snapshot_id: int
    snapshot_at: int
    registry_version: int
    beginning: str = STILL  # the first local day of which there was anything
    versions: dict[str, int] = field(default_factory=dict)  # of the indicators that it computed
    known: list[str] = field(default_factory=list)  # all indicators there are: what is of others is forgotten
    left: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)  # what they still have to compute


@dataclass(frozen=True)
class Taken:
    """The marks at one moment, with their numbers, and how far each indicator is."""

    number: int
    registry_version: int
    marks: list[tuple[Mark, int]]
    positions: dict[str, Position]
    beginning: str = STILL  # the first local day that a run ever saw


def take(store: Store) -> Taken:
    """Read what changed. Everything that it names is in a snapshot that is taken after it."""
    with reading(store) as db:
        marks = [(Mark(row.dataset, row.subject, row.first, row.last), row.number) for row in db.execute(select(dirty))]
        positions = {
            row.indicator: Position(row.version, row.number, row.as_of) for row in db.execute(select(computed))
        }
        number = int(_noted(db, _NUMBER) or 0)
        return Taken(number, version_of(db), marks, positions, _noted(db, _BEGINNING) or STILL)


def begin_earlier(store: Store, taken: Taken, beginning: str) -> Taken:
    """Note that there are readings of days before any that a run ever saw; gives `taken` with what follows from that.

    Indicators that say something of each day, as how many devices hang, have to be computed of all days from there on.
    """
    if taken.beginning == STILL or beginning >= taken.beginning:
        return taken
    last = str(date.fromisoformat(taken.beginning) + timedelta(days=1))  # it is a day of UTC, and the one before
    fresh = [Mark(name + LEFT, ALL, beginning, last) for name in taken.positions]
    with store.begin() as db:
        mark(db, fresh)
        _note_beginning(db, beginning)
    return replace(taken, marks=[*taken.marks, *((one, taken.number) for one in fresh)], beginning=beginning)


def mark(db: Connection, marks: Iterable[Mark]) -> None:
    """Set marks, in the transaction of the change. Of many subjects of one dataset and span becomes one mark of all."""
    named: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in marks:
        named[one.dataset, one.first, one.last].add(one.subject)
    if not named:
        return
    number = _next(db)
    known = _known(db, named)
    rows, gone = [], []
    for key, subjects in named.items():
        there = known.get(key, set())
        if ALL in subjects or ALL in there or len(subjects | there) > MANY:
            gone += [key] if there - {ALL} else []
            rows.append(_row(key, ALL, number))
        else:
            rows += [_row(key, subject, number) for subject in sorted(subjects)]
    if gone:
        db.execute(delete(dirty).where(tuple_(dirty.c.dataset, dirty.c.first, dirty.c.last).in_(gone)))
    fresh = _insert(db, dirty)
    same = [dirty.c.dataset, dirty.c.subject, dirty.c.first, dirty.c.last]
    db.execute(fresh.on_conflict_do_update(index_elements=same, set_={"number": fresh.excluded.number}), rows)


def _noted(db: Connection, key: str) -> str | None:
    return db.execute(select(meta.c.value).where(meta.c.key == key)).scalar()


def _note_beginning(db: Connection, beginning: str) -> None:
    begins = _insert(db, meta).values(key=_BEGINNING, value=min(beginning, _noted(db, _BEGINNING) or STILL))
    db.execute(begins.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": begins.excluded.value}))


def _row(key: tuple[str, str, str], subject: str, number: int) -> dict[str, Any]:
    return {"dataset": key[0], "subject": subject, "first": key[1], "last": key[2], "number": number}


def _next(db: Connection) -> int:
    """The next number. The row stays locked until the change is through: numbers are in the order of changes."""
    raised = cast(cast(meta.c.value, BigInteger) + 1, String)
    if not db.execute(update(meta).where(meta.c.key == _NUMBER).values(value=raised)).rowcount:
        db.execute(meta.insert().values(key=_NUMBER, value="1"))
    return int(db.execute(select(meta.c.value).where(meta.c.key == _NUMBER)).scalar_one())


def _known(db: Connection, named: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], set[str]]:
    """The subjects that are marked already, by dataset and span."""
    keys = list(named)
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    query = select(dirty.c.dataset, dirty.c.first, dirty.c.last, dirty.c.subject)
    near = dirty.c.dataset.in_({key[0] for key in keys}) & dirty.c.first.between(
        min(key[1] for key in keys), max(key[1] for key in keys)
    )
    for dataset, first, last, subject in db.execute(query.where(near)):
        found[dataset, first, last].add(subject)
    return found


def note(db: Connection, run: Run) -> None:
    """Note what a run has seen, in the transaction that publishes its values; forget what all have seen.

    What it has still to compute (`left`) takes the place of what was noted of that before.
    """
    rows = [
        {"indicator": name, "version": version, "number": run.number, "as_of": run.as_of}
        for name, version in run.versions.items()
    ]
    fresh = _insert(db, computed)
    changed = {name: fresh.excluded[name] for name in ("version", "number", "as_of")}
    if rows:
        db.execute(fresh.on_conflict_do_update(index_elements=[computed.c.indicator], set_=changed), rows)
    db.execute(delete(computed).where(computed.c.indicator.not_in(run.known)))
    _leave(db, run.left)
    least = select(func.min(computed.c.number)).scalar_subquery()
    db.execute(delete(dirty).where(dirty.c.number <= least))
    _note_beginning(db, run.beginning)
    seen = {"snapshot_id": run.snapshot_id, "computed_at": run.as_of}
    row = {**seen, "snapshot_at": run.snapshot_at, "registry_version": run.registry_version}
    db.execute(_insert(db, runs).on_conflict_do_nothing(), [row])


def _leave(db: Connection, left: Mapping[str, Iterable[tuple[str, str, str]]]) -> None:
    db.execute(delete(dirty).where(dirty.c.dataset.in_([name + LEFT for name in left])))
    if any(left.values()):
        number = _next(db)
        names = [(name + LEFT, tuple(row)) for name, rows in left.items() for row in rows]
        db.execute(dirty.insert(), [_row((name, first, last), who, number) for name, (who, first, last) in names])


def note_alone(store: Store, run: Run) -> None:
    """Note what a run has seen that changed no value."""
    with store.begin() as db:
        db.execute(update(meta).where(meta.c.key == _NUMBER).values(value=meta.c.value))  # of two writers one waits
        note(db, run)


def run_of(store: Store, snapshot_id: int, computed_at: int) -> dict[str, int] | None:
    """What a run had seen: `snapshot_at` (µs) and `registry_version`; None where it was not noted."""
    here = (runs.c.snapshot_id == snapshot_id) & (runs.c.computed_at == computed_at)
    with store.begin() as db:
        row = db.execute(select(runs.c.snapshot_at, runs.c.registry_version).where(here)).mappings().first()
    return dict(row) if row else None


def _insert(db: Connection, table: Any) -> Any:
    return (sqlite if db.dialect.name == "sqlite" else postgresql).insert(table)


def spans(marks: Sequence[Mark]) -> list[Mark]:
    """Marks of a change of the registry, made few: of many subjects of a dataset one mark of all of them."""
    by_dataset: dict[str, list[Mark]] = defaultdict(list)
    for one in marks:
        by_dataset[one.dataset].append(one)
    found: list[Mark] = []
    for dataset, ones in by_dataset.items():
        if len({one.subject for one in ones}) > MANY:
            found.append(Mark(dataset, ALL, min(one.first for one in ones), max(one.last for one in ones)))
        else:
            found += ones
    return found
