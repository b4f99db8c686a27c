"""The journal: the last copy of raw bytes before the lake has them. Synced to disk before anything is acknowledged.

A folder of SQLite segments (WAL, synchronous=FULL). One row holds up to `ROW_MESSAGES` messages as an lz4 Arrow IPC
stream; row numbers go on over segments and are never reused; each row carries the hash of the one before. One process
writes and deletes whole segments; others read in short transactions.
"""

import fcntl
import hashlib
import os
import sqlite3
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from schemas.errors import DravaError
from schemas.settings import FORMAT

ROW_MESSAGES = 8192
SEGMENT_BYTES = 256 * 2**20
READ_BYTES = 32 * 2**20

MESSAGES = pa.schema([
    pa.field("received_at", pa.int64()),  # µs since 1970 UTC
    pa.field("topic", pa.string()),
    pa.field("payload", pa.binary()),
    pa.field("qos", pa.int8()),
    pa.field("retain", pa.bool_()),
    pa.field("duplicate", pa.bool_()),  # the broker says it may have sent this before
])  # fmt: skip

_LZ4 = pa.ipc.IpcWriteOptions(compression="lz4")

_LAYOUT = """
CREATE TABLE IF NOT EXISTS info(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rows(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    first INTEGER NOT NULL,     -- number of the row's first message in this journal
    messages INTEGER NOT NULL,
    hash BLOB NOT NULL,         -- sha256 of the hash before and this body
    body BLOB NOT NULL
);
"""


@dataclass(frozen=True)
class Row:
    """One row of the journal; `first` numbers its first message within the journal."""

    id: int
    first: int
    messages: int
    batch: pa.RecordBatch  # with the columns of MESSAGES


class GoneError(DravaError):
    """Somebody has taken the journal away while it was in use."""


