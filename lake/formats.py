"""Rows as text and files: every text format is one SQL expression per row, so that DuckDB does the work in batches."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from lake.files import sync_folder
from lake.relations import literal, quote
from schemas.errors import DravaError

TextFormat = Literal["csv", "excel-csv", "json", "jsonl"]
TIME = "TIMESTAMP WITH TIME ZONE"
BATCH = 20_000  # rows of text in memory at once
ROW_GROUP = 131_072  # rows of a Parquet row group
_NUMBERS = ("DOUBLE", "FLOAT", "DECIMAL")
# What a spreadsheet would take for a formula, also after blanks and in full width (OWASP, CSV injection).
_FORMULA = "('=', '+', '-', '@', '＝', '＋', '－', '＠')"
_BLANKS = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(160)"


def text_rows(relation: Any, kind: TextFormat, zone: str = "UTC") -> tuple[str, Any]:
    """Give (header, relation of one column with one line of text per row) for a query's relation.

    Times are RFC 3339 UTC; in `excel-csv` each becomes two columns: local time of `zone`, and UTC.
    """
    columns = [(f"#{n}", name, str(kind)) for n, (name, kind) in enumerate(_described(relation), 1)]
    if kind in {"json", "jsonl"}:
        return "", relation.project(f"{_json_row(columns)} AS line")
    if kind == "excel-csv":
        names, cells = _excel(columns, zone)
        return _header(names, ";"), relation.project(f"{_joined(cells, ';')} AS line")
    cells = [_quoted(_plain(ref, type_), type_, ",") for ref, _, type_ in columns]
    return _header([name for _, name, _ in columns], ","), relation.project(f"{_joined(cells, ',')} AS line")


def text_cells(relation: Any) -> tuple[list[str], Any]:
    """Give (names, relation) with every column as text, for people; names that occur twice are numbered."""
    columns = [(f"#{n}", name, str(kind)) for n, (name, kind) in enumerate(_described(relation), 1)]
    names = _unique([name for _, name, _ in columns])
    cells = (f"{_plain(ref, type_)} AS {quote(name)}" for (ref, _, type_), name in zip(columns, names, strict=True))
    return names, relation.project(", ".join(cells))


def _unique(names: Iterable[str]) -> list[str]:
    taken: dict[str, int] = {}
    found = []
    for name in names:
        number = taken[name.lower()] = taken.get(name.lower(), 0) + 1
        found.append(name if number == 1 else f"{name}_{number}")
    return found


def _described(relation: Any) -> Iterable[tuple[str, Any]]:
    return zip(relation.columns, relation.types, strict=True)


def rfc3339(ref: str) -> str:
    """SQL text of a time in UTC, with microseconds only where there are any."""
    return (
        f"CASE WHEN epoch_us({ref}) % 1000000 = 0 THEN strftime({ref}, '%Y-%m-%dT%H:%M:%SZ') "
        f"ELSE strftime({ref}, '%Y-%m-%dT%H:%M:%S.%fZ') END"
    )


def _plain(ref: str, type_: str) -> str:
    return rfc3339(ref) if type_ == TIME else f"CAST({ref} AS VARCHAR)"


def _is_text(type_: str) -> bool:
    return type_ != TIME and type_ not in {"BOOLEAN", "DATE"} and not type_.endswith("INT") and not _is_number(type_)


def _is_number(type_: str) -> bool:
    return type_.startswith(_NUMBERS) and "[" not in type_


def _quoted(cell: str, type_: str, separator: str) -> str:
    """Quotes where the text needs them; an empty text differs from nothing."""
    if not _is_text(type_):
        return f"coalesce({cell}, '')"
    escaped = f"'\"' || replace({cell}, '\"', '\"\"') || '\"'"
    needs = f"{cell} = '' OR regexp_matches({cell}, '[\"\\r\\n{separator}]')"
    return f"CASE WHEN {cell} IS NULL THEN '' WHEN {needs} THEN {escaped} ELSE {cell} END"


def _joined(cells: Sequence[str], separator: str) -> str:
    return f" || {literal(separator)} || ".join(f"({cell})" for cell in cells)


def _header(names: Sequence[str], separator: str) -> str:
    special = ('"', "\n", "\r", separator)
    return separator.join('"' + n.replace('"', '""') + '"' if any(c in n for c in special) else n for n in names)


def _excel(columns: Sequence[tuple[str, str, str]], zone: str) -> tuple[list[str], list[str]]:
    names, cells = [], []
    for ref, name, type_ in columns:
        if type_ == TIME:
            names += [f"{name}_local", f"{name}_utc"]
            cells += [f"coalesce(strftime({moment}, '%Y-%m-%d %H:%M:%S'), '')" for moment in _moments(ref, zone)]
            continue
        names.append(name)
        text = f"CAST({ref} AS VARCHAR)"
        if _is_number(type_):
            cells.append(f"coalesce(replace({text}, '.', ','), '')")
        elif _is_text(type_):
            formula = f"left(ltrim({text}, {_BLANKS}), 1) IN {_FORMULA}"
            harmless = f"CASE WHEN {formula} THEN '''' || {text} ELSE {text} END"
            cells.append(_quoted(f"({harmless})", type_, ";"))
        else:
            cells.append(f"coalesce({text}, '')")
    return names, cells


def _moments(ref: str, zone: str) -> tuple[str, str]:
    return f"timezone({literal(zone)}, {ref})", f"timezone('UTC', {ref})"


def _json_row(columns: Sequence[tuple[str, str, str]]) -> str:
    names = _unique([name for _, name, _ in columns])
    fields = (f"{quote(name)} := {_json(ref, type_)}" for (ref, _, type_), name in zip(columns, names, strict=True))
    return f"CAST(to_json(struct_pack({', '.join(fields)})) AS VARCHAR)"


def _json(ref: str, type_: str) -> str:
    if type_ == TIME:
        return rfc3339(ref)
    if type_ in {"DOUBLE", "FLOAT"}:
        return f"CASE WHEN isfinite({ref}) THEN {ref} END"  # JSON has no NaN
    return ref


def write_lines(out: BinaryIO, header: str, batches: Iterable[pa.RecordBatch], kind: TextFormat) -> int:
    """Write rows of text; `json` is one array. Returns the number of rows."""
    if kind == "excel-csv":
        out.write(b"\xef\xbb\xbf")
    if header:
        out.write(header.encode() + b"\n")
    between = ",\n" if kind == "json" else "\n"
    if kind == "json":
        out.write(b"[")
    rows = 0
    for batch in batches:
        lines = batch.column(0).to_pylist()
        if lines:
            before = (between if rows else "\n") if kind == "json" else ""
            out.write((before + between.join(lines) + ("" if kind == "json" else "\n")).encode())
            rows += len(lines)
    if kind == "json":
        out.write(b"\n]\n")
    return rows


def write_parquet(out: BinaryIO, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches as one Parquet file. Returns the number of rows."""
    rows = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=ROW_GROUP)
            rows += batch.num_rows
    return rows


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is whole and on the disk. Raises DravaError where it cannot."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise DravaError(
            f"{path} cannot be written: {error.strerror or error}", "Choose another place with --output"
        ) from None
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
