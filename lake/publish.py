"""What readers need, in files that a second user can read: the newest snapshot, older ones, the small tables."""

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog import plans
from catalog.plans import Snapshot
from catalog.registry import small_tables
from catalog.store import Store
from schemas.settings import Home

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Publisher:
    """Keeps `published/` in step with the catalogue. Everything in it can be made again from there."""

    def __init__(self, home: Home, store: Store) -> None:
        """Nothing is written before `refresh`."""
        self.home = home
        self.store = store
        self._small: dict[str, str] = {}
        self._small_version: tuple[str | None, ...] | None = None
        self._shown: tuple[int, tuple[str | None, ...]] | None = None

    def refresh(self, snapshot: Snapshot | None) -> None:
        """Show this snapshot and the small tables as they are now. Does nothing where that is shown already."""
        version = (plans.value(self.store, "registry_version"), plans.value(self.store, "alarms_version"))
        number = snapshot.id if snapshot else 0
        if self._shown == (number, version):
            return
        if version != self._small_version:
            self._small = self._write_small()
            self._small_version = version
        body = self._body(snapshot)
        if snapshot:
            self._replace(self.home.published / "snapshots" / f"{number:012d}-{snapshot.created_at}.json", body)
        self._replace(self.home.published / "current.json", body)
        self._shown = (number, version)

    def _body(self, snapshot: Snapshot | None) -> bytes:
        settings = self.home.settings
        moment = _EPOCH + timedelta(microseconds=snapshot.created_at if snapshot else 0)
        document: dict[str, Any] = {
            "id": snapshot.id if snapshot else 0,
            "at": moment.isoformat(),
            "municipality": settings.municipality,
            "timezone": settings.timezone,
            "tables": snapshot.versions if snapshot else {},
            "revised": plans.revised(self.store),
            "small": self._small,
        }
        return json.dumps(document, separators=(",", ":")).encode()

    def _write_small(self) -> dict[str, str]:
        return {name: self._small_file(name, table) for name, table in small_tables(self.store).items()}

    def _small_file(self, name: str, table: pa.Table) -> str:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        body = sink.getvalue().to_pybytes()
        file = f"{name}-{hashlib.sha256(body).hexdigest()[:16]}.parquet"
        path = self.home.published / "small" / file
        if not path.exists():
            self._replace(path, body)
        return file

    @staticmethod
    def _replace(path: Path, body: bytes) -> None:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o750)
            path.parent.chmod(0o750)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_bytes(body)
        fresh.chmod(0o640)
        fresh.replace(path)
