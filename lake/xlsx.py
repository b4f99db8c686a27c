"""Rows as a workbook for Excel: ids stay text, times are local and UTC, and nothing is ever a formula."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import pyarrow as pa
import xlsxwriter

SHEET_ROWS = 1_048_576  # Excel's limit, the header row included
_CELL = 32_767  # characters of a cell
_EXACT = 10**15  # Excel keeps 15 digits of a number
_FIRST = datetime(1900, 3, 1, tzinfo=UTC)  # Excel's calendar is wrong before


def write_xlsx(
    out: BinaryIO,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    title: str,
    zone: str,
    sheet_rows: int = SHEET_ROWS,
) -> int:
    """Write rows, continued on further sheets past Excel's limit. Returns the rows."""
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    rows = 0
    with xlsxwriter.Workbook(out, options) as book:
        sheets = _Sheets(book, schema, title[:25], ZoneInfo(zone))
        for batch in batches:
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if rows % (sheet_rows - 1) == 0:
                    sheets.next()
                sheets.row(values)
                rows += 1
        if rows == 0:
            sheets.next()
    return rows


class _Sheets:
    """The sheets of a workbook and the place of the next row."""

    def __init__(self, book: Any, schema: pa.Schema, title: str, zone: ZoneInfo) -> None:
        self.book, self.title, self.zone = book, title, zone
        self.times = [pa.types.is_timestamp(field.type) for field in schema]
        self.names: list[str] = []
        for field, is_time in zip(schema, self.times, strict=True):
            self.names += [f"{field.name}_local", f"{field.name}_utc"] if is_time else [field.name]
        self.moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self.day = book.add_format({"num_format": "yyyy-mm-dd"})
        self.bold = book.add_format({"bold": True})
        self.sheet: Any = None
        self.line = 0

    def next(self) -> None:
        """Begin a sheet with its header."""
        number = len(self.book.worksheets()) + 1
        self.sheet = self.book.add_worksheet(self.title if number == 1 else f"{self.title} ({number})")
        self.sheet.freeze_panes(1, 0)
        self.sheet.set_column(0, len(self.names) - 1, 20)
        for column, name in enumerate(self.names):
            self.sheet.write_string(0, column, name[:_CELL], self.bold)
        self.line = 1

    def row(self, values: Sequence[Any]) -> None:
        """Write one row."""
        column = 0
        for value, is_time in zip(values, self.times, strict=True):
            if is_time:
                if value is not None:
                    self._time(column, value.astimezone(self.zone))
                    self._time(column + 1, value.astimezone(UTC))
                column += 2
            else:
                self._cell(column, value)
                column += 1
        self.line += 1

    def _time(self, column: int, value: datetime) -> None:
        if value < _FIRST:
            self.sheet.write_string(self.line, column, value.isoformat())
        else:
            self.sheet.write_datetime(self.line, column, value.replace(tzinfo=None), self.moment)

    def _cell(self, column: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            self.sheet.write_boolean(self.line, column, value)
        elif isinstance(value, int | float | Decimal) and isfinite(value) and abs(float(value)) < _EXACT:
            self.sheet.write_number(self.line, column, value)
        elif isinstance(value, date) and value >= _FIRST.date():
            self.sheet.write_datetime(self.line, column, datetime.combine(value, time()), self.day)
        else:
            text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
            self.sheet.write_string(self.line, column, text[:_CELL])
