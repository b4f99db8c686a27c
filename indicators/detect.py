"""Detectors over a snapshot: each row is a condition with its place, its time, its size and the numbers behind it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from indicators.frame import Cursor, Part, Terms, frame
from indicators.header import Pack
from indicators.method import FOUND, Assets, method
from indicators.runner import reads
from indicators.thresholds import detectors
from lake.query import needed
from lake.relations import literal
from schemas.settings import Settings
from schemas.vocabulary import families

_TIME = pa.timestamp("us", "UTC")
FINDINGS = pa.schema(
    [
        ("detector", pa.string()),
        ("kind", pa.string()),
        ("thing_id", pa.string()),
        ("device_id", pa.string()),
        ("area_id", pa.string()),
        ("since", _TIME),
        ("until", _TIME),
        ("severity", pa.string()),  # info | warning | critical
        ("litres_per_hour", pa.float64()),
        ("volume_m3", pa.float64()),
        ("eur", pa.float64()),
        ("confidence", pa.float64()),
        ("evidence", pa.string()),  # JSON
        ("going_on", pa.bool_()),
    ]
)


TOGETHER = 1000  # assets whose series are in memory at once: 500 MB with 130 days of hourly readings
OVER = timedelta(days=35)  # what ended before is not looked for again
_REGISTRY = ("things", "areas", "assignments")

Held = Mapping[str, Mapping[str, Any]]  # each asset with its attributes and its places
Rows = Iterable[Mapping[str, Any]]  # of FOUND


def run_detectors(
    connection: Cursor,
    *,
    as_of: datetime,
    settings: Settings,
    ids: list[str] | None = None,
    cache: Path | None = None,
) -> pa.Table:
    """Look for conditions (with all detectors, or those named) in a snapshot as it was known at `as_of`.

    Gives rows of `FINDINGS`, sorted by detector, time and subject. A condition that goes on has no `until`; one that
    ended more than 35 days before is not looked for again. What methods compute at length is kept in `cache`.
    """
    wanted = detectors(settings, ids)
    terms = Terms.of(settings, as_of)
    found: dict[str, pa.Table] = {}
    for alike in _alike(wanted):
        found |= (_apart if _single(alike[0]) else _together)(connection, alike, terms, cache)
    return pa.concat_tables([found[pack.id] for pack in wanted]) if found else FINDINGS.empty_table()


def _alike(wanted: Sequence[Pack]) -> Iterable[list[Pack]]:
    """Detectors that share what is read: methods for the same series of single things, and others by their memory."""
    alike: dict[object, list[Pack]] = {}
    for pack in sorted(wanted, key=lambda one: one.memory_days):  # nobody pays for the memory of another
        alike.setdefault((pack.subject, pack.sql) if _single(pack) else pack.memory_days, []).append(pack)
    return alike.values()


def _single(pack: Pack) -> bool:
    """Whether its method looks at each thing by itself."""
    return pack.own and pack.method is not None


def _together(connection: Cursor, alike: Sequence[Pack], terms: Terms, cache: Path | None) -> dict[str, pa.Table]:
    """What detectors of one memory find in the readings of all devices."""
    found: dict[str, pa.Table] = {}
    with frame(connection, terms, [*reads(alike), *_REGISTRY], back=timedelta(days=alike[0].memory_days)):
        for pack in alike:
            if pack.method:
                held = _registered(connection, pack.subject)
                rows = _found(connection, pack, _assets(held, cache))
                found[pack.id] = _conditions(pack, rows, held, terms)
            else:
                found[pack.id] = _findings(connection, pack)
    return found


def _apart(connection: Cursor, alike: Sequence[Pack], terms: Terms, cache: Path | None) -> dict[str, pa.Table]:
    """What methods find in the same series of things: of some things at a time, and read once for all methods.

    Each sees the steps that ended in its own memory.
    """
    names = [*reads(alike), *_REGISTRY]
    with frame(connection, terms, _REGISTRY):
        held, parts = _registered(connection, alike[0].subject), _parts(connection, names)
    assets, first = _assets(held, cache), terms.today - timedelta(days=alike[-1].memory_days + 1)
    rows: dict[str, list[dict[str, Any]]] = {pack.id: [] for pack in alike}
    for devices in parts:
        with frame(connection, terms, names, part=Part(first, terms.today, devices=devices)):
            series = _series(connection, alike[0].sql)
        for pack in alike:
            lately = series.filter(pl.col("at") > terms.as_of - timedelta(days=pack.memory_days))
            rows[pack.id] += method(str(pack.method))(lately, assets).match_to_schema(FOUND).to_dicts()
    return {pack.id: _conditions(pack, rows[pack.id], held, terms) for pack in alike}


def _parts(connection: Cursor, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The devices of so many things at a time, of the families that these tables read.

    They go by the ids of devices, because files do: a part opens few pieces of each.
    """
    read = needed(names) & set(families())
    rows = connection.sql(f"""SELECT list(DISTINCT a.device_id) AS devices
        FROM assignments AS a JOIN things AS t ON t.thing_id = a.thing_id
        WHERE t.family IN ({", ".join(map(literal, sorted(read))) or "NULL"})
        GROUP BY a.thing_id ORDER BY min(a.device_id), a.thing_id""").fetchall()
    return [
        tuple(device for (devices,) in rows[begin : begin + TOGETHER] for device in devices)
        for begin in range(0, len(rows), TOGETHER)
    ]


