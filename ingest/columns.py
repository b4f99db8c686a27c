"""What the columns of a file of history mean, and each row as the message its device would have sent.

A message goes to its device's own topic. It has no QoS, because MQTT never carried it: that makes it history, for which
no time but its own will do. What cannot be read stays in the message as it is: the quarantine will say why.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from devices import csvfile
from devices.problems import Fault
from ingest.codecs.json import epoch_number
from ingest.sheets import Sheet
from schemas import units
from schemas.errors import DravaError
from schemas.vocabulary import Family

DEVICE_NAMES = ("device_id", "device")
TIME_NAMES = ("time", "observed_at", "observed_at_utc")
UTC_SUFFIX = "_utc"  # a column that says so, as those of our own exports for Excel, is in UTC
MONTHS = (2000 * 12, 2100 * 12)  # beyond: together, at either end
YES_NO = dict.fromkeys(("da", "yes", "true", "1"), "true") | dict.fromkeys(("ne", "no", "false", "0"), "false")


@dataclass(frozen=True)
class Column:
    """A column of the file, and the measure, key or `seq` that it is; `unit` where it is not the measure's own."""

    source: str
    target: str
    unit: str | None = None


@dataclass(frozen=True)
class Layout:
    """What the columns of a file mean. `device` is a column, or None where all rows are of `only_device`."""

    family: Family
    device: str | None
    only_device: str | None
    time: str
    columns: tuple[Column, ...]

    @property
    def sources(self) -> list[str]:
        """The columns of the file that are read."""
        named = [self.device, self.time, *(column.source for column in self.columns)]
        return list(dict.fromkeys(name for name in named if name is not None))


def layout(
    header: Sequence[str],
    family: Family,
    *,
    device: str | None = None,
    only_device: str | None = None,
    time: str | None = None,
    maps: Sequence[str] = (),
) -> Layout:
    """Find out what the columns mean; `maps` are texts SOURCE=COLUMN[:UNIT]. Raises DravaError where it is unclear."""
    mapped = [_mapped(text, header, family) for text in maps]
    taken = {column.source for column in mapped} | {column.target for column in mapped}
    known = {*family.measures, *family.keys, "seq"}
    own = [Column(name, name) for name in header if name in known and name not in taken]
    columns = (*mapped, *own)
    if not any(column.target in family.measures for column in columns):
        raise DravaError(
            f"no column of the file is a measure of {family.name}: {', '.join(header)[:200]}",
            f"Say --map SOURCE=COLUMN[:UNIT]; the family has {', '.join(family.measures)}",
        )
    if only_device is None:
        device = _chosen("device", device, DEVICE_NAMES, header)
    return Layout(
        family, None if only_device else device, only_device, _chosen("time", time, TIME_NAMES, header), columns
    )


def _chosen(what: str, given: str | None, usual: Sequence[str], header: Sequence[str]) -> str:
    for name in [given] if given else usual:
        if name in header:
            return name
    raise DravaError(
        f"there is no column {given or ' or '.join(usual)} among {', '.join(header)[:200]}",
        f"Say --{what}-column NAME",
    )


def _mapped(text: str, header: Sequence[str], family: Family) -> Column:
    source, _, target = text.rpartition("=")
    target, _, unit = target.partition(":")
    source = source if source in header else source.lower()
    if source not in header:
        raise DravaError(f"--map {text!r}: the file has no column {source!r}", f"It has {', '.join(header)[:200]}")
    if target not in {*family.measures, *family.keys, "seq"}:
        raise DravaError(
            f"--map {text!r}: {family.name} has no column {target!r}",
            f"It has {', '.join((*family.keys, *family.measures))} and seq",
        )
    if unit:
        measure = next((m for m in family.columns if m.name == target), None)
        if measure is None or units.conversion(unit, measure.unit) is None:
            raise DravaError(
                f"--map {text!r}: the unit {unit!r} cannot become that of {target}",
                f"Use a UCUM code; {target} is in {measure.unit if measure else 'no unit'}",
            )
        unit = "" if unit == measure.unit else unit
    return Column(source, target, unit or None)


def decimal_marks(sheet: Sheet, what: Layout, given: str | None) -> dict[str, str | None]:
    """The decimal mark of each column of numbers in texts; None where the file does not tell (that may do no harm)."""
    numbers = [column.source for column in what.columns if column.target not in what.family.keys]
    if given is not None or sheet.separator is None:
        return dict.fromkeys(numbers, given or ".")
    shapes: dict[str, set[str]] = {name: set() for name in numbers}
    for frame in sheet.parts(numbers):
        for name in numbers:
            # what a number looks like decides, not which digits it has
            shapes[name].update(frame[name].str.replace_all("[1-9]", "1").drop_nulls().unique())
    marks = {name: csvfile.decimal_mark(found, sheet.separator) for name, found in shapes.items()}
    for name, mark in marks.items():
        doubtful = [
            s for s in sorted(shapes[name]) if mark is None and csvfile.number(s, None) is Fault.AMBIGUOUS_NUMBER
        ]
        if doubtful:
            raise DravaError(
                f"the numbers of column {name} can be read in two ways (like {doubtful[0]}: thousands or decimals?)",
                "Say --decimal , or --decimal .",
            )
    return marks


