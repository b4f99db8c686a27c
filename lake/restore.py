"""A home made again from a backup: every file checked on its way, usable only once all of it is there."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from catalog import pins, plans
from catalog.store import Store
from lake import log
from lake import manifest as manifests
from lake.commit import Clock, Lake
from lake.files import sync_folder
from lake.held_snapshots import show
from lake.manifest import Entry, Manifest
from schemas.errors import DravaError
from schemas.settings import FOLDERS, FORMAT, SHARED, Home

_EVER = 2**62  # µs: later than any snapshot
_LAST = ("drava.toml", "format")  # without them a folder is no home: what a crash leaves is never taken for one


def restore(
    folder: Path, name: str | None, target: Path, clock: Clock, *, progress: Callable[[int], object] = bool
) -> Manifest:
    """Make the home of a backup (default: the newest) in `target`, which must be empty or not there.

    Raises DravaError where a file is not what was backed up; then `target` is not a home.
    """
    manifest = manifests.chosen(folder, name)
    if manifest.home_format > FORMAT:
        raise DravaError(
            f"the backup holds a home of format {manifest.home_format}, this program reads up to {FORMAT}",
            "Install a newer version of Drava",
        )
    _prepare(target, manifest)
    with manifests.held(folder):
        for entry in sorted(manifest.files, key=lambda entry: entry.path in _LAST):
            if entry.path == _LAST[0]:
                _only_newest(target)
            _bring(folder, entry, target)
            progress(entry.size)
    for made in sorted({target, *(path for path in target.rglob("*") if path.is_dir())}):
        sync_folder(made)
    _publish(target, clock)
    return manifest


def _prepare(target: Path, manifest: Manifest) -> None:
    if target.exists() and (not target.is_dir() or any(path.name != "lost+found" for path in target.iterdir())):
        raise DravaError(f"{target} is not empty", "Choose an empty folder: nothing is ever restored over a home")
    target.mkdir(mode=SHARED, parents=True, exist_ok=True)
    free = shutil.disk_usage(target).free
    if manifest.bytes > free:
        raise DravaError(
            f"{target} has {free >> 20} MB free, the home needs {manifest.bytes >> 20} MB", "Choose a larger disk"
        )
    target.chmod(SHARED)
    for name, mode in FOLDERS.items():
        (target / name).mkdir()
        (target / name).chmod(mode)


def _bring(folder: Path, entry: Entry, target: Path) -> None:
    path = target / entry.path
    _folders(target, PurePosixPath(entry.path))
    try:
        digest = manifests.copy(folder / entry.stored, path)
    except FileNotFoundError:
        raise _damaged(entry, "is missing") from None
    if digest != entry.sha256:
        raise _damaged(entry, "is not what was written")
    path.chmod(entry.mode)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))  # so that the next backup knows it again


def _damaged(entry: Entry, what: str) -> DravaError:
    return DravaError(
        f"{entry.stored} {what} in the backup", "drava backup check DIR says what else; take an older one (--backup)"
    )


def _folders(target: Path, path: PurePosixPath) -> None:
    """The folders of a file, with the permissions of the part of the home they are in."""
    mode = FOLDERS.get(path.parts[0], SHARED)
    for parent in reversed(path.parents[:-1]):
        folder = target / parent
        if not folder.is_dir():
            folder.mkdir()
            folder.chmod(mode)


def _only_newest(target: Path) -> None:
    """Forget older snapshots, but for pinned ones, and of the logs what was before their copied part.

    Neither is in the backup.
    """
    store = Store.at(target / "catalog")
    plans.thin_snapshots(store, drop_before=_EVER, thin_before=_EVER, pinned=pins.holding(store))
    newest = plans.latest(store)
    plans.note_begins(store, {name: log.begin(target / "lake" / name) for name in (newest.versions if newest else ())})
    store.close()


def _publish(target: Path, clock: Clock) -> None:
    """Make again what readers need; it follows from the catalogue."""
    home = Home(target)
    store = Store.at(home.catalog)
    lake = Lake(home, store, clock)
    with lake.exclusive():  # taking the lock publishes
        show(lake, plans.snapshots_kept(store), pins.holding(store))
    store.close()
