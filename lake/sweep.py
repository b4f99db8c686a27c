"""What nobody can ask for any more goes: old raw messages, old snapshots, and what only those named.

Files are deleted only when no kept snapshot names them, the beginning of a log only when none needs it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from catalog import pins, plans
from catalog.plans import Applied, Snapshot
from lake import log
from lake.commit import Lake
from lake.files import sync_folder
from lake.held_snapshots import hold_old, names_of
from lake.publish import snapshot_file
from schemas.clock import micros
from schemas.steps import reached

KEEP_SNAPSHOTS = timedelta(days=14)
KEEP_EVERY_SNAPSHOT = timedelta(days=1)  # older ones are thinned to one an hour
STEPS = ("thinned", "held", "unpublished", "begins_noted", "entry_dropped")


@dataclass(frozen=True)
class Swept:
    """What a sweep removed."""

    raw_days: int
    snapshots: int
    entries: int  # of logs
    files: int
    bytes: int


def sweep(lake: Lake, keep: timedelta = KEEP_SNAPSHOTS) -> Swept:
    """Let go of raw messages past `ingest.raw_days`, of snapshots before `keep`, and of files that only those named."""
    with lake.exclusive():
        now = lake.clock()
        raw_days = _expire_raw(lake)
        gone = plans.thin_snapshots(
            lake.store,
            drop_before=micros(now - keep),
            thin_before=micros(now - KEEP_EVERY_SNAPSHOT),
            pinned=pins.pinned(lake.store),
        )
        reached("thinned")
        kept = plans.snapshots_kept(lake.store)
        held = hold_old(lake, kept, micros(now - keep))
        reached("held")
        _unpublish(lake.home.published / "snapshots", kept)
        reached("unpublished")
        entries = _shorten_logs(lake, [snapshot for snapshot in kept if snapshot.id not in held])
        files, size = _delete_files(lake, micros(now - keep), names_of(held))
        return Swept(raw_days, len(gone), entries, files, size)


def _unpublish(folder: Path, kept: Sequence[Snapshot]) -> None:
    """Show no snapshot that the catalogue has let go: a crash may have left more than this sweep's own."""
    shown = {snapshot_file(snapshot) for snapshot in kept}
    for path in folder.glob("*-*.json"):
        if path.name not in shown:
            path.unlink(missing_ok=True)
    if folder.is_dir():  # there is none before the first commit
        sync_folder(folder)  # before anything goes that only those named


def _shorten_logs(lake: Lake, kept: Sequence[Snapshot]) -> int:
    """Let go of the beginning of each log, up to the checkpoint from which every kept snapshot can still be opened.

    The catalogue knows the new beginning first: whatever a crash or a power cut leaves before it is no part of a log.
    """
    begins: dict[str, Applied] = {}
    for name in kept[-1].versions if kept else ():
        oldest = min(snapshot.versions[name] for snapshot in kept if name in snapshot.versions)
        begins[name] = lake.tables[name].beginning(oldest)
    plans.note_begins(lake.store, begins)
    reached("begins_noted")
    return sum(log.drop(lake.home.lake / name, begin.version) for name, begin in begins.items())


def _expire_raw(lake: Lake) -> int:
    last = (lake.clock() - timedelta(days=lake.home.settings.ingest.raw_days)).date().isoformat()
    old = {day: files for day, files in lake.tables["raw_messages"].files().items() if day < last and files}
    if old:
        lake.rewrite("expire", {}, {"raw_messages": [file for files in old.values() for file in files]})
    return len(old)


def _delete_files(lake: Lake, before: int, held: frozenset[tuple[str, str]]) -> tuple[int, int]:
    """Delete files whose removal is older than every kept snapshot, and those that no plan ever named."""
    gone = [place for place in plans.buried(lake.store, before) if place not in held]
    found = [lake.home.lake / name / path for name, path in gone]
    found += [path for name in lake.tables for path in _orphans(lake, name, before)]
    size = 0
    for path in found:
        if path.is_file():
            size += path.stat().st_size
            path.unlink()
    plans.forget_buried(lake.store, gone)
    return len(found), size


def _orphans(lake: Lake, name: str, before: int) -> Iterator[Path]:
    """Files that a crash left between writing and planning: in no log, buried by no plan, and old."""
    folder = lake.home.lake / name
    if not folder.is_dir():
        return
    known = {file.path for files in lake.tables[name].files().values() for file in files}
    known |= {path for table, path in plans.buried(lake.store, None) if table == name}
    for path in folder.glob("day=*/*.parquet"):
        if path.relative_to(folder).as_posix() not in known and path.stat().st_mtime * 1e6 < before:
            yield path
