"""What readers need, in files that a second user can read: the newest snapshot, older ones, the small tables.

Contents are synced before a file has its name: after a power cut readers see an older state, never a torn one. Names
of snapshots are not: what is lost of them is made again from the catalogue by whoever takes the lake's lock next.
"""

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
from lake.files import sync_folder
from schemas.settings import Home

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SMALL_VERSIONS = ("registry_version", "alarms_version", "entered_version")  # what the small tables are made of


def snapshot_file(snapshot: Snapshot) -> str:
    """The name under which a snapshot stays in `published/snapshots/`."""
    return f"{snapshot.id:012d}-{snapshot.created_at}.json"


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
        version = tuple(plans.value(self.store, name) for name in _SMALL_VERSIONS)
        number = snapshot.id if snapshot else 0
        if not (self.home.published / "small").is_dir():  # somebody has taken it away
            self._shown = self._small_version = None
        if self._shown == (number, version):
            return
        if version != self._small_version:
            self._small = self._write_small()
            self._small_version = version
        body = self._body(snapshot)
        current = write_synced(self.home.published / "current.json", body)
        if snapshot:  # the same file under a second name: one wait for the disk
            kept = self.home.published / "snapshots" / snapshot_file(snapshot)
            second = _fresh(kept)
            second.unlink(missing_ok=True)
            os.link(current, second)
            second.replace(kept)
        current.replace(self.home.published / "current.json")
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
        files = {name: self._small_file(name, table) for name, table in small_tables(self.store).items()}
        sync_folder(self.home.published / "small")  # snapshots name them
        return files

    def _small_file(self, name: str, table: pa.Table) -> str:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        body = sink.getvalue().to_pybytes()
        file = f"{name}-{hashlib.sha256(body).hexdigest()[:16]}.parquet"
        path = self.home.published / "small" / file
        if not path.exists():
            write_synced(path, body).replace(path)
        return file


def write_synced(path: Path, body: bytes) -> Path:
    """Write what shall become `path` beside it, and sync it."""
    fresh = _fresh(path)
    fresh.unlink(missing_ok=True)  # after a crash a snapshot may have it as its second name: never written into
    with fresh.open("xb") as file:
        os.fchmod(file.fileno(), 0o640)
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    return fresh


def _fresh(path: Path) -> Path:
    """A name beside a file for what shall replace it. Its folder is made where it is not there."""
    _make(path.parent)
    return path.with_name(f".{path.name}.{os.getpid()}")


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o750)
        folder.chmod(0o750)
