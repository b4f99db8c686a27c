"""What a city's page asks, over a snapshot and over the same rows in DuckDB's own tables: seconds, and their ratio."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
from indicators_year import END

from lake.query import mentioned, open_found
from lake.relations import SMALL, columns_of, quote
from lake.snapshot import find
from lake.tables import tables
from schemas.settings import Home, Settings

RUNS = 5
LAST = END - timedelta(days=1)  # the newest whole local day
NIGHT = f"observed_at BETWEEN TIMESTAMPTZ '{LAST - timedelta(1)} 20:00:00Z' AND TIMESTAMPTZ '{LAST} 02:00:00Z'"
MONTH = f"observed_at >= TIMESTAMPTZ '{LAST - timedelta(30)} 22:00:00Z'"
TODAY = f"observed_at >= TIMESTAMPTZ '{LAST - timedelta(1)} 22:00:00Z'"
NEWEST = "water_meter", "streetlight", "waste_container", "traffic_counter", "district_meter"

QUESTIONS = {
    "yesterday's consumption by area": f"""
        SELECT subject_id, value, coverage FROM indicator_values
        WHERE indicator = 'water.consumption_area' AND period_start = DATE '{LAST}' ORDER BY 1""",
    "balance of the last 30 days": f"""
        SELECT period_start, sum(numerator) AS lost, sum(denominator) AS inflow FROM indicator_values
        WHERE indicator = 'water.balance' AND period_start >= DATE '{LAST - timedelta(30)}' GROUP BY 1 ORDER BY 1""",
    "fill of every container now": f"""
        SELECT t.thing_id, t.area_id, arg_max(w.fill_pct, w.observed_at) AS fill_pct, max(w.observed_at) AS seen
        FROM waste_container AS w JOIN assignments AS a ON a.device_id = w.device_id AND a.valid_to IS NULL
        JOIN things AS t ON t.thing_id = a.thing_id
        WHERE w.{TODAY} AND w.fill_pct IS NOT NULL GROUP BY ALL ORDER BY 1""",
    "lamps dark last night": f"""
        SELECT device_id, max(power_w) AS most FROM streetlight WHERE {NIGHT} GROUP BY 1 HAVING most < 5 ORDER BY 1""",
    "traffic of a street over a month": f"""
        SELECT date_trunc('hour', observed_at) AS hour, direction, sum(count) AS vehicles FROM traffic_counter
        WHERE device_id = 'tc-000001' AND {MONTH} GROUP BY ALL ORDER BY ALL""",
    "traffic of all streets over a month": f"""
        SELECT device_id, CAST(timezone('Europe/Ljubljana', observed_at) AS DATE) AS local_date, sum(count) AS vehicles
        FROM traffic_counter WHERE {MONTH} GROUP BY ALL ORDER BY ALL""",
    "a lamp's energy over all its time": """
        SELECT CAST(observed_at AS DATE) AS date, max(energy_total_kwh) - min(energy_total_kwh) AS kwh FROM streetlight
        WHERE device_id = 'sl-000017' GROUP BY 1 ORDER BY 1""",
    "the newest of every device": " UNION ALL ".join(
        f"SELECT '{name}' AS family, device_id, max(observed_at) AS seen FROM {name} WHERE {TODAY} GROUP BY 2"
        for name in NEWEST
    )
    + " ORDER BY ALL",
    "power of all lamps by hour over a month": f"""
        SELECT date_trunc('hour', observed_at) AS hour, avg(power_w) AS mean FROM streetlight WHERE {MONTH}
        GROUP BY 1 ORDER BY 1""",
}


@dataclass(frozen=True)
class Asked:
    """A question's answer and how long it took: to open the snapshot, then the first time and again (median)."""

    rows: list[tuple[Any, ...]]
    open_s: float
    first_s: float
    again_s: float


def asked(connection: Any, query: str, open_s: float = 0.0) -> Asked:
    spent = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        rows = connection.execute(query).fetchall()
        spent.append(time.perf_counter() - begun)
    return Asked(rows, open_s, spent[0], statistics.median(spent[1:]))


def ours(path: Path, query: str) -> Asked:
    """Open the newest snapshot for one question, and ask it."""
    begun = time.perf_counter()
    connection = open_found(path, find(path), tables=mentioned(query))
    return asked(connection, query, time.perf_counter() - begun)


def native(file: Path, settings: Settings) -> duckdb.DuckDBPyConnection:
    """The peer: the same limits."""
    limits = settings.query
    config: dict[str, Any] = {"memory_limit": f"{limits.memory_mb}MB", "threads": limits.threads, "temp_directory": ""}
    connection = duckdb.connect(str(file), read_only=True, config=config)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def copy(path: Path, file: Path) -> int:
    """Make the peer of a home: what its views show, in tables of DuckDB, in the same order. Gives how many rows."""
    source, total = open_found(path, find(path), limited=False), 0
    with duckdb.connect(str(file), config={"memory_limit": "1GB", "threads": 2}) as target:
        target.execute("SET TimeZone = 'UTC'")
        for name in [*NEWEST, "indicator_values"]:
            told = ", ".join(f"{quote(c)} {kind}" for c, kind in columns_of(tables()[name]).items())
            target.execute(f"CREATE TABLE {name} ({told})")
            for part in parts(source, name):
                target.register("_rows", source.sql(f"SELECT * FROM {name} WHERE {part}").to_arrow_reader(100_000))
                target.execute(f"INSERT INTO {name} SELECT * FROM _rows")
                target.unregister("_rows")
            total += target.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]
        for name in SMALL:
            rows = source.sql(f"SELECT * FROM {name}").to_arrow_table()
            target.register("_rows", rows)
            target.execute(f"CREATE TABLE {name} AS SELECT * FROM _rows")
            target.unregister("_rows")
    return total


def parts(source: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """The last of each value is looked for among all of its period: a year of a city's at once is more than memory."""
    if name != "indicator_values":
        return ["true"]
    days = source.execute(
        "SELECT DISTINCT date_trunc('week', period_start) FROM indicator_values ORDER BY 1"
    ).fetchall()
    return [f"date_trunc('week', period_start) = DATE '{day:%Y-%m-%d}'" for (day,) in days]


def compare(path: Path, file: Path) -> Iterator[dict[str, Any]]:
    """Ask everything of both, in turn. Different answers are an error."""
    peer = native(file, Home(path).settings)
    for name, query in QUESTIONS.items():
        mine, theirs = ours(path, query), asked(peer, query)
        if close(mine.rows) != close(theirs.rows):
            raise SystemExit(f"{name}: the answers are different")
        yield {
            "question": name,
            "rows": len(mine.rows),
            "open_ms": round(mine.open_s * 1000),
            "first_ms": round(mine.first_s * 1000),
            "again_ms": round(mine.again_s * 1000, 1),
            "native_ms": round(theirs.again_s * 1000, 1),
            "ratio": round(mine.again_s / theirs.again_s, 2),
        }


def close(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sums of floats differ in their last digits from run to run."""
    return [tuple(round(cell, 6) if isinstance(cell, float) else cell for cell in row) for row in rows]


def alone(path: Path) -> Iterator[dict[str, Any]]:
    """Ask everything of a snapshot."""
    for name, query in QUESTIONS.items():
        mine = ours(path, query)
        yield {"question": name, "again_ms": round(mine.again_s * 1000, 1)}
