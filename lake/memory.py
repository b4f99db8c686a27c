"""The tables of a snapshot in memory, to be filled by hand: for detectors held against files outside the lake."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, cast

import duckdb
import pyarrow as pa

from lake.calendar import Place, civil_days
from lake.relations import SMALL, balance, columns_of, literal, quarantine, quote, stored
from lake.tables import SYSTEM, family_schema
from schemas.vocabulary import families

_SHEETS = {"quarantine": quarantine, "balance": balance}
_FILLED: Mapping[str, str] = {"quality": "1", "quality_tests": "0", "revision": "0"}  # what a good reading has


def in_memory(zone: str, lat: float, lon: float) -> duckdb.DuckDBPyConnection:
    """Every table and view of a snapshot that a pack may read, without rows."""
    connection = duckdb.connect(config={"python_enable_replacements": False})
    connection.execute("SET TimeZone = 'UTC'")
    for name, family in families().items():
        columns = columns_of(family_schema(family))
        told = ", ".join(
            f"{quote(column)} {kind}{f' DEFAULT {_FILLED[column]}' if column in _FILLED else ''}"
            for column, kind in columns.items()
            if column != "day"
        )
        day = "day DATE GENERATED ALWAYS AS (CAST(timezone('UTC', observed_at) AS DATE))"
        connection.execute(f"CREATE TABLE {quote(name)} ({told}, {day})")
        connection.execute(f"CREATE VIEW {quote(f'{name}_revisions')} AS FROM {quote(name)}")
    for name, columns in SMALL.items():
        connection.execute(f"CREATE TABLE {quote(name)} AS {stored(columns, [])}")
    for name, schema in SYSTEM.items():
        rows = stored(columns_of(schema), [])
        connection.execute(f"CREATE TABLE {quote(name)} AS {_SHEETS[name](rows) if name in _SHEETS else rows}")
    connection.execute(f"CREATE TABLE municipality AS SELECT 'town' AS name, {literal(zone)} AS zone")
    connection.execute(f"CREATE MACRO local_time(t) AS timezone({literal(zone)}, t)")
    connection.execute(f"CREATE MACRO local_date(t) AS CAST(timezone({literal(zone)}, t) AS DATE)")
    connection.register("_days", civil_days(Place(zone, lat, lon)))
    connection.execute("CREATE TABLE civil_days AS FROM _days")
    connection.unregister("_days")
    for view in sorted((files("lake") / "views").iterdir(), key=lambda file: file.name):
        if view.name.endswith(".sql"):
            connection.execute(view.read_text("utf-8"))
    return connection


def put(connection: Any, table: str, rows: pa.Table) -> None:
    """Add rows to a table by the names of their columns; columns that the table does not have are left out."""
    known = {row[0] for row in connection.execute(f"DESCRIBE {quote(table)}").fetchall()}
    names = ", ".join(quote(name) for name in rows.column_names if name in known)
    there = cast("duckdb.DuckDBPyConnection", connection)
    there.register("_rows", rows)
    there.execute(f"INSERT INTO {quote(table)} BY NAME SELECT {names} FROM _rows")
    there.unregister("_rows")
