"""What the detectors of household meters share: steps of registers as matrices, one row an asset, and as local days.

Their series has the register's rise since the reading before (`rise_m3`, negative where it fell) and the time since
(`hours`). Wrong rises (another meter's telegram, a glitch) stand in it: what is computed from them has to bear that.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from indicators.method import FOUND

COLUMNS = ("rise_m3", "hours")
MOST_LPH = 3000.0  # Q3 of a household meter is 2.5 m3/h: a greater rise is no draw
GAP_H = 36.0  # a longer step says nothing about a day
DAY = (  # the local day in which the middle of a step lies, in days since 1970
    (pl.col("local") - pl.duration(microseconds=(pl.col("hours").fill_null(0) * 1.8e9).cast(pl.Int64)))
    .dt.date()
    .cast(pl.Int32)
)

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Steps:
    """Readings by asset and number: litres, hours, end (seconds), local hour of the day; NaN and 0 behind the last."""

    assets: list[str]
    counts: Ints
    litres: Floats
    hours: Floats
    at: Floats
    hour: Ints


def steps(series: pl.DataFrame) -> Steps:
    """Lay a series (sorted by asset and time) out as matrices."""
    runs = series["asset"].rle()
    counts = runs.struct.field("len").to_numpy().astype(np.int64)
    assets = runs.struct.field("value").to_list()
    row = np.repeat(np.arange(len(assets)), counts)
    column = np.arange(series.height) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(assets), int(counts.max(initial=0)))

    def laid(values: pl.Series, empty: float) -> Floats:
        matrix = np.full(shape, empty)
        matrix[row, column] = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
        return matrix

    hour = laid(series["local"].dt.hour(), 0)
    return Steps(
        assets,
        counts,
        laid(series["rise_m3"] * 1000, np.nan),
        laid(series["hours"], np.nan),
        laid(series["at"].dt.epoch("us") / 1e6, np.nan),
        hour.astype(np.int64),
    )


@dataclass(frozen=True)
class Days:
    """Local days by asset: litres, hours with use, hours seen; `known` is when a day was over (NaN: it is not)."""

    assets: list[str]
    first: int  # days since 1970
    litres: Floats
    active: Floats
    seen: Floats
    peak: Floats  # litres of the largest step
    known: Floats


def days(series: pl.DataFrame) -> Days:
    """Sum steps by the local day in which their middle lies. Rises that no house draws, and falls, are left out."""
    told = (
        series.with_columns(litres=pl.col("rise_m3") * 1000)
        .with_columns(
            day=DAY,
            sound=pl.col("litres").is_between(0, MOST_LPH * pl.max_horizontal("hours", pl.lit(1.0)))
            & (pl.col("hours") <= GAP_H),
        )
        .group_by("asset", "day", maintain_order=True)
        .agg(
            litres=pl.col("litres").filter("sound").sum(),
            active=(pl.col("hours") * (pl.col("litres") > 0)).filter("sound").sum(),
            seen=pl.col("hours").filter("sound").sum(),
            peak=pl.col("litres").filter("sound").max(),
            first=pl.col("at").min().dt.epoch("us") / 1e6,
        )
        .with_columns(known=pl.col("first").shift(-1).over("asset"))
    )
    assets = told["asset"].unique(maintain_order=True).to_list()
    number = dict(zip(assets, range(len(assets)), strict=True))
    row = np.array([number[one] for one in told["asset"]], np.int64)
    day = told["day"].to_numpy().astype(np.int64)
    first, last = (int(day.min()), int(day.max())) if len(day) else (0, -1)

    def laid(name: str, empty: float) -> Floats:
        matrix = np.full((len(assets), last - first + 1), empty)
        matrix[row, day - first] = told[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return matrix

    return Days(
        assets,
        first,
        laid("litres", 0),
        laid("active", 0),
        laid("seen", 0),
        laid("peak", np.nan),
        laid("known", np.nan),
    )


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime.fromtimestamp(float(seconds), UTC)


def windowed(values: Floats, width: int, lag: int = 0) -> Floats:
    """Sums over the `width` columns that end with each column, or `lag` before it; NaN at the beginning."""
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    told = np.full(values.shape, np.nan)
    first = width + lag - 1
    if first < values.shape[1]:
        stop = values.shape[1] - lag + 1
        told[:, first:] = sums[:, width:stop] - sums[:, : stop - width]
    return told


def weekly(daily: Floats) -> Floats:
    """Sums of whole weeks; the last one ends with the last day."""
    told: Floats = daily[len(daily) % 7 :].reshape(-1, 7).sum(axis=1)
    return told


def bounds(rate: float, error: float) -> dict[str, float]:
    """What an alarm's evidence says of its amounts' bounds: L/h, two standard errors below and above."""
    return {
        "litres_per_hour_low": round(max(rate - 2 * error, 0.0), 2),
        "litres_per_hour_high": round(rate + 2 * error, 2),
    }


def so_far(found: list[dict[str, object]], series: pl.DataFrame) -> pl.DataFrame:
    """Rows of FOUND; `volume_m3` is what was lost from `since` to `until`, or to the end of the asset's series."""
    over = pl.coalesce("until", "over") - pl.col("since")
    ends = series.group_by("asset").agg(over=pl.col("at").max())
    told = pl.DataFrame(found, FOUND).join(ends, on="asset", how="left")
    lost = (pl.col("litres_per_hour") * over.dt.total_seconds() / 3.6e6).round(3)
    return told.with_columns(volume_m3=lost).select(FOUND.names()).sort("at", "asset")
