"""Maintenance beside ingestion: many small files become one, logs stay short. Every step is a plan of its own."""

from collections.abc import Iterator

import polars as pl

from catalog.plans import DataFile
from lake.commit import Lake
from lake.tables import MESSAGE_COUNTS, READING_COUNTS, tables

HOT_FILES = 48  # a day with so many small files is compacted while it fills
SMALL_BYTES = 32 * 2**20  # larger files are left alone
ROWS_AT_ONCE = 4_000_000
CHECKPOINT_COMMITS = 100


class Keeper:
    """Looks after the tables between commits of the one process that writes."""

    def __init__(self, lake: Lake) -> None:
        """Nothing is done before the first commit."""
        self.lake = lake
        self._commits = 0

    def after_commit(self) -> None:
        """Compact what has become hot; write checkpoints now and then."""
        self._commits += 1
        hot = [(name, day) for name, day, files in _days(self.lake) if len(files) >= HOT_FILES]
        for name, day in hot:
            compact(self.lake, name, day)
        if self._commits % CHECKPOINT_COMMITS == 0:
            checkpoint(self.lake)

    def rest(self) -> None:
        """Nothing waits: there is nothing to do that could not wait as well."""


def compact(lake: Lake, name: str, day: str) -> int:
    """Make one file of the small ones of a table's day: the same rows, sorted. Returns how many files went.

    Of `balance` the rows of one device are added up: the sums are the same.
    """
    with lake.exclusive():
        files = _small(lake.tables[name].files().get(day, []))
        if len(files) < 2:  # noqa: PLR2004 - one file is compact
            return 0
        paths = [lake.home.lake / name / file.path for file in files]
        rows = pl.read_parquet(paths, missing_columns="insert", hive_partitioning=False)
        if name == "balance":
            rows = rows.group_by("device_id", "gateway").agg(
                pl.col(n).sum() for n in (*MESSAGE_COUNTS, *READING_COUNTS)
            )
        order = [c for c in ("device_id", "observed_at", "received_at") if c in rows.columns][:2]
        table = rows.sort(order, nulls_last=True).to_arrow().cast(tables()[name])
        lake.rewrite("compact", {name: {day: table}}, {name: files})
        return len(files)


def compact_all(lake: Lake) -> int:
    """Compact every day that has more than one small file. Returns how many files went."""
    with lake.exclusive():
        found = [(name, day) for name, day, files in _days(lake) if len(files) > 1]
    return sum(compact(lake, name, day) for name, day in found)


def checkpoint(lake: Lake) -> None:
    """Write checkpoints of all tables, so that opening them stays quick."""
    with lake.exclusive():
        for name, table in lake.tables.items():
            if (lake.home.lake / name / "_delta_log").is_dir():
                table.checkpoint()


def _days(lake: Lake) -> Iterator[tuple[str, str, list[DataFile]]]:
    for name in lake.snapshot.versions if lake.snapshot else ():
        for day, files in lake.tables[name].files().items():
            yield name, day, _small(files)


def _small(files: list[DataFile]) -> list[DataFile]:
    chosen, rows = [], 0
    for file in sorted((f for f in files if f.size < SMALL_BYTES), key=lambda f: f.size):
        rows += file.rows
        if rows > ROWS_AT_ONCE:
            break
        chosen.append(file)
    return chosen