def messages(
    frame: pl.DataFrame, what: Layout, municipality: str, zone: tzinfo, marks: dict[str, str | None]
) -> pl.DataFrame:
    """Rows as messages: topic, payload (JSON) and the month they belong to, as a number; order is kept."""
    device = pl.Series([what.only_device] * frame.height) if what.device is None else _names(frame[what.device])
    time, month = _times(frame[what.time], ZoneInfo("UTC") if what.time.endswith(UTC_SUFFIX) else zone)
    parts: list[Any] = [pl.lit('{"time":'), time]
    for column in what.columns:
        token = _token(frame[column.source], column, what.family, marks.get(column.source))
        unit = f',"unit":{_quote(column.unit)}}}' if column.unit else ""
        begin = f',"{column.target}":' + ('{"value":' if unit else "")
        parts.append(
            pl.select(pl.when(token.is_not_null()).then(pl.lit(begin) + token + unit).otherwise(pl.lit(""))).to_series()
        )
    payload = pl.concat_str([*parts, pl.lit("}")])
    topic = pl.concat_str([pl.lit(f"{municipality}/{what.family.name}/"), device, pl.lit("/telemetry")])
    return pl.select(topic.alias("topic"), payload.cast(pl.Binary).alias("payload"), month.alias("month"))


def _quote(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _each(values: pl.Series, change: Callable[[Any], Any], kind: Any) -> pl.Series:
    """Apply a function to every distinct value."""
    distinct = values.drop_nulls().unique()
    made = pl.Series([change(value) for value in distinct], dtype=kind)
    return values.replace_strict(distinct, made, default=None, return_dtype=kind)


def _whole(values: pl.Series) -> pl.Series:
    """Numbers that are whole without a decimal point: identifiers and counts that a program made floats of."""
    if values.dtype.is_float() and (values.drop_nulls().round() == values.drop_nulls()).all():
        return values.cast(pl.Int64, strict=False)
    return values


def _names(values: pl.Series) -> pl.Series:
    return _whole(values).cast(pl.String).fill_null("")


def _token(values: pl.Series, column: Column, family: Family, mark: str | None) -> pl.Series:
    """The JSON of each value; null where there is none. What is no number is quoted: decoding will say so."""
    kind = next((m.type for m in family.columns if m.name == column.target), "int")
    if column.target in family.keys:
        return _each(_names(values).replace("", None), _quote, pl.String)
    if values.dtype.is_float():
        values = values.fill_nan(None)
        text = (_whole(values) if kind in ("int", "bool") else values).cast(pl.String)
        return text if values.is_finite().all() else _each(text, lambda t: _quote(t) if "inf" in t else t, pl.String)
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return values.cast(pl.String)
    if values.dtype != pl.String:
        return _each(values.cast(pl.String), _quote, pl.String)
    if kind == "bool":
        return _each(values, lambda text: YES_NO.get(text.lower()) or _quote(text), pl.String)
    return _each(values, lambda text: _number(text, mark), pl.String)


def _number(text: str, mark: str | None) -> str:
    found = csvfile.number(text, mark)
    return str(found) if isinstance(found, Decimal) else _quote(text)


def _times(values: pl.Series, zone: tzinfo) -> tuple[pl.Series, pl.Series]:
    """The JSON of each time (RFC 3339, or as it came where it is none), and its month as a number."""
    instants = _instants(values, zone)
    moments = pl.from_epoch(instants, "us")
    text = moments.dt.strftime('"%Y-%m-%dT%H:%M:%S%.fZ"')
    raw = _each(values.cast(pl.String).filter(instants.is_null()), _quote, pl.String)
    if raw.len():
        text = text.scatter(instants.is_null().arg_true(), raw)
    month = (moments.dt.year().cast(pl.Int32) * 12 + moments.dt.month()).fill_null(0)
    return text.fill_null("null"), month.clip(*MONTHS).fill_null(0)


def _instants(values: pl.Series, zone: tzinfo) -> pl.Series:
    """µs since 1970 UTC; null where there is no time or it is not clear which (the hour that comes twice)."""
    kind = values.dtype
    if kind == pl.Date:
        values = values.cast(pl.Datetime("us"))
    if isinstance(values.dtype, pl.Datetime):
        if values.dtype.time_zone is None:
            values = values.dt.replace_time_zone(str(zone), ambiguous="null", non_existent="null")
        return values.dt.epoch("us")
    if kind.is_numeric():
        return _each(values, epoch_number, pl.Int64)
    return _each(values.cast(pl.String), lambda text: _moment(text, zone), pl.Int64)


def _moment(text: str, zone: tzinfo) -> int | None:
    found = csvfile.moment(text, zone)
    return None if isinstance(found, Fault) else found


def ignored(header: Iterable[str], what: Layout) -> list[str]:
    """The columns of a file that are not read."""
    return [name for name in header if name not in what.sources]
