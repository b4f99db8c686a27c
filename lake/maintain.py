"""Maintenance beside ingestion: many small files become one, and logs get their checkpoints.

Every change is a plan of its own, like a commit. What nobody can ask for any more goes in `lake.sweep`.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa

from catalog.plans import DataFile
from lake.commit import Lake
from lake.sweep import sweep
from lake.tables import MESSAGE_COUNTS, READING_COUNTS, columns, tables
from lake.whole import finish, is_over, order_of, ripe

HOT_FILES = 48  # a day with so many small files is compacted while it fills
COLD_FILES = 8  # and with so many when there is nothing else to do
SMALL_ROWS = 50_000  # larger files are left alone
ROWS_AT_ONCE, BYTES_AT_ONCE = 100_000, 6 * 2**20  # bounds the memory of a compaction: 60 MB of a family
CHECKPOINT_COMMITS = 100
SWEEP_FIRST, SWEEP_EVERY = timedelta(hours=1), timedelta(days=1)
FINISH_EVERY = timedelta(minutes=1)  # a day that is over, where commits leave no rest


class Keeper:
    """Looks after the tables between commits of the one process that writes.

    It looks at what has changed, not at everything: its cost does not grow with the lake.
    """

    def __init__(self, lake: Lake) -> None:
        """Nothing is done before the first commit."""
        self.lake = lake
        self._waiting: dict[tuple[str, str], int] = {}  # days of tables with several small files
        self._ripe: set[tuple[str, str]] = set()  # days whose files may become one when they are over
        self._finish_at = lake.clock() + FINISH_EVERY
        self._sweep_at = lake.clock() + SWEEP_FIRST  # soon: who starts it anew each day is swept as well

    def after_commit(self) -> None:
        """Compact what has become hot; write a checkpoint where a log has become long."""
        for name, day in self._full(HOT_FILES):
            compact(self.lake, name, day)
        entries = {name: self.lake.tables[name].entries for name in self._names()}
        longest = max(entries, key=lambda name: entries[name], default=None)
        if longest and entries[longest] >= CHECKPOINT_COMMITS:  # one a commit: none has to wait long
            with self.lake.exclusive():
                self.lake.tables[longest].checkpoint()
        if self.lake.clock() >= self._finish_at:
            self._finish_one()
        self._sweep_when_due()  # a busy city never rests

    def rest(self) -> bool:
        """Nothing waits: do one piece of what could wait. False where nothing is left to do."""
        cold = next(iter(self._full(COLD_FILES)), None)
        if cold is not None:
            return compact(self.lake, *cold) > 0
        if self._finish_one():
            return True
        self._sweep_when_due()
        return False

    def _finish_one(self) -> bool:
        """Make one file of a day that is over, the newest first. False where there is none."""
        self._finish_at = self.lake.clock() + FINISH_EVERY
        over = [place for place in self._ripe if is_over(*place, self.lake.clock())]
        if not over:
            return False
        place = max(over, key=lambda place: place[1])
        self._ripe.discard(place)  # what is done is looked at again, as touched
        return finish(self.lake, *place) > 0

    def _sweep_when_due(self) -> None:
        if self.lake.clock() >= self._sweep_at:
            self._sweep_at = self.lake.clock() + SWEEP_EVERY
            sweep(self.lake)

    def _names(self) -> Iterable[str]:
        return self.lake.snapshot.versions if self.lake.snapshot else ()

    def _full(self, least: int) -> list[tuple[str, str]]:
        """Tables and days with at least so many small files."""
        for name in self._names():
            table = self.lake.tables[name]
            for day in table.touched():
                files = table.files().get(day, [])
                self._waiting.pop((name, day), None)
                self._ripe.discard((name, day))
                if count := _many(files):
                    self._waiting[name, day] = count
                if ripe(name, files):
                    self._ripe.add((name, day))
        return [place for place, count in self._waiting.items() if count >= least]


def compact(lake: Lake, name: str, day: str) -> int:
    """Make one file of the small ones of a table's day: the same rows, sorted. Returns how many files went.

    Of `balance` the rows of one device are added up: the sums are the same.
    """
    with lake.exclusive():
        files = _small(lake.tables[name].files().get(day, []))
        if len(files) < 2:  # noqa: PLR2004 - one file is compact
            return 0
        paths = [lake.home.lake / name / file.path for file in files]
        lake.rewrite("compact", {name: {day: _merged(name, paths)}}, {name: files})
        return len(files)


def _merged(name: str, paths: list[Path]) -> pa.Table:
    """The rows of files, sorted. The copies on the way go at the end of this: they are what a writer peaks at."""
    rows = pl.read_parquet(paths, schema=columns(name), missing_columns="insert", hive_partitioning=False)
    if name == "balance":
        sums = [pl.col(count).sum() for count in (*MESSAGE_COUNTS, *READING_COUNTS)]
        rows = rows.group_by("device_id", "gateway").agg(sums)
    rows = rows.sort(order_of(name), nulls_last=True)
    return rows.to_arrow().cast(tables()[name])


def compact_all(lake: Lake, while_: Callable[[], bool] = lambda: True) -> int:
    """Compact every day that has more than one small file, `while_` this is true. Returns how many files went."""
    with lake.exclusive():
        versions = lake.snapshot.versions if lake.snapshot else {}
        live = ((name, day, files) for name in versions for day, files in lake.tables[name].files().items())
        found = [(name, day) for name, day, files in live if _many(files)]
    return sum(compact(lake, name, day) for name, day in found if while_())


def checkpoint(lake: Lake) -> None:
    """Write checkpoints of all tables, so that opening them stays quick."""
    with lake.exclusive():
        for name, table in lake.tables.items():
            if (lake.home.lake / name / "_delta_log").is_dir():
                table.checkpoint()


def _many(files: list[DataFile]) -> int:
    """How many small files a day has, where several of them can be made one; else 0."""
    return sum(map(_is_small, files)) if len(_small(files)) > 1 else 0


def _is_small(file: DataFile) -> bool:
    return file.rows < SMALL_ROWS and file.size < BYTES_AT_ONCE // 2


def _small(files: list[DataFile]) -> list[DataFile]:
    """The smallest files that may be made one at once."""
    chosen: list[DataFile] = []
    rows = size = 0
    for file in sorted(filter(_is_small, files), key=lambda f: f.rows):
        rows, size = rows + file.rows, size + file.size
        if rows > ROWS_AT_ONCE or size > BYTES_AT_ONCE:
            break
        chosen.append(file)
    return chosen
