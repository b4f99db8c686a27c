"""Measures and families, read from the TOML files beside this module and checked once."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas import units

Kind = Literal["instant", "cumulative", "interval_sum", "interval_mean", "state", "event"]
Type = Literal["float", "decimal", "int", "bool"]
Access = Literal["public", "restricted", "internal"]
Duration = Annotated[str, Field(pattern=r"^P(\d+[YMWD])*(T(\d+[HMS])+)?$")]

ARROW: dict[str, pa.DataType] = {
    "float": pa.float64(),
    "decimal": pa.decimal128(18, 6),
    "int": pa.int64(),
    "bool": pa.bool_(),
}


class Strict(BaseModel):
    """Unknown keys in our own files are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(Strict):
    """One text for people in both languages."""

    en: str
    sl: str

    def to(self, lang: str) -> str:
        """Give the text in `sl` or `en`."""
        return self.sl if lang == "sl" else self.en


class Users(Strict):
    """Who uses a dataset, in both languages."""

    en: list[str]
    sl: list[str]


class Measure(Strict):
    """A column of one or more families: unit (UCUM), kind, type and the gross range of its values."""

    name: str
    unit: str
    kind: Kind
    type: Type
    min: float | None = None
    max: float | None = None
    max_rate_per_h: float | None = None
    max_step: float | None = None
    flat_hours: float | None = None
    title: Text

    @model_validator(mode="after")
    def _unit_known(self) -> "Measure":
        if not units.known(self.unit):
            msg = f"measure {self.name}: unknown unit {self.unit!r}"
            raise ValueError(msg)
        return self


class Derivation(Strict):
    """How a measure follows from another one: `linear` (factor, offset) or `fill` (empty, full distance)."""

    measure: str
    rule: Literal["linear", "fill"]
    source: str
    factors: tuple[str, str]


class Catalogue(Strict):
    """The seven metadata fields that the strategy asks of every dataset."""

    title: Text
    meaning: Text
    format: str
    owner: Text
    update_interval: Duration
    usage_interval: Duration
    users: Users
    links: list[str]


class Family(Strict):
    """One kind of device and the wide table its readings fill."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    version: int
    measures: tuple[str, ...]
    keys: tuple[str, ...] = ()
    expected_interval: Duration
    access: Access
    personal: bool
    source_alarms: tuple[str, ...] = ()
    catalogue: Catalogue
    derive: tuple[Derivation, ...] = ()

    @property
    def columns(self) -> list[Measure]:
        """The measures of this family, in the order of its table."""
        known = measures()
        return [known[name] for name in self.measures]


def _parsed(folder: str, name: str) -> dict[str, object]:
    return tomllib.loads((files("schemas") / folder / name).read_text("utf-8"))


@cache
def measures() -> dict[str, Measure]:
    """Every measure by its name."""
    raw = tomllib.loads((files("schemas") / "measures.toml").read_text("utf-8"))
    return {name: Measure.model_validate({"name": name, **body}) for name, body in raw.items()}


@cache
def families() -> dict[str, Family]:
    """Every family by its name, sorted."""
    names = sorted(f.name for f in (files("schemas") / "families").iterdir() if f.name.endswith(".toml"))
    found = [Family.model_validate(_parsed("families", name)) for name in names]
    return {family.name: family for family in found}


def limit_columns(family: Family) -> set[str]:
    """What the registry may say of a device's own limits: <measure>_min, _max, and _rate where the measure has one."""
    numbers = [m for m in family.columns if m.type == "float"]
    rates = {f"{m.name}_rate" for m in numbers if m.max_rate_per_h}
    return rates | {f"{m.name}_{limit}" for m in numbers for limit in ("min", "max")}


def seconds(duration: str) -> int:
    """Length of an ISO 8601 duration in seconds; months count 30 days, years 365."""
    lengths = {"Y": 31_536_000, "W": 604_800, "D": 86_400, "H": 3600, "S": 1}
    date, _, time = duration.removeprefix("P").partition("T")
    total = 0
    for part, month_or_minute in ((date, 2_592_000), (time, 60)):
        digits = ""
        for char in part:
            if char.isdigit():
                digits += char
            else:
                total += int(digits) * lengths.get(char, month_or_minute)
                digits = ""
    return total
