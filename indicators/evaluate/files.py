"""Files as strangers have them: Parquet or CSV, one or many by a pattern; times with a zone, without, or counted."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl

from schemas.errors import DravaError

TIME = pl.Datetime("us", "UTC")
STAR = "*"
_SAMPLE = 65_536  # characters of a CSV that say how it is written
_ISO = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_OFFSET = r"\d:\d{2}(?::\d{2}(?:\.\d+)?)?\s*([Zz]|[+-]\d{2}(?::?\d{2})?)$"  # a time of day and its zone
_UNITS = ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1))  # Unix time below this is seconds, ms, µs; else ns
_EARLIEST_S, _YEARS = 10**8, range(1900, 2200)  # a smaller number counts steps


def found(folder: Path, name: str) -> list[tuple[str, str]]:
    """Files of a name, or of a pattern with one `*`, each with what the `*` stands for."""
    if STAR not in name:
        return [(name, "")]
    before, after = Path(name).name.split(STAR, 1)
    if STAR in after or STAR in str(Path(name).parent):
        raise DravaError(f"the pattern {name!r} has more than one *", "One *, in the last part of the path")
    there = sorted((folder / name).parent.glob(Path(name).name))
    beside = Path(name).parent
    return [
        (str(beside / path.name), path.name.removeprefix(before).removesuffix(after))
        for path in there
        if path.is_file()
    ]


def table(path: Path, *, may_be_empty: bool = False) -> pl.DataFrame:
    """Read one file. Raises DravaError where it cannot be read or has no row."""
    try:
        read = pl.read_parquet(path) if path.suffix.lower() in {".parquet", ".pq"} else _csv(path)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise DravaError(f"{path} cannot be read: {_first(error)}", "Parquet, or CSV with a header") from None
    if read.is_empty() and not (may_be_empty and read.columns):
        raise DravaError(
            f"{path} has no rows", "A header and at least one row" if read.columns else "The file is empty"
        )
    return read


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["it said nothing"])[0][:200]


def _csv(path: Path) -> pl.DataFrame:
    """`,` `;` or tab, as the header has it; decimal commas where numbers have them; UTF-8, or else Windows-1250."""
    with path.open("rb") as file:
        data = file.read(_SAMPLE)
    plain = data[:2] != b"\x1f\x8b"
    text = data.decode("utf-8-sig", "replace") if plain else ""
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    comma = separator != "," and re.search(r"(?:^|[;\t])-?\d+,\d+(?=[;\t\r\n]|$)", text, re.MULTILINE) is not None
    source: Path | bytes = path
    if plain and "\ufffd" in text[:-4]:
        source = path.read_bytes().decode("cp1250").encode()
    return pl.read_csv(source, separator=separator, decimal_comma=comma, infer_schema_length=None)


def epanet(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The lines of an EPANET file that name something: their section and their words."""
    section = ""
    for line in path.read_text("utf-8", errors="replace").splitlines():
        words = line.split(";", 1)[0].split()
        if words and words[0].startswith("["):
            section = words[0].strip("[]").upper()
        elif words:
            yield section, words


def moments(values: pl.Series, form: str | None, zone: str) -> pl.Series:
    """A column as UTC: a time with a zone is that moment, one without is wall clock, a number counts from 1970.

    Raises DravaError that names the first value that is none. What is empty stays empty.
    """
    kind = values.dtype
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        read = values.dt.convert_time_zone("UTC").cast(TIME)
    elif kind.is_temporal() and kind not in (pl.Time, pl.Duration):
        read = _wall(values.cast(pl.Datetime("us")), zone)
    elif kind.is_numeric() and form is None:
        read = _counted(values)
    else:
        read = _written(values.cast(pl.String).str.strip_chars(), form, zone)
    years = read.dt.year()
    if read.len() > read.null_count() and not (years.min() in _YEARS and years.max() in _YEARS):
        raise DravaError(f"{values.name}: times of the years {years.min()!r} to {years.max()!r}", "Look at time_format")
    return read.alias(values.name)


def _counted(values: pl.Series) -> pl.Series:
    numbers = values.cast(pl.Float64).fill_nan(None)
    largest = numbers.abs().max()
    if not isinstance(largest, float):
        return values.cast(pl.Int64, strict=False).cast(TIME)
    if largest < _EARLIEST_S or largest == float("inf"):
        raise DravaError(
            f"{values.name}: numbers up to {largest:g} are no Unix time",
            "In labels, numbers of steps need `step_s` and `origin`; a source without times needs `start` and `step_s`",
        )
    scale = next((unit for bound, unit in _UNITS if largest < bound), 0.001)
    return (numbers * scale).round().cast(pl.Int64).cast(TIME)


def _written(text: pl.Series, form: str | None, zone: str) -> pl.Series:
    text = text.set(text == "", None)
    if form is not None:
        read = text.str.to_datetime(form, time_unit="us", strict=False)
        zoned = isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone is not None
        told = read.cast(TIME) if zoned else _wall(read, zone)
    else:
        told = _iso(text, zone)
    if (bad := text.filter(told.is_null() & text.is_not_null())).len():
        hint = 'Say how it is written: time_format = "%d.%m.%Y %H:%M" (strptime)'
        raise DravaError(f"{text.name}: {bad[0][:40]!r} is not a time ({bad.len()} such rows)", hint)
    return told


def _iso(text: pl.Series, zone: str) -> pl.Series:
    offset = text.str.extract(_OFFSET)
    zoned = offset.is_not_null()
    words = text.str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "$1 ")
    if zoned.any():
        words = words.str.replace(r"\s*(?:[Zz]|(\d:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*[+-]\d{2}(?::?\d{2})?)$", "$1")
    clock = pl.Series(text.name, [None] * text.len(), pl.Datetime("us"))
    for form in _ISO:
        if clock.null_count() == words.null_count():
            break
        clock = clock.fill_null(words.str.to_datetime(form, time_unit="us", strict=False))
    wall = _wall(clock, zone)
    if not zoned.any():
        return wall
    sign = offset.str.starts_with("-").cast(pl.Int64) * -2 + 1
    hours, minutes = (
        offset.str.extract(r"[+-](\d{2}):?(\d{2})?", group).cast(pl.Int64).fill_null(0) for group in (1, 2)
    )
    away = (sign * (hours * 60 + minutes) * 60_000_000).cast(pl.Duration("us"))
    return (clock - away).dt.replace_time_zone("UTC").zip_with(zoned, wall)


def _wall(local: pl.Series, zone: str) -> pl.Series:
    return pl.select(utc(pl.lit(local), zone)).to_series()


def utc(local: pl.Expr, zone: str) -> pl.Expr:
    """Wall clock to UTC: the first of two in autumn; in spring the hour that does not exist counts on."""
    there = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    later = (local + timedelta(hours=1)).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return pl.coalesce(there, later - timedelta(hours=1)).dt.convert_time_zone("UTC")


def like(table_: pl.DataFrame, name: str, values: Sequence[str | float | bool]) -> pl.Expr:
    """Whether a column is one of these values, as they are or as they are written."""
    written = {str(value) for value in values} | {f"{value:g}" for value in values if isinstance(value, int | float)}
    if table_.schema[name].is_numeric():
        numbers = [float(word) for word in written if _is_number(word)]
        return pl.col(name).cast(pl.Float64).is_in(numbers).fill_null(False)
    words = written | {word.lower() for word in written} if table_.schema[name] == pl.Boolean else written
    return pl.col(name).cast(pl.String).str.strip_chars().is_in(sorted(words)).fill_null(False)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
