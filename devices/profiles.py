"""What the devices of one type say and what it means: one TOML file a device type, checked once."""

import base64
import re
import tomllib
from functools import cache, cached_property
from importlib.abc import Traversable
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas import units
from schemas.errors import DravaError
from schemas.reasons import Reason
from schemas.vocabulary import Measure, Text, families, measures

Scalar = bool | int | float | str
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Strict(BaseModel):
    """An unknown key is a mistake; numbers, texts and booleans are never taken for one another."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Recognise(Strict):
    """How the registry's `model` leads to this profile; case, spaces and hyphens do not matter."""

    models: Annotated[list[str], Field(min_length=1)]


class Source(Strict):
    """One field of the device: its column, its unit as UCUM, texts that stand for values, and signs of no value."""

    column: str
    unit: str | None = None  # default: the column's own
    values: dict[str, bool | int | float] = {}
    sentinels: list[Scalar] = []

    @cached_property
    def measure(self) -> Measure:
        """The measure of the column."""
        return measures()[self.column]


class History(Strict):
    """Where records of earlier times stand: a list of objects under `field`, each with its own `time` field."""

    field: str
    time: str


class Expected(Strict):
    """A reading that an example must yield; a time is RFC 3339."""

    values: dict[str, Scalar]
    extra: dict[str, Scalar] = {}
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
    rejected: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Example":
        if (self.payload is None) == (self.data is None):
            raise ValueError("give either payload or data")
        if self.payload is not None and self.codec is None:
            raise ValueError("a payload needs its codec")
        if self.data is not None and not _is_base64(self.data):
            raise ValueError("data is not base64")
        if bool(self.reading) == bool(self.rejected):
            raise ValueError("give either the readings or the reason it is rejected for")
        if self.rejected and self.rejected not in list(Reason):
            raise ValueError(f"{self.rejected!r} is not a reason; choose one of: {', '.join(Reason)}")
        return self


class Profile(Strict):
    """One device type: which family it fills, and how its fields become columns."""

    id: Name
    title: Text
    family: str
    recognise: Recognise
    decoder: Name | None = None  # of frames that arrive undecoded
    fields: dict[str, Source]
    history: History | None = None
    drop: list[str] = []  # never kept, not even as unknown fields
    example: list[Example]

    @model_validator(mode="after")
    def _family_known(self) -> "Profile":
        if self.family not in families():
            raise ValueError(f"family {self.family!r} is not known; choose one of: {', '.join(families())}")
        for key, source in self.fields.items():
            _check_source(self.family, key, source)
        return self

    @model_validator(mode="after")
    def _examples_of_both_kinds(self) -> "Profile":
        if not any(e.reading for e in self.example) or not any(e.rejected for e in self.example):
            raise ValueError("give at least one [[example]] with readings and one that is rejected")
        return self


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _check_source(family: str, key: str, source: Source) -> None:
    columns = families()[family].measures
    if source.column not in columns:
        raise ValueError(f"fields.{key}: {family} has no column {source.column!r}; choose one of: {', '.join(columns)}")
    measure = source.measure
    if source.unit is not None and units.conversion(source.unit, measure.unit) is None:
        raise ValueError(f"fields.{key}: unit {source.unit!r} does not convert to {measure.unit!r} of {source.column}")
    wrong = [text for text, value in source.values.items() if isinstance(value, bool) != (measure.type == "bool")]
    if wrong:
        raise ValueError(f"fields.{key}: the value of {wrong[0]!r} is not of type {measure.type}")


def load(file: Traversable) -> Profile:
    """Read one profile. Raises DravaError with the file, the key and what to do."""
    try:
        profile = Profile.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DravaError(f"{file.name}: not valid TOML: {error}", "Mend the place it names") from None
    except ValidationError as error:
        what, remedy = _first(error)
        raise DravaError(f"{file.name}: {what}", remedy) from None
    if file.name != f"{profile.id}.toml":
        raise DravaError(f"{file.name}: id is {profile.id!r}", "Give file and id the same name")
    return profile


def _first(error: ValidationError) -> tuple[str, str]:
    """Say what is wrong with which key, and what to do."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    remedies = {
        "extra_forbidden": ("is not known", "Correct its spelling or remove it"),
        "missing": ("is missing", "Add it"),
    }
    if first["type"] in remedies:
        said, remedy = remedies[first["type"]]
        return f"key {key!r} {said}", remedy
    said = first["msg"].removeprefix("Value error, ")
    return f"key {key!r}: {said}" if key else said, "Mend it in the profile"


@cache
def profiles() -> dict[str, Profile]:
    """Every profile by its id, sorted."""
    found = [load(f) for f in (files("devices") / "profiles").iterdir() if f.name.endswith(".toml")]
    return {profile.id: profile for profile in sorted(found, key=lambda p: p.id)}


def by_model(model: str) -> Profile | None:
    """Give the profile of a model as the registry writes it, or None."""
    return _models().get(_plain(model))


@cache
def _models() -> dict[str, Profile]:
    found: dict[str, Profile] = {}
    for profile in profiles().values():
        for model in profile.recognise.models:
            other = found.setdefault(_plain(model), profile)
            if other is not profile:
                raise DravaError(f"model {model!r} is in two profiles: {other.id}, {profile.id}", "Keep it in one")
    return found


def _plain(model: str) -> str:
    return re.sub(r"[\s_-]+", "", model).casefold()
