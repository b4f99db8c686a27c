"""A lamp that goes out, seen in the power of its cabinet: a step down by about one lamp that is new tonight.

Each night is held against the shape of the eight nights before (lamp_shape), and power that follows the mains is taken
out by the voltage, where it is told, with an exponent that the cabinet has shown. What is left is one level that
wanders slowly. A lamp is out where it falls at once, tonight or since the end of last night, and below what was usual.
Once a step is known, the nights before are taken as if they had had it.
"""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from indicators.method import FOUND, Assets, nothing
from indicators.methods.lamp_shape import FEWEST, NIGHTS, Floats, Grid, Shape, exponent_of, free_of, grid_of, shape_of

COLUMNS = ("power_w", "voltage_v", "lamp_share")  # lamp_share: of the smallest lamp in the cabinet's power, if known

SHARE = 0.02  # one lamp in fifty, where nobody knows
PART = 0.55  # of a lamp: a step as small as that may be one
BELOW = 0.4  # of a lamp below what was usual: what only ends something else is none
MOST = 0.5  # logarithm of a step that is no lamp but a part of the lighting
SEVERAL, SLOW = 4.0, 3  # more lamps at once have to show so many times as long: most such steps are of the clock
SURE, ALONE = 4.5, 2.0  # standard deviations of all rows together, and of each of the last
WINDOWS_MIN = (10.0, 30.0)  # over which a step is looked for
BEFORE_MIN = 60.0  # what it is held against
NIGHTLY, STARTS = 0.003, 3  # the level differs so much from night to night, as if seen so often already
GUARD_MIN = 30.0  # before the time at which last night ended, where one row has to do
SECOND = 1.4  # the second largest of eight deviations is so many times the standard deviation
UNLIKE = 0.001  # rows differ at least so much, of the power
SHORTEST_MIN, LONGEST_MIN = 1, 15  # steps that it can judge
CHART_H = 36

