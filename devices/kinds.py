"""The kinds of objects that the registry knows besides devices: read from kinds.toml and checked once."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from schemas.errors import DravaError
from schemas.vocabulary import Access, Strict, Text

Shape = Literal["point", "line", "polygon"]
Columns = dict[str, pa.DataType]

_ARROW: dict[str, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "int": pa.int64(),
    "bool": pa.bool_(),
}
_TIME = pa.timestamp("us", tz="UTC")


class Column(Strict):
    """What may be said of an object under one name."""

    type: Literal["text", "number", "int", "bool"] = "text"
    min: float = 0
    max: float = 1e12
    options: tuple[str, ...] = ()
    ref: str = ""
    required: bool = False
    title: Text


class Kind(Strict):
    """One kind of objects: a file to import, a table to ask."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Text
    meaning: Text
    geometry: tuple[Shape, ...] = ()
    access: Access = "internal"
    personal: bool = False
    columns: dict[str, Column]
    example: tuple[dict[str, str], ...]

    @model_validator(mode="after")
    def _sound(self) -> "Kind":
        for name, column in self.columns.items():
            if column.type != "text" and (column.options or column.ref):
                msg = f"kind {self.name}, column {name}: options and ref are for text"
                raise ValueError(msg)
        return self

    @property
    def dated_table(self) -> str:
        """The table of its versions in SQL: `areas` itself holds what holds last, one row an area."""
        return "areas_history" if self.name == "area" else f"register_{self.table}"

    @property
    def key(self) -> str:
        """The column of the identifier."""
        return f"{self.name}_id"

    @property
    def places(self) -> tuple[str, ...]:
        """The columns that say where it is."""
        point = ("lat", "lon") if "point" in self.geometry else ()
        return (*point, "geometry") if {"line", "polygon"} & set(self.geometry) else point

    @property
    def refs(self) -> dict[str, str]:
        """The columns that name another object, with its kind."""
        return {name: column.ref for name, column in self.columns.items() if column.ref}

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of its file, in order; further ones are kept as attributes."""
        area = () if self.name == "area" else ("area",)
        return (self.key, "title", *area, *self.columns, *self.places, "valid_from", "valid_to", "withdrawn")

    @property
    def published(self) -> Columns:
        """The columns of its table: a row for each stretch of time in which the same held."""
        found: Columns = {self.key: pa.string(), "valid_from": _TIME, "valid_to": _TIME, "title": pa.string()}
        if self.name != "area":
            found["area_id"] = pa.string()
        found |= {name: _ARROW[column.type] for name, column in self.columns.items()}
        found |= {name: pa.string() if name == "geometry" else pa.float64() for name in self.places}
        return found | {"attributes": pa.string()}


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by its name, in the order of the file."""
    raw = tomllib.loads((files("devices") / "kinds.toml").read_text("utf-8"))
    found = {name: Kind.model_validate({"name": name, **body}) for name, body in raw.items()}
    strange = {ref for kind in found.values() for ref in kind.refs.values()} - set(found)
    if strange:
        msg = f"kinds.toml refers to kinds that it has not: {strange}"
        raise ValueError(msg)
    return found


def kind(name: str) -> Kind:
    """Give one kind. Raises DravaError where there is none."""
    try:
        return kinds()[name]
    except KeyError:
        raise DravaError(f"there is no kind {name!r} in the registry", f"Name one of: {', '.join(kinds())}") from None
