"""The registry in the catalogue: rows come in all or not at all, readers get it frozen, with a version."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Table, and_, bindparam, func, or_, select, text

from catalog.store import Store, alarms, areas, assignments, audit, devices, meta, things
from devices.merge import Area, Assignment, Book, DeviceEntry, Thing, merge, merge_areas
from devices.problems import Problem
from devices.registry import AreaRow, Registration

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION = "registry_version"


@dataclass(frozen=True)
class Counts:
    """What an import did, by table. Where there are problems nothing was imported."""

    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether the registry is another one now."""
        return any(n for counts in (self.added, self.changed, self.removed) for n in counts.values())


@dataclass(frozen=True, slots=True)
class Device:
    """What ingestion knows of a device. `commissioned_at`: beginning of its first assignment, µs since 1970 UTC."""

    num: int
    device_id: str
    family: str
    model: str | None
    gateway: str | None
    factors: dict[str, float]
    commissioned_at: int


@dataclass(frozen=True)
class Registry:
    """All devices at one version of the registry."""

    version: int
    devices: Mapping[str, Device]


def import_registrations(store: Store, rows: Sequence[Registration], *, now: datetime, who: str = "") -> Counts:
    """Add rows to the registry in one transaction, or nothing where they contradict it or each other.

    The same rows again change nothing. `Counts.problems` says why nothing was imported.
    """
    return _change(store, "devices import", lambda book: merge(book, rows), now, who)


def import_areas(store: Store, rows: Sequence[AreaRow], *, now: datetime, who: str = "") -> Counts:
    """Add areas in one transaction, or nothing where a row is wrong."""
    return _change(store, "areas import", lambda book: merge_areas(book, rows), now, who)


