"""A day that is over becomes one file, sorted by device, in small row groups: who asks about one device reads little.

The rows go from the day's files to the new one by ranges of devices, so that memory does not grow with the day.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa

from catalog.plans import DataFile
from lake.commit import Lake
from lake.files import Pieces
from lake.tables import columns, family_schema
from schemas.vocabulary import families

DAY_ROWS, DAY_BYTES = 1_000_000, 32 * 2**20  # of one file; a larger day has several
LATE_SHARE = 4  # a day is written anew only for a quarter of its rows: what trickles in late costs little
PIECE_ROWS = 16_384  # rows in memory at once, or those of one device
LATE = timedelta(hours=2)  # most of what is late comes within


def ripe(name: str, files: Sequence[DataFile]) -> list[DataFile]:
    """Which files of a family's day are to become one; none where that is not worth it."""
    if name not in families():
        return []
    chosen: list[DataFile] = []
    rows = size = 0
    for file in sorted(files, key=lambda f: f.rows):
        rows, size = rows + file.rows, size + file.size
        if rows > DAY_ROWS or size > DAY_BYTES:
            break
        chosen.append(file)
    late = sum(file.rows for file in chosen[:-1])
    return chosen if chosen and late and late * LATE_SHARE >= chosen[-1].rows else []


def is_over(day: str, now: datetime) -> bool:
    """Whether a UTC day has ended, and most of what is late has come."""
    return day < (now - LATE).date().isoformat()


def finish(lake: Lake, name: str, day: str) -> int:
    """Make one file of the files of a family's day: the same rows. Returns how many files went."""
    with lake.exclusive():
        files = ripe(name, lake.tables[name].files().get(day, []))
        if not files:
            return 0
        paths = [lake.home.lake / name / file.path for file in files]
        rows = Pieces(sum(file.rows for file in files), family_schema(families()[name]), _pieces(name, paths))
        lake.rewrite("compact", {name: {day: rows}}, {name: files})
        return len(files)


def finish_all(lake: Lake) -> int:
    """Do it for every day that is over. Returns how many files went."""
    with lake.exclusive():
        versions = lake.snapshot.versions if lake.snapshot else {}
        live = ((name, day, files) for name in versions for day, files in lake.tables[name].files().items())
        found = [(name, day) for name, day, files in live if is_over(day, lake.clock()) and ripe(name, files)]
    return sum(finish(lake, name, day) for name, day in found)


def _pieces(name: str, paths: list[Path]) -> Iterator[pa.Table]:
    """All rows of files in the order of devices and time, some whole devices at once."""
    rows = pl.scan_parquet(paths, schema=columns(name), missing_columns="insert", hive_partitioning=False)
    counts = rows.group_by("device_id").len().sort("device_id").collect()
    for first, last in _ranges(counts["device_id"].to_list(), counts["len"].to_list()):
        piece = rows.filter(pl.col("device_id").is_between(pl.lit(first), pl.lit(last))).collect()
        yield piece.sort("device_id", "observed_at").to_arrow().cast(family_schema(families()[name]))


def _ranges(devices: list[str], counts: list[int]) -> Iterator[tuple[str, str]]:
    """Successive devices, first and last, with at most so many rows together where it is more than one."""
    first, rows = 0, 0
    for n, count in enumerate(counts):
        if n > first and rows + count > PIECE_ROWS:
            yield devices[first], devices[n - 1]
            first, rows = n, 0
        rows += count
    if devices:
        yield devices[first], devices[-1]
