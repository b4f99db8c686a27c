"""What the registry may say of a device and its thing: columns, identifiers, ranges."""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from devices.problems import Fault
from schemas.vocabulary import families, limit_columns

REQUIRED = ("device_id", "family", "thing_id", "valid_from")
OPTIONAL = (
    "area",
    "lat",
    "lon",
    "title",
    "model",
    "gateway",
    "valid_to",
    "start_register",
    "end_register",
    "calibrated_until",
    "since",
    "withdrawn",
)
FACTS_OF_DEVICE = ("model", "gateway", "calibrated_until")  # what is said of a device and is no factor
ID_BYTES = 128
TEXT_LENGTH = 500

# A factor is greater than zero, except: an offset may be negative, a full container may touch the sensor.
_LEAST = {"index_offset_m3": -1e9, "full_distance_mm": -1e-9}

_EUI = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]?){7}[0-9A-Fa-f]{2}")
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


def normal_id(text: str) -> str:
    """Give an identifier as it is kept: a hexadecimal EUI in lower case without separators, any other as written."""
    return re.sub("[:-]", "", text).lower() if _EUI.fullmatch(text) else text


@cache
def factor_columns() -> frozenset[str]:
    """Name what the registry may know of a device so that its readings can be computed."""
    derived = (name for family in families().values() for rule in family.derive for name in rule.factors)
    return frozenset(derived) | {"register_width"} | _limits()


@cache
def _limits() -> frozenset[str]:
    return frozenset(name for family in families().values() for name in limit_columns(family))


def distances_fit(factors: Mapping[str, float]) -> bool:
    """Whether an empty container is deeper than a full one, as far as both are known."""
    return factors.get("full_distance_mm", 0) < factors.get("empty_distance_mm", float("inf"))


def _wrong(fault: Fault, **detail: object) -> PydanticCustomError:
    return PydanticCustomError(fault.value, "{fault}", {"fault": fault.value, **detail})


def _id(text: str) -> str:
    if _SCIENTIFIC.fullmatch(text):
        raise _wrong(Fault.ID_NUMBER)
    size = len(text.encode("utf-8", "replace"))
    if not 1 <= size <= ID_BYTES or not text.isprintable() or text.startswith("$") or re.search("[/+#]", text):
        raise _wrong(Fault.ID_SHAPE)
    return normal_id(text)


def _text(text: str) -> str:
    if len(text) > TEXT_LENGTH:
        raise _wrong(Fault.TOO_LONG, limit=TEXT_LENGTH)
    if _EMAIL.search(text):
        raise _wrong(Fault.PERSON_VALUE)
    if not text.isprintable():
        raise _wrong(Fault.UNPRINTABLE)
    return text


def attribute(value: float | str) -> float | str:
    """Check the value of an attribute."""
    return _text(value) if isinstance(value, str) else value


def _family(name: str) -> str:
    if name not in families():
        raise _wrong(Fault.FAMILY_UNKNOWN, known=", ".join(families()))
    return name


Id = Annotated[str, AfterValidator(_id)]
Words = Annotated[str, AfterValidator(_text)]
Register = Annotated[Decimal, Field(ge=0, lt=10**9, decimal_places=6)]


class Placed(BaseModel):
    """A row that may say where something is, in degrees of WGS 84."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    lon: Annotated[float | None, Field(ge=-180, le=180, validate_default=True)] = None

    @field_validator("lon")
    @classmethod
    def _both(cls, value: float | None, info: ValidationInfo) -> float | None:
        if "lat" in info.data and (value is None) != (info.data["lat"] is None):
            raise _wrong(Fault.POSITION_HALF)
        return value


class Registration(Placed):
    """One row: this device hangs at this thing from then until then. What is None is not said, and stays as it is.

    What it says of the device and of the thing holds from `since`, or from `valid_from` where that is not given.
    """

    line: int = 0
    device_id: Id
    family: Annotated[str, AfterValidator(_family)]
    thing_id: Id
    valid_from: int  # µs since 1970 UTC, as valid_to
    valid_to: int | None = None
    area: Id | None = None
    title: Words | None = None
    model: Words | None = None
    gateway: Id | None = None
    start_register: Register | None = None
    end_register: Register | None = None
    calibrated_until: int | None = None  # µs since 1970 UTC, as since
    since: int | None = None
    factors: dict[str, float] = {}
    withdrawn: bool = False  # it never hung there: the assignment is taken back, nothing else is said
    attributes: dict[str, Annotated[float | int | str, AfterValidator(attribute)]] = {}

    @field_validator("valid_to")
    @classmethod
    def _ends_later(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value <= info.data.get("valid_from", value - 1):
            raise _wrong(Fault.ENDS_BEFORE_START)
        return value

    @field_validator("factors")
    @classmethod
    def _possible(cls, value: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(value) - factor_columns()):
            raise _wrong(Fault.COLUMN_UNKNOWN, columns=unknown, known=", ".join(sorted(factor_columns())))
        if low := [
            name for name, factor in value.items() if name not in _limits() and not factor > _LEAST.get(name, 0)
        ]:
            raise _wrong(Fault.OUT_OF_RANGE, columns=low, range="> 0")
        if not distances_fit(value):
            raise _wrong(Fault.FILL_DISTANCES, columns=["empty_distance_mm"])
        return value
