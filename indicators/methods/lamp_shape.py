"""The nights of a lighting cabinet side by side, and what the next one is expected to look like.

A night runs from noon to noon of the wall clock. Its shape is that of the nights before by the clock (dimming) or from
switching on (warming up), in each column the one on which these nights agree better; how far they disagree there says
how little a row of it weighs.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

NIGHTS, FEWEST = 8, 6  # that make the shape of a night
LIT, PARTLY, WHOLE = (
    0.25,
    0.03,
    0.9,
)  # of a night's usual power: the lighting is on; of the next row's: for a part, or all of it
SHOWN_MIN, LONG_MIN = 5.0, 7.5  # rows that show a step: of so long, at least two; of longer ones, one
COLD_MIN = 30.0  # after switching on
WARM_MIN = 60.0  # so long a night may be held against others by when they were switched on
EDGE = 0.05  # what changes more from row to row than this is not warming up, but the clock
EDGE_MIN = 4.0  # around such an edge, which is not always at the same minute
MISSED = 0.25  # of such an edge, and of what changes within a step, so much is not known
FOLLOWS = 2.5  # largest exponent of voltage
ALIKE = 0.02  # steps of power beyond are no answer to the voltage

Floats = np.ndarray[Any, np.dtype[np.float64]]
Whole = np.ndarray[Any, np.dtype[np.int64]]


@dataclass
class Grid:
    """The nights of a cabinet, from noon to noon, a column a step: logarithms of power and voltage, and their rows."""

    step: float  # minutes
    shown: int  # rows in a line that have to show a step: the last one may have been lit for a part of it
    power: Floats  # NaN where the lighting is off or unknown
    raw: Floats  # the same, as it was; never changed
    volts: Floats  # NaN where the voltage is unknown
    row: Whole  # -1 where there is none
    first: Whole  # column in which the lighting was switched on, -1 where nobody knows
    part: Floats  # of that step, during which it was on
    digit: float  # the smallest difference of two values of the first day, W

    @property
    def columns(self) -> int:
        """Steps of a day."""
        return int(self.power.shape[1])

    def steps(self, minutes: float) -> int:
        """How many steps so many minutes are, at least one."""
        return max(1, round(minutes / self.step))


@dataclass
class Shape:
    """What a night is expected to look like: in each column the value and how far nights differ there."""

    value: Floats
    unlike: Floats
    levels: Floats  # on which each of the nights before lies, in their order; NaN where unknown


def grid_of(rows: pl.DataFrame, step: float) -> Grid:
    """The nights of one cabinet's rows."""
    minutes = rows["local"].dt.epoch("us").to_numpy() / 6e7 - 720
    columns = round(1440 / step)
    place = np.floor(minutes / step - 0.5).astype(np.int64)
    place -= place[0] // columns * columns
    shape = (int(place.max()) // columns + 1, columns)
    power, volts, row = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, -1)
    power.ravel()[place] = np.maximum(rows["power_w"].to_numpy().astype(float), 0)
    mains = rows["voltage_v"].cast(pl.Float64).to_numpy()
    volts.ravel()[place] = np.log(np.where(mains > 0, mains, np.nan))
    row.ravel()[place] = np.arange(rows.height)
    shown = max(2, math.ceil(SHOWN_MIN / step)) if step <= LONG_MIN else 1
    digit = float(np.diff(np.unique(rows["power_w"].head(columns).to_numpy().round(3))).min(initial=np.nanmax(power)))
    first, part = _switched(power, shown)
    power = np.log(power)
    return Grid(step, shown, power, power.copy(), volts, row, first, part, digit)


def _switched(power: Floats, shown: int) -> tuple[Whole, Floats]:
    """When the lighting of each night was switched on, and for what part of that step; makes the rest NaN."""
    first, part = np.full(len(power), -1), np.full(len(power), np.nan)
    highest = np.array([np.quantile(one[there], 0.9) if (there := np.isfinite(one)).any() else np.nan for one in power])
    for number, night in enumerate(power):
        known = highest[max(0, number - NIGHTS) : max(number, 1)]
        lit = night > LIT * (np.nanmedian(known) if np.isfinite(known).any() else np.inf)
        on = int(lit.argmax()) if lit.any() else 0
        before, at, after, later = np.pad(night, (2, 3), constant_values=np.nan)[on : on + 4]
        if np.isfinite(before) and np.isfinite(at):
            early = at - before > PARTLY * after
            first[number] = on - early
            if shown > 1:  # one long row alone has to do, before the next is known
                part[number] = np.clip(((at if early else after) - before) / (later - before), 0, 1)
        night[~lit] = np.nan
        if shown == 1 or not after > WHOLE * later:
            night[on] = np.nan  # it was on for a part of it
    return first, part


