"""A day that is over becomes one file, sorted by device, in small row groups: who asks about one device reads little.

The rows go from the day's files to the new one by ranges of devices, so that memory does not grow with the day. Values
of indicators lie by the month of their periods: a month becomes such a file, sorted by indicator, also while it grows.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa

from catalog.plans import DataFile
from lake.commit import Lake
from lake.files import Pieces
from lake.tables import columns, tables
from schemas.vocabulary import families

VALUES = "indicator_values"

DAY_ROWS, DAY_BYTES = 1_000_000, 32 * 2**20  # of one file; a larger day has several
LATE_SHARE = 4  # a day is written anew only for a quarter of its rows: what trickles in late costs little
PIECE_ROWS = 16_384  # rows in memory at once, or those of one device
LATE = timedelta(hours=2)  # most of what is late comes within


def ripe(name: str, files: Sequence[DataFile]) -> list[DataFile]:
    """Which files of a family's day are to become one; none where that is not worth it."""
    if name not in families() and name != VALUES:
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


def is_over(name: str, day: str, now: datetime) -> bool:
    """Whether a UTC day has ended, and most of what is late has come. Values of earlier days come every night."""
    return name == VALUES or day < (now - LATE).date().isoformat()


def order_of(name: str) -> list[str]:
    """What the rows of a table's sorted files are sorted by."""
    if name == VALUES:
        return ["indicator", "subject_id", "period_start", "computed_at"]
    return [column for column in ("device_id", "observed_at", "received_at") if column in columns(name)][:2]


def finish(lake: Lake, name: str, day: str) -> int:
    """Make one file of the files of a family's day: the same rows. Returns how many files went."""
    with lake.exclusive():
        files = ripe(name, lake.tables[name].files().get(day, []))
        if not files:
            return 0
        paths = [lake.home.lake / name / file.path for file in files]
        rows = Pieces(sum(file.rows for file in files), tables()[name], _pieces(name, paths))
        lake.rewrite("compact", {name: {day: rows}}, {name: files})
        return len(files)


def finish_all(lake: Lake) -> int:
    """Do it for every day that is over. Returns how many files went."""
    with lake.exclusive():
        versions = lake.snapshot.versions if lake.snapshot else {}
        live = ((name, day, files) for name in versions for day, files in lake.tables[name].files().items())
        found = [(name, day) for name, day, files in live if is_over(name, day, lake.clock()) and ripe(name, files)]
    return sum(finish(lake, name, day) for name, day in found)


def _pieces(name: str, paths: list[Path]) -> Iterator[pa.Table]:
    """All rows of files in their order, some at once."""
    order = order_of(name)
    rows = pl.scan_parquet(paths, schema=columns(name), missing_columns="insert", hive_partitioning=False)
    for piece in _parts(rows, order[:-2] if name == VALUES else order[:1]):
        yield piece.collect().sort(order).to_arrow().cast(tables()[name])


def _parts(rows: pl.LazyFrame, names: Sequence[str]) -> Iterator[pl.LazyFrame]:
    """Rows in parts of whole devices (or indicators, and where one has too many rows: of whole subjects of it)."""
    found = rows.group_by(names[0]).len().sort(names[0]).collect()
    for first, last, count in _ranges(found[names[0]].to_list(), found["len"].to_list()):
        part = rows.filter(pl.col(names[0]).is_between(pl.lit(first), pl.lit(last)))
        if count > PIECE_ROWS and len(names) > 1:
            yield from _parts(part, names[1:])
        else:
            yield part


def _ranges(names: list[str], counts: list[int]) -> Iterator[tuple[str, str, int]]:
    """Successive names, first and last, with at most so many rows together where it is more than one; and how many."""
    first, rows = 0, 0
    for n, count in enumerate(counts):
        if n > first and rows + count > PIECE_ROWS:
            yield names[first], names[n - 1], rows
            first, rows = n, 0
        rows += count
    if names:
        yield names[first], names[-1], rows
