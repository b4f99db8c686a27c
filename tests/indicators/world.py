"""A small world for the tests of indicators and detectors: the tables of a snapshot, in memory, filled row by row."""

import json
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from devices.simulate import City
from lake.calendar import Place, civil_days
from lake.relations import SMALL, balance, columns_of, quarantine, stored
from lake.tables import SYSTEM
from schemas.vocabulary import families

ROOT = Path(__file__).resolve().parents[2]
READING = {
    "observed_at": "TIMESTAMPTZ",
    "observed_until": "TIMESTAMPTZ",
    "quality": "TINYINT DEFAULT 1",
    "quality_tests": "INTEGER DEFAULT 0",
    "received_at": "TIMESTAMPTZ",
    "seq": "BIGINT",
    "day": "DATE GENERATED ALWAYS AS (CAST(timezone('UTC', observed_at) AS DATE))",
}
SHEETS = {"quarantine": quarantine, "balance": balance}
SQL_TYPE = {"float": "DOUBLE", "decimal": "DECIMAL(18,6)", "int": "BIGINT", "bool": "BOOLEAN"}


def empty(zone: str = "Europe/Ljubljana") -> duckdb.DuckDBPyConnection:
    """Every table and view of a snapshot that packs may read, without rows."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, family in families().items():
        keys = "".join(f"{key} VARCHAR, " for key in family.keys)
        measures = "".join(f"{m.name} {SQL_TYPE[m.type]}, " for m in family.columns)
        common = ", ".join(f"{column} {kind}" for column, kind in READING.items())
        connection.execute(f"CREATE TABLE {name} (device_id VARCHAR, {keys}{measures}{common})")
        connection.execute(f"CREATE VIEW {name}_revisions AS FROM {name}")
    for name, columns in SMALL.items():
        connection.execute(f"CREATE TABLE {name} AS {stored(columns, [])}")
    for name, schema in SYSTEM.items():
        rows = stored(columns_of(schema), [])
        connection.execute(f"CREATE TABLE {name} AS {SHEETS[name](rows) if name in SHEETS else rows}")
    connection.execute("CREATE TABLE municipality AS SELECT 'town' AS name, ? AS zone", [zone])
    connection.execute(f"CREATE MACRO local_time(t) AS timezone('{zone}', t)")
    connection.execute(f"CREATE MACRO local_date(t) AS CAST(timezone('{zone}', t) AS DATE)")
    connection.register("_days", civil_days(Place(zone, 46.42, 15.87)))
    connection.execute("CREATE TABLE civil_days AS FROM _days")
    connection.unregister("_days")
    for view in sorted((ROOT / "lake" / "views").glob("*.sql")):
        connection.execute(view.read_text("utf-8"))
    return connection


def put(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict] | str | pa.Table) -> None:
    """Add rows: dicts, the text of a SELECT, or an Arrow table; columns by name, the rest at their defaults."""
    if isinstance(rows, str):
        connection.execute(f"INSERT INTO {table} BY NAME {rows}")
    elif isinstance(rows, pa.Table):
        connection.register("_rows", rows)
        known = {row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
        names = ", ".join(f'"{name}"' for name in rows.column_names if name in known)
        connection.execute(f"INSERT INTO {table} BY NAME SELECT {names} FROM _rows")
        connection.unregister("_rows")
    else:
        for row in rows:
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def meter(connection: duckdb.DuckDBPyConnection, thing: str, device: str, since: str, **more: object) -> None:
    """A water connection with its meter."""
    if not connection.execute("SELECT 1 FROM things WHERE thing_id = ?", [thing]).fetchall():
        put(connection, "things", [{"thing_id": thing, "family": "water_meter", "area_id": "east", "attributes": "{}"}])
    put(connection, "assignments", [{"device_id": device, "thing_id": thing, "valid_from": since, **more}])


def registers(connection: duckdb.DuckDBPyConnection, device: str, points: list[tuple[datetime, object]]) -> None:
    """Readings of one water meter."""
    put(
        connection,
        "water_meter",
        [{"device_id": device, "observed_at": at, "volume_total_m3": value} for at, value in points],
    )


_COLUMNS = {"device_id", "family", "thing_id", "area", "lat", "lon", "model", "gateway", "valid_from", "title"}


def settle(connection: duckdb.DuckDBPyConnection, place: City) -> None:
    """A simulated city's registry and all its readings, as ingestion would have stored them."""
    rows = [{name: value for name, value in row.items() if value} for row in place.registrations]
    things = [
        {
            "thing_id": row["thing_id"],
            "family": row["family"],
            "area_id": row["area"],
            "title": row["title"],
            "attributes": json.dumps({name: value for name, value in row.items() if name not in _COLUMNS}),
        }
        for row in rows
    ]
    put(connection, "things", pa.Table.from_pylist(things))
    put(connection, "areas", pa.Table.from_pylist([{k: v or None for k, v in area.items()} for area in place.areas]))
    for table, names in (
        ("devices", ("device_id", "family", "gateway")),
        ("assignments", ("device_id", "thing_id", "valid_from")),
    ):
        put(connection, table, pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]))
    for family in families():
        put(connection, family, place.readings(family))
