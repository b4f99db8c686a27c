"""Plans, positions and snapshots: what the lake's commit writes down, in transactions of its own."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from catalog import marks
from catalog.marks import Mark, Run
from catalog.store import Store, journals, meta, plans, revised_days, snapshots
from catalog.store import buried as buried_files

_END, _BEGIN = "end.", "begin."  # of a table's chain: its notes in `meta`


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a table. `path` is relative to the table's folder."""

    path: str
    day: str
    rows: int
    size: int
    stats: str
    modified: int  # ms since 1970, as Delta wants it
    sha256: str = ""  # of its bytes; none where an older program wrote it


@dataclass(frozen=True)
class TableChange:
    """What a plan does to one table. A change that only rewrites files has `data_change` false."""

    adds: list[DataFile] = field(default_factory=list)
    removes: list[DataFile] = field(default_factory=list)
    data_change: bool = True


@dataclass(frozen=True)
class Plan:
    """Decided once, rolled forward as written. Times are µs since 1970 UTC."""

    id: int
    kind: str
    created_at: int
    tables: dict[str, TableChange]
    positions: dict[str, tuple[int, int]] = field(default_factory=dict)  # journal uuid -> (row, messages so far)
    revised: list[tuple[str, str]] = field(default_factory=list)  # (family, UTC day)
    dirty: list[Mark] = field(default_factory=list)  # what indicators have to look at anew
    run: Run | None = None  # of indicators, whose values these are


@dataclass(frozen=True)
class Snapshot:
    """The versions of all tables that belong together."""

    id: int
    created_at: int
    versions: dict[str, int]


def _plan(row: Any) -> Plan:
    body: dict[str, Any] = json.loads(row.body)
    change = {
        name: TableChange(
            [DataFile(**f) for f in c["adds"]], [DataFile(**f) for f in c["removes"]], data_change=c["data_change"]
        )
        for name, c in body["tables"].items()
    }
    return Plan(
        row.id,
        row.kind,
        row.created_at,
        change,
        {uuid: (p[0], p[1]) for uuid, p in body["positions"].items()},
        [(f, d) for f, d in body["revised"]],
        [_mark(*parts) for parts in body["dirty"]],
        Run(**body["run"]) if body.get("run") else None,
    )


def _mark(dataset: str, subject: str, first: str, last: str | None = None) -> Mark:
    return Mark(dataset, subject, first, last or first)  # plans of older programs name one day


def next_id(store: Store) -> int:
    """The id the next plan will have; valid while the lake is locked."""
    with store.begin() as db:
        return int(db.execute(select(func.coalesce(func.max(plans.c.id), 0))).scalar_one()) + 1


def write(store: Store, plan: Plan) -> None:
    """Write the plan down: from now on it is what happens."""
    body = {key: value for key, value in asdict(plan).items() if key not in {"id", "kind", "created_at"}}
    with store.begin() as db:
        db.execute(
            insert(plans).values(
                id=plan.id, kind=plan.kind, body=json.dumps(body), state="written", created_at=plan.created_at
            )
        )


def pending(store: Store) -> Plan | None:
    """The plan that was written and not yet published, if there is one."""
    with store.begin() as db:
        row = db.execute(select(plans).where(plans.c.state == "written").order_by(plans.c.id)).first()
    return None if row is None else _plan(row)


@dataclass(frozen=True)
class Applied:
    """A plan in the log of one table: the version that it made, and the hash of the log's entry."""

    version: int
    link: str


def publish(store: Store, plan: Plan, applied: Mapping[str, Applied]) -> Snapshot:
    """Make a snapshot of these versions, move the positions, end the plan: one transaction.

    The hashes stay with the plan, and the newest of each table as the end of its chain.
    """
    versions = {name: at.version for name, at in applied.items()}
    with store.begin() as db:
        latest = _latest(db)
        merged = (latest.versions if latest else {}) | versions
        made = db.execute(insert(snapshots).values(plan_id=plan.id, created_at=plan.created_at, versions=merged))
        for uuid, (row, messages) in plan.positions.items():
            db.execute(update(journals).where(journals.c.uuid == uuid).values(position=row, messages=messages))
        _add(db, revised_days, [{"family": family, "day": day} for family, day in plan.revised])
        marks.mark(db, plan.dirty)
        if plan.run:
            marks.note(db, plan.run)
        gone = ((name, file.path) for name, change in plan.tables.items() for file in change.removes)
        _add(db, buried_files, [{"table_name": name, "path": path, "at": plan.created_at} for name, path in gone])
        for name, at in applied.items():
            _note(db, f"{_END}{name}", f"{at.version} {at.link}")
        # the files are named in the Delta log; they would only grow the catalogue
        body = json.dumps({"links": {name: at.link for name, at in applied.items()}})
        db.execute(update(plans).where(plans.c.id == plan.id).values(state="published", body=body))
        key = made.inserted_primary_key
        return Snapshot(int(key[0]) if key else 0, plan.created_at, merged)


def _add(db: Connection, table: Any, rows: Sequence[Mapping[str, str | int]]) -> None:
    """Insert rows; those that are there stay as they are."""
    if rows:
        db.execute(_insert(db)(table).on_conflict_do_nothing(), rows)