def encode(messages: pa.RecordBatch) -> bytes:
    """The bytes of a row."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, messages.schema, options=_LZ4) as stream:
        stream.write_batch(messages)
    return bytes(sink.getvalue())


class Journal:
    """The writing side; one process at a time."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Open or make the journal in `folder`. Raises DravaError where another process writes it or it is newer."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise DravaError(
                f"another receiver writes the journal {folder}", "Stop it first: one receiver a journal"
            ) from None
        files = _segments(folder)
        if not files:
            self.uuid, self._hash, self._next_row, self._next_message = uuid.uuid4().hex, b"", 1, 0
            self._db = self._new_segment(1)
            return
        self.uuid = _info(files[-1], "uuid")
        self._db = self._open(files[-1])
        last = self._db.execute("SELECT id, first + messages, hash FROM rows ORDER BY id DESC LIMIT 1").fetchone()
        if last is None:
            last = (
                int(_info(files[-1], "first_row")) - 1,
                int(_info(files[-1], "first_message")),
                bytes.fromhex(_info(files[-1], "hash")),
            )
        self._next_row, self._next_message, self._hash = last[0] + 1, last[1], last[2]

    def append(self, bodies: Sequence[tuple[pa.RecordBatch, int]]) -> None:
        """Write rows in one transaction; when this returns they are on the disk.

        Takes (messages, received_at in µs) a row. Raises OSError or sqlite3.Error where the disk does not take them;
        then nothing of it is in the journal. Raises DravaError where somebody has taken the segment away: what is
        written to a file without a name is lost with its process.
        """
        if not self._there():
            raise DravaError(
                f"the journal segment {self._file} was taken away while it was written",
                "Start drava ingest again: it says from when on messages may be lost, the broker keeps the others",
            )
        if self._size() > self._segment_bytes:  # before anything is written: a failure here repeats nothing
            following = self._new_segment(self._number + 1)
            self._db.close()
            self._db = following
        row, first, digest = self._next_row, self._next_message, self._hash
        with self._db:  # COMMIT waits for the disk: synchronous=FULL
            for batch, received_at in bodies:
                body = encode(batch)
                digest = hashlib.sha256(digest + body).digest()
                self._db.execute(
                    "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
                    (row, received_at, first, batch.num_rows, digest, body),
                )
                row, first = row + 1, first + batch.num_rows
        self._next_row, self._next_message, self._hash = row, first, digest

    def trim(self, position: int) -> int:
        """Delete the segments whose rows are all published (row number <= position). Returns how many went."""
        files = _segments(self.folder)
        gone = 0
        for file, following in pairwise(files):  # never the one being written
            if int(_info(following, "first_row")) - 1 > position:
                break
            for path in (file, *_beside(file)):
                path.unlink(missing_ok=True)
            gone += 1
        return gone

    @property
    def messages(self) -> int:
        """Messages journalled since this journal began."""
        return self._next_message

    @property
    def last_row(self) -> int:
        """Number of the newest row; 0 where there is none."""
        return self._next_row - 1

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()
        os.close(self._lock)

    def _open(self, file: Path) -> sqlite3.Connection:
        db = _connect(file)
        self._file, self._number, self._inode = file, int(file.stem), file.stat().st_ino
        return db

    def _there(self) -> bool:
        try:
            return self._file.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _size(self) -> int:
        pages = self._db.execute("PRAGMA page_count").fetchone()[0] * self._db.execute("PRAGMA page_size").fetchone()[0]
        return int(pages)

    def _new_segment(self, number: int) -> sqlite3.Connection:
        path = self.folder / f"{number:08d}.sqlite"
        fresh = self.folder / "fresh"  # a crash in here leaves no half-made segment under a segment's name
        fresh.unlink(missing_ok=True)
        fresh.touch(0o600)
        db = sqlite3.connect(fresh)
        db.executescript(_LAYOUT)
        facts = {
            "uuid": self.uuid,
            "format": str(FORMAT),
            "first_row": str(self._next_row),
            "first_message": str(self._next_message),
            "hash": self._hash.hex(),
        }
        with db:
            db.executemany("INSERT INTO info VALUES (?, ?)", facts.items())
        db.close()
        for left in _beside(path):  # of a segment that was taken away: SQLite would read it into the new one
            left.unlink(missing_ok=True)
        fresh.rename(path)
        handle = os.open(self.folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        return self._open(path)


class Reader:
    """The reading side: short transactions, never a write."""

    def __init__(self, folder: Path) -> None:
        """Look at the journal in `folder`."""
        self.folder = folder
        files = _segments(folder)
        if not files:
            raise DravaError(f"there is no journal in {folder}", "Start drava ingest once")
        self.uuid = _info(files[-1], "uuid")

    def read(self, after: int, messages: int) -> list[Row]:
        """Rows after a row number, oldest first, at most `messages` messages or about READ_BYTES; one at least."""
        found: list[Row] = []
        count = size = 0
        for file in self._from(after):
            db = _connect(file, read_only=True)
            try:
                rows = db.execute("SELECT id, first, messages, body FROM rows WHERE id > ? ORDER BY id", (after,))
                for number, first, several, body in rows:
                    if found and count + several > messages:  # more than asked for costs memory further on
                        return found
                    batch = pa.ipc.open_stream(body).read_next_batch()
                    found.append(Row(number, first, several, batch))
                    count, size = count + several, size + batch.nbytes
                    if count >= messages or size >= READ_BYTES:
                        return found
            finally:
                db.close()
        return found

    def last(self) -> int:
        """Number of the newest row there was; the ones before may be gone."""
        newest = _segments(self.folder)[-1]
        with closing(_connect(newest, read_only=True)) as db:
            found = db.execute("SELECT max(id) FROM rows").fetchone()[0]
        return int(found) if found is not None else int(_info(newest, "first_row")) - 1

    def waiting(self, after: int) -> tuple[int, int | None]:
        """Messages after a row number, and when the oldest of them was received (µs)."""
        count, oldest = 0, None
        for file in self._from(after):
            db = _connect(file, read_only=True)
            row = db.execute(
                "SELECT coalesce(sum(messages), 0), min(received_at) FROM rows WHERE id > ?", (after,)
            ).fetchone()
            db.close()
            count += row[0]
            oldest = row[1] if oldest is None else oldest
        return count, oldest

    def waiting_bytes(self, after: int) -> int:
        """Size of the rows after a row number, as stored."""
        size = 0
        for file in self._from(after):
            db = _connect(file, read_only=True)
            size += db.execute("SELECT coalesce(sum(length(body)), 0) FROM rows WHERE id > ?", (after,)).fetchone()[0]
            db.close()
        return size

    def newest(self) -> int | None:
        """When the last row that is kept was received (µs); None where none is kept."""
        for file in reversed(_segments(self.folder)):
            db = _connect(file, read_only=True)
            row = db.execute("SELECT max(received_at) FROM rows").fetchone()
            db.close()
            if row[0] is not None:
                return int(row[0])
        return None

    def verify(self) -> int:
        """Walk the chain of hashes over all segments. Returns the rows checked; raises DravaError at a break."""
        checked = 0
        digest: bytes | None = None
        for file in _segments(self.folder):
            digest = bytes.fromhex(_info(file, "hash")) if digest is None else digest
            db = _connect(file, read_only=True)
            for number, stored, body in db.execute("SELECT id, hash, body FROM rows ORDER BY id"):
                digest = hashlib.sha256(digest + body).digest()
                if digest != stored:
                    db.close()
                    raise DravaError(f"row {number} of {file} is not what was written", "Compare with a backup")
                checked += 1
            db.close()
        return checked

    def _from(self, after: int) -> list[Path]:
        files = _segments(self.folder)
        if not files:
            raise GoneError(f"the journal in {self.folder} was taken away", "Put it back, or start drava ingest again")
        keep = [f for f, following in pairwise(files) if _first_row(following) - 1 > after]
        return keep + files[-1:]


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.sqlite"))


def _beside(segment: Path) -> list[Path]:
    """What SQLite keeps beside a segment while it is open, or after a crash."""
    return [segment.with_name(segment.name + ending) for ending in ("-wal", "-shm")]


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    # mode=rw: a segment deleted a moment ago must not come back as an empty file
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=30, check_same_thread=False)
    if read_only:
        db.execute("PRAGMA query_only=ON")
        return db
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA wal_autocheckpoint=4000")  # 16 MB: the log stays small, and checkpoints are few
    return db


def _info(path: Path, key: str) -> str:
    db = _connect(path, read_only=True)
    try:
        row = db.execute("SELECT value FROM info WHERE key = ?", (key,)).fetchone()
        newer = db.execute("SELECT value FROM info WHERE key = 'format'").fetchone()
    except sqlite3.DatabaseError as error:
        raise DravaError(f"the journal segment {path} cannot be read: {error}", "Restore it from a backup") from None
    finally:
        db.close()
    if newer is None or row is None:
        raise DravaError(f"the journal segment {path} has no {key}", "Restore it from a backup")
    if int(newer[0]) > FORMAT:
        raise DravaError(
            f"the journal {path} has format {newer[0]}, this program reads up to {FORMAT}", "Install a newer Drava"
        )
    return str(row[0])


def _first_row(path: Path) -> int:
    return int(_info(path, "first_row"))
