"""Parquet files of the lake: written once, never changed. Who names them syncs them first."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.plans import DataFile

FEW_ROWS = 1000
ZSTD: dict[str, Any] = {"compression": "zstd", "compression_level": 1}
ROW_GROUP, SORTED_ROW_GROUP = 131_072, 16_384  # where rows are sorted by device, a question about one skips the others


@dataclass(frozen=True)
class Pieces:
    """The rows of a file, sorted by device and time, some at once: all of them need not be in memory."""

    num_rows: int
    schema: pa.Schema
    tables: Iterator[pa.Table]


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    _sync(folder, os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Make a file's contents durable."""
    _sync(path, 0)


def _sync(path: Path, kind: int) -> None:
    handle = os.open(path, os.O_RDONLY | kind)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_parquet(table_folder: Path, name: str, day: str, rows: pa.Table | Pieces, modified_us: int) -> DataFile:
    """Write rows of one day to `day=…/name.parquet`, not synced yet. The group may read, nobody may change."""
    folder = table_folder / f"day={day}"
    if not folder.is_dir():
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        folder.chmod(0o750)
    path = folder / f"{name}.parquet"
    path.unlink(missing_ok=True)  # left by a crash before its plan; it may not be written again, only replaced
    body, ends = _encoded(rows)
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o440)
        file.write(body)
    return DataFile(
        path=f"day={day}/{name}.parquet",
        day=day,
        rows=rows.num_rows,
        size=body.size,
        stats=_stats(rows, ends),
        modified=modified_us // 1000,
        sha256=hashlib.sha256(body).hexdigest(),
    )


Ends = list[tuple[datetime, datetime]]  # first and last times of pieces


def _encoded(rows: pa.Table | Pieces) -> tuple[pa.Buffer, Ends]:
    """Parquet, which is a tenth of what the rows take in memory."""
    pieces = rows if isinstance(rows, Pieces) else Pieces(rows.num_rows, rows.schema, iter([rows]))
    sink = pa.BufferOutputStream()
    # zstd sets itself up for each column: for a few rows, which compaction writes anew, that is half of the cost
    how: dict[str, Any] = {"compression": "snappy"} if rows.num_rows < FEW_ROWS else ZSTD
    writer = pq.ParquetWriter(
        sink,
        rows.schema,
        **how,
        # dictionaries pay for names and flags; measures are as good without and cost less time
        use_dictionary=[f.name for f in rows.schema if pa.types.is_string(f.type) and f.name != "message_hash"],
        write_statistics=True,
        write_page_checksum=True,  # `drava verify --deep` reads them: a flipped bit is found where it is
    )
    ends: Ends = []
    with writer:
        for piece in pieces.tables:
            writer.write_table(piece, row_group_size=ROW_GROUP if piece is rows else SORTED_ROW_GROUP)
            ends += _ends(piece)
    return sink.getvalue(), ends


def _time(schema: pa.Schema) -> str | None:
    return next((n for n in ("observed_at", "received_at") if n in schema.names), None)


def _ends(rows: pa.Table) -> Ends:
    """The first and the last time of rows, where they have one."""
    time = _time(rows.schema)
    if time is None or not rows.num_rows:
        return []
    low, high = pc.min_max(rows[time]).as_py().values()
    return [] if low is None or high is None else [(low, high)]


def _stats(rows: pa.Table | Pieces, ends: Ends) -> str:
    """Delta statistics: row count and time range; ids stay out of the log, so that erasure need not rewrite it."""
    stats: dict[str, Any] = {"numRecords": rows.num_rows}
    time = _time(rows.schema)
    if time is not None and ends:
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        # Delta keeps milliseconds: the upper bound is rounded up so that it stays a bound
        top = datetime.fromtimestamp(high.timestamp() + 0.001, UTC)
        stats["minValues"] = {time: f"{low:%Y-%m-%dT%H:%M:%S}.{low.microsecond // 1000:03d}Z"}
        stats["maxValues"] = {time: f"{top:%Y-%m-%dT%H:%M:%S}.{top.microsecond // 1000:03d}Z"}
        stats["nullCount"] = {time: 0}
    return json.dumps(stats)