def _findings(connection: Cursor, pack: Pack) -> pa.Table:
    columns = ", ".join(
        name if name != "evidence" else "CAST(to_json(evidence) AS VARCHAR) AS evidence" for name in pack.columns
    )
    order = "ORDER BY since, thing_id, device_id, area_id"
    found = connection.sql(f"SELECT {columns} FROM ({pack.sql}) {order}").to_arrow_table()
    return _named(pack, found)


def _named(pack: Pack, found: pa.Table) -> pa.Table:
    constant = {"detector": pack.id, "kind": pack.name}
    return pa.table(
        [
            pa.repeat(pa.scalar(constant[field.name], field.type), found.num_rows)
            if field.name in constant
            else found[field.name].cast(field.type)
            for field in FINDINGS
        ],
        schema=FINDINGS,
    )


def _conditions(pack: Pack, found: Rows, held: Held, terms: Terms) -> pa.Table:
    """What the method of a pack has found, with the places of the registry."""
    rows = []
    for one in found:
        if one["until"] is not None and one["until"] < terms.as_of - OVER:
            continue
        place = held.get(one["asset"], {})
        rows.append(
            {
                "thing_id": one["asset"] if pack.subject == "thing" else place.get("thing_id"),
                "device_id": one["asset"] if pack.subject == "device" else place.get("device_id"),
                "area_id": one["asset"] if pack.subject == "area" else place.get("area_id"),
                **{name: one[name] for name in ("since", "until", "severity", "litres_per_hour", "volume_m3")},
                "eur": round(one["volume_m3"] * terms.water_eur_m3, 2) if one["volume_m3"] is not None else None,
                "confidence": one["confidence"],
                "evidence": one["evidence"],
                "going_on": one["until"] is None,
            }
        )
    rows.sort(key=lambda row: (row["since"], row["thing_id"] or "", row["device_id"] or "", row["area_id"] or ""))
    return _named(pack, pa.Table.from_pylist(rows, pa.schema([FINDINGS.field(name) for name in pack.columns])))


def _found(connection: Cursor, pack: Pack, assets: Assets) -> Iterator[dict[str, Any]]:
    """The rows of FOUND of a pack's method, a part of the assets at a time: memory does not grow with the town."""
    find = method(str(pack.method))
    parts = 1 + len(assets) // TOGETHER if pack.subject != "area" else 1  # what areas have in common may matter
    for part in range(parts):
        chosen_ones = f"WHERE hash(asset) % {parts} = {part}" if parts > 1 else ""
        series = _series(connection, f"SELECT * FROM ({pack.sql}) {chosen_ones}")
        yield from find(series, assets).match_to_schema(FOUND).iter_rows(named=True)


def _series(connection: Cursor, select: str) -> pl.DataFrame:
    return pl.DataFrame(connection.sql(f'SELECT * FROM ({select}) ORDER BY asset, "at"').to_arrow_table())


def _assets(held: Held, cache: Path | None) -> Assets:
    """What methods know of each asset."""
    return {key: {**json.loads(row["attributes"] or "{}"), "cache": cache} for key, row in held.items()}


_PLACES = {
    "thing": """SELECT t.thing_id AS asset, t.attributes, t.area_id, any_value(a.device_id) AS device_id
        FROM things AS t LEFT JOIN assignments AS a ON a.thing_id = t.thing_id AND a.valid_to IS NULL GROUP BY ALL""",
    "device": """SELECT a.device_id AS asset, any_value(t.attributes) AS attributes, any_value(t.area_id) AS area_id,
        any_value(t.thing_id) AS thing_id
        FROM assignments AS a JOIN things AS t ON t.thing_id = a.thing_id AND a.valid_to IS NULL GROUP BY ALL""",
    "area": """SELECT area_id AS asset, (  -- the district meter that names the model of the network speaks for its area
            SELECT min(t.attributes) FROM things AS t
            WHERE t.area_id = areas.area_id AND t.family = 'district_meter' AND json_exists(t.attributes, '$.network')
        ) AS attributes FROM areas""",
}


def _registered(connection: Cursor, subject: str) -> dict[str, dict[str, Any]]:
    """Each asset with its attributes and its places."""
    return {row["asset"]: row for row in connection.sql(_PLACES[subject]).to_arrow_table().to_pylist()}
