"""How the pressures of a district follow from its flows: a regression, learned anew every day from the days before.

What a leak changes is what remains of the pressures; it is whitened by the covariance of what always remains, so that
sensors count by what they are good for. After a sudden change the days before it still teach how pressures follow from
flows: the change has two columns of its own, a constant and one that grows with the flow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

STEP_S = 900
DAY = 86400 // STEP_S
TRAIN = 14 * DAY
RIDGE = 1e-3
ERA_RIDGE = 1e-6  # a change of one day is not to be made smaller
FLOOR_M = 0.003  # what remains is never known better
LOWEST_M, HIGHEST_M = -20.0, 500.0  # beyond them a pressure is no pressure
HOLD = 4  # a silent sensor keeps its value for so many steps
SEEN = 0.8  # of the steps a sensor must have to be used that day

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Steps:
    """Steps, of a quarter of an hour if nothing else is said, without a gap between them."""

    at: Ints  # end, seconds since 1970
    offset: int  # first step of the first whole local day
    hour: Floats  # local, 0 to 24
    net: Floats  # flow_m3h
    features: Floats
    flows: list[str]  # the meters of the first columns of `features`
    sensors: list[str]
    pressure: Floats
    step_s: int = STEP_S


def laid(part: pl.DataFrame, step_s: int = STEP_S) -> Steps | None:
    """Lay the series of one district out; None where there is nothing. Without pressures there are no sensors."""
    part = _wide(part)
    names = [name for name in part.columns if name.startswith("pressure_")]
    flows = [name for name in part.columns if name.startswith("flow_") and name != "flow_m3h"] or ["flow_m3h"]
    levels = [name for name in part.columns if name.startswith("level_")]
    values = list(dict.fromkeys(["flow_m3h", *flows, *levels, *names]))
    if not len(part):
        return None
    told = (
        part.select(
            ((pl.col("at").dt.epoch("s") - 1) // step_s).alias("step"),
            ((pl.col("local") - pl.duration(microseconds=1)).dt.truncate(f"{step_s}s")).alias("local"),
            *(pl.col(name).cast(pl.Float64) for name in values),
        )
        .group_by("step", maintain_order=True)
        .agg(pl.col("local").first(), *(pl.col(name).mean() for name in values))
    )
    first, count = int(told["step"][0]), int(told["step"][-1] - told["step"][0]) + 1
    row = told["step"].to_numpy() - first
    clock = np.full(count, np.nan)
    clock[row] = told["local"].dt.hour().to_numpy() + told["local"].dt.minute().to_numpy() / 60
    clock = (_held(clock[:, None], count)[:, 0] + _since(clock) * step_s / 3600) % 24

    def grid(columns: Sequence[str]) -> Floats:
        matrix = np.full((count, len(columns)), np.nan)
        if columns:
            matrix[row] = told.select(columns).to_numpy()
        return matrix

    pressure = grid(names)
    pressure[(pressure < LOWEST_M) | (pressure > HIGHEST_M)] = np.nan
    flow, level = grid(flows), _held(grid(levels), count)
    features = _features(flow, level, clock)
    at = (np.arange(first, first + count) + 1) * step_s
    return Steps(
        at,
        int(np.argmin(clock)) if count else 0,
        clock,
        grid(["flow_m3h"])[:, 0],
        features,
        [name.removeprefix("flow_") for name in flows],
        [name.removeprefix("pressure_") for name in names],
        _held(pressure, HOLD),
        step_s,
    )


_LISTS = (("sensors", "pressures", "pressure_"), ("meters", "flows", "flow_"), ("tanks", "levels", "level_"))


def _wide(part: pl.DataFrame) -> pl.DataFrame:
    """From lists of names and lists of values to a column each."""
    for names, values, first in _LISTS:
        if names not in part.columns:
            continue
        long = part.select("at", names, values).explode(names, values).drop_nulls()
        part = part.drop(names, values)
        if not long.is_empty():
            wide = long.with_columns((pl.lit(first) + pl.col(names)).alias(names)).pivot(
                names, index="at", values=values
            )
            part = part.join(wide.select("at", *sorted(wide.columns[1:])), on="at", how="left", maintain_order="left")
    return part


def _since(clock: Floats) -> Ints:
    """Steps since the last known one."""
    number = np.arange(len(clock))
    return number - np.maximum.accumulate(np.where(np.isfinite(clock), number, 0))


def _held(values: Floats, steps: int) -> Floats:
    """Fill gaps of at most so many steps with the value before."""
    number = np.arange(len(values))[:, None]
    known = np.maximum.accumulate(np.where(np.isfinite(values), number, -1), axis=0)
    taken = np.take_along_axis(values, np.maximum(known, 0), axis=0)
    filled: Floats = np.where((known >= 0) & (number - known <= steps), taken, np.nan)
    return filled


def _features(flow: Floats, level: Floats, clock: Floats) -> Floats:
    turn = clock * 2 * np.pi / 24
    waves = [wave(k * turn) for k in (1, 2) for wave in (np.sin, np.cos)]
    parts = [np.ones((len(clock), 1)), flow, flow**2, (flow.sum(axis=1, keepdims=True) / 100) ** 3, level]
    return np.concatenate([*parts, np.stack(waves, axis=1)], axis=1)


@dataclass(frozen=True)
class Relation:
    """One day's regression; a sensor that was silent too often says nothing that day."""

    used: Ints
    sensors: int
    mean: Floats
    scale: Floats
    weights: Floats
    white: Floats
    back: Floats

    def left(self, steps: Steps, start: int, stop: int) -> Floats:
        """What remains of each pressure; zero for a sensor that is not used or silent."""
        scaled = (steps.features[start:stop] - self.mean) / self.scale
        remains = np.zeros((stop - start, self.sensors))
        apart = steps.pressure[start:stop][:, self.used] - scaled @ self.weights
        remains[:, self.used] = np.where(np.isfinite(apart), apart, 0.0)
        remains[~np.isfinite(scaled).all(axis=1)] = np.nan
        return remains

    def whiten(self, remains: Floats) -> Floats:
        """In units in which what always remains is 1 and independent."""
        return remains[:, self.used] @ self.white

    def by_flow(self, flow: Floats) -> Floats:
        """Give the part of the pressures (m) that changes with the flows: rows of flows to rows of used sensors."""
        meters = flow.shape[1]
        parts = [flow, flow**2, (flow.sum(axis=1, keepdims=True) / 100) ** 3]
        columns = slice(1, 2 + 2 * meters)
        scaled = np.concatenate(parts, axis=1) / self.scale[columns]
        told: Floats = scaled @ self.weights[columns]
        return told

    def unwhiten(self, white: Floats) -> Floats:
        """Back to metres at every sensor."""
        metres = np.zeros(self.sensors)
        metres[self.used] = white @ self.back
        return metres


