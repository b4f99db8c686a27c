"""What the detectors of a district share: its flow by hour, and how much flows above its own usual every four hours.

A leak adds the same all day; season, weather and weekdays multiply what people draw. So the 24 hours before a moment
are held against the district's profile of the week by generalised least squares with two unknowns: a constant (`level`,
m3/h) and a factor, of which it is known beforehand that it stays within some per cent. Steady hours count more.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

COLUMNS = ("flow_m3h", "stored_m3")
LEARN_DAYS = 14  # two of each weekday make the first profile
EVERY_H = 4  # a level is computed so often
FACTOR = 0.014  # standard deviation of a day's factor of use around the profile
FOLLOW = 0.3  # share of a day's factor that the profile takes over: season
ADAPT = 0.15  # share of what remains that an hour of the week takes over
FORGET = 0.03  # share of a day in the variance of its hours
CLIP = 5.0  # standard deviations: an hour of flushing is no leak
HOURS = 18  # of 24 must be there

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Hourly:
    """Mean flow of each hour without a gap between them; hours nobody measured are NaN."""

    first: int  # hours since 1970 of the beginning of the first
    flow: Floats
    of_week: Ints  # local weekday * 24 + local hour

    def end(self, number: int) -> datetime:
        """Give the end of an hour, counted from the first."""
        return datetime.fromtimestamp((self.first + number + 1) * 3600, UTC)


@dataclass(frozen=True)
class Levels:
    """At the end of hour `hour[i]`: constant flow above the profile of the 24 h before, its own error, that of 6 h."""

    hour: Ints
    level: Floats
    error: Floats
    recent: Floats


def hourly(series: pl.DataFrame) -> Hourly:
    """Mean flow by hour of one asset: what flows in, less what its tanks took in (`stored_m3`, where there are any)."""
    if "stored_m3" not in series.columns:
        series = series.with_columns(stored_m3=pl.lit(None, pl.Float64))
    stamp = pl.col("at").dt.epoch("us")
    told = (
        series.select(
            hour=(stamp - 1) // 3_600_000_000,
            flow=pl.col("flow_m3h"),
            stored=pl.col("stored_m3").diff() / (stamp.diff() / 3.6e9),
            local=(pl.col("local") - pl.duration(microseconds=1)).dt.truncate("1h"),
        )
        .with_columns(flow=pl.col("flow") - pl.col("stored").fill_null(0))
        .group_by("hour", maintain_order=True)
        .agg(pl.col("flow").mean(), pl.col("local").first())
    )
    if told.is_empty():
        return Hourly(0, np.empty(0), np.empty(0, np.int64))
    hour = told["hour"].to_numpy()
    first, count = int(hour[0]), int(hour[-1] - hour[0]) + 1
    flow = np.full(count, np.nan)
    flow[hour - first] = told["flow"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    ahead = np.full(count, 0)  # of local time over UTC, in hours; a gap keeps that before it
    local = told["local"].dt.epoch("us").to_numpy() // 3_600_000_000
    ahead[hour - first] = local - hour
    known = np.zeros(count, np.int64)
    known[hour - first] = np.arange(count)[hour - first]
    ahead = ahead[np.maximum.accumulate(known)]
    return Hourly(first, flow, (np.arange(first, first + count) + ahead + 72) % 168)  # 1970 began on a Thursday


class _Profile:
    """The week as this district uses water: mean and variance of its hours, carried on day by day."""

    def __init__(self, flow: Floats, of_week: Ints) -> None:
        count = np.maximum(np.bincount(of_week, np.isfinite(flow), 168), 1e-9)
        mean = np.bincount(of_week, np.nan_to_num(flow), 168) / count
        there = count > 0.5  # noqa: PLR2004 - a count, or the bound above
        of_hour = np.arange(168) % 24
        by_hour = np.bincount(of_hour, mean * there, 24) / np.maximum(np.bincount(of_hour, there, 24), 1e-9)
        self.mean: Floats = np.where(there, mean, by_hour[of_hour])
        apart = flow - self.mean[of_week]
        square = np.bincount(of_week % 24, np.nan_to_num(apart) ** 2, 24)
        seen = np.bincount(of_week % 24, np.isfinite(flow), 24)
        variance = 2 * square / np.maximum(seen, 1) + 1e-4 * np.mean(self.mean) ** 2
        self.variance: Floats = np.maximum(variance, 0.25 * variance.mean())

    def day(self, flow: Floats, of_week: Ints) -> tuple[float, float, float, float, Floats]:
        """Level, its error, that of the last 6 hours, the factor and what is left of each hour."""
        usual, variance = self.mean[of_week], self.variance[of_week % 24]
        there = np.isfinite(flow)
        apart = np.where(there, flow - usual, 0.0)
        middle = float(np.median(apart[there]))
        bound = CLIP * np.sqrt(variance)
        apart = np.where(there, middle + np.clip(apart - middle, -bound, bound), 0.0)
        weight = np.where(there, 1 / variance, 0.0)
        ones, mixed, squares = weight.sum(), (weight * usual).sum(), (weight * usual**2).sum()
        prior = squares + 1 / FACTOR**2
        told = ones - mixed**2 / prior
        level = ((weight * apart).sum() - mixed * (weight * usual * apart).sum() / prior) / told
        left = np.where(there, apart - level, 0.0)
        factor = (weight * usual * left).sum() / squares
        recent = (weight * apart)[-6:].sum() / max(weight[-6:].sum(), 1e-12)
        return float(level), float(told**-0.5), float(recent), float(factor), left - factor * np.where(there, usual, 0)

    def follow(self, factor: float, left: Floats, of_week: Ints, there: Ints) -> None:
        """Take over the season, and how steady the hours were."""
        self.mean *= 1 + FOLLOW * factor
        hour = of_week[there] % 24
        old = self.variance[hour]
        self.variance[hour] = (1 - FORGET) * old + FORGET * np.minimum(left[there] ** 2, 9 * old)
        self.variance = np.maximum(self.variance, 0.1 * self.variance.mean())


def levels(hours: Hourly) -> Levels:
    """Give the level at every fourth hour, once the district is known."""
    start = LEARN_DAYS * 24
    if len(hours.flow) < start + 24 or np.isfinite(hours.flow[:start]).mean() < HOURS / 24:
        return Levels(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))
    profile = _Profile(hours.flow[:start], hours.of_week[:start])
    told: list[tuple[int, float, float, float]] = []
    past: list[float] = [0.0] * 3
    days: list[slice] = []
    for number in range(start + 23, len(hours.flow)):
        day_ends = hours.of_week[number] % 24 == 23  # noqa: PLR2004 - the last hour of a local day
        if (hours.first + number + 1) % EVERY_H and not day_ends:
            continue
        span = slice(number - 23, number + 1)
        flow, of_week = hours.flow[span], hours.of_week[span]
        if np.isfinite(flow).sum() < HOURS:
            continue
        level, error, recent, factor, left = profile.day(flow, of_week)
        if not (hours.first + number + 1) % EVERY_H:
            told.append((number, level, error, recent))
        if day_ends:
            profile.follow(factor, left, of_week, np.flatnonzero(np.isfinite(flow)))
            past.append(level)
            days.append(span)
            _settle(profile, hours, past, days, error)
    if not told:
        return Levels(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))
    number_, level_, error_, recent_ = zip(*told, strict=True)
    return Levels(np.array(number_), np.array(level_), np.array(error_), np.array(recent_))


def _settle(profile: _Profile, hours: Hourly, past: list[float], days: list[slice], error: float) -> None:
    """Let the weekday of three days ago learn from it: now it is known which level that day belonged to."""
    if len(days) < 4:  # noqa: PLR2004 - three days after it
        return
    before, mid, after = float(np.median(past[-7:-4])), past[-4], float(np.median(past[-3:]))
    near = before if abs(before - mid) < abs(after - mid) else after
    if abs(near - mid) >= 4 * error and abs(before - after) >= 3 * error:
        return  # the day on which something changed belongs to neither
    span = days[-4]
    there = np.isfinite(hours.flow[span])
    of_week = hours.of_week[span][there]
    profile.mean[of_week] += ADAPT * (hours.flow[span][there] - near - profile.mean[of_week])
