"""Parquet files of the lake: written once, never changed. Who names them syncs them first."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.plans import DataFile

FEW_ROWS = 1000
ZSTD: dict[str, Any] = {"compression": "zstd", "compression_level": 1}
ROW_GROUP, SORTED_ROW_GROUP = 131_072, 16_384  # rows sorted by device or indicator: a question skips the others


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


Ends = dict[str, tuple[Any, Any]]  # columns of which readers know what a file holds, and that of pieces


def _encoded(rows: pa.Table | Pieces) -> tuple[pa.Buffer, list[Ends]]:
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
    ends: list[Ends] = []
    by_name = not isinstance(rows, pa.Table) or "indicator" in rows.schema.names
    with writer:
        for piece in pieces.tables:
            writer.write_table(piece, row_group_size=SORTED_ROW_GROUP if by_name else ROW_GROUP)
            ends.append(_ends(piece))
    return sink.getvalue(), ends


def _bounded(schema: pa.Schema) -> list[str]:
    """The columns by whose bounds readers pass files over: when a row was observed, or of which period a value is."""
    times = [name for name in ("observed_at", "received_at") if name in schema.names][:1]
    return times or [name for name in ("period_start", "period_end") if name in schema.names]


def _ends(rows: pa.Table) -> Ends:
    """The lowest and the highest of each of these columns; nothing of one that has a row without it."""
    found = {name: rows[name] for name in _bounded(rows.schema)} if rows.num_rows else {}
    return {name: tuple(pc.min_max(cells).as_py().values()) for name, cells in found.items() if not cells.null_count}


def _stats(rows: pa.Table | Pieces, ends: Sequence[Ends]) -> str:
    """Delta statistics: row count and bounds; ids stay out of the log, so that erasure need not rewrite it."""
    found = [one for one in ends if one]
    known = [name for name in _bounded(rows.schema) if found and all(name in one for one in found)]
    lows = {name: _text(min(one[name][0] for one in found)) for name in known}
    highs = {name: _text(max(one[name][1] for one in found), up=True) for name in known}
    stats = {"minValues": lows, "maxValues": highs, "nullCount": dict.fromkeys(known, 0)} if known else {}
    return json.dumps({"numRecords": rows.num_rows} | stats)


def _text(bound: date, *, up: bool = False) -> str:
    """A day, or a moment in milliseconds, as Delta keeps it; an upper bound is rounded up so that it stays one."""
    if not isinstance(bound, datetime):
        return bound.isoformat()
    moment = datetime.fromtimestamp(bound.timestamp() + 0.001, UTC) if up else bound
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
