"""Parquet files of the lake: written once, never changed. Who names them syncs them first."""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.plans import DataFile

FEW_ROWS = 1000
ZSTD: dict[str, Any] = {"compression": "zstd", "compression_level": 1}


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


def write_parquet(table_folder: Path, name: str, day: str, rows: pa.Table, modified_us: int) -> DataFile:
    """Write rows of one day to `day=…/name.parquet`, not synced yet. The group may read, nobody may change."""
    folder = table_folder / f"day={day}"
    if not folder.is_dir():
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        folder.chmod(0o750)
    path = folder / f"{name}.parquet"
    path.unlink(missing_ok=True)  # left by a crash before its plan; it may not be written again, only replaced
    body = _encoded(rows)
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o440)
        file.write(body)
    return DataFile(
        path=f"day={day}/{name}.parquet",
        day=day,
        rows=rows.num_rows,
        size=body.size,
        stats=_stats(rows),
        modified=modified_us // 1000,
        sha256=hashlib.sha256(body).hexdigest(),
    )


def _encoded(rows: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    # zstd sets itself up for each column: for a few rows, which compaction writes anew, that is half of the cost
    how: dict[str, Any] = {"compression": "snappy"} if rows.num_rows < FEW_ROWS else ZSTD
    # dictionaries pay for names and flags; measures are as good without and cost less time
    pq.write_table(
        rows,
        sink,
        **how,
        use_dictionary=[f.name for f in rows.schema if pa.types.is_string(f.type) and f.name != "message_hash"],
        write_statistics=True,
        write_page_checksum=True,  # `drava verify --deep` reads them: a flipped bit is found where it is
        row_group_size=131_072,
    )
    return sink.getvalue()


def _stats(rows: pa.Table) -> str:
    """Delta statistics: row count and time range; ids stay out of the log, so that erasure need not rewrite it."""
    stats: dict[str, Any] = {"numRecords": rows.num_rows}
    time = next((n for n in ("observed_at", "received_at") if n in rows.column_names), None)
    if time is not None and rows.num_rows:
        low, high = pc.min_max(rows[time]).as_py().values()
        if low is not None and high is not None:
            # Delta keeps milliseconds: the upper bound is rounded up so that it stays a bound
            top = datetime.fromtimestamp(high.timestamp() + 0.001, UTC)
            stats["minValues"] = {time: f"{low:%Y-%m-%dT%H:%M:%S}.{low.microsecond // 1000:03d}Z"}
            stats["maxValues"] = {time: f"{top:%Y-%m-%dT%H:%M:%S}.{top.microsecond // 1000:03d}Z"}
            stats["nullCount"] = {time: 0}
    return json.dumps(stats)
