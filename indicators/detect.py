"""Detectors over a snapshot: each row is a condition with its place, its time, its size and the numbers behind it."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from indicators.frame import Cursor, Terms, frame
from indicators.header import Pack
from indicators.method import FOUND, Assets, method
from indicators.runner import reads
from indicators.thresholds import detectors
from schemas.settings import Settings

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
    for days in sorted({pack.memory_days for pack in wanted}):  # nobody pays for the memory of another
        alike = [pack for pack in wanted if pack.memory_days == days]
        with frame(connection, terms, [*reads(alike), "things", "areas", "assignments"], back=timedelta(days=days)):
            for pack in alike:
                found[pack.id] = (
                    _conditions(connection, pack, terms, cache) if pack.method else _findings(connection, pack)
                )
    return pa.concat_tables([found[pack.id] for pack in wanted]) if found else FINDINGS.empty_table()


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


def _conditions(connection: Cursor, pack: Pack, terms: Terms, cache: Path | None) -> pa.Table:
    """What the method of a pack finds in the series that its SELECT yields, with the places of the registry."""
    held = _registered(connection, pack.subject)
    assets = {key: {**json.loads(row["attributes"] or "{}"), "cache": cache} for key, row in held.items()}
    rows = []
    for found in _found(connection, pack, assets):
        if found["until"] is not None and found["until"] < terms.as_of - OVER:
            continue
        place = held.get(found["asset"], {})
        rows.append(
            {
                "thing_id": found["asset"] if pack.subject == "thing" else place.get("thing_id"),
                "device_id": found["asset"] if pack.subject == "device" else place.get("device_id"),
                "area_id": found["asset"] if pack.subject == "area" else place.get("area_id"),
                **{name: found[name] for name in ("since", "until", "severity", "litres_per_hour", "volume_m3")},
                "eur": round(found["volume_m3"] * terms.water_eur_m3, 2) if found["volume_m3"] is not None else None,
                "confidence": found["confidence"],
                "evidence": found["evidence"],
                "going_on": found["until"] is None,
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
        rows = connection.sql(f'SELECT * FROM ({pack.sql}) {chosen_ones} ORDER BY asset, "at"').to_arrow_table()
        yield from find(pl.DataFrame(rows), assets).match_to_schema(FOUND).iter_rows(named=True)


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
