"""Files of history as tables, in parts: CSV, Excel, Parquet. What is no table is refused, with the line and the mend.

Cells of CSV and Excel stay texts here; their meaning is decided by `ingest.history`, column by column.
"""

import codecs
import csv
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from devices import csvfile
from devices.problems import Fault, Problem
from schemas.errors import DravaError

PART_ROWS = 50_000
HEAD_LINES = 200  # among which the header must stand
UNZIPPED_BYTES = 2**30  # of a workbook: more is no workbook of ours
SUFFIXES = (".csv", ".txt", ".tsv", ".xlsx", ".parquet")


@dataclass(frozen=True)
class Sheet:
    """A table in a file. `parts` gives it anew each time, as frames of the columns asked for, in the file's order."""

    header: tuple[str, ...]
    rows: int
    parts: Callable[[Sequence[str]], Iterator[pl.DataFrame]]
    separator: str | None = None  # of a CSV file, whose decimal mark is to be found


@dataclass(frozen=True)
class Unreadable:
    """Why a file is no table."""

    problems: tuple[Problem, ...]


def open_sheet(file: Path) -> Sheet | Unreadable:
    """Look at a file and check its structure to the end. Raises DravaError where it cannot be read at all."""
    kind = file.suffix.lower()
    if kind not in SUFFIXES:
        raise DravaError(f"{file} is none of {', '.join(SUFFIXES)}", "Save it as CSV, Excel workbook or Parquet")
    try:
        if kind == ".parquet":
            return _parquet(file)
        return _workbook(file) if kind == ".xlsx" else _csv(file)
    except (OSError, pa.ArrowException, zipfile.BadZipFile, fastexcel.FastExcelError) as error:
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise DravaError(f"{file} cannot be read: {why[0]}", "Check the file and the right to read it") from None


