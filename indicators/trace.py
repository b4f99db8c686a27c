"""Where a value comes from, down to readings and messages; and what came between two values of the same period."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from catalog import imports
from catalog.marks import run_of
from catalog.store import Store
from indicators.frame import Cursor
from indicators.header import Pack, packs
from indicators.runner import inputs
from lake.relations import literal, quote
from lake.snapshot import Snapshot, files_of
from lake.tables import INDICATOR_VALUES as VALUES
from schemas.clock import micros, moment
from schemas.quality import Test
from schemas.vocabulary import Family, families

SHOWN = 50  # rows of each kind


@dataclass(frozen=True)
class Of:
    """One value: whose, and of which period."""

    pack: Pack
    subject: str
    first: date  # of the period

    @property
    def condition(self) -> pl.Expr:
        """The same as a condition on stored values."""
        same = (pl.col("indicator") == self.pack.id) & (pl.col("subject_id") == self.subject)
        return same & (pl.col("period_start") == self.first)


def told(home: Path, snapshot: Snapshot, of: Of) -> list[dict[str, Any]]:
    """Every value that was ever stored of this, oldest first."""
    paths = [file.path for file in files_of(home, snapshot, "indicator_values")]
    if not paths:
        return []
    rows = pl.scan_parquet(paths, hive_partitioning=False).filter(of.condition).select(VALUES.names)
    return rows.sort("computed_at", "snapshot_id").collect().to_dicts()


def readings(connection: Cursor, of: Of, end: date, zone: str) -> list[dict[str, Any]]:
    """The readings behind a value, of each device that belongs to its subject, with their flags and messages.

    Those of the period itself and the one next to it on either side; `SHOWN` of each family.
    """
    since, until = (_midnight(day, zone) for day in (of.first, end))
    found = []
    for family in _families(of.pack):
        found += [_reading(family, row) for row in _rows(connection, family, of.subject, since, until)]
    return found


def messages(connection: Cursor, ids: Iterable[int]) -> list[dict[str, Any]]:
    """The raw messages of these ids, as far as they are kept."""
    wanted = ", ".join(str(int(one)) for one in ids) or "NULL"
    query = f"SELECT message_id, received_at, topic, payload FROM raw_messages WHERE message_id IN ({wanted})"
    rows = connection.sql(f"{query} ORDER BY received_at, message_id LIMIT {SHOWN}").to_arrow_table().to_pylist()
    return [{**row, "payload": row["payload"].decode("utf-8", "backslashreplace")} for row in rows]


def needed_values(connection: Cursor, of: Of, end: date) -> list[dict[str, Any]]:
    """The values of other indicators behind this one, of its period, of its subject or of things that belong to it."""
    if not of.pack.needs:
        return []
    names = ", ".join(map(literal, of.pack.needs))
    belongs = f"subject_id = {literal(of.subject)} OR subject_id IN (SELECT thing_id FROM ({_devices(of.subject)}))"
    query = (
        "SELECT indicator, subject_id, period_start, value, coverage, estimated_share, snapshot_id "
        "FROM indicator_values "
        f"WHERE indicator IN ({names}) AND period_end > DATE '{of.first}' AND period_start < DATE '{end}' "
        f"AND ({belongs}) ORDER BY indicator, period_start, subject_id LIMIT {SHOWN}"
    )
    return list(connection.sql(query).to_arrow_table().to_pylist())


@dataclass(frozen=True)
class Cause:
    """Something that came between two values of one period; `indicators/trace_words.py` has the words for its kind."""

    kind: str
    about: Mapping[str, Any] = field(default_factory=dict)


def causes(connection: Cursor, store: Store, of: Of, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Cause]:
    """What came between two values of one period: another definition, changes of the registry, readings, values."""
    found = []
    if one["version"] != other["version"]:
        found.append(Cause("definition", {"before": one["version"], "after": other["version"]}))
    runs = [run_of(store, row["snapshot_id"], micros(row["computed_at"])) for row in (one, other)]
    first, last = runs
    if first is None or last is None:
        return [*found, Cause("unknown")]
    found += _registry(store, first["registry_version"], last["registry_version"])
    between = (moment(first["snapshot_at"]), moment(last["snapshot_at"]))
    for family in _families(of.pack):
        found += _came(connection, family, of, other["period_end"], between)
    found += _others(connection, of, one, other)
    return found or [Cause("time")]


def _registry(store: Store, first: int, last: int) -> list[Cause]:
    return [
        Cause("registry", {**row, "who": row["who"] or "?"})
        for row in reversed(imports.history(store))
        if first < row["import"] <= last
    ]


def _came(connection: Cursor, family: Family, of: Of, end: date, between: tuple[datetime, datetime]) -> Iterator[Cause]:
    """Readings that came in between, by device.

    What came at the very moment of the earlier snapshot is in it, but for a revision: a clock that stands still has
    them all at one moment, and only a revision can change what was there.
    """
    reach = of.pack.reach
    days = (of.first - timedelta(days=reach.before), end + timedelta(days=reach.after))
    since, until = (f"TIMESTAMPTZ '{at.astimezone(UTC).isoformat()}'" for at in between)
    query = (
        "SELECT device_id, count(*) AS rows, count(*) FILTER (revision > 0) AS revised, min(observed_at) AS first, "
        "max(observed_at) AS last, max(json_extract_string(extra, '$.corrected_by')) AS author, "
        "max(json_extract_string(extra, '$.correction')) AS reason "
        f"FROM {family.name}_revisions WHERE (ingested_at > {since} OR ingested_at = {since} AND revision > 0) "
        f"AND ingested_at <= {until} AND day BETWEEN DATE '{days[0]}' AND DATE '{days[1]}' "
        f"AND device_id IN (SELECT device_id FROM ({_devices(of.subject)})) "
        f"GROUP BY device_id ORDER BY rows DESC LIMIT {SHOWN}"
    )
    for row in connection.sql(query).to_arrow_table().to_pylist():
        yield Cause("readings", {**row, "family": family.name})


def _others(connection: Cursor, of: Of, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Cause]:
    """Values of needed indicators that were computed in between."""
    if not of.pack.needs:
        return []
    names = ", ".join(map(literal, of.pack.needs))
    query = (
        "SELECT indicator, count(*) AS n, min(subject_id) AS subject FROM indicator_values "
        f"WHERE indicator IN ({names}) "
        f"AND period_end > DATE '{of.first}' AND period_start < DATE '{other['period_end']}' "
        f"AND computed_at > TIMESTAMPTZ '{one['computed_at'].isoformat()}' "
        f"AND computed_at <= TIMESTAMPTZ '{other['computed_at'].isoformat()}' GROUP BY indicator ORDER BY indicator"
    )
    return [Cause("values", row) for row in connection.sql(query).to_arrow_table().to_pylist()]


def _families(pack: Pack) -> list[Family]:
    """The families behind an indicator, also through those that it needs."""
    names, waiting = set(inputs(pack)), list(pack.needs)
    while waiting:
        need = packs("indicator")[waiting.pop()]
        names |= inputs(need)
        waiting += need.needs
    return [family for name, family in families().items() if name in names]


def _devices(subject: str) -> str:
    """The devices of a subject: a device, or what ever hung on a thing, in an area (or one in it), of a family."""
    name = literal(subject)
    return (
        "SELECT a.device_id, a.thing_id FROM assignments AS a LEFT JOIN things AS t ON t.thing_id = a.thing_id "
        f"WHERE a.device_id = {name} OR a.thing_id = {name} OR t.family = {name} "
        f"OR {name} IN (SELECT name FROM municipality) "
        f"OR t.area_id IN (SELECT area_id FROM area_tree WHERE ancestor_id = {name})"
    )


def _midnight(day: date, zone: str) -> str:
    moment_ = datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
    return f"TIMESTAMPTZ '{moment_.isoformat()}'"


def _rows(connection: Cursor, family: Family, subject: str, since: str, until: str) -> Sequence[Mapping[str, Any]]:
    names = ", ".join(quote(name) for name in [*family.keys, *(m.name for m in family.columns)])
    around = f"observed_at >= {since} - INTERVAL 31 DAY AND observed_at < {until} + INTERVAL 31 DAY"
    query = (
        "SELECT * EXCLUDE (before, after) FROM (SELECT *, "
        "lead(observed_at) OVER w AS after, lag(observed_at) OVER w AS before FROM ("
        f"SELECT device_id, observed_at, {names}, quality, quality_tests, time_source, revision, message_id, "
        "json_extract_string(extra, '$.corrected_by') AS author, json_extract_string(extra, '$.correction') AS reason "
        f"FROM {family.name} WHERE {around} AND device_id IN (SELECT device_id FROM ({_devices(subject)}))"
        f") WINDOW w AS (PARTITION BY device_id ORDER BY observed_at)) "
        f"WHERE (observed_at < {until} OR before < {until}) AND (observed_at >= {since} OR after >= {since}) "
        f"ORDER BY device_id, observed_at LIMIT {SHOWN}"
    )
    return list(connection.sql(query).to_arrow_table().to_pylist())


def _reading(family: Family, row: Mapping[str, Any]) -> dict[str, Any]:
    """A reading for people: what it says, what is doubtful about it, and the message in which it came."""
    measures = {m.name: row[m.name] for m in family.columns if row[m.name] is not None}
    said = ", ".join(f"{name} {value}" for name, value in measures.items())
    failed = ", ".join(str(test.name).lower() for test in Test if (row["quality_tests"] or 0) & test)
    person = f"{row['author']}: {row['reason']}" if row["author"] else ""
    return {
        "family": family.name,
        "device_id": row["device_id"],
        "observed_at": row["observed_at"],
        "says": said,
        "quality": row["quality"],
        "tests": failed,
        "revision": row["revision"],
        "corrected": person,
        "message_id": row["message_id"],
    }