@contextmanager
def _reading(store: Store) -> Iterator[Connection]:
    """One state of the catalogue for several queries; by themselves the drivers would give each query its own."""
    with store.begin() as db:
        sqlite = db.dialect.name == "sqlite"
        db.execute(text("BEGIN" if sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        yield db


def check_registrations(store: Store, rows: Sequence[Registration]) -> tuple[Problem, ...]:
    """Say what would keep these rows from being imported."""
    with _reading(store) as db:
        return tuple(merge(_book(db), rows)[1])


def registry_version(store: Store) -> int:
    """Give the number that grows with every change of the registry; 0 before the first."""
    with store.begin() as db:
        return _version(db)


def load(store: Store) -> Registry:
    """Read what ingestion needs."""
    first = select(assignments.c.device_id, func.min(assignments.c.valid_from).label("commissioned_at"))
    begun = first.group_by(assignments.c.device_id).subquery()
    columns = [devices.c[name] for name in ("num", "device_id", "family", "model", "gateway", "factors")]
    query = select(*columns, begun.c.commissioned_at).join(begun, begun.c.device_id == devices.c.device_id)
    with _reading(store) as db:
        version = _version(db)
        found = [Device(**row) for row in db.execute(query.order_by(devices.c.num)).mappings()]
    return Registry(version, {device.device_id: device for device in found})


def _version(db: Connection) -> int:
    return int(db.execute(select(meta.c.value).where(meta.c.key == _VERSION)).scalar() or 0)


# Import: the whole registry is read, merged as a value, and the difference is written.
def _change(
    store: Store, action: str, merged: Callable[[Book], tuple[Book, list[Problem]]], now: datetime, who: str
) -> Counts:
    with store.begin() as db:
        _lock(db)
        old = _book(db)
        new, problems = merged(old)
        if problems:
            return Counts(problems=tuple(problems))
        counts = Counts()
        for table, keys in _TABLES.items():
            numbers = _write(db, table, keys, getattr(old, table.name), getattr(new, table.name))
            counts.added[table.name], counts.changed[table.name], counts.removed[table.name] = numbers
        if counts.anything:
            version = _version(db) + 1
            db.execute(meta.update().where(meta.c.key == _VERSION).values(value=str(version)))
            detail = {"version": version, "added": counts.added, "changed": counts.changed, "removed": counts.removed}
            db.execute(audit.insert().values(at=_micros(now), who=who, action=action, detail=detail))
    return counts


def _lock(db: Connection) -> None:
    """Begin with a write, so that of two imports one waits for the other before it reads."""
    same = meta.update().where(meta.c.key == _VERSION).values(value=meta.c.value)
    if db.execute(same).rowcount == 0:
        db.execute(meta.insert().values(key=_VERSION, value="0"))


_TABLES: dict[Table, tuple[str, ...]] = {
    areas: ("area_id",),
    things: ("thing_id",),
    devices: ("device_id",),
    assignments: ("device_id", "thing_id", "valid_from"),
}


def _book(db: Connection) -> Book:
    def read(table: Table, kind: Callable[..., Any]) -> list[Any]:
        columns = [column for column in table.c if column.name not in ("num", "id")]
        return [kind(**row) for row in db.execute(select(*columns)).mappings()]

    return Book(
        things={thing.thing_id: thing for thing in read(things, Thing)},
        devices={device.device_id: device for device in read(devices, DeviceEntry)},
        assignments={assignment.key: assignment for assignment in read(assignments, Assignment)},
        areas={area.area_id: area for area in read(areas, Area)},
    )


def _write(
    db: Connection, table: Table, keys: Sequence[str], old: Mapping[Any, Any], new: Mapping[Any, Any]
) -> tuple[int, int, int]:
    """Bring a table from one state to another; give how many rows were added, changed and removed."""
    added = [asdict(value) for key, value in new.items() if key not in old]
    changed = [asdict(value) for key, value in new.items() if key in old and old[key] != value]
    removed = [asdict(value) for key, value in old.items() if key not in new]
    here = and_(*(table.c[key] == bindparam(f"key_{key}") for key in keys))

    def named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{f"key_{key}": row[key] for key in keys} for row in rows]

    if added:
        db.execute(table.insert(), added)
    if changed:
        db.execute(table.update().where(here), [row | key for row, key in zip(changed, named(changed), strict=True)])
    if removed:
        db.execute(table.delete().where(here), named(removed))
    return len(added), len(changed), len(removed)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


# The small tables of the snapshot.
_TIME = pa.timestamp("us", tz="UTC")
_REGISTER = pa.decimal128(18, 6)
_SMALL: dict[Table, dict[str, pa.DataType]] = {
    things: dict.fromkeys(("thing_id", "family", "area_id"), pa.string())
    | dict.fromkeys(("lat", "lon"), pa.float64())
    | dict.fromkeys(("title", "attributes"), pa.string()),
    devices: dict.fromkeys(("device_id", "family", "model", "gateway", "factors"), pa.string()),
    assignments: dict.fromkeys(("device_id", "thing_id"), pa.string())
    | dict.fromkeys(("valid_from", "valid_to"), _TIME)
    | dict.fromkeys(("start_register", "end_register"), _REGISTER),
    areas: dict.fromkeys(("area_id", "title", "kind", "parent_id"), pa.string())
    | {"population": pa.int64(), "network_km": pa.float64()},
    alarms: dict.fromkeys(("alarm_id", "detector", "kind", "thing_id", "device_id", "area_id"), pa.string())
    | dict.fromkeys(("severity", "state"), pa.string())
    | dict.fromkeys(("since", "until"), _TIME)
    | dict.fromkeys(("litres_per_hour", "volume_m3", "eur"), pa.float64())
    | {"evidence": pa.string(), "snapshot_id": pa.int64(), "computed_at": _TIME},
}
_ORDER = {assignments: ("device_id", "valid_from", "thing_id")}


def small_tables(store: Store) -> dict[str, pa.Table]:
    """Give things, devices, assignments, areas and alarms as they are now, in a fixed order of rows."""
    with _reading(store) as db:
        return {table.name: _arrow(db, table, columns) for table, columns in _SMALL.items()}


def _arrow(db: Connection, table: Table, columns: Mapping[str, pa.DataType]) -> pa.Table:
    order = _ORDER.get(table, (next(iter(columns)),))
    rows = db.execute(select(*(table.c[name] for name in columns)).order_by(*(table.c[name] for name in order)))
    values: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
    arrays = [pa.array([_plain(v) for v in found], kind) for found, kind in zip(values, columns.values(), strict=True)]
    return pa.table(arrays, names=list(columns))


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value


# Questions of people.
def list_devices(
    store: Store, *, now: datetime, family: str | None = None, area: str | None = None
) -> list[dict[str, Any]]:
    """Give every device with the thing where it hangs now, in the order of their ids."""
    at = _micros(now)
    here = and_(
        assignments.c.device_id == devices.c.device_id,
        assignments.c.valid_from <= at,
        or_(assignments.c.valid_to.is_(None), assignments.c.valid_to > at),
    )
    shown = (devices.c.device_id, devices.c.family, assignments.c.thing_id, things.c.area_id, things.c.title)
    query = select(*shown, devices.c.model, devices.c.gateway, assignments.c.valid_from)
    query = query.select_from(
        devices.outerjoin(assignments, here).outerjoin(things, things.c.thing_id == assignments.c.thing_id)
    )
    if family is not None:
        query = query.where(devices.c.family == family)
    if area is not None:
        query = query.where(things.c.area_id == area)
    with store.begin() as db:
        return [_timed(row) for row in db.execute(query.order_by(devices.c.device_id)).mappings()]


def show(store: Store, name: str) -> dict[str, Any]:
    """Give all that is known of the device and of the thing with this id (None where there is none), with history."""
    hangs = or_(assignments.c.device_id == name, assignments.c.thing_id == name)
    history = select(*(column for column in assignments.c if column.name != "id")).where(hangs)
    with _reading(store) as db:
        device = db.execute(select(devices).where(devices.c.device_id == name)).mappings().first()
        thing = db.execute(select(things).where(things.c.thing_id == name)).mappings().first()
        rows = db.execute(history.order_by(assignments.c.valid_from, assignments.c.device_id)).mappings()
        return {
            "device": dict(device) if device else None,
            "thing": dict(thing) if thing else None,
            "assignments": [_timed(row) for row in rows],
        }


def list_areas(store: Store) -> list[dict[str, Any]]:
    """Give every area with the number of things in it."""
    count = select(things.c.area_id, func.count().label("things")).group_by(things.c.area_id).subquery()
    query = select(areas, func.coalesce(count.c.things, 0).label("things"))
    query = query.select_from(areas.outerjoin(count, count.c.area_id == areas.c.area_id)).order_by(areas.c.area_id)
    with store.begin() as db:
        return [dict(row) for row in db.execute(query).mappings()]


def _timed(row: Mapping[Any, Any]) -> dict[str, Any]:
    def moment(value: int | None) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)

    return {name: moment(value) if name.startswith("valid_") else value for name, value in row.items()}
