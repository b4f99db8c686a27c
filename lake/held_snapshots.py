"""Pinned snapshots that have become old: what they consist of is written down, and the logs of their tables may go.

Raw messages and quarantine are not among it: how long those are kept does not hang on what was published.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from catalog import pins
from catalog.plans import Snapshot
from lake.commit import Lake
from lake.publish import snapshot_file, write_synced
from lake.snapshot import files_of, read

NOT_HELD = ("raw_messages", "quarantine")
Held = Mapping[int, Mapping[str, Any]]


def hold_old(lake: Lake, kept: Sequence[Snapshot], before: int) -> Held:
    """Write down what pinned snapshots older than `before` (µs) consist of. Gives what is so written down, by id."""
    found = pins.holding(lake.store)
    wanted = pins.pinned(lake.store)
    for snapshot in kept[:-1]:
        path = lake.home.published / "snapshots" / snapshot_file(snapshot)
        if snapshot.id not in wanted or snapshot.created_at >= before:
            continue
        if snapshot.id not in found and not path.exists():
            continue  # published/ was taken away: its files stay, for as long as the logs that name them
        if snapshot.id not in found:
            found[snapshot.id] = _body(lake, path)
            pins.hold(lake.store, snapshot.id, found[snapshot.id])
        _show(path, found[snapshot.id])
    return found


def bodies(lake: Lake, kept: Sequence[Snapshot]) -> Held:
    """What every pinned snapshot but the newest consists of, by id; nothing is written down. Call under the lock."""
    found = pins.holding(lake.store)
    for snapshot in kept[:-1]:
        path = lake.home.published / "snapshots" / snapshot_file(snapshot)
        if snapshot.id in pins.pinned(lake.store) and snapshot.id not in found and path.exists():
            found[snapshot.id] = _body(lake, path)
    return {snapshot.id: found[snapshot.id] for snapshot in kept[:-1] if snapshot.id in found}


def show(lake: Lake, kept: Sequence[Snapshot], held: Held) -> None:
    """Show readers what is written down of snapshots."""
    for snapshot in kept:
        if snapshot.id in held:
            _show(lake.home.published / "snapshots" / snapshot_file(snapshot), held[snapshot.id])


def names_of(held: Held) -> frozenset[tuple[str, str]]:
    """Tables and paths of the files that these snapshots need."""
    return frozenset(_names(held.values()))


def _names(bodies: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    return ((table, file[0]) for body in bodies for table, files in body["files"].items() for file in files)


def _body(lake: Lake, path: Path) -> dict[str, Any]:
    """What readers see of a snapshot, with the files of its tables."""
    snapshot = read(path)
    files = {}
    for table in snapshot.tables:
        if table not in NOT_HELD:
            folder = f"{lake.home.path.resolve()}/lake/{table}/"
            rows = map(astuple, files_of(lake.home.path, snapshot, table))
            files[table] = [[path.removeprefix(folder), *rest] for path, *rest in rows]
    return {**json.loads(path.read_bytes()), "files": files}


def _show(path: Path, body: Mapping[str, Any]) -> None:
    """Show readers a snapshot with its files, where they do not see it so already."""
    text = json.dumps(body, separators=(",", ":")).encode()
    if not path.exists() or path.read_bytes() != text:
        write_synced(path, text).replace(path)
