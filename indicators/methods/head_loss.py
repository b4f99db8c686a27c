"""Head losses of a district at its inflow: what stays the same while people draw more or less, and what a leak shifts.

A head loss grows with the flow to the power 1.852; what people draw multiplies all flows alike, season and weather too,
so the losses divided by that power stay the same. A leak takes its water at one place: it shifts them against another.
Where pressure is short people get what there is, not what they want: only hours with pressure at all sensors count.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

STEP_S = 1800
DAY = 86400 // STEP_S
WEEK = 7 * DAY
LEARN = 14 * DAY  # two of each slot of the week
POWER = 1.852  # Hazen-Williams
PRESSURE_M = 15.0  # with less, what is drawn follows the pressure
SHARE = 0.2  # of the steps in which a sensor must have it to be used
LOSS = 0.1  # of its usual head loss: with less there is nothing to measure
PAIRS = 10  # steps a week apart, for each sensor, that say what always remains
LEAST = 4  # steps of a mean that must count
TWO = 2  # one sensor alone shifts against nothing

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Steps:
    """Half hours without a gap between them."""

    at: Ints  # end, seconds since 1970
    slot: Ints  # of the local week
    flow: Floats
    pressure: Floats
    sensors: list[str]


def laid(part: pl.DataFrame) -> Steps | None:
    """Lay the series of one district out; None where it has fewer than two pressures, or no inflow."""
    part = part.with_columns(step=(pl.col("at").dt.epoch("s") - 1) // STEP_S)
    if "sensors" in part.columns:
        long = part.select("step", sensor="sensors", metres="pressures").explode("sensor", "metres")
    else:
        names = [name for name in part.columns if name.startswith("pressure_")]
        told = part.select("step", *(pl.col(name).cast(pl.Float64).alias(name[9:]) for name in names))
        long = told.unpivot(index="step", variable_name="sensor", value_name="metres")
    long = long.drop_nulls().group_by("step", "sensor").agg(pl.col("metres").mean()).sort("sensor")
    sensors = long["sensor"].unique(maintain_order=True).to_list()
    if len(sensors) < TWO or part["flow_m3h"].is_null().all():
        return None
    first, count = int(part["step"][0]), int(part["step"][-1] - part["step"][0]) + 1
    ahead = np.zeros(count, np.int64)  # of local time over UTC; a gap keeps that before it
    own = part["step"].to_numpy() - first
    ahead[own] = (part["local"].dt.epoch("s").to_numpy() - part["at"].dt.epoch("s").to_numpy()) // STEP_S
    known = np.zeros(count, np.int64)
    known[own] = own
    step = np.arange(first, first + count)
    inflow = part.group_by("step").agg(pl.col("flow_m3h").cast(pl.Float64).mean())
    flow = np.full(count, np.nan)
    flow[inflow["step"].to_numpy() - first] = inflow["flow_m3h"].fill_null(np.nan).to_numpy()
    pressure = np.full((count, len(sensors)), np.nan)
    column = long["sensor"].replace_strict(sensors, range(len(sensors)), return_dtype=pl.Int64).to_numpy()
    pressure[long["step"].to_numpy() - first, column] = long["metres"].to_numpy()
    return Steps((step + 1) * STEP_S, (step + ahead[np.maximum.accumulate(known)]) % WEEK, flow, pressure, sensors)


@dataclass(frozen=True)
class Losses:
    """Logarithms of head losses divided by the power of the flow, whitened; a step that is not `clear` says nothing."""

    sensors: list[str]
    clear: Bools
    told: Floats
    back: Floats  # from whitened to each sensor's relative change
    spread: Floats  # covariance of a step, before it is whitened
    weight: Floats  # how much of a leak shows: its flow follows the root of the pressure
    log_flow: Floats
    flow_sd: float  # of a step


def losses(steps: Steps) -> Losses | None:
    """Learn heads at no flow, and what always remains, from the first two weeks; None where those do not tell."""
    flow, pressure = steps.flow, steps.pressure
    mean = float(np.nanmean(flow[:LEARN])) if np.isfinite(flow[:LEARN]).any() else 0.0
    used = np.flatnonzero((pressure[:LEARN] > PRESSURE_M).mean(axis=0) >= SHARE)
    if len(flow) <= LEARN or mean <= 0 or len(used) < TWO:
        return None
    pressure = pressure[:, used]
    clear = (pressure > PRESSURE_M).all(axis=1) & (flow > 0)
    relative = np.where(clear, flow / mean, 1.0)
    early = clear[:LEARN]
    if early.sum() < DAY:
        return None
    terms = np.stack([np.ones(LEARN), relative[:LEARN] ** POWER], axis=1)[early]
    head, slope = np.linalg.lstsq(terms, pressure[:LEARN][early], rcond=None)[0]
    falls = slope < 0
    loss = (head - pressure)[:, falls] / -slope[falls]
    clear &= (loss > LOSS).all(axis=1)
    told = np.log(np.where(clear[:, None], loss, 1.0)) - POWER * np.log(relative)[:, None]
    pairs = np.flatnonzero(clear[WEEK:LEARN] & clear[: LEARN - WEEK]) + WEEK
    if falls.sum() < TWO or len(pairs) < PAIRS * falls.sum():
        return None
    spread = _spread(told[pairs] - told[pairs - WEEK], pairs // DAY)
    white = np.linalg.cholesky(np.linalg.inv(spread))
    shows = np.sqrt(np.where(clear, pressure.mean(axis=1), 0.0)) / relative
    log_flow = np.log(relative)
    return Losses(
        sensors=[steps.sensors[number] for number in used[falls]],
        clear=clear,
        told=told @ white,
        back=np.linalg.inv(white),
        spread=spread,
        weight=shows / np.sqrt((shows[:LEARN][clear[:LEARN]] ** 2).mean()),
        log_flow=log_flow,
        flow_sd=float((log_flow[pairs] - log_flow[pairs - WEEK]).std() / np.sqrt(2)),
    )


def _spread(apart: Floats, day: Ints) -> Floats:
    """Covariance of a step: of differences to the week before, less what a whole day has in common."""
    for one in np.unique(day):
        apart[day == one] -= apart[day == one].mean(axis=0)
    return apart.T @ apart / max(len(apart) - len(np.unique(day)), 1) / 2 + 1e-8 * np.eye(apart.shape[1])


class Means:
    """Means of what remains over any steps, each step weighted by how much a leak shows in it."""

    def __init__(self, left: Floats, weight: Floats, first: int) -> None:
        """`left` and `weight` (0: does not count) from step `first` on."""
        self.first = first
        self._sums = np.concatenate([np.zeros((1, left.shape[1])), np.cumsum(left * weight[:, None], axis=0)])
        self._weight = np.concatenate([[0.0], np.cumsum(weight**2)])
        self._plain = np.concatenate([[0.0], np.cumsum(weight)])
        self._count = np.concatenate([[0], np.cumsum(weight > 0)])

    def over(self, begin: Ints, end: Ints) -> tuple[Floats, Floats, Bools]:
        """Give mean, its weight (as many steps of weight one) and whether enough steps count: rows [begin, end)."""
        begin, end = np.clip(begin - self.first, 0, None), np.clip(end - self.first, 0, None)
        begin = np.minimum(begin, end)
        weight = self._weight[end] - self._weight[begin]
        enough = (self._count[end] - self._count[begin] >= LEAST) & (weight >= 1)
        weight = np.maximum(weight, 1e-9)
        return (self._sums[end] - self._sums[begin]) / weight[:, None], weight, enough

    def usual(self, begin: int, end: int) -> float:
        """Give the mean of the weights of the steps that count."""
        begin, end = max(begin - self.first, 0), end - self.first
        return float((self._plain[end] - self._plain[begin]) / max(self._count[end] - self._count[begin], 1))
