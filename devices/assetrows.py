"""Rows of a file about objects become what is said of them, or problems with line, column and mend."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from functools import cache, partial
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model
from pydantic_core import PydanticCustomError

from devices import geometry
from devices.assets import AssetRow
from devices.csvfile import Sheet, coordinate, decimal_mark, moment, number
from devices.facts import Value
from devices.kinds import Column, Kind, kinds
from devices.problems import Fault
from devices.registry import Id, Placed, Words, attribute
from devices.rows import Parsed, Reader, columns, free, misnamed, missing, parsed, yes_no

_OWN = ("valid_from", "valid_to", "withdrawn")


class _Line(Placed):
    valid_from: int | None = None
    valid_to: int | None = None
    withdrawn: bool = False
    attributes: dict[str, Annotated[float | int | str, AfterValidator(attribute)]] = {}  # noqa: RUF012 - pydantic copies it


def asset_rows(sheet: Sheet, kind: Kind, zone: tzinfo, since: int | None = None) -> Parsed[AssetRow]:
    """Read rows of one kind; local times are those of `zone`. `since` is the valid_from of rows that have none."""
    wrong = [*missing(sheet, (kind.key,)), *misnamed(sheet, kind.header)]
    readers = {name: _reader(kind, name, cells, sheet.separator, zone) for name, cells in columns(sheet).items()}
    line = _line(kind.name)

    def row(number: int, values: dict[str, Any]) -> AssetRow:
        more = {name: value for name, value in values.items() if name not in kind.header}
        own = {name: value for name, value in values.items() if name in kind.header}
        found = line.model_validate({**own, "attributes": more})
        said = {"area_id" if name == "area" else name: value for name, value in found if value is not None}
        said = {name: value for name, value in said.items() if name not in (*_OWN, "attributes", kind.key)}
        begun = since if found.valid_from is None else found.valid_from
        return AssetRow(
            number, getattr(found, kind.key), begun, found.valid_to, _measured(kind, said | more), found.withdrawn
        )

    return parsed(sheet, wrong, readers, row)


def _measured(kind: Kind, said: dict[str, Value]) -> dict[str, Value]:
    """A line brings its length along where none is said."""
    if "length_m" in kind.columns and "length_m" not in said and "geometry" in said:
        return {**said, "length_m": round(geometry.length_m(json.loads(str(said["geometry"]))), 1)}
    return said


def _reader(kind: Kind, name: str, cells: Sequence[str], separator: str, zone: tzinfo) -> Reader:
    mark = decimal_mark(cells, separator)
    own: dict[str, Reader] = {
        "lat": coordinate,
        "lon": coordinate,
        "geometry": partial(geometry.parsed, shapes=kind.geometry),
        "withdrawn": yes_no,
        **dict.fromkeys(("valid_from", "valid_to"), partial(moment, zone=zone)),
    }
    if name in own:
        return own[name]
    column = kind.columns.get(name)
    if column is None:
        return str if name in kind.header else free(name, cells, mark)
    typed: Mapping[str, Reader] = {"text": str, "bool": yes_no}
    return typed.get(column.type) or partial(number, mark=mark)


@cache
def _line(name: str) -> type[_Line]:
    """The checks of a row of this kind."""
    kind = kinds()[name]
    fields: dict[str, Any] = {kind.key: (Id, ...), "title": (Words | None, None)}
    if "area" in kind.header:
        fields["area"] = (Id | None, None)
    if "geometry" in kind.places:
        fields["geometry"] = (str | None, None)
    fields |= {column: (_checked(rule) | None, None) for column, rule in kind.columns.items()}
    return create_model(f"{name}_line", __base__=_Line, **fields)


def _checked(column: Column) -> Any:
    if column.ref:
        return Id
    if column.options:
        return Annotated[str, AfterValidator(_one_of(column.options))]
    if column.type in ("number", "int"):
        return Annotated[float if column.type == "number" else int, Field(ge=column.min, le=column.max)]
    return bool if column.type == "bool" else Words


def _one_of(options: Sequence[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text.lower() not in options:
            known = ", ".join(options)
            fault = Fault.OPTION_UNKNOWN.value
            raise PydanticCustomError(fault, "{fault}", {"fault": fault, "known": known})
        return text.lower()

    return check
