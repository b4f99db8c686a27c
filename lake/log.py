"""Entries of a Delta log: on the disk before they have their name, and each carries the hash of the one before.

deltalake reads the log again from its last checkpoint for every commit, 17 ms a table after forty commits and more with
each; we hold the lake's lock and know the version, so an entry is a file of a few lines, put where none is yet.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from catalog.plans import Applied, DataFile, Plan, TableChange
from lake.files import sync_folder
from schemas.steps import reached

APP = "drava"  # one application id in the log; its version is the plan's id
FOLDER = "_delta_log"
_CHECKPOINT = ".checkpoint.parquet"
_FRESH = "_commit_drava.json.tmp"  # a name that readers of Delta pass over; one writer at a time, so one name


def path_of(table: Path, version: int) -> Path:
    """The file of an entry."""
    return table / FOLDER / f"{version:020d}.json"


def checkpoint_of(table: Path, version: int) -> Path:
    """The file of a checkpoint."""
    return table / FOLDER / f"{version:020d}{_CHECKPOINT}"


def kept(table: Path) -> list[int]:
    """The versions whose entries are there, in order."""
    return sorted(int(name) for path in (table / FOLDER).glob("*.json") if (name := path.stem).isdecimal())


def link(body: bytes) -> str:
    """What the next entry carries of this one."""
    return hashlib.sha256(body).hexdigest()


def entry(plan: Plan, change: TableChange, previous: str) -> bytes:
    """The entry that brings a plan's change into one table: the same bytes whenever it is carried out."""
    info = {
        "timestamp": plan.created_at // 1000,
        "operation": "WRITE" if change.data_change else "OPTIMIZE",
        "operationParameters": {"mode": "Append", "partitionBy": '["day"]'},
        "engineInfo": APP,
        "kind": plan.kind,
        "plan": plan.id,
        "previous": previous,
    }
    actions: list[dict[str, Any]] = [{"commitInfo": info}, {"txn": {"appId": APP, "version": plan.id}}]
    actions += [{"remove": _remove(file, change)} for file in change.removes]
    actions += [{"add": _add(file, change)} for file in change.adds]
    return b"".join(json.dumps(action, separators=(",", ":")).encode() + b"\n" for action in actions)


def _add(file: DataFile, change: TableChange) -> dict[str, Any]:
    return {
        "path": file.path,
        "partitionValues": {"day": file.day},
        "size": file.size,
        "modificationTime": file.modified,
        "dataChange": change.data_change,
        "stats": file.stats,
        "tags": {"sha256": file.sha256},
    }


def _remove(file: DataFile, change: TableChange) -> dict[str, Any]:
    return {
        "path": file.path,
        "deletionTimestamp": file.modified,
        "dataChange": change.data_change,
        "extendedFileMetadata": True,
        "partitionValues": {"day": file.day},
        "size": file.size,
    }


def put(table: Path, version: int, body: bytes) -> None:
    """Write an entry and sync it and its name. Raises FileExistsError where somebody else's has the number."""
    fresh = table / FOLDER / _FRESH
    fresh.unlink(missing_ok=True)  # a crash may have left it as a second name of the last entry: never written into
    with fresh.open("xb") as file:
        os.fchmod(file.fileno(), 0o640)
        file.write(body)
        file.flush()
        os.fsync(file.fileno())  # first the bytes, then the name: no crash leaves an entry that is empty or torn
    os.link(fresh, path_of(table, version))
    sync_folder(fresh.parent)
    fresh.unlink()


def begin(table: Path, version: int | None = None) -> Applied:
    """An entry as the beginning of a chain; by default the oldest that is there."""
    place = kept(table)[0] if version is None else version
    return Applied(place, link(path_of(table, place).read_bytes()))


def checkpoints(table: Path) -> list[int]:
    """The versions of which there is a checkpoint in one file, in order."""
    found = (path.name.removesuffix(_CHECKPOINT) for path in (table / FOLDER).glob(f"*{_CHECKPOINT}"))
    return sorted(int(name) for name in found if name.isdecimal())


def drop(table: Path, version: int) -> int:
    """Delete entries and checkpoints of before a version, oldest first. Returns how many entries went."""
    entries = [number for number in kept(table) if number < version]
    for number in checkpoints(table):
        if number < version:
            checkpoint_of(table, number).unlink()
    for number in entries:
        path_of(table, number).unlink()
        reached("entry_dropped")
    if entries:
        sync_folder(table / FOLDER)
    return len(entries)


def checkpointed(table: Path) -> int:
    """The version of the last checkpoint; 0 where there is none."""
    try:
        return int(json.loads((table / FOLDER / "_last_checkpoint").read_bytes())["version"])
    except (OSError, ValueError, KeyError):  # readers look for themselves where this cannot be read
        return 0