def relation(steps: Steps, stop: int, eras: Sequence[int]) -> Relation | None:
    """Learn from the fourteen days before step `stop`; `eras` are steps at which something changed suddenly."""
    start = max(0, stop - TRAIN)
    number = np.arange(start, stop)
    features, pressure = steps.features[start:stop], steps.pressure[start:stop]
    used = np.flatnonzero(np.isfinite(pressure).mean(axis=0) >= SEEN) if stop > start else np.empty(0, np.int64)
    clear = np.isfinite(features).all(axis=1) & np.isfinite(pressure[:, used]).all(axis=1)
    for era in eras:
        clear &= (number < era - 2) | (number > era)
    if not len(used) or clear.sum() < DAY:
        return None
    features, pressure, number = features[clear], pressure[clear][:, used], number[clear]
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    mean[0], scale[0] = 0.0, 1.0
    scaled = (features - mean) / scale
    own = scaled.shape[1]
    before = [(number < era)[:, None] * scaled[:, :2] for era in eras if start < era < stop]
    wide = np.concatenate([scaled, *before], axis=1)
    column = np.arange(wide.shape[1])
    ridge = len(wide) * np.diag(np.where(column >= own, ERA_RIDGE, np.where(column > 0, RIDGE, 0.0)))
    weights = np.linalg.solve(wide.T @ wide + ridge, wide.T @ pressure)
    remains = pressure - wide @ weights
    spread = remains.T @ remains / len(remains) + FLOOR_M**2 * np.eye(len(used))
    white: Floats = np.linalg.cholesky(np.linalg.inv(spread))
    back: Floats = np.asarray(np.linalg.inv(white), np.float64)
    return Relation(used, steps.pressure.shape[1], mean, scale, weights[:own], white, back)


def change(white: Floats, count: Ints, window: int) -> Floats:
    """Mean of the `window` rows that end before row `count`, less the mean of up to a day before them."""
    sums = np.concatenate([np.zeros((1, white.shape[1])), np.cumsum(white, axis=0)])
    before = np.maximum(count - window - DAY, 0)
    days = np.maximum(count - window - before, 1)[:, None]
    apart: Floats = (sums[count] - sums[count - window]) / window - (sums[count - window] - sums[before]) / days
    return apart


def same_hours(white: Floats, count: Ints, window: int) -> Floats:
    """Mean of the `window` rows that end before row `count`, less that of the same rows of the day before."""
    sums = np.concatenate([np.zeros((1, white.shape[1])), np.cumsum(white, axis=0)])
    apart: Floats = (sums[count] - sums[count - window] - sums[count - DAY] + sums[count - DAY - window]) / window
    return apart
