"""CSV from people's hands is read as they meant it, or refused with the line; nothing is guessed, nothing crashes."""

import csv
import io
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import csvfile
from devices.csvfile import coordinate, decimal_mark, moment, number, read
from devices.problems import Fault

STEADY = settings(deadline=None, derandomize=True)
ZONE = ZoneInfo("Europe/Ljubljana")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def faults(data: bytes) -> list[tuple[int, str, Fault]]:
    return [(problem.line, problem.column, problem.fault) for problem in read(data).problems]


# Bytes to rows


@pytest.mark.parametrize("encoding", ["cp1250", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_the_same_cells_come_out_of_every_encoding_separator_and_line_end(encoding, separator, end):
    lines = [["Device ID", "title", "area"], ["a", "Žička cesta, hiša 3; klet", "Črešnjevec"], ["b", "", "Šalek"]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(lines)
    sheet = read(text.getvalue().encode(encoding))
    assert sheet.problems == ()
    assert sheet.separator == separator
    assert sheet.header == ("device_id", "title", "area")
    assert [tuple(row.cells.values()) for row in sheet.rows] == [tuple(line) for line in lines[1:]]
    assert [row.line for row in sheet.rows] == [2, 3]


def test_excels_own_hint_empty_rows_and_trailing_separators_are_no_content():
    sheet = read("sep=;\r\n;;\r\nid;lat;;\r\na;1,5;;\r\n;;;\r\nb;2,5\r\n".encode("cp1250"))
    assert sheet.problems == ()
    assert sheet.header == ("id", "lat")
    assert [(row.line, row.cells["id"]) for row in sheet.rows] == [(4, "a"), (6, "b")]


def test_a_row_with_fewer_cells_is_read_because_excel_drops_trailing_separators():
    sheet = read(b"id;lat;lon\na;1\nb\n")
    assert sheet.problems == ()
    assert [row.cells for row in sheet.rows] == [{"id": "a", "lat": "1"}, {"id": "b"}]


def test_blanks_that_cannot_be_seen_and_composed_letters_make_no_difference():
    composed = unicodedata.normalize("NFD", "Črešnjevec")
    sheet = read(f"id,title\n\u00a0a\u202f, {composed} \n".encode())
    assert sheet.rows[0].cells == {"id": "a", "title": "Črešnjevec"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", [(1, "", Fault.FILE_EMPTY)]),
        (b"\n\n;;\n", [(1, "", Fault.FILE_EMPTY)]),
        (b"id;lat\n", [(1, "", Fault.FILE_EMPTY)]),
        (b"id\na\nb\0c\n\0", [(3, "", Fault.NUL), (4, "", Fault.NUL)]),
        (b"id\n" + b"x" * 70_000 + b"\n", [(2, "", Fault.LONG_LINE)]),
        (b"id\na\n\x81\n", [(3, "", Fault.ENCODING)]),  # not UTF-8, and no letter in Windows-1250
        (b"\xef\xbb\xbfid\na\xe8\n", [(2, "", Fault.ENCODING)]),  # says that it is UTF-8
        (b"\xff\xfei\x00d\x00", [(1, "", Fault.FILE_EMPTY)]),
        (b"\xff\xfei", [(1, "", Fault.ENCODING)]),
        (b'id;t\na;"open\nb;c\n', [(2, "", Fault.QUOTES)]),
        (b'id;t\na;"x"y\n', [(2, "", Fault.QUOTES)]),
        (b"id;t\na;b;c\nd;e\nf;g;h\n", [(2, "", Fault.TOO_MANY_CELLS), (4, "", Fault.TOO_MANY_CELLS)]),
        (b"id;;t\na;b;c\n", [(2, "", Fault.COLUMN_UNNAMED)]),
        (b"id;t;T\na;b;c\n", [(1, "t", Fault.COLUMN_TWICE)]),
        (b'id;t\na;"two\nlines"\nb;c\n', [(2, "t", Fault.UNPRINTABLE)]),
        ("id;t\na;\u202egnp.exe\n".encode(), [(2, "t", Fault.UNPRINTABLE)]),
        (b"id;t\na;#SKLIC!\nb;#N/A\nc;########\nd;#1\n", [(n, "t", Fault.EXCEL_ERROR) for n in (2, 3, 4)]),
        (b"id;t\na;\x1b[31m\n", [(2, "t", Fault.UNPRINTABLE)]),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(data, expected):
    assert faults(data) == expected


def test_a_file_beyond_the_limit_is_not_even_decoded(monkeypatch):
    monkeypatch.setattr(csvfile, "MAX_BYTES", 10)
    assert faults(b"id\n" + b"\x81" * 10) == [(1, "", Fault.FILE_TOO_LARGE)]


def test_lines_are_counted_past_cells_with_line_breaks():
    sheet = read(b'id;t\na;"1\n2\n3"\nb;c\n')
    assert [row.line for row in sheet.rows] == [5]


@STEADY
@given(st.binary(max_size=300))
def test_no_bytes_make_it_crash_and_what_it_gives_is_clean(data):
    sheet = read(data)
    assert sheet.rows or sheet.problems
    for row in sheet.rows:
        assert set(row.cells) <= set(sheet.header)
        assert all(cell.isprintable() and cell == cell.strip() for cell in row.cells.values())
    for problem in sheet.problems:
        assert problem.text("sl")
        assert problem.text("en")


CELL = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=12)


@STEADY
@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=6), st.sampled_from(";,\t"))
def test_what_a_csv_writer_writes_comes_back(table, separator):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows([["first", "second", "third"], *table])
    sheet = read(text.getvalue().encode())
    expected = [[csvfile.clean(cell) for cell in row] for row in table]
    kept = [row for row in expected if any(row)]
    found = [list(row.cells.values()) for row in sheet.rows]
    # other blanks of Unicode are refused as invisible, nothing else is
    visible = [row for row in kept if all(cell.isprintable() for cell in row)]
    assert found == visible
    assert len(sheet.problems) >= (not visible)


# Cells to numbers


@pytest.mark.parametrize(
    ("cells", "separator", "expected"),
    [
        (["1.234,5"], ";", ["1234.5"]),
        (["1234,5"], ";", ["1234.5"]),
        (["1234.5"], ";", ["1234.5"]),
        (["1,234.5"], ",", ["1234.5"]),
        (["1.234.567"], ";", ["1234567"]),
        (["1 234,5", "1\u00a0234\u00a0567"], ";", ["1234.5", "1234567"]),
        (["0.001", "0,010"], ",", ["0.001", "0.010"]),
        (["1234.567", "0001,500"], ";", ["1234.567", "1.5"]),
        ([",5", "-3", "+4", "\u22127,25"], ";", ["0.5", "-3", "4", "-7.25"]),
        (["1E-03", "2,5E+02"], ";", ["0.001", "250"]),
        # in doubt: decided by the column, else by the file's separator where that says the same, else refused
        (["1.234", "12,5"], ";", ["1234", "12.5"]),
        (["1.234", "12.5"], ";", ["1.234", "12.5"]),
        (["1,234", "12,5"], ",", ["1.234", "12.5"]),
        (["1,234"], ";", ["1.234"]),
        (["1,234"], "\t", ["1.234"]),
        (["1.234"], ",", ["1.234"]),
        (["1.234"], ";", [Fault.AMBIGUOUS_NUMBER]),
        (["1,234"], ",", [Fault.AMBIGUOUS_NUMBER]),
        (["1.234", "2,345"], ";", [Fault.AMBIGUOUS_NUMBER, Fault.AMBIGUOUS_NUMBER]),
        (["1.234", "12,5", "12.5"], ";", [Fault.AMBIGUOUS_NUMBER, "12.5", "12.5"]),
        # no numbers
        (["1.23.4", "1,23,456", "12.34,5", "1 23", "5,", "--1", "1e999", "0x10"], ";", [Fault.NOT_NUMBER] * 8),
        (["NaN", "inf", "5 m3", "", "١٢", "9" * 41, "1_000"], ";", [Fault.NOT_NUMBER] * 7),
    ],
)
def test_numbers_as_people_and_programs_write_them(cells, separator, expected):
    cells = [csvfile.clean(cell) for cell in cells]
    mark = decimal_mark(cells, separator)
    found = [number(cell, mark) for cell in cells]
    assert found == [value if isinstance(value, Fault) else Decimal(value) for value in expected]


def slovenian(value: Decimal, *, grouped: bool) -> str:
    return f"{value:{',' if grouped else ''}f}".translate(str.maketrans(",.", ".,"))


NUMBERS = st.decimals(-(10**9), 10**9, places=3) | st.integers(-(10**9), 10**9).map(Decimal)


@STEADY
@given(st.lists(st.tuples(NUMBERS, st.booleans()), min_size=1, max_size=5))
def test_a_slovenian_column_is_read_as_meant_or_refused_but_never_as_another_number(column):
    cells = [slovenian(value, grouped=grouped) for value, grouped in column]
    for separator in ";\t":
        mark = decimal_mark(cells, separator)
        found = [number(cell, mark) for cell in cells]
        assert all(f in (value, Fault.AMBIGUOUS_NUMBER) for f, (value, _) in zip(found, column, strict=True))
    with_evidence = decimal_mark([*cells, "0,5"], ";")
    assert [number(cell, with_evidence) for cell in cells] == [value for value, _ in column]


@STEADY
@given(st.lists(NUMBERS, min_size=1, max_size=5))
def test_a_programs_column_is_read_as_meant(column):
    cells = [f"{value:f}" for value in column]
    mark = decimal_mark(cells, ",")
    assert [number(cell, mark) for cell in cells] == column


@pytest.mark.parametrize(
    ("text", "expected"), [("46.420", "46.42"), ("46,420", "46.42"), ("-0,5", "-0.5"), ("15", "15")]
)
def test_degrees_have_no_thousands(text, expected):
    assert coordinate(text) == Decimal(expected)


def test_metres_of_the_national_grid_are_not_taken_for_degrees():
    assert coordinate("142.345,12") == Decimal("142345.12")  # and the range of a latitude refuses it
    assert coordinate("north") is Fault.NOT_NUMBER


# Cells to times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. 3. 2025", "2025-03-01T00:00:00+01:00"),
        ("1.3.2025", "2025-03-01T00:00:00+01:00"),
        ("01.03.2025", "2025-03-01T00:00:00+01:00"),
        ("2025-03-01", "2025-03-01T00:00:00+01:00"),
        ("1. 7. 2025", "2025-07-01T00:00:00+02:00"),
        ("30.3.2025", "2025-03-30T00:00:00+01:00"),  # this day has 23 hours and begins in winter
        ("1. 3. 2025 8:05", "2025-03-01T08:05:00+01:00"),
        ("01.03.2025 08:05:09", "2025-03-01T08:05:09+01:00"),
        ("2025-07-01 08:05", "2025-07-01T08:05:00+02:00"),
        ("2025-07-01T08:05:09,25", "2025-07-01T08:05:09.250000+02:00"),
        ("2025-03-01T08:00:00Z", "2025-03-01T08:00:00+00:00"),
        ("2025-03-01t08:00:00.123456789-05:30", "2025-03-01T08:00:00.123456-05:30"),
        ("2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+02:00"),
        ("29. 2. 2024", "2024-02-29T00:00:00+01:00"),
    ],
)
def test_times_as_people_and_programs_write_them(text, expected):
    assert moment(text, ZONE) == micros(expected)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("31. 2. 2025", Fault.NOT_TIME),
        ("2025-13-01", Fault.NOT_TIME),
        ("3/1/2025", Fault.NOT_TIME),
        ("1. 3. 25", Fault.NOT_TIME),
        ("45717", Fault.NOT_TIME),
        ("2025-W01-1", Fault.NOT_TIME),
        ("20250301", Fault.NOT_TIME),
        ("2025-03-01T24:00", Fault.NOT_TIME),
        ("2025-03-01T08:00:00+99:00", Fault.NOT_TIME),
        ("2025-03-01Z", Fault.NOT_TIME),
        ("včeraj", Fault.NOT_TIME),
        ("1. 3. 2025\n", Fault.NOT_TIME),
        ("9999-12-31", Fault.FAR_TIME),
        ("0001-01-01", Fault.FAR_TIME),
        ("2025-03-30 02:30", Fault.CLOCK_CHANGE),  # does not exist
        ("26. 10. 2025 2:30", Fault.CLOCK_CHANGE),  # exists twice
    ],
)
def test_what_is_no_clear_time_is_refused(text, fault):
    assert moment(text, ZONE) is fault


def test_a_day_without_a_midnight_begins_when_it_begins():
    assert moment("4. 11. 2018", ZoneInfo("America/Sao_Paulo")) == micros("2018-11-04T01:00:00-02:00")


@STEADY
@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
def test_a_day_is_the_same_in_every_notation_and_begins_at_local_midnight(day):
    texts = (f"{day.day}. {day.month}. {day.year}", f"{day:%d.%m.%Y}", f"{day:%Y-%m-%d}")
    begin = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    assert {moment(text, ZONE) for text in texts} == {(begin - EPOCH) // timedelta(microseconds=1)}


@STEADY
@given(st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_a_time_with_offset_round_trips_in_every_zone(found):
    expected = (found - EPOCH) // timedelta(microseconds=1)
    assert moment(found.isoformat(), ZONE) == expected
    assert moment(found.isoformat().replace("+00:00", "Z"), ZoneInfo("Asia/Kathmandu")) == expected
