"""A backup is one snapshot of the lake, with those that are pinned, the registry and the journals, while all goes on.

The lake is locked only while the snapshot is chosen and read transactions are begun on the databases: milliseconds.
Everything else is copied afterwards. Data files and Delta log entries never change, and maintenance deletes a file only
`KEEP_SNAPSHOTS` (14 days) after it left the newest snapshot: no file of this one can go while it is copied. Files are
copied, not linked: a link would be the same bytes on the same disk.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from lake import manifest as manifests
from lake.commit import Lake
from lake.files import sync_file, sync_folder
from lake.held import Databases, Moment, hold
from lake.held_snapshots import Held, names_of
from lake.manifest import Entry, Manifest
from lake.query import open_found
from lake.snapshot import Snapshot, files_of
from lake.tables import MESSAGE_COUNTS, READING_COUNTS
from schemas.errors import DravaError
from schemas.settings import FORMAT, Home
from schemas.steps import reached

STEPS = ("backup_held", "backup_file", "backup_files", "backup_manifest", "backup_made", "backup_pruned")
_STAGING = ".new"

Progress = Callable[[int], object]  # bytes that have been looked after
# copies what a journal's segments hold beyond the positions (by its journal's uuid) into a folder
CopyJournal = Callable[[Databases, Path, Mapping[str, int]], None]


@dataclass(frozen=True)
class Done:
    """What a backup did."""

    manifest: Manifest
    copied_files: int  # new in the folder
    copied_bytes: int
    pruned: list[str]  # older backups that were let go
    same_disk: bool


def backup(
    lake: Lake,
    folder: Path,
    copy_journal: CopyJournal,
    *,
    with_secrets: bool = False,
    keep: int | None = None,
    progress: Progress = bool,
) -> Done:
    """Put a backup of the lake's home into `folder`; files that are there already are not copied again.

    Of the journals it holds what is not in the lake. With `keep` only so many backups stay. Where it fails (DravaError,
    OSError, sqlite3.Error), the backups made before are untouched.
    """
    if lake.store.engine.dialect.name != "sqlite":
        raise DravaError(
            "the catalogue is in PostgreSQL, which this backup does not copy", "Use pg_dump, then copy the home's lake/"
        )
    if folder.resolve().is_relative_to(lake.home.path.resolve()):
        raise DravaError(f"{folder} is inside the home", "Choose a folder on another disk")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with manifests.held(folder):
        made = _Making(lake.home, folder, copy_journal, progress)
        with ExitStack() as held:
            moment = hold(lake, held)
            reached("backup_held")
            manifest = made.make(moment, with_secrets=with_secrets)
        reached("backup_made")
        pruned = prune(folder, keep) if keep is not None else []
        same_disk = folder.stat().st_dev == lake.home.path.stat().st_dev
        return Done(manifest, made.copied_files, made.copied_bytes, pruned, same_disk)


class _Making:
    """One backup while it is made: everything new lies in a staging folder until it is whole."""

    def __init__(self, home: Home, folder: Path, copy_journal: CopyJournal, progress: Progress) -> None:
        self.home = home
        self.folder = folder
        self.copy_journal = copy_journal
        self.progress = progress
        self.copied_files = self.copied_bytes = 0
        self.touched: set[Path] = set()
        self.staging = folder / _STAGING
        shutil.rmtree(self.staging, ignore_errors=True)  # what a crash left behind
        self.staging.mkdir(mode=0o700)
        listed = manifests.names(folder)
        newest = manifests.read(folder, listed[-1]) if listed else None
        if newest and newest.municipality != home.settings.municipality:
            raise DravaError(f"{folder} holds backups of {newest.municipality}", "Give each home a folder of its own")
        self.number = int(listed[-1][:6]) + 1 if listed else 1
        self.known = {(e.path, e.size, e.mtime_ns): e for e in newest.files} if newest else {}

    def make(self, moment: Moment, *, with_secrets: bool) -> Manifest:
        name = f"{self.number:06d}-{moment.at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        target = self.staging / name
        target.mkdir(mode=0o700)
        files = {table: files_of(self.home.path, moment.snapshot, table) for table in moment.snapshot.tables}
        data = {Path(file.path) for stored in files.values() for file in stored}
        shared = [*moment.logs, *sorted(data | self._pinned(moment.pinned))]
        self._room(moment, shared)
        entries = self._databases(moment, target)
        plain = [self.home.file, self.home.path / "format"]
        plain += sorted(path for path in self.home.secrets.iterdir() if path.is_file()) if with_secrets else []
        entries += [self._plain(path, target) for path in plain]
        entries += [self._shared(path) for path in shared]
        for touched in self.touched:  # names in `data/` are durable before a manifest names them
            sync_folder(self.folder / touched)
        reached("backup_files")
        snapshot = moment.snapshot
        manifest = Manifest(
            name=name,
            at=moment.at.astimezone(UTC).isoformat(),
            municipality=self.home.settings.municipality,
            home_format=FORMAT,
            snapshot=snapshot.id,
            tables=dict(snapshot.tables),
            rows={table: sum(file.rows for file in stored) for table, stored in files.items()},
            balance=balance(self.home, snapshot),
            secrets=with_secrets,
            files=sorted(entries, key=lambda entry: entry.path),
        )
        manifests.write(target, manifest)
        reached("backup_manifest")
        return self._show(manifest, target)

    def _show(self, manifest: Manifest, made: Path) -> Manifest:
        """Give the whole folder its name: from now on it is a backup."""
        shown = self.folder / "backups"
        shown.mkdir(mode=0o700, exist_ok=True)
        made.rename(shown / manifest.name)
        sync_folder(shown)
        sync_folder(self.folder)
        return manifest

    def _pinned(self, held: Held) -> set[Path]:
        """The files of pinned snapshots: those of their tables, and their small tables."""
        found = {self.home.lake.resolve() / table / path for table, path in names_of(held)}
        small = self.home.published.resolve() / "small"
        return found | {small / name for body in held.values() for name in body["small"].values()}

    def _room(self, moment: Moment, shared: Sequence[Path]) -> None:
        sizes = [moment.catalog[0].stat().st_size]
        for path in shared:
            info = self._stat(path)
            if (self._relative(path), info.st_size, info.st_mtime_ns) not in self.known:
                sizes.append(info.st_size)
        free = shutil.disk_usage(self.folder).free
        if sum(sizes) > free:
            raise DravaError(
                f"{self.folder} has {free >> 20} MB free, the backup needs {sum(sizes) >> 20} MB",
                "Make room, or keep fewer backups (--keep)",
            )

    def _relative(self, path: Path) -> str:
        return path.resolve().relative_to(self.home.path.resolve()).as_posix()

    @staticmethod
    def _stat(path: Path) -> os.stat_result:
        try:
            return path.stat()
        except FileNotFoundError:
            raise DravaError(f"{path} is not there, but the snapshot names it", "drava verify says what else") from None

    def _databases(self, moment: Moment, target: Path) -> list[Entry]:
        """The catalogue, and what its positions say is only in the journals. Nobody has to wait for the data."""
        path, source = moment.catalog
        copied = self._place(path, target)
        with closing(sqlite3.connect(copied)) as database:
            source.backup(database)
            rows = [(number, json.dumps(body)) for number, body in moment.pinned.items()]
            with database:
                database.executemany("INSERT OR REPLACE INTO held (snapshot_id, body) VALUES (?, ?)", rows)
        positions = dict(source.execute("SELECT uuid, position FROM journals"))
        source.close()
        made = [copied]
        for segments in moment.journals:
            folder = self._place(segments[0][0], target).parent
            self.copy_journal(segments, folder, positions)
            made += sorted(folder.iterdir())
            for _, connection in segments:
                connection.close()
        for copied in made:
            copied.chmod(0o600)
            sync_file(copied)
            sync_folder(copied.parent)
        return [self._counted(copied, target, manifests.hash_of(copied), 0o600) for copied in made]

    def _place(self, path: Path, target: Path) -> Path:
        """Where a file of the home lies in this backup's own folder."""
        copied = target / self._relative(path)
        copied.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return copied

    def _plain(self, path: Path, target: Path) -> Entry:
        copied = self._place(path, target)
        digest = manifests.copy(path, copied)
        sync_folder(copied.parent)
        return self._counted(copied, target, digest, path.stat().st_mode & 0o777)

    def _counted(self, copied: Path, target: Path, digest: str, mode: int) -> Entry:
        info = copied.stat()
        self.copied_bytes += info.st_size
        self.progress(info.st_size)
        place = copied.relative_to(target).as_posix()
        return Entry(place, f"backups/{target.name}/{place}", info.st_size, info.st_mtime_ns, mode, digest)

    def _shared(self, path: Path) -> Entry:
        """A file that never changes: what the newest backup has of this path, size and time is not copied again."""
        info = self._stat(path)
        place = self._relative(path)
        self.progress(info.st_size)
        known = self.known.get((place, info.st_size, info.st_mtime_ns))
        if known is not None and self._stored(known):
            return known
        fresh = self.staging / "file"
        fresh.unlink(missing_ok=True)
        digest = manifests.copy(path, fresh)
        # a name may come again with other contents, in a home that was restored: the contents belong to the name
        inner = Path(place.removeprefix("lake/"))
        stored = Path("data") / inner.with_name(f"{path.name.removesuffix(path.suffix)}-{digest[:16]}{path.suffix}")
        (self.folder / stored).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.replace(self.folder / stored)
        self.touched |= set(stored.parents)
        self.copied_files += 1
        self.copied_bytes += info.st_size
        reached("backup_file")
        return Entry(place, stored.as_posix(), info.st_size, info.st_mtime_ns, info.st_mode & 0o777, digest)

    def _stored(self, entry: Entry) -> bool:
        path = self.folder / entry.stored
        return path.is_file() and path.stat().st_size == entry.size


def balance(home: Home, snapshot: Snapshot) -> dict[str, int]:
    """Both sheets of a snapshot, in total."""
    counts = (*MESSAGE_COUNTS, *READING_COUNTS)
    sums = ", ".join(f"CAST(coalesce(sum({name}), 0) AS BIGINT)" for name in counts)
    with open_found(home.path, snapshot, settings=home.settings, tables=["balance"], limited=False) as lake:
        row = lake.execute(f"SELECT {sums} FROM balance").fetchall()[0]
    return dict(zip(counts, row, strict=True))


def prune(folder: Path, keep: int) -> list[str]:
    """Let go of all but the newest `keep` backups, then of the data that no manifest names any more."""
    listed = manifests.names(folder)
    gone = listed[:-keep] if keep else []
    staying = [manifests.read(folder, name) for name in listed if name not in gone]  # an unreadable one stops it here
    for name in gone:
        (folder / "backups" / name).rename(folder / _STAGING / name)  # first the backup, whole, then its data
    sync_folder(folder / "backups")
    reached("backup_pruned")
    named = {entry.stored for manifest in staying for entry in manifest.files}
    for path in (folder / "data").rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in named:
            path.unlink()
    shutil.rmtree(folder / _STAGING, ignore_errors=True)
    return gone
