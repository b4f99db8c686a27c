"""How much is there: the files and rows of each table, and how often its devices really report."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from lake.relations import quote
from lake.snapshot import Snapshot, files_of
from lake.tables import tables
from schemas.vocabulary import Family

_WINDOW_DAYS = 7  # over which the interval is measured


@dataclass(frozen=True)
class Holding:
    """What a table holds in a snapshot. Rows are stored rows: a revised reading counts more than once."""

    table: str
    version: int
    files: int
    rows: int
    bytes: int
    partitions: int
    first_day: str | None
    last_day: str | None

    def as_dict(self) -> dict[str, Any]:
        """The same as a plain dict."""
        return asdict(self)


def holding(home: Path, snapshot: Snapshot, table: str) -> Holding:
    """Count from the Delta log alone: no data file is opened."""
    files = files_of(home, snapshot, table)
    days = sorted({file.day for file in files})
    return Holding(
        table,
        snapshot.tables.get(table, 0),
        len(files),
        sum(file.rows for file in files),
        sum(file.size for file in files),
        len(days),
        days[0] if days else None,
        days[-1] if days else None,
    )


def holdings(home: Path, snapshot: Snapshot) -> list[Holding]:
    """Every table of the snapshot."""
    return [holding(home, snapshot, name) for name in tables() if name in snapshot.tables]


def span(connection: duckdb.DuckDBPyConnection, table: str, time: str, held: Holding) -> tuple[Any, Any]:
    """First and last value of a table's time column; reads the first and the last day alone."""
    found = []
    for sign, day in (("min", held.first_day), ("max", held.last_day)):
        rows = connection.execute(f"SELECT {sign}({quote(time)}) FROM {quote(table)} WHERE day = ?", [day]).fetchall()
        found.append(rows[0][0] if rows and day else None)
    return found[0], found[1]


def measured_interval(connection: duckdb.DuckDBPyConnection, family: Family, held: Holding) -> float | None:
    """Seconds between consecutive readings of a device: the median over the last days that hold data."""
    if held.last_day is None:
        return None
    keys = ", ".join(quote(name) for name in ("device_id", *family.keys))
    rows = connection.execute(
        "SELECT median(epoch_us(observed_at) - epoch_us(before)) / 1e6 FROM ("
        f"SELECT observed_at, lag(observed_at) OVER (PARTITION BY {keys} ORDER BY observed_at) AS before "
        f"FROM {quote(family.name + '_revisions')} WHERE day > CAST(? AS DATE) - {_WINDOW_DAYS}"
        ") WHERE observed_at > before",
        [held.last_day],
    ).fetchall()
    return None if not rows or rows[0][0] is None else float(rows[0][0])
