"""The words of a profile: which keys its TOML file may have, and what each means."""

import base64
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas import units
from schemas.reasons import Reason
from schemas.vocabulary import Measure, Text, families, measures

Scalar = bool | int | float | str
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
LOCAL = "local"


class Strict(BaseModel):
    """An unknown key is a mistake; numbers, texts and booleans are never taken for one another."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Recognise(Strict):
    """How the registry's `model` leads to this profile; case, spaces and hyphens do not matter."""

    models: Annotated[list[str], Field(min_length=1)]


class Source(Strict):
    """One field of the device. It fills a column, or the yes-or-no columns of its flags."""

    column: str | None = None
    family: str | None = None  # where it is not the profile's own: one message may feed two families
    unit: str | None = None  # UCUM; default: the column's own
    scale: float | int | None = None  # the device counts in this many units: 0.1 for tenths
    decimal: Literal[".", ","] | None = None  # numbers come as texts with this mark: "12,5", "3,"
    values: dict[str, bool | int | float] = {}  # texts that stand for values
    sentinels: list[Scalar] = []  # signs of no value
    bits: dict[Annotated[str, Field(pattern=r"^(\d|[1-5]\d|6[0-3])$")], str] = {}  # bit of a number -> column
    flags: dict[str, str] = {}  # word of a text ("DRY LEAK") -> column

    @cached_property
    def measure(self) -> Measure:
        """The measure of the column."""
        return measures()[self.column or ""]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every column that this field may fill."""
        return (self.column,) if self.column else tuple(dict.fromkeys((*self.bits.values(), *self.flags.values())))


class Clock(Strict):
    """The device's own time: the field that holds it, and the zone of times that come without an offset."""

    field: str | None = None
    zone: str | None = None  # "local" is the municipality's

    @field_validator("zone")
    @classmethod
    def _zone_known(cls, name: str | None) -> str | None:
        try:
            if name not in (None, LOCAL):
                ZoneInfo(str(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is not a time zone; write local, UTC or Europe/Ljubljana") from None
        return name


class History(Strict):
    """Where records of earlier times stand: a list of objects under `field`, each with its own `time` field."""

    field: str
    time: str


class Expected(Strict):
    """A reading that an example must yield; a time is RFC 3339."""

    values: dict[str, Scalar]
    family: str | None = None
    extra: dict[str, object] = {}
    time: str | None = None
    history: bool = False


class Example(Strict):
    """What a device sends (JSON `payload` of a codec, or a frame's base64 `data`) and what must come of it."""

    title: str
    codec: str | None = None
    topic: str = ""
    payload: str | None = None
    data: str | None = None
    port: int | None = None
    reading: list[Expected] = []
    housekeeping: str | None = None
    rejected: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Example":
        if (self.payload is None) == (self.data is None):
            raise ValueError("give either payload or data")
        if self.payload is not None and self.codec is None:
            raise ValueError("a payload needs its codec")
        if self.data is not None and not _is_base64(self.data):
            raise ValueError("data is not base64")
        if sum(map(bool, (self.reading, self.housekeeping, self.rejected))) != 1:
            raise ValueError("give either the readings, or housekeeping, or the reason it is rejected for")
        if self.rejected and self.rejected not in list(Reason):
            raise ValueError(f"{self.rejected!r} is not a reason; choose one of: {', '.join(Reason)}")
        return self


class Profile(Strict):
    """One device type: which families it fills, and how its fields become columns.

    A field is named by its key, or by the path to it: `status.battery`, `values.0.flow`.
    """

    id: Name
    title: Text
    family: str
    recognise: Recognise
    decoder: Name | None = None  # of frames that arrive undecoded
    fields: dict[str, Source]
    clock: Clock = Clock()
    history: History | None = None
    drop: list[str] = []  # never kept: neither as unknown fields, nor (on routes) in the message as it came
    example: list[Example]

    @model_validator(mode="after")
    def _checked(self) -> "Profile":
        wrong = list(self._mistakes())
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def _mistakes(self) -> Iterator[str]:
        if self.family not in families():
            yield f"family {self.family!r} is not known; choose one of: {', '.join(families())}"
            return
        for key, source in self.fields.items():
            yield from (f"fields.{key}: {what}" for what in _wrong(source, source.family or self.family))
        both = sorted({*self.fields} & {*self.drop})
        yield from (f"fields.{key}: is dropped as well; choose one" for key in both)
        if not any(e.reading for e in self.example) or not any(e.rejected for e in self.example):
            yield "give at least one [[example]] with readings and one that is rejected"

    @cached_property
    def families(self) -> tuple[str, ...]:
        """Every family that it feeds, its own first."""
        return tuple(dict.fromkeys((self.family, *(s.family for s in self.fields.values() if s.family))))

    @cached_property
    def tree(self) -> dict[str, object]:
        """Fields by the parts of their paths: {key: Source, None where dropped, or a further tree}."""
        made: dict[str, object] = {}
        for path, leaf in [*self.fields.items(), *((path, None) for path in self.drop)]:
            place = made
            *above, last = path.split(".")
            for part in above:
                below = place.setdefault(part, {})
                place = below if isinstance(below, dict) else {}
            place.setdefault(last, leaf)
            made[path] = leaf  # a key may itself hold a dot: pm2.5
        return made


WORDS = sorted(
    {name for model in (Profile, Recognise, Source, Clock, History, Example, Expected) for name in model.model_fields}
)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _wrong(source: Source, name: str) -> Iterator[str]:
    """What is wrong with one field."""
    family = families().get(name)
    if family is None:
        yield f"family {name!r} is not known; choose one of: {', '.join(families())}"
        return
    if (source.column is not None) + bool(source.bits) + bool(source.flags) != 1:
        yield "give one of column, bits, flags"
        return
    for column in source.columns:
        if column not in family.measures:
            yield f"{name} has no column {column!r}; choose one of: {', '.join(family.measures)}"
        elif source.column is None and measures()[column].type != "bool":
            yield f"{column} is no yes or no: it cannot be a flag"
    if source.column in family.measures:
        yield from _unfit(source, source.measure)


def _unfit(source: Source, measure: Measure) -> Iterator[str]:
    """What of a field's words does not fit its column."""
    if source.unit is not None and units.conversion(source.unit, measure.unit) is None:
        yield f"unit {source.unit!r} does not convert to {measure.unit!r} of {measure.name}"
    wrong = [text for text, value in source.values.items() if isinstance(value, bool) != (measure.type == "bool")]
    if wrong:
        yield f"the value of {wrong[0]!r} is not of type {measure.type}"
    if measure.type == "bool" and (source.scale is not None or source.decimal):
        yield f"{measure.name} is yes or no: scale and decimal are for numbers"
