"""Which snapshot a reader sees: chosen once, from files that the group may read; no database is opened."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from schemas.errors import DravaError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Snapshot:
    """The versions of all tables that belong together, as published."""

    id: int = 0
    at: datetime = _EPOCH
    municipality: str = ""
    timezone: str = "UTC"
    tables: Mapping[str, int] = field(default_factory=dict)  # table -> Delta version
    revised: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # family -> UTC days with several rows a reading
    small: Mapping[str, str] = field(default_factory=dict)  # catalogue table -> file in published/small
    oldest_instead: bool = False  # what was asked for is older than anything kept
    files: Mapping[str, list[list[Any]]] | None = None  # of a pinned one, whose logs are gone: the fields of StoredFile


def find(home: Path, at: str | None = None) -> Snapshot:
    """Give the newest snapshot, or the last one at or before `at`: a snapshot id or an RFC 3339 time.

    Before the oldest snapshot that is kept, the oldest is given and says so (`oldest_instead`).
    A home without a commit has the empty snapshot 0. Raises DravaError where nothing may be read.
    """
    published = home / "published"
    try:
        if at is None:
            newest = published / "current.json"
            return read(newest) if newest.exists() else _empty(home)
        kept = sorted((_stamp(file), file) for file in (published / "snapshots").glob("*-*.json"))
        return _chosen(kept, at)
    except PermissionError:
        raise DravaError(
            f"{published} may not be read by this user", "Add the user to the group that owns the home"
        ) from None


def _empty(home: Path) -> Snapshot:
    """A home without a commit; not one whose tables are there and cannot be seen."""
    if any((home / "lake").glob("*/_delta_log")):
        raise DravaError(
            f"{home}/published/current.json is gone: which rows belong together is not known",
            "The next commit writes it again, or the service's user with: drava doctor",
        )
    return Snapshot()


def _chosen(kept: list[tuple[tuple[int, int], Path]], at: str) -> Snapshot:
    place, wanted = (0, int(at)) if at.isascii() and at.isdigit() else (1, _microseconds(at))
    if not kept or (place == 0 and wanted > kept[-1][0][0]):
        raise DravaError(f"there is no snapshot {at}", "drava lake info shows the newest")
    before = [file for stamp, file in kept if stamp[place] <= wanted]
    if before:
        return read(before[-1])
    return replace(read(kept[0][1]), oldest_instead=True)


def _stamp(file: Path) -> tuple[int, int]:
    number, _, moment = file.stem.partition("-")
    return int(number), int(moment)


def _microseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DravaError(
            f"{text!r} is neither a snapshot nor a time", "Write a number, or a time like 2026-03-01T06:00:00Z"
        ) from None
    since = moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def read(file: Path) -> Snapshot:
    """The snapshot that a file of `published/` describes."""
    body: dict[str, Any] = json.loads(file.read_bytes())
    return Snapshot(
        id=body["id"],
        at=datetime.fromisoformat(body["at"]),
        municipality=body["municipality"],
        timezone=body["timezone"],
        tables=body["tables"],
        revised={family: frozenset(days) for family, days in body["revised"].items()},
        small=body["small"],
        files=body.get("files"),
    )


@dataclass(frozen=True)
class StoredFile:
    """A Parquet file of a table, as the Delta log names it."""

    path: str
    day: str
    rows: int
    size: int
    modified: int  # ms since 1970, as the log has it
    periods: Sequence[str] | None = None  # of values: first and last day on which one begins, and the last end


def files_of(home: Path, snapshot: Snapshot, table: str) -> list[StoredFile]:
    """The Parquet files of a table in this snapshot, by day."""
    version = snapshot.tables.get(table)
    if version is None:
        return []
    folder = home.resolve() / "lake" / table
    if snapshot.files is not None:
        return [StoredFile(f"{folder}/{path}", *rest) for path, *rest in snapshot.files.get(table, [])]
    try:
        found = DeltaTable(folder, version=version).get_add_actions(flatten=True)
        actions = pa.RecordBatchReader.from_stream(found).read_all()  # pa.table would load pandas to look at it
    except (DeltaError, OSError) as error:
        raise DravaError(
            f"table {table} cannot be read: {str(error).splitlines()[0]}", "drava doctor checks the lake"
        ) from None
    if actions.num_rows == 0:
        return []
    names = ("path", "partition.day", "num_records", "size_bytes", "modification_time")
    columns = (actions[name].cast(pa.int64()) if name.startswith("mod") else actions[name] for name in names)
    rows = zip(*(column.to_pylist() for column in columns), _periods(actions), strict=True)
    files = (StoredFile(f"{folder}/{path}", str(day), n or 0, *rest) for path, day, n, *rest in rows)
    return sorted(files, key=lambda file: (file.day, file.path))


def _periods(actions: pa.Table) -> Iterator[list[str] | None]:
    """Of each file: first and last day on which a period begins, and the last end; None where that is unsaid."""
    if "min.period_start" not in actions.column_names:
        yield from repeat(None, actions.num_rows)
        return
    names = ("min.period_start", "max.period_start", "max.period_end")
    for days in zip(*(actions[name].to_pylist() for name in names), strict=True):
        yield None if None in days else [str(day) for day in days]


def uniform(files: Sequence[StoredFile], columns: Collection[str]) -> bool:
    """Whether all these files have all these columns. Tables only ever gain columns: the oldest file decides."""
    if not files:
        return True
    oldest = min(files, key=lambda file: (file.modified, file.path))
    return set(columns) - {"day"} <= set(pq.read_schema(oldest.path).names)
