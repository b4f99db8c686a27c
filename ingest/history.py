"""History from files, through the same door as everything else: rows become messages, journalled, then committed.

Rows are sorted by month on disk first, so that a commit touches few days; nothing is journalled before the whole file
has been read. Memory stays small whatever the size of the file.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa

from ingest.columns import Layout, messages
from ingest.journal import MESSAGES, ROW_MESSAGES, Journal, Reader
from ingest.sheets import Sheet
from ingest.writer import Writer
from lake.maintain import Keeper
from schemas.clock import micros
from schemas.errors import DravaError

JOURNAL = "import"
SEGMENT_BYTES = 32 * 2**20
MONTHS_AT_ONCE = 2  # in one commit: days that the writer takes without splitting it

Progress = Callable[[str, int, int], None]  # step (read | commit), done, of how many rows


class Importer:
    """Brings one file into the lake. One import at a time: the journal of imports is locked while this exists."""

    def __init__(self, writer: Writer, zone: tzinfo, progress: Progress = lambda *_: None) -> None:
        """`zone` is that of times without an offset. What an import before left in the journal is committed first."""
        self.writer = writer
        self.zone = zone
        self.progress = progress
        self.counts: Counter[str] = Counter()
        home = writer.home
        self.journal = Journal(home.journal / JOURNAL, SEGMENT_BYTES)
        self.reader = Reader(self.journal.folder)
        self._keeper = Keeper(writer.lake)
        for left in self.journal.folder.glob("sorted-*"):
            shutil.rmtree(left, ignore_errors=True)

    def bring(self, sheet: Sheet, what: Layout, marks: dict[str, str | None]) -> dict[str, int]:
        """Journal and commit all rows. Returns how many rows were read and what became of them (see the balance)."""
        self._drain()
        self.counts.clear()
        with TemporaryDirectory(prefix="sorted-", dir=self.journal.folder) as folder:
            heaps = _Heaps(Path(folder))
            for frame in sheet.parts(what.sources):
                self._room()
                heaps.add(messages(frame, what, self.writer.home.settings.municipality, self.zone, marks))
                self.progress("read", heaps.rows, sheet.rows)
            pending: set[str] = set()
            for month, table in heaps.in_order():
                pending.add(month)
                if len(pending) > MONTHS_AT_ONCE:
                    self._drain()
                    pending = {month}
                self._journalled(table)
                self.progress("commit", self.counts["messages"], heaps.rows)
            self._drain()
            self.progress("commit", self.counts["messages"], heaps.rows)
            return {"rows": heaps.rows, **self.counts}

    def close(self) -> None:
        """Let go of the journal."""
        self.journal.close()

    def _journalled(self, table: pa.Table) -> None:
        """Journal messages; commit when enough wait."""
        self._room()
        now = micros(self.writer.clock())
        whole = _as_received(table, now)
        for batch in whole.combine_chunks().to_batches(ROW_MESSAGES):
            self.journal.append([(batch, now)])
        waiting, _ = self.reader.waiting(self.writer.position(self.reader))
        if waiting >= self.writer.home.settings.ingest.flush_rows:
            self._drain()

    def _drain(self) -> None:
        """Commit what is journalled."""
        while counts := self.writer.commit_from(self.reader, self.writer.home.settings.ingest.flush_rows):
            self.journal.trim(counts.pop("row"))
            self.counts.update(counts)
            self._keeper.after_commit()

    def _room(self) -> None:
        least = self.writer.home.settings.ingest.min_free_mb
        if shutil.disk_usage(self.writer.home.path).free < least * 2**20:
            raise DravaError(
                "the disk is nearly full: the import stops", "Make room and repeat it (ingest.min_free_mb)"
            )


def _as_received(table: pa.Table, now: int) -> pa.Table:
    count = table.num_rows
    columns = {
        "received_at": pa.repeat(pa.scalar(now, pa.int64()), count),
        "topic": table["topic"],
        "payload": table["payload"],
        "qos": pa.nulls(count, pa.int8()),
        "retain": pa.repeat(pa.scalar(value=False), count),
        "duplicate": pa.repeat(pa.scalar(value=False), count),
    }
    return pa.table(columns).cast(MESSAGES)


class _Heaps:
    """Messages on disk, sorted by month; within a month in the order of the file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0

    def add(self, table: pl.DataFrame) -> None:
        for (month,), part in table.partition_by("month", as_dict=True, maintain_order=True).items():
            part.select("topic", "payload").write_ipc(
                self.folder / f"{month:06d}-{self.rows:012d}.arrow", compression="lz4"
            )
        self.rows += table.height

    def in_order(self) -> Iterator[tuple[str, pa.Table]]:
        for file in sorted(self.folder.iterdir()):
            yield file.name.partition("-")[0], pl.read_ipc(file).to_arrow()
            file.unlink()