Truth = np.ndarray[Any, np.dtype[np.bool_]]


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find lamps that go out (FOUND)."""
    missing = [pl.lit(None, pl.Float64).alias(name) for name in COLUMNS if name not in series.columns]
    known = series.with_columns(missing).filter(pl.col("power_w").is_not_null())
    found: list[dict[str, Any]] = []
    for (asset,), rows in known.group_by("asset", maintain_order=True):
        found += _cabinet(str(asset), rows)
    return pl.DataFrame(found, FOUND) if found else nothing()


@dataclass
class Step:
    """A step of the level in a night: the columns in which it begins and is known, and its height."""

    began: int
    known: int
    height: float


@dataclass
class Past:
    """What a cabinet has shown so far."""

    lamp: float  # share of the smallest lamp
    spreads: list[float] = field(default_factory=list)  # of each night: how far the level goes within ten minutes
    out: list[tuple[dict[str, Any], float]] = field(default_factory=list)  # conditions that go on, and their height


@dataclass
class Night:
    """A night against its shape: in each column with light the level and what it weighs; and what was known before."""

    start: int  # the first column of those
    level: Floats
    weight: Floats
    deviation: Floats
    before: float  # the level in which last night ended
    nightly: float  # how far levels lie apart from night to night
    usual: float
    spread: float
    digit: Floats  # what the last digit of the meter is of the power, as a deviation


def _cabinet(asset: str, rows: pl.DataFrame) -> list[dict[str, Any]]:
    step = float(rows["at"].head(97).diff().dt.total_seconds().median() or 0) / 60  # type: ignore[arg-type]
    if not SHORTEST_MIN <= step <= LONGEST_MIN:
        return []
    grid = grid_of(rows, step)
    share = rows["lamp_share"].median()
    past = Past(float(share) if isinstance(share, float) and 0 < share < 1 else SHARE)
    told: list[dict[str, Any]] = []
    for number in range(FEWEST, len(grid.power)):
        exponent = exponent_of(grid, number)
        if (shape := shape_of(grid, number, exponent)) is not None:
            told += _night(asset, rows, grid, number, _against(grid, number, exponent, shape, past), past)
    return told


def _against(grid: Grid, number: int, exponent: float, shape: Shape, past: Past) -> Night:
    known = shape.levels[np.isfinite(shape.levels)]
    level = free_of(grid, slice(number, number + 1), exponent)[0] - shape.value
    level[~np.isfinite(shape.unlike)] = np.nan
    lit = np.flatnonzero(np.isfinite(level))
    span = slice(lit[0], lit[-1] + 1) if len(lit) else slice(0, 1)
    level, deviation = level[span], np.maximum(shape.unlike[span] / SECOND, UNLIKE)
    return Night(
        int(span.start),
        level,
        np.where(np.isfinite(level), 1 / deviation**2, 0.0),
        deviation,
        before=float(known[-1]),
        nightly=float(np.sqrt((np.sum(np.diff(known) ** 2) + STARTS * NIGHTLY**2) / (len(known) - 1 + STARTS))),
        usual=float(np.median(known)),
        spread=float(np.median(past.spreads[-NIGHTS:])) if past.spreads else NIGHTLY,
        digit=grid.digit / np.sqrt(12) / np.exp(grid.raw[number, span]),
    )


def _night(asset: str, rows: pl.DataFrame, grid: Grid, number: int, night: Night, past: Past) -> list[dict[str, Any]]:
    """What goes out in a night. Each step is put into the nights before it, so that it is expected from then on."""
    told: list[dict[str, Any]] = []
    after = 0
    while (step := _next(grid, number, night, past, after)) is not None:
        if step.height < 0:
            one = _told(asset, rows, grid, number, step, past)
            told.append(one)
            past.out.append((one, step.height))
        else:
            _again(rows, grid, number, step, past)
        grid.power[:number] += step.height
        grid.power[number, : step.began] += step.height
        night.level[: step.began - night.start] += step.height
        night.before, night.usual, after = night.before + step.height, night.usual + step.height, step.known + 1
    past.spreads.append(_spread(grid, night))
    return told


def _next(grid: Grid, number: int, night: Night, past: Past, after: int) -> Step | None:
    """The first step of the night that is known in column `after` or later: down, or up where lamps are out."""
    best: Step | None = None
    for minutes in WINDOWS_MIN:
        size = grid.steps(minutes)
        last, before, error = _compared(grid, night, size)
        for sign in (-1, 1) if past.out else (-1,):
            high = sign * (last - before)
            shown = (high > PART * past.lamp) & (high < MOST) & (high > SURE * error)
            if sign < 0:
                shown &= last < night.usual - BELOW * past.lamp
            alone = sign * (night.level - before) > np.maximum(PART * past.lamp, ALONE * night.deviation)
            shown &= _every(alone, grid.shown) & ((high < SEVERAL * past.lamp) | _every(alone, SLOW * grid.shown))
            shown[: max(0, after - night.start)] = False
            shown[max(0, _end(grid, number) - night.start) :] = False
            if shown.any() and (best is None or int(shown.argmax()) < best.known - night.start):
                best = _step(night, int(shown.argmax()), size, sign * past.lamp, float(before[int(shown.argmax())]))
    return best


def _compared(grid: Grid, night: Night, size: int) -> tuple[Floats, Floats, Floats]:
    """In each column the level over the last `size`, that before them, and the deviation of their difference."""
    wide = grid.steps(BEFORE_MIN)
    weights = np.concatenate([np.zeros(size + wide), np.cumsum(night.weight)])
    now, middle, start = (weights[first : first + len(night.level)] for first in (size + wide, wide, 0))
    held, prior = middle - start, 1 / night.nightly**2
    earlier = _middle(np.concatenate([np.full(size, np.nan), night.level])[: len(night.level)], wide)
    before = (held * np.nan_to_num(earlier) + prior * night.before) / (held + prior)
    last = _middle(night.level, size)
    safe = np.maximum(now - middle, 1e-9)
    return last, before, np.sqrt(1 / safe + np.maximum(1 / (held + prior), night.spread**2) + night.digit**2)


def _middle(level: Floats, size: int) -> Floats:
    """The median of the last so many rows that are known, so that a row that shows a part of something says nothing."""
    rows = np.sort(sliding_window_view(np.concatenate([np.full(size - 1, np.nan), level]), size), axis=1)
    count = np.isfinite(rows).sum(axis=1)
    column = np.arange(len(rows))
    return np.asarray((rows[column, np.maximum(count - 1, 0) // 2] + rows[column, count // 2]) / 2, float)


def _every(alone: Truth, rows: int) -> Truth:
    """Whether each of the last so many rows shows the step by itself."""
    shown = alone.copy()
    for back in range(1, rows):
        shown[back:] &= alone[:-back]
        shown[:back] = False
    return shown


def _end(grid: Grid, number: int) -> int:
    """The column from which rows are not judged, because one alone may be the last, in part."""
    if grid.shown > 1:
        return grid.columns
    lit = np.flatnonzero(np.isfinite(grid.raw[number - 1]))
    return int(lit[-1]) + 1 - grid.steps(GUARD_MIN) if len(lit) else grid.columns


def _step(night: Night, known: int, size: int, lamp: float, before: float) -> Step:
    """The step that is known in a column: from the first row that shows it, as high as these rows say together."""
    window = slice(max(0, known + 1 - size), known + 1)
    shows = (night.level[window] - before) / lamp > PART
    height = float(np.average(np.nan_to_num(night.level[window]), weights=np.where(shows, night.weight[window], 0.0)))
    return Step(night.start + window.start + int(shows.argmax()), night.start + known, height - before)


def _spread(grid: Grid, night: Night) -> float:
    """How far the level goes within a night, by its rows against those before them."""
    last, before, _ = _compared(grid, night, grid.shown)
    there = night.weight > 0
    return float(1.4826 * np.nanmedian(np.abs(last - before)[there])) if there.any() else NIGHTLY


def _again(rows: pl.DataFrame, grid: Grid, number: int, step: Step, past: Past) -> None:
    """Light comes back: of the lamp that has been out longest, or of a part of what went out with it."""
    one, height = past.out[0]
    if -height - step.height > PART * past.lamp:
        past.out[0] = (one, height + step.height)
        return
    del past.out[0]
    one["until"] = _began(rows, grid, number, step)


def _began(rows: pl.DataFrame, grid: Grid, number: int, step: Step) -> Any:
    """The beginning of the first row that shows a step."""
    row = int(grid.row[number, step.began])
    earliest = rows["at"][row] - timedelta(minutes=grid.step)
    return max(earliest, rows["at"][row - 1]) if row else earliest


def _told(asset: str, rows: pl.DataFrame, grid: Grid, number: int, step: Step, past: Past) -> dict[str, Any]:
    row = int(grid.row[number, step.known])
    at, power = rows["at"][row], float(rows["power_w"][row])
    chart = rows.slice(0, row + 1).filter(pl.col("at") > at - timedelta(hours=CHART_H))
    hourly = chart.group_by(pl.col("at").dt.truncate("1h"), maintain_order=True).agg(pl.col("power_w").mean())
    return {
        "asset": asset,
        "since": _began(rows, grid, number, step),
        "at": at,
        "until": None,
        "severity": "warning",
        "confidence": 0.9,
        "evidence": json.dumps(
            {
                "lamps": max(1, round(-step.height / past.lamp)),
                "missing_w": round(power * (np.exp(-step.height) - 1), 1),
                "power_w": round(power, 0),
                "expected_w": round(power * np.exp(-step.height), 0),
                "share_pct": round(100 * (1 - np.exp(step.height)), 1),
                "chart": [round(value, 0) for value in hourly["power_w"]],
            }
        ),
    }
