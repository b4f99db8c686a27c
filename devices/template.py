"""Examples of the files that can be imported: to be filled in by people, and read by the same rules."""

import csv
import io
import re
from collections.abc import Mapping, Sequence

from devices.csvfile import FORMULA
from devices.kinds import Kind
from devices.registry import OPTIONAL, REQUIRED
from schemas.vocabulary import families

_PLACE = {"area": "center", "lat": "46.420105", "lon": "15.870142", "valid_from": "2025-03-01"}

# What is worth telling of the things of a family, beside what every family has.
_EXAMPLES: dict[str, Sequence[Mapping[str, str]]] = {
    "water_meter": (  # the second row is the exchange of the meter in the first
        {"device_id": "WM-0001", "thing_id": "connection-17", "title": "Prešernova ulica 4", "persons": "3"}
        | {"valid_to": "2026-01-15T10:30:00+01:00", "start_register": "0.000", "end_register": "412.503"},
        {"device_id": "24e124136b502217", "thing_id": "connection-17", "model": "EM300-DI", "start_register": "0.250"}
        | {"valid_from": "2026-01-15T10:30:00+01:00", "m3_per_pulse": "0.010", "index_offset_m3": "0.250"},
    ),
    "waste_container": (
        {"device_id": "24e124713d000001", "thing_id": "island-3-paper", "title": "Ekološki otok 3, papir"}
        | {"model": "EM400-TLD", "kind": "paper", "capacity_l": "1100"}
        | {"empty_distance_mm": "1350", "full_distance_mm": "250"},
    ),
    "streetlight": (
        {"device_id": "SL-0001", "thing_id": "lamp-1", "gateway": "lights-north", "nominal_power_w": "36.5"},
    ),
    "hydrant": ({"device_id": "HY-0001", "thing_id": "hydrant-17", "title": "Hidrant 17, Minoritski trg"},),
    "district_meter": ({"device_id": "DM-0001", "thing_id": "shaft-1", "title": "Vodovodni jašek 1"},),
    "traffic_counter": ({"device_id": "TC-0001", "thing_id": "counter-1", "title": "Mariborska cesta"},),
}


def registrations_template(family: str | None, *, excel: bool) -> bytes:
    """Give an example of the registry's file, of one family or of all; `excel`: as Excel saves it in Slovenia."""
    rows: list[Mapping[str, str]] = []
    factors: list[str] = []
    for name in [family] if family else families():
        generic = ({"device_id": f"{name}-1", "thing_id": f"{name}-place-1"},)
        rows += [{"family": name, **_PLACE, **row} for row in _EXAMPLES.get(name, generic)]
        factors += [factor for rule in families()[name].derive for factor in rule.factors]
    own = [column for row in rows for column in row]
    return written(list(dict.fromkeys([*REQUIRED, *OPTIONAL, *factors, *own])), rows, excel=excel)


def kind_template(kind: Kind, *, excel: bool) -> bytes:
    """Give an example of the file of a kind of objects."""
    return written(kind.header, kind.example, excel=excel)


def written(columns: Sequence[str], rows: Sequence[Mapping[str, str]], *, excel: bool) -> bytes:
    """Write cells as CSV; `excel`: as a Slovenian Excel saves it. No cell becomes a formula."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=";" if excel else ",", lineterminator="\r\n" if excel else "\n")
    writer.writeheader()
    form = _slovenian if excel else str
    writer.writerows({name: harmless(form(cell)) for name, cell in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig" if excel else "utf-8")


def _slovenian(cell: str) -> str:
    year, _, rest = cell.partition("-")
    month, _, day = rest.partition("-")
    if len(cell) == len("2025-03-01") and (year + month + day).isdigit():
        return f"{int(day)}. {int(month)}. {year}"
    whole, _, decimals = cell.partition(".")
    return f"{whole},{decimals}" if whole.isdigit() and decimals.isdigit() else cell


def harmless(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula; the reader of such files takes it off."""
    number = re.fullmatch(r"[+-]?[0-9][0-9.,]*", cell)
    return f"'{cell}" if cell.lstrip(" \t\r\n\u00a0")[:1] in FORMULA and cell and not number else cell
