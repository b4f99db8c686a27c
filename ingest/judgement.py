"""Tests of a reading against those before it (rate of change, spike, flat line) and against its own device's limits.

They look at readings in the order of their time; one that comes late is stored without them. What they need of the
past is remembered for each series and measure: the last value and its time, the one before it, since when it has not
changed. That is bounded by the number of series. After a restart the last values come from the newest days of the
lake; for how long a value has not changed, and what stood before it, begins anew: a test then passes where it might
have failed, and never the other way round.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from schemas.quality import Test
from schemas.vocabulary import Family, Measure

HOUR_US = 3_600_000_000
SHORTEST_US = 600_000_000  # a rate is judged over ten minutes at least: the last digit of a value may always jump
RECENT_DAYS = 7  # of the lake that are read after a restart: an older value says nothing of the next
_KEPT = {"_value": pl.Float64, "_time": pl.Int64, "_before": pl.Float64, "_since": pl.Int64}
_DAY = "day="


class Memory:
    """What is remembered of each series of one family, and the tests that use it."""

    def __init__(self, family: Family) -> None:
        """Start empty."""
        self.watched = [m for m in family.columns if m.max_rate_per_h or m.max_step or m.flat_hours]
        self.limited = [m for m in family.columns if m.type != "bool"]
        self._kept = {measure.name: pl.DataFrame(schema=_KEPT) for measure in self.watched}

    def tests(self, rows: pl.DataFrame, told: pl.Series) -> tuple[pl.DataFrame, pl.Series | None]:
        """Bits of the tests that rows do not pass (None: all pass), and the rows with what `learn` needs.

        Rows are ordered by series and time; `told` says which of them are the newest word of their series.
        """
        bits: pl.Series | None = None
        for measure in self.watched:
            values = rows[measure.name]
            if values.null_count() == rows.height:
                continue
            part = self._compared(measure, rows, told & values.is_not_null())
            rows = _spread(rows, part, measure.name)
            failed = part["_bits"]
            if (failed != 0).any():
                whole = pl.repeat(0, rows.height, dtype=pl.Int32, eager=True).scatter(part["_row"], failed)
                bits = whole if bits is None else bits | whole
        usual = _unusual(self.limited, rows)
        if usual is not None:
            bits = usual if bits is None else bits | usual
        return rows, bits

    def _compared(self, measure: Measure, rows: pl.DataFrame, keep: pl.Series) -> pl.DataFrame:
        """The readings of one measure beside those before them: _row, _value, _time, _before, _since and _bits."""
        rate = f"_{measure.name}_rate"
        columns = [
            pl.col("_series"),
            pl.col("observed_at").alias("_at"),
            pl.col(measure.name).cast(pl.Float64).alias("_v"),
        ]
        columns += [pl.col(rate)] if rate in rows.columns else []
        part = rows.select(columns).with_row_index("_row")
        part = part if keep.all() else part.filter(keep)
        self._grow(measure.name, part["_series"])
        part = part.hstack(self._kept[measure.name][part["_series"]])
        same = (pl.col("_series") == pl.col("_series").shift(1)).fill_null(value=False)
        part = part.with_columns(
            same.alias("_same"),
            pl.when(same).then(pl.col("_v").shift(1)).otherwise("_value").alias("_last"),
            pl.when(same).then(pl.col("_at").shift(1)).otherwise("_time").alias("_then"),
        )
        unchanged = (pl.col("_v") == pl.col("_last")).fill_null(value=False)
        begun = pl.when(~unchanged).then("_at").when(~pl.col("_same")).then("_since")
        part = part.with_columns(
            pl.when("_same").then(pl.col("_last").shift(1)).otherwise("_before").alias("_earlier"),
            begun.forward_fill().alias("_began"),
            unchanged.alias("_unchanged"),
        )
        own = pl.col(rate) if rate in part.columns else None
        return part.select(
            "_row",
            _value="_v",
            _time="_at",
            _before="_last",
            _since="_began",
            _bits=_bits(measure, own),
        )

    def _grow(self, name: str, series: pl.Series) -> None:
        kept = self._kept[name]
        missing = (int(series.max()) + 1 if series.len() else 0) - kept.height  # type: ignore[arg-type] # whole numbers
        if missing > 0:
            more = pl.DataFrame(
                {column: pl.repeat(None, missing, dtype=kind, eager=True) for column, kind in _KEPT.items()}
            )
            self._kept[name] = kept.vstack(more)

    def learn(self, rows: pl.DataFrame) -> None:
        """Remember rows that are published, as `tests` gave them."""
        for measure in self.watched:
            if _column(measure.name, "_value") not in rows.columns:
                continue
            names = {_column(measure.name, column): column for column in _KEPT}
            part = rows.select("_series", *names).rename(names).filter(pl.col("_value").is_not_null())
            self._take(measure.name, part)

    def _take(self, name: str, part: pl.DataFrame) -> None:
        """Keep the last row of each series; they are in order."""
        series = part["_series"]
        last = part.filter((series != series.shift(-1)).fill_null(value=True))
        self._grow(name, last["_series"])
        kept = self._kept[name]
        self._kept[name] = kept.with_columns(kept[column].scatter(last["_series"], last[column]) for column in _KEPT)

    def load(self, found: pl.DataFrame) -> None:
        """Remember what the lake holds: _series, and what `asked` asks for."""
        for measure in self.watched:
            columns = {_column(measure.name, "_value"): "_value", _column(measure.name, "_time"): "_time"}
            part = found.select("_series", *columns).rename(columns).drop_nulls().sort("_series")
            known = self._kept[measure.name]
            part = part.with_columns(pl.lit(None, pl.Float64).alias("_before"), pl.col("_time").alias("_since"))
            if known.height and part.height:  # several files: the newest word
                self._grow(measure.name, part["_series"])
                part = part.filter(
                    (part["_time"] > self._kept[measure.name]["_time"].gather(part["_series"])).fill_null(value=True)
                )
            self._take(measure.name, part.select("_series", *_KEPT))

    def asked(self) -> list[pl.Expr]:
        """What `load` wants of the rows of a series, as aggregations."""
        made = []
        for measure in self.watched:
            there = pl.col(measure.name).is_not_null()
            time = pl.col("observed_at").dt.epoch("us").filter(there)
            last = pl.col(measure.name).drop_nulls().cast(pl.Float64).sort_by(time).last()
            made += [last.alias(_column(measure.name, "_value")), time.max().alias(_column(measure.name, "_time"))]
        return made


def recent(files: Sequence[Path]) -> list[Path]:
    """Of the files of a table, those of its newest days."""
    days = {path: _day(path) for path in files}
    newest = max(filter(None, days.values()), default=None)
    if newest is None:
        return []
    return [path for path, day in days.items() if day is not None and day > newest - timedelta(days=RECENT_DAYS)]


def _day(path: Path) -> date | None:
    try:
        return date.fromisoformat(path.parent.name.removeprefix(_DAY))
    except ValueError:
        return None


def _bits(measure: Measure, own_rate: pl.Expr | None) -> pl.Expr:
    """The tests of one measure, as one number."""
    step = (pl.col("_v") - pl.col("_last")).abs()
    bits = pl.lit(0, pl.Int32)
    limit = pl.lit(measure.max_rate_per_h, pl.Float64)
    limit = limit if own_rate is None else pl.coalesce(own_rate, limit)
    if measure.max_rate_per_h or own_rate is not None:
        time = pl.max_horizontal(pl.col("_at") - pl.col("_then"), SHORTEST_US)
        bits += _bit(step * HOUR_US > limit * time, Test.RATE_OF_CHANGE)
    if measure.max_step:  # up and down again: the step back to what stood before is none
        back = (pl.col("_v") - pl.col("_earlier")).abs()
        bits += _bit((step > measure.max_step) & (back > measure.max_step), Test.SPIKE)
    if measure.flat_hours:
        still = pl.col("_at") - pl.col("_began") >= measure.flat_hours * HOUR_US
        bits += _bit(pl.col("_unchanged") & still, Test.FLAT_LINE)
    return bits


def _bit(failed: pl.Expr, test: Test) -> pl.Expr:
    return pl.when(failed.fill_null(value=False)).then(pl.lit(int(test), pl.Int32)).otherwise(pl.lit(0, pl.Int32))


def _unusual(measures: Sequence[Measure], rows: pl.DataFrame) -> pl.Series | None:
    """Readings outside the limits that the registry knows of their device."""
    failed = []
    for measure in measures:
        for kind in ("min", "max"):
            limit = f"_{measure.name}_{kind}"
            if limit in rows.columns:
                value = pl.col(measure.name).cast(pl.Float64)
                failed.append(value < pl.col(limit) if kind == "min" else value > pl.col(limit))
    if not failed:
        return None
    found = rows.select(_bit(pl.any_horizontal(failed), Test.CLIMATOLOGY).alias("_usual"))["_usual"]
    return found if (found != 0).any() else None


def _column(measure: str, kept: str) -> str:
    return f"_{measure}{kept}"


def _spread(rows: pl.DataFrame, part: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Put what is to be remembered beside the rows it belongs to."""
    if part.height == rows.height:
        return rows.with_columns(part[column].alias(_column(measure, column)) for column in _KEPT)
    return rows.with_columns(
        pl.repeat(None, rows.height, dtype=kind, eager=True)
        .scatter(part["_row"], part[column])
        .alias(_column(measure, column))
        for column, kind in _KEPT.items()
    )
