"""CSV as people make it, read without guessing: bytes to a header and numbered rows, cells to numbers and times."""

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from devices.problems import Fault, Problem

MAX_BYTES = 64 * 2**20
MAX_LINE = 65_536
MAX_ROWS = 200_000
FORMULA = "=+-@＝＋－＠\t\r"  # what a spreadsheet takes for the beginning of a formula
_SEPARATORS = ";\t,"  # the earlier one wins where a header can be split in two ways
_MEGABYTE = 2**20
_EXCEL_ERROR = re.compile(r"#(?:N/[AV]|[A-ZČŠŽ/0]+[!?]|##+)")  # #N/A, #REF!, #SKLIC!, #DEL/0!, #####
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = range(1900, 2200)


@dataclass(frozen=True)
class Row:
    """One record: the line it begins in (1 is the first of the file) and its cells by column name."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Sheet:
    """What a file holds. Rows with problems are left out; `header` is empty where nothing could be read."""

    separator: str
    header_line: int
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


def read(data: bytes) -> Sheet:
    """Read a CSV file: `;`, tab or `,`; UTF-8 with or without BOM, UTF-16 with BOM, or else Windows-1250.

    Column names become lower case with `_` for blanks; cells are stripped and in Unicode NFC. Empty rows, as Excel
    leaves them, are skipped. Never raises: what is wrong is in `problems`.
    """
    text = _decode(data)
    if isinstance(text, Problem):
        return unreadable([text])
    lines = list(io.StringIO(text, newline=""))
    broken = [problem for number, line in enumerate(lines, 1) if (problem := _broken(number, line))]
    start = _header_line(lines)
    if broken or start is None:
        return unreadable(broken or [Problem(1, "", "", Fault.FILE_EMPTY)])
    separator = _separator(lines[start])
    return tabulated(separator, start + 1, _records(lines, start, separator))


def tabulated(separator: str, header_line: int, records: Iterable[tuple[int, list[str] | Problem]]) -> Sheet:
    """Make a sheet of records, each with its line; the first is the header."""
    header: tuple[str, ...] = ()
    rows: list[Row] = []
    problems: list[Problem] = []
    for line, found in records:
        if len(rows) == MAX_ROWS:
            return unreadable([Problem(line, "", "", Fault.TOO_MANY_ROWS, {"limit": MAX_ROWS})])
        if isinstance(found, Problem):
            problems.append(found)
        elif not header:
            header = tuple(_column(cell) for cell in found)
            problems += _headings(line, header)
        elif any(found):
            wrong = _misfits(line, header, found)
            problems += wrong
            if not wrong:
                rows.append(Row(line, {name: cell for name, cell in zip(header, found, strict=False) if name}))
    if not rows and not problems:
        problems.append(Problem(header_line, "", "", Fault.FILE_EMPTY))
    return Sheet(separator, header_line, tuple(name for name in header if name), tuple(rows), tuple(problems))


def unreadable(problems: list[Problem]) -> Sheet:
    """Give the sheet of a file of which nothing could be read."""
    return Sheet("", 1, (), (), tuple(problems))


def _decode(data: bytes) -> str | Problem:
    if len(data) > MAX_BYTES:
        return Problem(1, "", "", Fault.FILE_TOO_LARGE, {"limit": MAX_BYTES // _MEGABYTE})
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Excel's "Unicode text"
        encodings = ["utf-16"]
    elif data.startswith(codecs.BOM_UTF8):
        data, encodings = data.removeprefix(codecs.BOM_UTF8), ["utf-8"]
    else:
        encodings = ["utf-8", "cp1250"]
    place = 0
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            place = error.start
    return Problem(data.count(b"\n", 0, place) + 1, "", "", Fault.ENCODING)


def _broken(number: int, line: str) -> Problem | None:
    if "\0" in line:
        return Problem(number, "", "", Fault.NUL)
    if len(line) > MAX_LINE:
        return Problem(number, "", line[:80], Fault.LONG_LINE, {"limit": MAX_LINE})
    return None


def _header_line(lines: Sequence[str]) -> int | None:
    """Find the first line with content; `sep=;`, which Excel obeys and hides, is none."""
    for index, line in enumerate(lines):
        if line.strip(" \t\r\n;,") and not re.fullmatch(r'"?sep=."?', line.strip(" \r\n"), re.IGNORECASE):
            return index
    return None


def _separator(header: str) -> str:
    def cells(separator: str) -> int:
        return len(next(csv.reader([header], delimiter=separator)))

    return max(_SEPARATORS, key=cells)


def _records(lines: Sequence[str], start: int, separator: str) -> Iterator[tuple[int, list[str] | Problem]]:
    reader = csv.reader(lines[start:], delimiter=separator, strict=True)
    while True:
        line = start + reader.line_num + 1
        try:
            found = next(reader)
        except StopIteration:
            return
        except csv.Error:  # where the next record begins is not known any more
            yield line, Problem(line, "", lines[line - 1].strip(), Fault.QUOTES)
            return
        yield line, [clean(cell) for cell in found]


def clean(cell: str) -> str:
    """Give a cell as it was meant: stripped, in Unicode NFC, without the apostrophe that keeps formulas away."""
    text = unicodedata.normalize("NFC", re.sub("[\u00a0\u202f\u2009]", " ", cell).strip())
    begun = text[1:].lstrip()[:1]
    return text[1:] if text[:1] == "'" and begun and begun in FORMULA else text  # as `harmless` wrote it


def _column(cell: str) -> str:
    return re.sub(r"[\s-]+", "_", cell.lower())


def _headings(line: int, header: Sequence[str]) -> list[Problem]:
    twice = [Problem(line, name, "", Fault.COLUMN_TWICE) for name, n in Counter(header).items() if name and n > 1]
    return twice + [Problem(line, name, name, Fault.UNPRINTABLE) for name in header if not name.isprintable()]


def _misfits(line: int, header: Sequence[str], cells: Sequence[str]) -> list[Problem]:
    # Fewer cells than columns are no mistake: Excel drops trailing separators of blocks of rows.
    if any(cells[len(header) :]):
        detail = {"found": len(cells), "expected": len(header)}
        return [Problem(line, "", cells[-1], Fault.TOO_MANY_CELLS, detail)]
    problems = []
    for name, cell in zip(header, cells, strict=False):
        if not name and cell:
            problems.append(Problem(line, "", cell, Fault.COLUMN_UNNAMED))
        elif not cell.isprintable():
            problems.append(Problem(line, name, cell, Fault.UNPRINTABLE))
        elif _EXCEL_ERROR.fullmatch(cell):
            problems.append(Problem(line, name, cell, Fault.EXCEL_ERROR))
    return problems


# Numbers. `1.234` is 1234 for a Slovenian and 1.234 for a program: it is read by the other numbers of its column, and
# refused where these do not decide. With "." or "," as decimal mark, the other mark (or a blank) groups by threes.
def _style(mark: str, group: str) -> re.Pattern[str]:
    whole = rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:[{group} ][0-9]{{3}})+)"
    return re.compile(rf"[+-]?(?:{whole}(?:\{mark}[0-9]+)?|\{mark}[0-9]+)(?:[eE][+-]?[0-9]{{1,2}})?")


_STYLES = {".": _style(".", ","), ",": _style(",", ".")}
_LONGEST_NUMBER = 40


def readings(text: str) -> dict[str, Decimal]:
    """Give every value that a number can have, by the decimal mark under which it has it; empty where it is none."""
    text = text.replace("\u2212", "-")
    if len(text) > _LONGEST_NUMBER:
        return {}
    found = {}
    for mark, style in _STYLES.items():
        if style.fullmatch(text):
            group = "," if mark == "." else "."
            found[mark] = Decimal(text.replace(group, "").replace(" ", "").replace(mark, "."))
    return found


def decimal_mark(cells: Iterable[str], separator: str) -> str | None:
    """Tell the decimal mark of a column, or None where its cells do not decide.

    Numbers that only one mark explains decide (`12,5`; `1.234,5`; `0.001`); where they contradict each other nothing is
    decided. Where there are none, the mark that goes with the separator is taken (`.` with `,`, else `,`), unless a
    doubtful number uses the other one: `1.234` in a file with `;` stays undecided.
    """
    found = [readings(cell) for cell in cells]
    certain = {mark for values in found for mark in values if len(values) == 1}
    if certain:
        return certain.pop() if len(certain) == 1 else None
    native = "." if separator == "," else ","
    # the mark that a doubtful number contains is the one under which it is small
    written = {min(values, key=lambda mark: abs(values[mark])) for values in found if len(set(values.values())) > 1}
    return native if written <= {native} else None


def number(text: str, mark: str | None) -> Decimal | Fault:
    """Read a number in a column whose decimal mark is `mark`; None: only what can be read in one way."""
    values = readings(text)
    if not values:
        return Fault.NOT_NUMBER
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return values[mark] if mark else Fault.AMBIGUOUS_NUMBER


def coordinate(text: str) -> Decimal | Fault:
    """Read degrees: nobody writes thousands of them, so a single mark is always the decimal mark."""
    return min(readings(text).values(), key=abs, default=Fault.NOT_NUMBER)


# Times.
_CLOCK = r"(?P<h>[0-9]{1,2}):(?P<min>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,](?P<us>[0-9]{1,6})[0-9]{0,3})?)?"
_TIMES = (
    re.compile(rf"(?P<d>[0-9]{{1,2}})\. ?(?P<m>[0-9]{{1,2}})\. ?(?P<y>[0-9]{{4}})(?:,? +{_CLOCK})?"),
    re.compile(
        rf"(?P<y>[0-9]{{4}})-(?P<m>[0-9]{{2}})-(?P<d>[0-9]{{2}})"
        rf"(?:[Tt ]{_CLOCK} ?(?P<zone>[Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?)?"
    ),
)


def moment(text: str, zone: tzinfo) -> int | Fault:
    """Read a date or time as microseconds since 1970 UTC: `1. 3. 2025 8:30`, `01.03.2025`, `2025-03-01`, RFC 3339.

    A time without offset is local in `zone`; a date alone is the moment at which that day begins there.
    """
    for form in _TIMES:
        if match := form.fullmatch(text):
            return _moment(match.groupdict(), zone)
    return Fault.NOT_TIME


def _moment(parts: dict[str, str | None], zone: tzinfo) -> int | Fault:
    year, month, day, hour, minute, second = (int(parts[name] or 0) for name in ("y", "m", "d", "h", "min", "s"))
    fraction = int((parts["us"] or "0").ljust(6, "0"))
    if year not in _YEARS:
        return Fault.FAR_TIME
    offset = parts.get("zone")
    try:
        local = datetime(year, month, day, hour, minute, second, fraction, tzinfo=zone)
        if offset:
            local = datetime.fromisoformat(local.replace(tzinfo=None).isoformat() + offset.upper())
    except ValueError:
        return Fault.NOT_TIME
    other = local.replace(fold=1)
    if parts["h"] and not offset and other.utcoffset() != local.utcoffset():
        return Fault.CLOCK_CHANGE
    return (local - _EPOCH) // timedelta(microseconds=1)
