"""Readings on their way from messages to columns: one typed record a reading, one frame a family."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Annotated, Any

import msgspec
import polars as pl
import pyarrow as pa
from msgspec import Meta

from ingest.codecs.json import epoch_number, written
from schemas import units
from schemas.reasons import Reason
from schemas.vocabulary import ARROW, Family, families, measures

_DECIMAL = 999_999_999_999  # DECIMAL(18,6) holds less than 10^12
_TYPES: dict[str, Any] = {
    "float": float | None,
    "decimal": Annotated[float, Meta(gt=-_DECIMAL, lt=_DECIMAL)] | None,
    "int": Annotated[int, Meta(ge=-(2**53), le=2**53)] | None,
    "bool": bool | Annotated[int, Meta(ge=0, le=1)] | None,
}
_TIME = int | float | str | None  # a text is read in columns, see _times
_SEQ = Annotated[int, Meta(ge=0, le=2**63 - 1)] | None
_KEY = Annotated[str, Meta(max_length=64)] | Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] | None


@cache
def record(name: str) -> type[msgspec.Struct]:
    """The record of one family's reading: time, seq, key columns, measures. Fields it does not know are refused."""
    family = families()[name]
    fields: list[Any] = [("time", _TIME, None), ("seq", _SEQ, None)]
    fields += [(key, _KEY, None) for key in family.keys]
    fields += [(measure.name, _TYPES[measure.type], None) for measure in family.columns]
    return msgspec.defstruct(f"Record_{name}", fields, forbid_unknown_fields=True, gc=False)


@cache
def decoder(name: str) -> msgspec.json.Decoder[Any]:
    """The typed JSON decoder of a family: strict, one message at a time."""
    return msgspec.json.Decoder(record(name))


@dataclass(frozen=True)
class Wrong:
    """Why a reading is no record of its family."""

    reason: Reason
    detail: str


def build(
    family: Family, time: datetime | None, seq: int | None, values: dict[str, object]
) -> tuple[msgspec.Struct, dict[str, object]] | Wrong:
    """Make a record from loose values: units converted, unknown fields apart as `extra`."""
    known: dict[str, object] = {"time": None, "seq": seq}
    extra: dict[str, object] = {}
    for name, value in values.items():
        if name in family.keys:
            known[name] = value
        elif name not in family.measures:
            extra[name] = value
        elif isinstance(value, dict):
            converted = _quantity(name, value)
            if isinstance(converted, Wrong):
                return converted
            known[name] = converted
        elif isinstance(value, float) and value.is_integer() and measures()[name].type == "int":
            known[name] = int(value)  # 5.0 is 5: some libraries write every number so
        else:
            known[name] = value
    try:
        made = msgspec.convert(known, record(family.name))
    except msgspec.ValidationError as error:
        return Wrong(Reason.WRONG_TYPE, str(error)[:200])
    made.time = time  # type: ignore[attr-defined] # a field of every record
    return made, extra


def _quantity(name: str, value: dict[str, object]) -> float | Wrong:
    number, unit = value.get("value"), value.get("unit")
    if isinstance(number, bool) or not isinstance(number, int | float) or not isinstance(unit, str):
        return Wrong(Reason.WRONG_TYPE, f"{name}: a quantity is {{value: number, unit: UCUM code}}")
    target = measures()[name].unit
    try:
        converted = units.convert(number, unit, target)
    except OverflowError:
        return Wrong(Reason.WRONG_TYPE, f"{name}: no number is so large in {target!r}")
    if converted is None:
        return Wrong(Reason.WRONG_UNIT, f"{name}: {unit[:32]!r} cannot become {target!r}")
    return converted


