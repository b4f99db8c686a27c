"""Builds small homes in the published form: Delta tables, current.json, kept snapshots, small tables."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from lake.tables import tables, with_day

SETTINGS = 'municipality = "ptuj"\nlang = "en"\n[query]\nmemory_mb = 512\n'


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestHome:
    """A home whose lake is written directly, as a commit would publish it."""

    __test__ = False

    def __init__(self, path: Path, settings: str = SETTINGS) -> None:  # noqa: D107
        self.path = path
        for name in ("lake", "published/small", "published/snapshots", "exports", "catalog"):
            (path / name).mkdir(parents=True)
        (path / "drava.toml").write_text(settings)
        (path / "format").write_text("1\n")
        self.id = 0
        self.versions: dict[str, int] = {}
        self.revised: dict[str, list[str]] = {}
        self.small: dict[str, str] = {}

    def add(self, table: str, rows: Sequence[Mapping[str, Any]], *, time: str = "observed_at") -> None:
        """Append rows; `day` follows from the time column where it is not given."""
        schema = with_day(tables()[table])
        full = [
            {name: row.get(name) for name in schema.names}
            | {"day": row.get("day") or (row[time].date() if time in row else date(2026, 3, 1))}
            for row in rows
        ]
        folder = self.path / "lake" / table
        write_deltalake(folder, pa.Table.from_pylist(full, schema), mode="append", partition_by=["day"])
        self.versions[table] = DeltaTable(folder).version()

    def put(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace a small table."""
        table = pa.Table.from_pylist(list(rows))
        digest = hashlib.sha256(repr(rows).encode()).hexdigest()[:12]
        self.small[name] = f"{name}-{digest}.parquet"
        pq.write_table(table, self.path / "published" / "small" / self.small[name])

    def publish(self, moment: str = "2026-03-02T06:00:00") -> int:
        self.id += 1
        when = at(moment)
        body = json.dumps(
            {
                "id": self.id,
                "at": when.isoformat(),
                "municipality": "ptuj",
                "timezone": "Europe/Ljubljana",
                "tables": self.versions,
                "revised": self.revised,
                "small": self.small,
            }
        )
        name = f"{self.id:012d}-{int(when.timestamp() * 1_000_000)}.json"
        (self.path / "published" / "snapshots" / name).write_text(body)
        temporary = self.path / "published" / "current.tmp"
        temporary.write_text(body)
        temporary.replace(self.path / "published" / "current.json")
        return self.id


def reading(device: str, moment: str, **values: Any) -> dict[str, Any]:
    """A row of a family table with the system columns filled."""
    row = {
        "device_id": device,
        "observed_at": at(moment),
        "quality": 1,
        "quality_tests": 0,
        "time_source": "device",
        "received_at": at(moment),
        "ingested_at": at(moment),
        "seq": None,
        "profile": "json",
        "revision": 0,
        "message_id": 1,
    }
    return row | values
