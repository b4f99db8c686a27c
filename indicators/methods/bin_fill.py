"""How full a container will be at its next collection, with an interval: what it and its kind did at earlier ones.

A container has a level and a rate of its own, drawn towards those of all containers while few of its collections are
known. Each day one robust line through all collections of earlier days says how much each of these counts; the
interval comes from how far the forecasts of earlier days with a like value were off, and widens or narrows by how
often it held lately.
"""

from typing import Any

import numpy as np
import polars as pl

from indicators.method import Assets

COLUMNS = ("fill_pct",)  # before the emptying; a row is a collection

TYPICAL_PCT, TYPICAL_RATE = 75.0, 35.0  # of a container of which nothing is known: fill at a collection, points a day
KNOWN = 2.0  # collections after which a container counts as much as its kind
SHORT_D, LONG_D = 0.1, 12.0  # time between collections beyond these says no more
LIKE = 0.35  # width, in the logarithm of days, within which intervals between collections are alike
SATURATES_PCT = 60.0  # waste is pressed and falls beside: fill approaches 100 with this scale
BUSY = (8.5, 21.5)  # local hours in which litter is thrown away
RIDGE = 20.0  # collections' worth of doubt about each coefficient
LEAST = 30  # collections before the line is drawn
ROBUST_PCT = 3.0  # residuals below it weigh alike: absolute, not squared, errors are to be small
SHARE = 0.80  # of the interval
NEAREST = 400  # earlier forecasts of like value that the interval comes from
LEARNS = 0.004  # of the interval's level, a forecast: a week of misses is made good in about a week
_FIRST = (8.0, 95.0)  # interval before anything is known

Floats = np.ndarray[Any, np.dtype[np.float64]]


def forecast(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Give asset, at, value, low, high of each collection but a container's first: what was known before it."""
    rows = series.filter(pl.col("fill_pct").is_not_null()).sort("asset", "at")
    if rows.is_empty():
        return _told(rows, *(np.empty(0) for _ in range(3)))
    truth = rows["fill_pct"].to_numpy().astype(float)
    local = rows["local"].dt.epoch("us").to_numpy() / 8.64e10
    at = rows["at"].dt.epoch("us").to_numpy() / 8.64e10
    features = _features(rows, truth, at, local)
    known = np.isfinite(features[:, 0])
    value, low, high = (np.full(len(truth), np.nan) for _ in range(3))
    days = np.floor(at).astype(int)
    level = SHARE
    for day in np.unique(days[known]):
        before, now = known & (days < day), known & (days == day)
        value[now] = _line(features[before], truth[before], features[now])
        low[now], high[now] = _interval(value[before], truth[before], value[now], level)
        held = (truth[now] >= low[now]) & (truth[now] <= high[now])
        level = float(np.clip(level + LEARNS * np.sum(SHARE - held), 0.5, 0.98))
    return _told(rows, value, low, high).filter(pl.Series(known))


def _told(rows: pl.DataFrame, value: Floats, low: Floats, high: Floats) -> pl.DataFrame:
    return rows.select("asset", "at").with_columns(
        pl.Series("value", value, pl.Float64), pl.Series("low", low, pl.Float64), pl.Series("high", high, pl.Float64)
    )


def _features(rows: pl.DataFrame, truth: Floats, at: Floats, local: Floats) -> Floats:
    """What was known of each collection before it; NaN for a container's first."""
    made = np.full((len(truth), 12), np.nan)
    size = rows.group_by("asset", maintain_order=True).len()["len"].to_numpy()
    ends = np.cumsum(size)
    for start, end in zip(ends - size, ends, strict=True):
        for row in range(start + 1, end):
            made[row] = _one(truth[start:row], at[start : row + 1], local[row - 1], local[row])
    return made


def _one(fills: Floats, at: Floats, last: float, now: float) -> list[float]:
    apart = np.clip(np.diff(at), SHORT_D, LONG_D)
    before, days = apart[:-1], apart[-1]
    logs, log = np.log(before), float(np.log(days))
    level = (fills.sum() + KNOWN * TYPICAL_PCT) / (len(fills) + KNOWN)
    usual = (logs.sum() + KNOWN * np.log(2)) / (len(logs) + KNOWN)
    alike = np.exp(-(((logs - log) / LIKE) ** 2) / 2)
    like = (alike @ fills[1:] + 1.5 * level) / (alike.sum() + 1.5)
    linear = (fills[1:].sum() + KNOWN * TYPICAL_RATE) / (before.sum() + KNOWN) * days
    return [
        1.0,
        level,
        like,
        100 * (1 - np.exp(-linear / SATURATES_PCT)),
        min(linear, 100.0),
        log - usual,
        (log - usual) * (level - TYPICAL_PCT) / 20,
        log,
        days,
        fills[-3:].mean(),
        _weekend(now) - _weekend(last),
        np.log(0.2 + _busy(now) - _busy(last)),
    ]


def _busy(day: float) -> float:
    """Busy hours since the epoch, in days."""
    whole = np.floor(day)
    first, last = BUSY[0] / 24, BUSY[1] / 24
    return float(whole * (last - first) + np.clip(day - whole - first, 0, last - first))


def _weekend(day: float) -> float:
    """Days of weekends since the epoch, a Thursday."""
    weeks, rest = divmod(day + 3, 7)
    return float(weeks * 2 + max(0.0, rest - 5))


def _line(known: Floats, truth: Floats, asked: Floats) -> Floats:
    """The line with small absolute errors over what is known, at what is asked; the level itself while little is."""
    if len(truth) < LEAST:
        return np.clip(asked[:, 1], 0, 100)
    middle, width = known.mean(axis=0), known.std(axis=0)
    middle[0], width[0] = 0, 1
    width[width == 0] = 1
    scaled = (known - middle) / width
    ridge = np.diag([0.0, *[RIDGE] * (known.shape[1] - 1)])
    weight = np.ones(len(truth))
    for _ in range(8):
        heavy = scaled * weight[:, None]
        found = np.linalg.solve(heavy.T @ scaled + ridge, heavy.T @ truth)
        weight = 10 / np.maximum(np.abs(truth - scaled @ found), ROBUST_PCT)
    told: Floats = np.clip((asked - middle) / width @ found, 0, 100)
    return told


def _interval(values: Floats, truth: Floats, asked: Floats, level: float) -> tuple[Floats, Floats]:
    """Quantiles of how far earlier forecasts nearest in value were off, around what is asked."""
    if len(truth) < LEAST:
        return np.full(len(asked), _FIRST[0]), np.full(len(asked), _FIRST[1])
    order = np.argsort(values, kind="stable")
    ordered, errors = values[order], (truth - values)[order]
    take = min(NEAREST, len(errors))
    first = np.clip(np.searchsorted(ordered, asked) - take // 2, 0, len(errors) - take)
    near = errors[first[:, None] + np.arange(take)]
    bounds = np.quantile(near, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return np.clip(asked + bounds[0], 0, 100), np.clip(asked + bounds[1], 0, 100)