@dataclass
class FamilyRows:
    """The readings of one family in one batch, as parallel columns."""

    family: Family
    records: list[Any] = field(default_factory=list)
    message: "array[int]" = field(default_factory=lambda: array("i"))  # which message of the batch
    device: "array[int]" = field(default_factory=lambda: array("i"))  # registry number
    # only the general path fills these; a plain reading has none of it
    element: dict[int, int] = field(default_factory=dict)  # row -> position in its array
    history: set[int] = field(default_factory=set)
    profile: dict[int, str] = field(default_factory=dict)
    extra: dict[int, str] = field(default_factory=dict)
    next_best: dict[int, tuple[str, int]] = field(default_factory=dict)

    def extend(self, records: list[Any], messages: pl.Series, devices: pl.Series) -> None:
        """Take in readings that have nothing but their record, their message and their device."""
        self.records += records
        self.message.frombytes(_bytes(messages))
        self.device.frombytes(_bytes(devices))

    def frame(self) -> pl.DataFrame:
        """Give the columns _message, _device, _element, _time (µs), _history, _next_source, _next_time and the table's.

        Of the table's: seq, keys, measures (decimals still as floats), profile, extra.
        """
        rows = self.records
        # the order of a record's fields: time, seq, keys, measures
        times, seqs, *rest = zip(*map(msgspec.structs.astuple, rows), strict=True)
        columns: dict[str, Any] = {
            "_message": _whole(self.message),
            "_device": _whole(self.device),
            "_time": _times(times),
            "seq": _column(seqs, "int"),
        }
        for key, values in zip(self.family.keys, rest, strict=False):
            columns[key] = _key(values)
        for measure, values in zip(self.family.columns, rest[len(self.family.keys) :], strict=True):
            columns[measure.name] = _column(values, measure.type)
        frame = pl.DataFrame(pa.table(columns))
        sparse: dict[str, tuple[dict[int, Any], Any]] = {
            "_element": (self.element, pl.Int32),
            "_history": (dict.fromkeys(self.history, True), pl.Boolean),
            "_next_source": ({row: value[0] for row, value in self.next_best.items()}, pl.String),
            "_next_time": ({row: value[1] for row, value in self.next_best.items()}, pl.Int64),
            "profile": (self.profile, pl.String),
            "extra": (self.extra, pl.String),
        }
        return frame.with_columns(_sparse(name, values, kind, len(rows)) for name, (values, kind) in sparse.items())


def _bytes(numbers: pl.Series) -> memoryview:
    """The bytes of a column of 32-bit numbers without nulls."""
    found = numbers.cast(pl.Int32).rechunk().to_arrow()
    return memoryview(found.buffers()[1])[found.offset * 4 : (found.offset + len(found)) * 4]


def _whole(numbers: "array[int]") -> pa.Array:
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers.tobytes())])


def _sparse(name: str, values: dict[int, Any], kind: Any, length: int) -> pl.Expr | pl.Series:
    if not values:
        return pl.lit(None, kind).alias(name)
    return pl.Series(name, [values.get(row) for row in range(length)], kind)


def _key(values: Sequence[Any]) -> pa.Array:
    if values.count(None) == len(values):
        return pa.repeat("", len(values))
    return pa.array(["" if value is None else str(value) for value in values], pa.string())


def _column(values: Sequence[Any], kind: str) -> pa.Array:
    if values.count(None) == len(values):  # most measures of a family are not in a message
        return pa.nulls(len(values), pa.float64() if kind == "decimal" else ARROW[kind])
    if kind == "decimal":
        return pa.array(values, pa.float64())  # becomes DECIMAL(18,6) once the derived values are there
    if kind == "bool":
        return pa.array([None if v is None else bool(v) for v in values], pa.bool_())
    return pa.array(values, ARROW[kind])


def _times(values: Sequence[Any]) -> pa.Array:
    """Times of any accepted form as µs since 1970."""
    if set(map(type, values)) == {str}:
        try:
            return pa.array(values, pa.string()).cast(_UTC_US).cast(pa.int64())
        except pa.ArrowInvalid:  # one at least is no plain RFC 3339: now each for itself
            pass
    return pa.array([_micros(value) for value in values], pa.int64())


def _micros(value: float | str | datetime | None) -> int | None:
    if isinstance(value, str):
        return written(value)
    if isinstance(value, datetime):
        delta = value - _EPOCH
        return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return None if value is None else epoch_number(value)


_UTC_US = pa.timestamp("us", "UTC")
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
