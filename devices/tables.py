"""Files of the registry as sheets, whatever people saved them as: CSV, Excel workbook, GeoJSON. Bytes in, no disk."""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import fastexcel
import polars as pl

from devices import csvfile, geometry
from devices.csvfile import MAX_BYTES, MAX_ROWS, Sheet, clean, tabulated, unreadable
from devices.kinds import Kind
from devices.problems import Fault, Problem

UNZIPPED_BYTES = 512 * 2**20  # of a workbook
MAX_COLUMNS = 200
_FIRST_ROW = re.compile(rb'<row\b[^>]*?\br="(\d+)"[^>]*?>\s*<c')
_MEGABYTE = 2**20


def read(name: str, data: bytes, kind: Kind | None = None) -> Sheet:
    """Read a file by the end of its name; what is neither .xlsx nor GeoJSON is CSV. Never raises."""
    if len(data) > MAX_BYTES:
        return unreadable([Problem(0, "", "", Fault.FILE_TOO_LARGE, {"limit": MAX_BYTES // _MEGABYTE})])
    end = name.lower().rpartition(".")[2]
    if end in ("xlsx", "xlsm", "xls", "ods") or data.startswith(b"PK\x03\x04"):
        return _workbook(data)
    if kind is not None and (end == "geojson" or data.lstrip()[:1] == b"{"):
        return _geojson(data, kind)
    return csvfile.read(data)


# Excel. Cells as texts, as exactly as the workbook has them; a number is written with a point.
def _workbook(data: bytes) -> Sheet:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(part.file_size for part in archive.infolist()) > UNZIPPED_BYTES:
                return unreadable([Problem(0, "", "", Fault.FILE_TOO_LARGE, {"limit": UNZIPPED_BYTES // _MEGABYTE})])
            first = _first_row(archive)
        sheet = fastexcel.read_excel(data).load_sheet(0, header_row=None, dtypes="string", n_rows=MAX_ROWS + 2)
        cells, wrong = sheet.to_arrow_with_errors()
    except (zipfile.BadZipFile, fastexcel.FastExcelError, NotImplementedError, ValueError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return unreadable([Problem(0, "", "", Fault.NOT_WORKBOOK, {"why": why[:200]})])
    frame = pl.DataFrame(cells)
    if frame.width > MAX_COLUMNS:
        return unreadable(
            [Problem(first, "", "", Fault.TOO_MANY_CELLS, {"found": frame.width, "expected": MAX_COLUMNS})]
        )
    found = tabulated(",", first, _rows(frame, first))
    errors = [Problem(first + row, _named(frame, column), "#", Fault.EXCEL_ERROR) for row, column in _places(wrong)]
    return Sheet(found.separator, found.header_line, found.header, found.rows, (*found.problems, *errors))


def _places(wrong: Any) -> Iterator[tuple[int, int]]:
    """Where cells are that hold an error of Excel instead of a value."""
    for error in wrong.errors if wrong is not None else ():
        yield error.position


def _named(frame: pl.DataFrame, column: int) -> str:
    return str(frame[0, column] or "") if column < frame.width else ""


def _first_row(archive: zipfile.ZipFile) -> int:
    """The number that Excel shows beside the first row with cells: empty rows above it are not in the table."""
    sheets = sorted(name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name))
    if not sheets:
        return 1
    with archive.open(sheets[0]) as opened:
        found = _FIRST_ROW.search(opened.read(_MEGABYTE))
    return int(found[1]) if found else 1


def _rows(frame: pl.DataFrame, first: int) -> Iterator[tuple[int, list[str]]]:
    for number, cells in enumerate(frame.iter_rows(), first):
        yield number, [clean(cell or "") for cell in cells]


# GeoJSON. A feature is a row: its properties are the columns, its geometry becomes lat and lon, or `geometry`.
def _geojson(data: bytes, kind: Kind) -> Sheet:
    try:
        text = data.decode("utf-8-sig")
        document = json.loads(text)
        features = document["features"]
        named = [dict(feature.get("properties") or {}) for feature in features]
        properties = [{_column(key): value for key, value in one.items()} for one in named]
        for feature, row in zip(features, properties, strict=True):
            if "id" in feature:
                row.setdefault(kind.key, feature["id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return unreadable([Problem(0, "", "", Fault.NOT_GEOJSON, {"why": str(error)[:200]})])
    columns = list(dict.fromkeys(column for row in properties for column in row))
    header = [*columns, *(place for place in kind.places if place not in columns)]
    lines = _lines(text, len(features))
    problems: list[Problem] = []
    records: list[tuple[int, list[str] | Problem]] = [(0, header)]
    for line, feature, row in zip(lines, features, properties, strict=True):
        placed = _placed(feature.get("geometry"), kind, line)
        if isinstance(placed, Problem):
            problems.append(placed)
        else:
            records.append((line, [_cell({**row, **placed}.get(column)) for column in header]))
    found = tabulated(",", 1, records)
    return Sheet(
        found.separator, 1, found.header, found.rows, (*problems, *(p for p in found.problems if not problems))
    )


def _column(key: object) -> str:
    return re.sub(r"[\s-]+", "_", str(key).strip().lower())


def _placed(found: Any, kind: Kind, line: int) -> dict[str, str] | Problem:
    if found is None:
        return {}
    try:
        geo = geometry.checked(found, kind.geometry)
    except (geometry.UnfitError, RecursionError) as error:
        detail = {"why": str(error), "known": ", ".join(kind.geometry) or "–"}
        return Problem(line, "geometry", "", Fault.GEOMETRY, detail)
    if geo["type"] == "Point":
        longitude, latitude = geo["coordinates"][:2]
        return {"lat": repr(latitude), "lon": repr(longitude)}
    return {"geometry": geometry.text(geo)}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _lines(text: str, count: int) -> Sequence[int]:
    """The line in which each feature begins; 0 where that cannot be told."""
    begun = re.search(r'"features"\s*:\s*\[', text)
    place, decoder = begun.end() if begun else len(text), json.JSONDecoder()
    found: list[int] = []
    line, counted = 1, 0
    while len(found) < count:
        start = re.compile(r"[\s,]*").match(text, place)
        place = start.end() if start else place
        if text[place : place + 1] != "{":
            return [0] * count
        line, counted = line + text.count("\n", counted, place), place
        found.append(line)
        _, place = decoder.raw_decode(text, place)
    return found
