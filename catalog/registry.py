"""The registry as it is read: by ingestion, frozen with a version; by SQL, as small tables; by people."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Table, and_, func, or_, select, text

from catalog.store import Store, alarms, assignments, devices, entered_values, facts, meta, things
from devices.facts import ALWAYS, IN_SERVICE, Facts, Version, at, last, versions
from devices.kinds import Columns, Kind, kinds
from schemas.clock import micros, moment

REGISTRY_VERSION = "registry_version"


@dataclass(frozen=True, slots=True)
class Device:
    """What ingestion knows of a device. `commissioned_at`: beginning of its first assignment, µs since 1970 UTC.

    `calibrated_until` (µs) stands among the factors of `dated`; there is nothing in `dated` where nothing ever changed.
    """

    num: int
    device_id: str
    family: str
    model: str | None
    gateway: str | None
    factors: dict[str, float]
    commissioned_at: int
    dated: tuple[tuple[int, dict[str, float]], ...] = ()  # where factors changed: what held from each moment on


@dataclass(frozen=True)
class Registry:
    """All devices at one version of the registry."""

    version: int
    devices: Mapping[str, Device]


@contextmanager
def reading(store: Store) -> Iterator[Connection]:
    """One state of the catalogue for several queries; by themselves the drivers would give each query its own."""
    with store.begin() as db:
        sqlite = db.dialect.name == "sqlite"
        db.execute(text("BEGIN" if sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        yield db


def registry_version(store: Store) -> int:
    """Give the number that grows with every change of the registry; 0 before the first."""
    with store.begin() as db:
        return version_of(db)


def load(store: Store) -> Registry:
    """Read what ingestion needs."""
    first = select(assignments.c.device_id, func.min(assignments.c.valid_from).label("commissioned_at"))
    begun = first.group_by(assignments.c.device_id).subquery()
    columns = [devices.c[name] for name in ("num", "device_id", "family", "model", "gateway", "factors")]
    query = select(*columns, begun.c.commissioned_at).join(begun, begun.c.device_id == devices.c.device_id)
    with reading(store) as db:
        version = version_of(db)
        dated = _dated(db)
        found = [
            Device(**row, dated=dated.get(row["device_id"], ()))
            for row in db.execute(query.order_by(devices.c.num)).mappings()
        ]
    return Registry(version, {device.device_id: device for device in found})


def _dated(db: Connection) -> dict[str, tuple[tuple[int, dict[str, float]], ...]]:
    """What was said of devices that a computation uses, by device, where it changed or has to be compared with time."""
    counted = facts.c.name.not_in(("model", "gateway"))
    query = select(facts.c.subject, facts.c.name, facts.c.since, facts.c.value)
    said: dict[str, Facts] = {}
    for device, name, since, value in db.execute(query.where(facts.c.kind == "device", counted)):
        said.setdefault(device, {})[name, since] = value
    found = {}
    for device, known in said.items():
        stretches = tuple(
            (v.since, {n: float(x) for n, x in v.values.items() if x is not None}) for v in versions(known)
        )
        if len(stretches) > 1 or "calibrated_until" in stretches[0][1]:
            found[device] = stretches
    return found


def version_of(db: Connection) -> int:
    """Give the version of the registry, and so the number of its last import."""
    return int(db.execute(select(meta.c.value).where(meta.c.key == REGISTRY_VERSION)).scalar() or 0)


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
    alarms: dict.fromkeys(("alarm_id", "detector", "kind", "thing_id", "device_id", "area_id"), pa.string())
    | dict.fromkeys(("severity", "state"), pa.string())
    | dict.fromkeys(("since", "until"), _TIME)
    | dict.fromkeys(("litres_per_hour", "volume_m3", "eur"), pa.float64())
    | {"evidence": pa.string(), "snapshot_id": pa.int64(), "computed_at": _TIME}
    | {"found_at": _TIME, "cause": pa.string(), "muted": pa.string(), "unconfirmed_at": _TIME},
    entered_values: {"id": pa.int64(), "kpi": pa.string(), "local_date": pa.date32(), "value": pa.float64()}
    | dict.fromkeys(("author", "reference", "note"), pa.string())
    | {"entered_at": _TIME},
}
_ORDER = {assignments: ("device_id", "valid_from", "thing_id")}
_AREAS = {
    **dict.fromkeys(("area_id", "title", "kind", "parent_id"), pa.string()),
    "population": pa.int64(),
    "network_km": pa.float64(),
    "area_km2": pa.float64(),
    "geometry": pa.string(),
}
_SPAN = {"valid_from": _TIME, "valid_to": _TIME}
_DATED: dict[str, tuple[str, Columns]] = {  # kind -> table of its versions, and the columns of that
    "thing": (
        "things_history",
        {"thing_id": pa.string(), **_SPAN, "area_id": pa.string(), "lat": pa.float64(), "lon": pa.float64()}
        | {"title": pa.string(), "attributes": pa.string()},
    ),
    "device": (
        "devices_history",
        {"device_id": pa.string(), **_SPAN, "model": pa.string(), "gateway": pa.string(), "calibrated_until": _TIME}
        | {"factors": pa.string()},
    ),
    **{kind.name: (kind.dated_table, kind.published) for kind in kinds().values()},
}


_ALWAYS_THERE = ("thing", "device", "area")


def small_schemas() -> dict[str, Columns]:
    """The columns of every small table."""
    plain = {table.name: columns for table, columns in _SMALL.items()}
    return {**plain, "areas": _AREAS, **dict(_DATED.values())}


def small_tables(store: Store) -> dict[str, pa.Table]:
    """Give the registry and the alarms as they are now, rows in a fixed order; kinds without objects are left out."""
    with reading(store) as db:
        found = {table.name: _arrow(db, table, columns) for table, columns in _SMALL.items()}
        said = _facts(db)
    found["areas"] = pa.Table.from_pylist(_last_areas(said.get("area", {})), pa.schema(_AREAS))
    for kind, (name, columns) in _DATED.items():
        if kind in said or kind in _ALWAYS_THERE:
            rows = [row for subject, known in said.get(kind, {}).items() for row in _rows(subject, known, columns)]
            found[name] = pa.Table.from_pylist(rows, pa.schema(columns))
    return found


def _facts(db: Connection, kind: str | None = None, subject: str | None = None) -> dict[str, dict[str, Facts]]:
    """All that is said, or only of a kind, or of one object, by kind and object."""
    found: dict[str, dict[str, Facts]] = {}
    query = select(facts).order_by(facts.c.kind, facts.c.subject, facts.c.name, facts.c.since)
    query = query if kind is None else query.where(facts.c.kind == kind)
    query = query if subject is None else query.where(facts.c.subject == subject)
    for of, id_, name, since, value in db.execute(query):
        found.setdefault(of, {}).setdefault(id_, {})[name, since] = value
    return found


def _last_areas(known: Mapping[str, Facts]) -> list[dict[str, Any]]:
    """One row an area, as it was said last: `kind` is a district where nobody said otherwise."""
    return [{"area_id": area, "kind": "district", **last(said)} for area, said in known.items()]


def _rows(subject: str, known: Facts, columns: Columns) -> Iterator[dict[str, Any]]:
    """The versions of one object as rows of its table; what has no column goes into the last one, as JSON."""
    key, rest = next(iter(columns)), list(columns)[-1]
    for version in versions(known):
        named = {name: _typed(value, columns[name]) for name, value in version.values.items() if name in columns}
        more = {name: value for name, value in version.values.items() if name not in columns}
        until = None if version.until is None else moment(version.until)
        yield {key: subject, "valid_from": moment(version.since), "valid_to": until, **named, rest: _plain(more)}


def _typed(value: Any, kind: pa.DataType) -> Any:
    return moment(int(value)) if kind == _TIME else value


def _arrow(db: Connection, table: Table, columns: Columns) -> pa.Table:
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
    when = micros(now)
    here = and_(
        assignments.c.device_id == devices.c.device_id,
        assignments.c.valid_from <= when,
        or_(assignments.c.valid_to.is_(None), assignments.c.valid_to > when),
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
    hung = select(*(column for column in assignments.c if column.name != "id")).where(hangs)
    with reading(store) as db:
        device = db.execute(select(devices).where(devices.c.device_id == name)).mappings().first()
        thing = db.execute(select(things).where(things.c.thing_id == name)).mappings().first()
        rows = db.execute(hung.order_by(assignments.c.valid_from, assignments.c.device_id)).mappings()
        return {
            "device": dict(device) if device else None,
            "thing": dict(thing) if thing else None,
            "history": [
                {"of": kind, **_span(version), "said": version.values}
                for kind in ("device", "thing")
                for version in versions(_facts(db, kind, name).get(kind, {}).get(name, {}))
            ],
            "assignments": [_timed(row) for row in rows],
        }


def _span(version: Version) -> dict[str, Any]:
    return {
        "valid_from": None if version.since == ALWAYS else moment(version.since),
        "valid_to": None if version.until is None else moment(version.until),
    }


def list_assets(store: Store, kind: Kind, *, when: int) -> list[dict[str, Any]]:
    """Give every object of a kind that is in service at a moment (µs), as it is then, in the order of their ids."""
    with reading(store) as db:
        known = _facts(db, kind.name).get(kind.name, {})
    found = []
    for subject, said in known.items():
        for version in versions(said):
            if version.since <= when and (version.until is None or when < version.until):
                named = {name: version.values.get(name) for name in list(kind.published)[3:-1]}
                more = {name: value for name, value in version.values.items() if name not in named}
                found.append({kind.key: subject, **named, **_span(version), "attributes": more})
    return found


def count_assets(store: Store, *, now: datetime) -> dict[str, int]:
    """Count the objects in service by kind."""
    with reading(store) as db:
        known = _facts(db)
    when = micros(now)
    return {kind: sum(at(said, when).get(IN_SERVICE) is True for said in of.values()) for kind, of in known.items()}


def list_areas(store: Store) -> list[dict[str, Any]]:
    """Give every area with the number of things in it."""
    with reading(store) as db:
        count = select(things.c.area_id, func.count()).group_by(things.c.area_id)
        inside = {row[0]: row[1] for row in db.execute(count)}
        known = _facts(db, "area").get("area", {})
    names = [name for name in _AREAS if name != "geometry"]
    return [
        {name: row.get(name) for name in names} | {"things": inside.get(row["area_id"], 0)}
        for row in _last_areas(known)
    ]


def _timed(row: Mapping[Any, Any]) -> dict[str, Any]:
    times = {name for name, value in row.items() if name.startswith("valid_") and value is not None}
    return {name: moment(value) if name in times else value for name, value in row.items()}