def exponent_of(grid: Grid, night: int) -> float:
    """How power follows voltage from step to step, as the nights before show it."""
    past = slice(max(0, night - 2 * NIGHTS), night)
    power, volts = np.diff(grid.raw[past], axis=1), np.diff(grid.volts[past], axis=1)
    good = np.isfinite(power) & np.isfinite(volts) & (np.abs(power) < ALIKE)
    if good.sum() < grid.columns:
        return 0.0
    square = float((volts[good] ** 2).sum())
    return float(np.clip((power[good] * volts[good]).sum() / square, -FOLLOWS, FOLLOWS)) if square else 0.0


def free_of(grid: Grid, nights: slice, exponent: float) -> Floats:
    """Power without what it follows of the voltage."""
    mains = np.nan_to_num(grid.volts[nights] - np.log(230.0)) if exponent else 0.0
    return np.asarray(grid.power[nights] - exponent * mains, float)


def shape_of(grid: Grid, night: int, exponent: float) -> Shape | None:
    """What a night is expected to look like; None where too few nights before it are known."""
    past = free_of(grid, slice(max(0, night - NIGHTS), night), exponent)
    there = np.isfinite(past).sum(axis=1) >= grid.steps(120)
    if there.sum() < FEWEST:
        return None
    rough = _median(past[there])
    levels = np.full(len(past), np.nan)
    levels[there] = np.nanmedian((past - rough)[there], axis=1)
    level = past[there] - levels[there, None]
    value, unlike = _agreed(_warm(grid, level))
    unlike = np.maximum(unlike, MISSED * _edges(value, grid.steps(EDGE_MIN)))
    began, part = (one[max(0, night - NIGHTS) : night][there] for one in (grid.first, grid.part))
    _by_switch(grid, night, level, began, part, (value, unlike))
    return Shape(value, unlike, levels)


def _warm(grid: Grid, nights: Floats) -> Floats:
    """Nights without the time in which they warm up: by the clock it comes at another time tonight."""
    since = np.arange(grid.columns) - np.isfinite(nights).argmax(axis=1)[:, None]
    return np.where(since >= grid.steps(COLD_MIN), nights, np.nan)


def _by_switch(
    grid: Grid, night: int, nights: Floats, began: Whole, part: Floats, found: tuple[Floats, Floats]
) -> None:
    """In the first hour of light: put what nights agree on since they were switched on, where they agree better."""
    value, unlike = found
    lit = int(np.isfinite(grid.power[night]).argmax())
    unlike[lit : lit + grid.steps(COLD_MIN)] = np.nan
    on, told = int(grid.first[night]), (began >= 0) & np.isfinite(part)
    if on < 0 or not np.isfinite(grid.part[night]) or told.sum() < FEWEST:
        return
    hour = slice(on, on + grid.steps(WARM_MIN))
    parts = grid.part[night] - part[told]
    rows = np.arange(grid.steps(WARM_MIN))
    since = np.stack([
        _between(one, first + rows + later) for one, first, later in zip(nights[told], began[told], parts, strict=True)
    ])  # fmt: skip
    own, apart = _agreed(since)
    slope = np.abs(np.diff(own, prepend=np.nan))
    own, apart = own[: len(value) - on], np.where(slope > EDGE, np.nan, apart + MISSED * slope)[: len(value) - on]
    better = np.nan_to_num(apart, nan=np.inf) < np.nan_to_num(unlike[hour], nan=np.inf)
    value[hour], unlike[hour] = np.where(better, own, value[hour]), np.where(better, apart, unlike[hour])


def _edges(value: Floats, near: int) -> Floats:
    """How high the highest edge is within so many columns of each."""
    high = np.nan_to_num(np.abs(np.diff(value, prepend=np.nan)))
    padded = np.pad(np.where(high > EDGE, high, 0.0), (near, near + 1))
    return np.asarray(sliding_window_view(padded, 2 * near + 2).max(axis=1), float)


def _between(values: Floats, at: Floats) -> Floats:
    """Values between columns, in a straight line; after one that is not known that of the next."""
    left = np.clip(np.floor(at).astype(int), 0, len(values) - 2)
    before, after = values[left], values[left + 1]
    weight = np.where(np.isfinite(before), np.clip(at - left, 0, 1), 1.0)
    return np.asarray(np.nan_to_num(before) * (1 - weight) + np.where(weight > 0, after, 0.0) * weight, float)


def _median(nights: Floats) -> Floats:
    """The median of each column over the nights that have it; NaN where fewer than FEWEST do."""
    count = np.isfinite(nights).sum(axis=0)
    ordered = np.sort(nights, axis=0)  # NaN last
    columns = np.arange(nights.shape[1])
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, len(nights) - 1)
    return np.where(count >= FEWEST, (ordered[low, columns] + ordered[high, columns]) / 2, np.nan)


def _agreed(nights: Floats) -> tuple[Floats, Floats]:
    """The median of each column, and how far all nights but one lie from it there."""
    value = _median(nights)
    off = np.sort(np.nan_to_num(np.abs(nights - value), nan=-1.0), axis=0)
    unlike = np.where(np.isfinite(value), off[-2], np.nan)
    return value, unlike