# Parquet: columns have types already.
def _parquet(file: Path) -> Sheet:
    with pq.ParquetFile(file) as opened:
        header, rows = tuple(opened.schema_arrow.names), opened.metadata.num_rows

    def parts(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        with pq.ParquetFile(file) as again:
            for batch in again.iter_batches(PART_ROWS, columns=list(columns)):
                yield pl.DataFrame(pa.table(batch)).select(columns)

    return Sheet(header, rows, parts)


# Excel: cells as texts, as exactly as the workbook has them; a workbook has a million rows at most.
def _workbook(file: Path) -> Sheet | Unreadable:
    with zipfile.ZipFile(file) as archive:
        if sum(part.file_size for part in archive.infolist()) > UNZIPPED_BYTES:
            return Unreadable((Problem(1, "", "", Fault.FILE_TOO_LARGE, {"limit": UNZIPPED_BYTES // 2**20}),))
    sheet = fastexcel.read_excel(file).load_sheet(0, dtypes="string")
    frame = pl.DataFrame(sheet.to_arrow())
    frame = frame.filter(~pl.all_horizontal(pl.all().is_null())) if frame.width else frame
    if not frame.height:
        return Unreadable((Problem(1, "", "", Fault.FILE_EMPTY),))

    def parts(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        yield from frame.select(columns).iter_slices(PART_ROWS)

    return Sheet(tuple(frame.columns), frame.height, parts)


# CSV: as a Slovenian Excel writes it, or a program.
def _csv(file: Path) -> Sheet | Unreadable:
    encoding = _encoding(file)
    if isinstance(encoding, Problem):
        return Unreadable((encoding,))
    with file.open(encoding=encoding, newline="") as stream:
        head = csvfile.read("".join(line for line, _ in zip(stream, range(HEAD_LINES), strict=False)).encode())
    wrong = [p for p in head.problems if p.line <= head.header_line or p.fault in (Fault.NUL, Fault.LONG_LINE)]
    if wrong or not head.header:
        return Unreadable(tuple(wrong or head.problems))
    text = _Text(file, encoding, head.header_line, head.separator)
    rows, problems = text.check(len(text.names))
    if problems or not rows:
        return Unreadable(tuple(problems) or (Problem(1, "", "", Fault.FILE_EMPTY),))
    return Sheet(tuple(name for name in text.names if name), rows, text.parts, head.separator)


def _encoding(file: Path) -> str | Problem:
    with file.open("rb") as stream:
        begin = stream.read(4)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    line = 0
    for encoding in ("utf-8-sig", "cp1250"):
        line = 0
        try:
            with file.open(encoding=encoding, newline="") as text:
                for _ in iter(lambda: text.readline(csvfile.MAX_LINE), ""):
                    line += 1
        except UnicodeDecodeError:
            continue
        return encoding
    return Problem(line + 1, "", "", Fault.ENCODING)


@dataclass
class _Text:
    """The records of a CSV file below its header."""

    file: Path
    encoding: str
    header_line: int
    separator: str

    def __post_init__(self) -> None:
        with self.file.open(encoding=self.encoding, newline="") as stream:
            _, first = next(self._records(stream))
        self.names = [_name(cell) for cell in first]

    def _records(self, stream: IO[str]) -> Iterator[tuple[int, list[str]]]:
        """Line and cells of every record, the header first. Raises _Broken at what is none."""
        for _ in range(self.header_line - 1):
            stream.readline(csvfile.MAX_LINE)
        reader = csv.reader(_lines(stream, self.header_line), delimiter=self.separator, strict=True)
        while True:
            line = self.header_line + reader.line_num
            try:
                yield line, next(reader)
            except StopIteration:
                return
            except csv.Error:
                raise _Broken(Problem(line, "", "", Fault.QUOTES)) from None

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        with self.file.open(encoding=self.encoding, newline="") as stream:
            records = self._records(stream)
            next(records)
            for line, cells in records:
                if any(cells) and any(cell.strip() for cell in cells):
                    yield line, cells

    def check(self, width: int) -> tuple[int, list[Problem]]:
        """Count the rows; name those that do not fit the header."""
        count, problems = 0, []
        try:
            for line, cells in self._rows():
                count += 1
                if len(cells) > width and any(cells[width:]):
                    detail = {"found": len(cells), "expected": width}
                    problems.append(Problem(line, "", cells[-1], Fault.TOO_MANY_CELLS, detail))
        except _Broken as broken:
            problems.append(broken.problem)
        return count, problems

    def parts(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The columns asked for, as texts; an empty cell is null."""
        places = [self.names.index(name) for name in columns]
        rows: list[list[str]] = []
        for _, cells in self._rows():
            short = len(cells)  # Excel drops trailing separators
            rows.append([cells[place] if place < short else "" for place in places])
            if len(rows) == PART_ROWS:
                yield _frame(rows, columns)
                rows = []
        if rows:
            yield _frame(rows, columns)


class _Broken(Exception):  # noqa: N818 - it never leaves this module
    """What is wrong stops the reading."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.fault)
        self.problem = problem


def _name(cell: str) -> str:
    # as devices.csvfile names the columns of the registry's files
    return re.sub(r"[\s-]+", "_", unicodedata.normalize("NFC", cell).strip().lower())


def _lines(stream: IO[str], number: int) -> Iterator[str]:
    for line in iter(lambda: stream.readline(csvfile.MAX_LINE + 1), ""):
        if "\0" in line:
            raise _Broken(Problem(number, "", "", Fault.NUL))
        if len(line) > csvfile.MAX_LINE:
            raise _Broken(Problem(number, "", line[:80], Fault.LONG_LINE, {"limit": csvfile.MAX_LINE}))
        number += 1
        yield line


def _frame(rows: Iterable[Sequence[str]], columns: Sequence[str]) -> pl.DataFrame:
    frame = pl.DataFrame(list(rows), schema=dict.fromkeys(columns, pl.String), orient="row")
    cleaned = pl.all().str.replace_all("[\u00a0\u202f\u2009]", " ").str.strip_chars()
    return frame.select(cleaned).with_columns(pl.when(pl.all() != "").then(pl.all()))  # fmt: skip