def _note(db: Connection, key: str, value: str) -> None:
    """Set one value of the catalogue's own notes."""
    fresh = _insert(db)(meta).values(key=key, value=value)
    db.execute(fresh.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": value}))


def _insert(db: Connection) -> Any:
    return (sqlite if db.dialect.name == "sqlite" else postgresql).insert


def _latest(db: Connection) -> Snapshot | None:
    row = db.execute(select(snapshots).order_by(snapshots.c.id.desc()).limit(1)).first()
    return None if row is None else Snapshot(row.id, row.created_at, dict(row.versions))


def latest(store: Store) -> Snapshot | None:
    """The newest snapshot, or None before the first commit."""
    with store.begin() as db:
        return _latest(db)


def snapshots_kept(store: Store) -> list[Snapshot]:
    """All snapshots that were not let go, oldest first."""
    with store.begin() as db:
        rows = db.execute(select(snapshots).order_by(snapshots.c.id)).all()
    return [Snapshot(row.id, row.created_at, dict(row.versions)) for row in rows]


def revised(store: Store) -> dict[str, list[str]]:
    """UTC days of each family that hold more than one row for some reading."""
    found: dict[str, list[str]] = {}
    with store.begin() as db:
        for row in db.execute(select(revised_days).order_by(revised_days.c.family, revised_days.c.day)):
            found.setdefault(row.family, []).append(row.day)
    return found


@dataclass(frozen=True)
class JournalPosition:
    """How far a journal is in the lake: its number, last published row, messages published so far."""

    num: int
    row: int
    messages: int


def position(store: Store, uuid: str) -> JournalPosition:
    """Where a journal stands; a new journal is registered and gets its number."""
    with store.begin() as db:
        known = select(journals).where(journals.c.uuid == uuid)
        row = db.execute(known).first()
        if row is None:
            _add(
                db, journals, [{"uuid": uuid, "position": 0, "messages": 0}]
            )  # two writers may meet a new journal at once
            row = db.execute(known).one()
        return JournalPosition(row.num, row.position, row.messages)


def messages_published(store: Store) -> int:
    """Messages of all journals that are in the lake: counted by the journals, not by what was made of them."""
    with store.begin() as db:
        return int(db.execute(select(func.coalesce(func.sum(journals.c.messages), 0))).scalar_one())


def value(store: Store, key: str) -> str | None:
    """One value of the catalogue's own notes (`registry_version`, …)."""
    with store.begin() as db:
        return db.execute(select(meta.c.value).where(meta.c.key == key)).scalar()


def thin_snapshots(
    store: Store, *, drop_before: int, thin_before: int, pinned: Collection[int] = ()
) -> list[tuple[int, int]]:
    """Forget snapshots older than `drop_before`, and of those before `thin_before` all but the last of each hour.

    Times in µs. The newest snapshot and those `pinned` stay. Returns (id, created_at) of those that went.
    """
    hour = 3_600_000_000
    with store.begin() as db:
        rows = db.execute(select(snapshots.c.id, snapshots.c.created_at).order_by(snapshots.c.id)).all()
        last = {row.created_at // hour: row.id for row in rows}
        gone = [
            (row.id, row.created_at)
            for row in rows[:-1]
            if row.id not in pinned
            and (
                row.created_at < drop_before
                or (row.created_at < thin_before and last[row.created_at // hour] != row.id)
            )
        ]
        for number, _ in gone:
            db.execute(delete(snapshots).where(snapshots.c.id == number))
        newest = select(func.max(plans.c.id)).scalar_subquery()  # the next plan's number follows from it
        over = (plans.c.state == "published") & (plans.c.created_at < drop_before) & (plans.c.id < newest)
        db.execute(delete(plans).where(over))
    return gone


def buried(store: Store, before: int | None) -> list[tuple[str, str]]:
    """(table, path) of files that plans removed, all or those removed before a time in µs."""
    query = select(buried_files.c.table_name, buried_files.c.path)
    with store.begin() as db:
        found = db.execute(query if before is None else query.where(buried_files.c.at < before))
        return [(row.table_name, row.path) for row in found]


def forget_buried(store: Store, gone: Sequence[tuple[str, str]]) -> None:
    """Strike from the list (table, path) of what was deleted."""
    here = (buried_files.c.table_name == bindparam("table")) & (buried_files.c.path == bindparam("file"))
    if gone:
        with store.begin() as db:
            db.execute(delete(buried_files).where(here), [{"table": table, "file": path} for table, path in gone])


def links(store: Store) -> dict[tuple[str, int], str]:
    """Hashes of log entries by table and plan, of the plans that are kept."""
    found: dict[tuple[str, int], str] = {}
    with store.begin() as db:
        for row in db.execute(select(plans.c.id, plans.c.body).where(plans.c.state == "published")):
            found |= {(name, row.id): link for name, link in json.loads(row.body).get("links", {}).items()}
    return found


def ends(store: Store) -> dict[str, Applied]:
    """Where the chain of each table ends."""
    return _notes(store, _END)


def begins(store: Store) -> dict[str, Applied]:
    """Where the chain of each table begins, as far as this was ever noted."""
    return _notes(store, _BEGIN)


def note_begins(store: Store, found: Mapping[str, Applied]) -> None:
    """Note where chains begin: entries of before are no part of them any more."""
    with store.begin() as db:
        for name, at in found.items():
            _note(db, f"{_BEGIN}{name}", f"{at.version} {at.link}")


def _notes(store: Store, prefix: str) -> dict[str, Applied]:
    with store.begin() as db:
        rows = db.execute(select(meta).where(meta.c.key.startswith(prefix, autoescape=True))).all()
    found = ((row.key.removeprefix(prefix), row.value.split()) for row in rows)
    return {name: Applied(int(version), link) for name, (version, link) in found}
