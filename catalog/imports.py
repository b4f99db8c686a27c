"""The registry changes here, and only here: all rows or none, written down so that it can be shown and undone."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, func, select

from catalog.marks import mark
from catalog.registry import REGISTRY_VERSION, reading, version_of
from catalog.store import Store, assignments, audit, devices, facts, meta, things
from catalog.store import changes as written
from catalog.touched import touched
from devices.assets import AssetRow, merge_assets
from devices.changes import Change, Effect, changes, effects, name_of, undone
from devices.kinds import Kind, kinds
from devices.merge import Assignment, Book, DeviceEntry, Thing, merge
from devices.problems import Problem
from devices.registry import Registration
from schemas.clock import micros, moment
from schemas.errors import DravaError

Merged = tuple[Book, list[Problem]]
_DEVICES = ("thing", "device", "area")  # the kinds of facts that a registration may touch
_TABLES = ("things", "devices", "assignments")


@dataclass(frozen=True)
class Author:
    """Who changes the registry, when, from what and why: a line of the audit."""

    now: datetime
    who: str = ""
    source: str = ""  # the file, or the words of the command
    why: str = ""
    dry: bool = False  # only look what would happen


@dataclass(frozen=True)
class Counts:
    """What an import did, or would do. Where there are problems nothing was imported."""

    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    effects: tuple[Effect, ...] = ()
    number: int = 0  # of the import: what `drava devices undo` takes back; 0: nothing changed

    @property
    def anything(self) -> bool:
        """Whether the registry is another one now."""
        return self.number > 0


def import_registrations(store: Store, rows: Sequence[Registration], *, now: datetime, **author: Any) -> Counts:
    """Add rows to the registry in one transaction, or nothing where they contradict it or each other.

    The same rows again change nothing. `Counts.problems` says why nothing was imported.
    """
    return change(store, "devices import", lambda book: merge(book, rows), Author(now, **author))


def import_assets(store: Store, kind: Kind, rows: Sequence[AssetRow], *, now: datetime, **author: Any) -> Counts:
    """Add objects of a kind in one transaction, or nothing where a row is wrong."""

    def merged(book: Book) -> Merged:
        found, problems = merge_assets(book.facts, kind, rows)
        return Book(book.things, book.devices, book.assignments, found), problems

    return change(
        store, f"{kind.table} import", merged, Author(now, **author), {kind.name, "area", *kind.refs.values()}
    )


def check_registrations(store: Store, rows: Sequence[Registration]) -> tuple[Problem, ...]:
    """Say what would keep these rows from being imported."""
    with reading(store) as db:
        return tuple(merge(_book(db, _DEVICES), rows)[1])


def change(
    store: Store,
    action: str,
    merged: Callable[[Book], Merged],
    author: Author,
    kinds_of: Iterable[str] = _DEVICES,
) -> Counts:
    """Change the registry as `merged` says: read whole, merged as a value, and the difference written."""
    with reading(store) if author.dry else store.begin() as db:
        if not author.dry:
            _lock(db)
        return _change(db, action, _book(db, kinds_of), merged, author, {})


def undo(store: Store, number: int, author: Author) -> Counts:
    """Take an import back, as an import of its own. Raises DravaError where there is none of this number."""
    with reading(store) if author.dry else store.begin() as db:
        if not author.dry:
            _lock(db)
        wrong = recorded(db, number)
        if not wrong:
            raise DravaError(f"there is no import {number}", "Look at: drava devices history")
        subjects = {str(c.key[0]) for c in wrong if c.entity == "facts"}
        later = dict(
            db.execute(
                select(written.c.entity + " " + written.c.key, func.max(written.c.version))
                .where(written.c.version > number)
                .group_by(written.c.entity, written.c.key)
            ).all()
        )
        names = {f"{c.entity} {_key(c)}": name_of(c) for c in wrong}
        known = {names[key]: version for key, version in later.items() if key in names}
        book = _book(db, {*_DEVICES, *subjects})
        return _change(
            db, "devices undo", book, lambda found: undone(found, wrong, number, known), author, {"undoes": number}
        )


def recorded(db: Connection, number: int) -> list[Change]:
    """Give what an import changed."""
    query = select(written).where(written.c.version == number).order_by(written.c.entity, written.c.key)
    return [
        Change(row["entity"], tuple(json.loads(row["key"])), row["before"], row["after"])
        for row in db.execute(query).mappings()
    ]


def history(store: Store) -> list[dict[str, Any]]:
    """Give every import that changed the registry, the last one first; `undone_by` is the import that took it back."""
    with reading(store) as db:
        known = {version for (version,) in db.execute(select(written.c.version).distinct())}
        rows = list(db.execute(select(audit).order_by(audit.c.id.desc())).mappings())
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        detail = row["detail"]
        if detail.get("version") in known and "source" in detail:
            undone_by = next((n for n, one in found.items() if one["undoes"] == detail["version"]), None)
            found[detail["version"]] = {
                "import": detail["version"],
                "at": moment(row["at"]),
                "who": row["who"],
                "action": row["action"],
                "source": detail["source"],
                "why": detail["why"],
                "undoes": detail.get("undoes"),
                "undone_by": undone_by,
            }
    return list(found.values())


def rows_of(store: Store, number: int) -> list[dict[str, Any]]:
    """Give the rows that an import changed: what it is, its key, before and after."""
    with reading(store) as db:
        found = recorded(db, number)
    return [{"row": c.entity, "key": _told_key(c), "before": c.before, "after": c.after} for c in found]


def _told_key(one: Change) -> str:
    *words, since = one.key
    timed = one.entity in ("facts", "assignments")
    return " ".join([*map(str, words), moment(since).isoformat() if timed else str(since)])


def _change(
    db: Connection,
    action: str,
    old: Book,
    merged: Callable[[Book], Merged],
    author: Author,
    more: Mapping[str, Any],
) -> Counts:
    new, problems = merged(old)
    if problems:
        return Counts(problems=tuple(problems))
    found = changes(old, new)
    number = version_of(db) + 1 if found else 0
    counts = Counts(*_counts(old, new), effects=tuple(effects(old, new)), number=number)
    if found and not author.dry:
        _write(db, old, new, found)
        db.execute(meta.update().where(meta.c.key == REGISTRY_VERSION).values(value=str(number)))
        db.execute(written.insert(), [_recorded(number, one) for one in found])
        mark(db, touched(old, new, found))
        detail = {"version": number, "added": counts.added, "changed": counts.changed, "removed": counts.removed}
        detail |= {"source": author.source, "why": author.why, **more}
        row = {"at": micros(author.now), "who": author.who, "action": action, "detail": detail}
        db.execute(audit.insert().values(**row))
    return counts


def _recorded(number: int, one: Change) -> dict[str, Any]:
    return {"version": number, "entity": one.entity, "key": _key(one), "before": one.before, "after": one.after}


def _key(one: Change) -> str:
    return json.dumps(one.key, ensure_ascii=False)


def _lock(db: Connection) -> None:
    """Begin with a write, so that of two imports one waits for the other before it reads."""
    same = meta.update().where(meta.c.key == REGISTRY_VERSION).values(value=meta.c.value)
    if db.execute(same).rowcount == 0:
        db.execute(meta.insert().values(key=REGISTRY_VERSION, value="0"))


def _book(db: Connection, kinds_of: Iterable[str]) -> Book:
    def read(table: Table, kind: Callable[..., Any]) -> list[Any]:
        columns = [column for column in table.c if column.name not in ("num", "id")]
        return [kind(**row) for row in db.execute(select(*columns)).mappings()]

    said: dict[tuple[str, str], dict[tuple[str, int], Any]] = {}
    query = select(facts).where(facts.c.kind.in_(set(kinds_of)))
    for kind, subject, name, since, value in db.execute(query):
        said.setdefault((kind, subject), {})[name, since] = value
    return Book(
        things={thing.thing_id: thing for thing in read(things, Thing)},
        devices={device.device_id: device for device in read(devices, DeviceEntry)},
        assignments={assignment.key: assignment for assignment in read(assignments, Assignment)},
        facts=said,
    )


def _counts(old: Book, new: Book) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """How many of each table are new, other, and gone; of kinds only those that were looked at."""
    compared = {name: (getattr(old, name), getattr(new, name)) for name in _TABLES}
    by_kind: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {"area": ({}, {})}
    for place, book in enumerate((old, new)):
        for (kind, id_), said in book.facts.items():
            by_kind.setdefault(kind, ({}, {}))[place][id_] = said
    compared |= {kinds()[kind].table: pair for kind, pair in by_kind.items() if kind in kinds()}
    added = {name: len(new.keys() - old.keys()) for name, (old, new) in compared.items()}
    changed = {n: sum(old[key] != new[key] for key in old.keys() & new.keys()) for n, (old, new) in compared.items()}
    removed = {name: len(old.keys() - new.keys()) for name, (old, new) in compared.items()}
    return added, changed, removed


_KEYS: dict[Table, tuple[str, ...]] = {
    things: ("thing_id",),
    devices: ("device_id",),
    assignments: ("device_id", "thing_id", "valid_from"),
}


def _write(db: Connection, old: Book, new: Book, found: Sequence[Change]) -> None:
    for table, keys in _KEYS.items():
        one, other = getattr(old, table.name), getattr(new, table.name)
        _bring(
            db,
            table,
            keys,
            added=[asdict(value) for key, value in other.items() if key not in one],
            changed=[asdict(value) for key, value in other.items() if key in one and one[key] != value],
            removed=[asdict(value) for key, value in one.items() if key not in other],
        )
    keys = ("kind", "subject", "name", "since")
    rows = [(c, {**dict(zip(keys, c.key, strict=True)), "value": c.after}) for c in found if c.entity == "facts"]
    _bring(
        db,
        facts,
        keys,
        added=[row for c, row in rows if c.before is None],
        changed=[row for c, row in rows if c.before is not None and c.after is not None],
        removed=[row for c, row in rows if c.after is None],
    )


def _bring(
    db: Connection,
    table: Table,
    keys: Sequence[str],
    *,
    added: list[dict[str, Any]],
    changed: list[dict[str, Any]],
    removed: list[dict[str, Any]],
) -> None:
    """Bring a table from one state to another."""
    here = and_(*(table.c[key] == bindparam(f"key_{key}") for key in keys))

    def named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{f"key_{key}": row[key] for key in keys} for row in rows]

    if added:
        db.execute(table.insert(), added)
    if changed:
        db.execute(table.update().where(here), [row | key for row, key in zip(changed, named(changed), strict=True)])
    if removed:
        db.execute(table.delete().where(here), named(removed))
