"""Rows of a file become registrations, or problems that name the line, the column and what to do."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from devices.csvfile import Row, Sheet, coordinate, decimal_mark, moment, number, readings
from devices.problems import Fault, Problem, texts
from devices.registry import OPTIONAL, REQUIRED, TEXT_LENGTH, Registration, factor_columns, normal_id

_YES_NO = dict.fromkeys(("da", "yes", "true", "1", "x"), True) | dict.fromkeys(("ne", "no", "false", "0"), False)
_EXACT = 2**53  # whole numbers above are not exact in JSON: they stay text
_UNIT = re.compile(r"_(?:w|kw|l|m|mm|cm|km|m2|m3|m3h|pct|kwh|h|s|kg|kmh|kpa|v|a|deg|cel|eur)$")

# Columns that name or reach a person: as a whole, or where one of the words between the underscores says it.
_PERSON = re.compile(
    r"name|ime|(?:full|first|last|family|given)_?name|naziv_stranke|(?:.*_)?(?:priimek|surname|lastni[kc]a?|lastniki|owners?"
    r"|person|oseb[ae]|narocni[kc]a?|uporabni[kc]a?|customer|subscriber|tenant|najemni[kc]a?|stranka|placnik|contact|kontakt"
    r"|e_?mail|mail|e_?posta|phone|telefon|tel|gsm|mobile|mobitel|emso|davcna|tax_?id|iban|trr|rojstva|birthda(?:y|te))(?:_.*)?"
)
_ELSEWHERE = {"latitude": "lat", "longitude": "lon", "long": "lon", "lng": "lon", "area_id": "area", "district": "area"}

T = TypeVar("T")


@dataclass(frozen=True)
class Parsed(Generic[T]):
    """The good rows of a file and everything that is wrong with the others."""

    rows: tuple[T, ...]
    problems: tuple[Problem, ...]
    sound: tuple[T, ...] = ()  # those whose device and thing have no bad row either


Reader = Callable[[str], Any]  # gives a value or a Fault


def registrations(sheet: Sheet, zone: tzinfo) -> Parsed[Registration]:
    """Read rows of the registry; local times are those of `zone`."""
    known = (*REQUIRED, *OPTIONAL, *sorted(factor_columns()))
    wrong = [*missing(sheet, REQUIRED), *misnamed(sheet, known)]
    readers = {name: _reader(name, cells, sheet.separator, zone) for name, cells in columns(sheet).items()}

    def model(line: int, values: dict[str, Any]) -> Registration:
        own = {name: values[name] for name in (*REQUIRED, *OPTIONAL) if name in values}
        factors = {name: float(value) for name, value in values.items() if name in factor_columns()}
        attributes = {name: value for name, value in values.items() if name not in known}
        return Registration(line=line, **own, factors=factors, attributes=attributes)

    found = parsed(sheet, wrong, readers, model)
    if sheet.problems or wrong:
        return found
    lines = {problem.line for problem in found.problems}
    bad = {
        normal_id(row.cells.get(n, "")) for row in sheet.rows if row.line in lines for n in ("device_id", "thing_id")
    }
    return replace(found, sound=tuple(row for row in found.rows if bad.isdisjoint((row.device_id, row.thing_id))))


def columns(sheet: Sheet) -> dict[str, list[str]]:
    """Give the cells of each column that are not empty."""
    return {name: [cell for row in sheet.rows if (cell := row.cells.get(name))] for name in sheet.header}


def parsed(sheet: Sheet, wrong: list[Problem], readers: Mapping[str, Reader], model: Callable[..., T]) -> Parsed[T]:
    """Read every row with the reader of each column; `model(line, values)` checks what was read."""
    rows: list[T] = []
    problems = [*sheet.problems, *wrong]
    named = {problem.column for problem in problems if problem.line == sheet.header_line}
    for row in sheet.rows:
        found = _row(row, readers, model)
        if isinstance(found, list):  # a column that is refused as a whole is not named again in every row
            problems += [problem for problem in found if problem.column not in named]
        else:
            rows.append(found)
    return Parsed(tuple(rows), tuple(sorted(problems, key=lambda problem: problem.line)))


def _row(row: Row, readers: Mapping[str, Reader], model: Callable[..., T]) -> T | list[Problem]:
    values = {name: readers[name](cell) for name, cell in row.cells.items() if cell}
    faults: dict[str, Fault] = {name: value for name, value in values.items() if isinstance(value, Fault)}
    problems = [_unread(row, name, fault) for name, fault in faults.items()]
    try:
        found = model(row.line, {name: value for name, value in values.items() if name not in faults})
    except ValidationError as error:
        # what follows from a cell that could not be read is not told again
        known = {*faults, "lon"} if "lat" in faults else set(faults)
        return problems + [problem for problem in explain(error, row) if problem.column not in known]
    return problems or found


def _unread(row: Row, name: str, fault: Fault) -> Problem:
    cell = row.cells[name]
    both = sorted(readings(cell).values(), key=abs)
    return Problem(row.line, name, cell, fault, {"readings": " / ".join(f"{value:f}" for value in both)})


def explain(error: ValidationError, row: Row) -> list[Problem]:
    """Give what the checks of a row found, by column."""
    problems = []
    for found in error.errors(include_url=False):
        detail = dict(found.get("ctx", {}))
        kind = found["type"]
        if kind == "missing":
            fault = Fault.REQUIRED
        elif kind in texts():  # our own
            fault = Fault(kind)
        elif kind == "int_from_float":
            fault = Fault.NOT_WHOLE
        else:
            fault, detail = Fault.OUT_OF_RANGE, {"range": _range(detail)}
        # attributes and factors: the column is the key inside
        loc = found["loc"]
        names = detail.get("columns") or [loc[1] if loc[0] in ("attributes", "factors") and len(loc) > 1 else loc[0]]
        problems += [Problem(row.line, str(name), row.cells.get(str(name), ""), fault, detail) for name in names]
    return list({(p.column, p.fault): p for p in problems}.values())


def _range(limits: Mapping[str, object]) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "decimal_places": "decimals ≤"}
    return ", ".join(f"{signs.get(name, name)} {value}" for name, value in limits.items())


def _reader(name: str, cells: Sequence[str], separator: str, zone: tzinfo) -> Reader:
    """Give the function that reads the cells of a column; a number is read in the light of its whole column."""
    if name in ("valid_from", "valid_to", "since", "calibrated_until"):
        return partial(moment, zone=zone)
    mark = decimal_mark(cells, separator)
    if name in ("start_register", "end_register") or name in factor_columns():
        return partial(number, mark=mark)
    if name in _OWN_READERS:
        return _OWN_READERS[name]
    return free(name, cells, mark)


def free(name: str, cells: Sequence[str], mark: str | None) -> Reader:
    """Give the function that reads a column which we do not know: numbers where the name or all its cells say so."""
    numeric = _UNIT.search(name) or all(_plainly_number(number(cell, mark), cell) for cell in cells)
    return partial(_attribute, mark=mark) if numeric else str


def yes_no(cell: str) -> bool | Fault:
    """Read a cell that says yes or no."""
    return _YES_NO.get(cell.lower(), Fault.NOT_YES_NO)


_OWN_READERS: dict[str, Reader] = {
    **dict.fromkeys((*REQUIRED, *OPTIONAL), str),
    **dict.fromkeys(("lat", "lon"), coordinate),
    "withdrawn": yes_no,
}


def _plainly_number(value: Decimal | Fault, cell: str) -> bool:
    """Tell a number from a code that happens to be digits: 007, a long serial number."""
    return isinstance(value, Decimal) and abs(value) < _EXACT and not re.match(r"[+-]?0[0-9]", cell)


def _attribute(cell: str, mark: str | None) -> float | int | Fault:
    value = number(cell, mark)
    if isinstance(value, Fault):
        return value
    return int(value) if value % 1 == 0 else float(value)


def missing(sheet: Sheet, required: Sequence[str]) -> list[Problem]:
    """Name the required columns that the header has not."""
    if not sheet.header:
        return []
    detail = {"header": ", ".join(sheet.header)[:TEXT_LENGTH]}
    absent = [name for name in required if name not in sheet.header]
    return [Problem(sheet.header_line, name, "", Fault.COLUMN_MISSING, detail) for name in absent]


def misnamed(sheet: Sheet, known: Sequence[str]) -> list[Problem]:
    """Name the columns that name persons, are misspelt, or cannot be the name of an attribute."""
    problems = _person_columns(sheet)
    for name in sheet.header:
        if name in known or _personal(name):
            continue
        meant = _ELSEWHERE.get(name) or next(iter(get_close_matches(name, known, 1, 0.85)), None)
        if meant:
            problems.append(Problem(sheet.header_line, name, "", Fault.COLUMN_MISSPELT, {"known": meant}))
        elif not re.fullmatch(r"[^\W\d_]\w{0,63}", name):
            problems.append(Problem(sheet.header_line, name, "", Fault.COLUMN_NAME))
    return problems


def _person_columns(sheet: Sheet) -> list[Problem]:
    return [Problem(sheet.header_line, name, "", Fault.PERSON_COLUMN) for name in sheet.header if _personal(name)]


def _personal(column: str) -> bool:
    letters = unicodedata.normalize("NFKD", column)
    return bool(_PERSON.fullmatch("".join(c for c in letters if not unicodedata.combining(c))))
