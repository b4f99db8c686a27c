"""What a backup says about itself: every file with its checksum, and what must be counted again after a restore.

`DIR/backups/<number>-<time>/manifest.json` is written last: a folder without it is not a backup. Data files lie in
`DIR/data/`, named after their contents too, and are shared by all backups that name them.
"""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lake.files import sync_folder
from lake.lock import locked
from schemas.errors import DravaError

FORMAT = 1  # of a backup; a newer one is refused
FILE = "manifest.json"
NAME = re.compile(r"(\d{6})-\d{8}T\d{6}Z")
_PLACES = ("lake", "published/small", "catalog", "journal", "secrets", "drava.toml", "format")
_BLOCK = 2**20


@dataclass(frozen=True)
class Entry:
    """One file: its place in the home, its place in the backup folder, and what it must be."""

    path: str
    stored: str
    size: int
    mtime_ns: int
    mode: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """One backup: a snapshot of the lake, and all that goes with it."""

    name: str
    at: str  # RFC 3339
    municipality: str
    home_format: int
    snapshot: int
    tables: dict[str, int]  # table -> Delta version
    rows: dict[str, int]  # table -> stored rows
    balance: dict[str, int]  # both sheets, in total
    secrets: bool
    files: list[Entry] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Size of all its files, shared or not."""
        return sum(entry.size for entry in self.files)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a backup folder against other backups, prunings and restores. One that cannot be written needs no lock."""
    with ExitStack() as stack:
        try:
            if os.access(folder, os.W_OK):
                stack.enter_context(locked(folder / ".lock", wait=False))
        except BlockingIOError:
            raise DravaError(f"{folder} is in use by another backup or restore", "Wait until it has ended") from None
        yield


def names(folder: Path) -> list[str]:
    """The backups in a folder, oldest first."""
    found = folder / "backups"
    if not found.is_dir():
        return []
    return sorted(path.name for path in found.iterdir() if NAME.fullmatch(path.name) and (path / FILE).is_file())


def chosen(folder: Path, name: str | None) -> Manifest:
    """Read one backup, or the newest."""
    listed = names(folder)
    if not listed:
        raise DravaError(f"there is no backup in {folder}", "Make one: drava --home HOME backup DIR")
    if name is not None and name not in listed:
        raise DravaError(f"there is no backup {name!r} in {folder}", "drava backup list DIR shows them")
    return read(folder, name or listed[-1])


def read(folder: Path, name: str) -> Manifest:
    """Read a manifest. Raises DravaError where it is newer than this program, changed, or names a place outside."""
    path = folder / "backups" / name / FILE
    try:
        document = json.loads(path.read_bytes())
        body, stated = document["backup"], document["sha256"]
        version = int(document["format"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _changed(path, f"cannot be read ({error})") from None
    if version > FORMAT:
        raise DravaError(f"{path} has format {version}, this program reads up to {FORMAT}", "Install a newer Drava")
    if _digest(body) != stated:
        raise _changed(path, "is not what was written")
    try:
        found = Manifest(**(body | {"files": [Entry(**entry) for entry in body["files"]]}))
    except (TypeError, KeyError) as error:
        raise _changed(path, f"is not complete ({error})") from None
    for entry in found.files:
        _inside(entry.path, _PLACES)
        _inside(entry.stored, ("data", "backups"))
    return found


def write(folder: Path, manifest: Manifest) -> None:
    """Write and sync the manifest into its folder: the last file of a backup."""
    body = asdict(manifest)
    document = {"format": FORMAT, "sha256": _digest(body), "backup": body}
    with (folder / FILE).open("x", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def _changed(path: Path, what: str) -> DravaError:
    return DravaError(f"{path} {what}", "Take another backup: drava backup list DIR")


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _inside(path: str, places: Collection[str]) -> None:
    parts = PurePosixPath(path).parts
    if not parts or not {parts[0], "/".join(parts[:2])} & {*places} or ".." in parts or "\0" in path:
        raise DravaError(f"the backup names a file in a place it may not have: {path!r}", "It was not made by Drava")


def blocks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in constant memory."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def copy(source: Path, target: Path) -> str:
    """Copy a file and sync it; the target is new. Returns the sha256 of what was read."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for block in blocks(source):
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def damage(folder: Path, manifest: Manifest) -> Iterator[tuple[Entry, str]]:
    """Files of a backup that are not what the manifest says: (entry, missing | size | contents)."""
    for entry in manifest.files:
        path = folder / entry.stored
        if not path.is_file():
            yield entry, "missing"
        elif path.stat().st_size != entry.size:
            yield entry, "size"
        elif hash_of(path) != entry.sha256:
            yield entry, "contents"


def hash_of(path: Path) -> str:
    """The sha256 of a file."""
    digest = hashlib.sha256()
    for block in blocks(path):
        digest.update(block)
    return digest.hexdigest()
