"""What is usual in a district: a forecast of each hour, what it leaves, and how such remainders go together.

Hours are those of the wall clock, so that a week ago is the same hour of the same weekday also where the clock was
changed. All that is learned is carried on from day to day and forgets slowly; nothing looks behind the day before.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter

Floats = np.ndarray[Any, np.dtype[np.float64]]

DAY = 24
LAGS = (24, 48, 72, 96, 120, 144, 168, 336, 504)  # hours: the days of a week, and its weekday of three weeks
FIRST = 14  # days with all lags that the first forecast is learned from
HALF_DAYS = 30.0  # what is learned forgets its half
RIDGE = 0.02  # towards the plain mean of the lags
OTHERS_RIDGE = 0.1  # towards what other districts do saying nothing
OTHERS_FIRST = 28  # days
CORRELATION_DAYS = 90.0
RECENT_DAYS = 14.0  # half-life of how restless the district is of late
WINDOW = 72  # hours: a burst's day, and the two before that say where the level was
CLIP = 4.0  # deviations: one hour of flushing says nothing on the others
NUGGET = 0.02
OF_MEAN = 1.2533  # a normal deviation, of the mean absolute one


@dataclass(frozen=True)
class Usual:
    """At each hour of the wall clock, for one district."""

    left: Floats  # what the forecast left; NaN where nothing was measured or could be forecast
    spread: Floats  # its deviation, as it was known the day before
    mean: Floats  # flow of the weeks before
    inverse: Floats  # of the correlation of WINDOW successive remainders, for each week


def usual(flows: Floats) -> list[Usual]:
    """Learn the districts of a town from their flows (hours of the wall clock from a midnight on, districts)."""
    pairs = [_forecast(flows[:, one]) for one in range(flows.shape[1])]
    left = np.stack([pair[0] for pair in pairs], axis=1)
    if flows.shape[1] > 1:
        left = _without_common(left)
    return [_spread(left[:, one], pairs[one][1]) for one in range(flows.shape[1])]


class _Learned:
    """A ridge regression that is carried on by rows, forgets, and lets hours that were far off count less."""

    def __init__(self, size: int, ridge: float, towards: Floats) -> None:
        self.count, self.ridge, self.towards = 0.0, ridge, towards
        self.sum, self.square = np.zeros(size + 1), np.zeros((size + 1, size + 1))
        self.far = 0.0  # running mean of absolute errors
        self.weight, self.middle = towards, np.zeros(size + 1)

    def forecast(self, past: Floats) -> Floats:
        told: Floats = self.middle[-1] + (past - self.middle[:-1]) @ self.weight
        return told

    def learn(self, past: Floats, now: Floats) -> None:
        rows = np.column_stack([past, now])
        error = np.abs(now - self.forecast(past)) if self.count else np.zeros(len(now))
        held = 1 / np.maximum(1, error / (2.5 * self.far)) if self.far else np.ones(len(now))
        keep = 0.5 ** (len(now) / DAY / HALF_DAYS)
        self.count = keep * self.count + held.sum()
        self.sum = keep * self.sum + held @ rows
        self.square = keep * self.square + (rows * held[:, None]).T @ rows
        if error.any():
            share = min(0.05 * len(now) / DAY, 1.0) if self.far else 1.0
            self.far += share * (float((held * error).sum() / held.sum()) - self.far)
        self.middle = self.sum / self.count
        spread = self.square - self.count * np.outer(self.middle, self.middle)
        own = spread[:-1, :-1] + np.diag(self.ridge * np.diag(spread)[:-1] + 1e-9 * self.count)
        self.weight = self.towards + np.linalg.solve(own, spread[:-1, -1] - spread[:-1, :-1] @ self.towards)


def _forecast(flow: Floats) -> tuple[Floats, Floats]:
    """What a forecast from the same hour of earlier days leaves of each hour, and the mean flow known by then."""
    left, mean = np.full(len(flow), np.nan), np.full(len(flow), np.nan)
    there = np.isfinite(flow)
    begin = int(there.argmax()) // DAY * DAY + LAGS[-1] if there.any() else len(flow)
    if begin >= len(flow):
        return left, mean
    whole = _filled(flow, begin - LAGS[-1])
    past = np.stack([np.concatenate([np.full(lag, np.nan), whole[:-lag]]) for lag in LAGS], axis=1)
    learned = _Learned(len(LAGS), RIDGE, np.full(len(LAGS), 1 / len(LAGS)))
    for start in range(begin, len(flow), DAY):
        day = np.arange(start, min(start + DAY, len(flow)))
        mean[day] = learned.middle[-1]
        if start >= begin + FIRST * DAY:
            left[day] = np.where(there[day], flow[day] - learned.forecast(past[day]), np.nan)
        day = day[there[day]]
        if len(day):
            learned.learn(past[day], flow[day])
    return left, mean


def _filled(flow: Floats, begin: int) -> Floats:
    """Gaps take the value of a week before."""
    whole = flow.copy()
    week = whole[begin : begin + 168]
    whole[begin : begin + 168] = np.where(np.isfinite(week), week, np.nanmean(week))
    for hour in begin + np.flatnonzero(~np.isfinite(whole[begin:])):
        whole[hour] = whole[hour - 168]
    return whole


def _without_common(left: Floats) -> Floats:
    """Take away what the remainders of the other districts at the same hour say: weather and habits of all."""
    bound = np.nan_to_num(CLIP * OF_MEAN * _carried(np.abs(left), HALF_DAYS))
    told = np.nan_to_num(np.clip(left, -bound, bound))
    found = left.copy()
    others_of = [np.delete(told, one, axis=1) for one in range(left.shape[1])]
    for one, others in enumerate(others_of):
        rows = np.flatnonzero(np.isfinite(left[:, one]))
        if not len(rows):
            continue
        learned = _Learned(others.shape[1], OTHERS_RIDGE, np.zeros(others.shape[1]))
        begin = int(rows[0]) // DAY * DAY
        for start in range(begin, len(left), DAY):
            day = np.arange(start, min(start + DAY, len(left)))
            if start >= begin + OTHERS_FIRST * DAY:
                found[day, one] = left[day, one] - learned.forecast(others[day])
            day = day[np.isfinite(left[day, one])]
            if len(day):
                learned.learn(others[day], left[day, one])
    return found


def _carried(values: Floats, half_days: float) -> Floats:
    """Running mean by days that forgets, as it was known the day before, for each hour; gaps say nothing."""
    shape = (len(values), -1)
    flat = values.reshape(shape)
    days = -(-len(flat) // DAY)
    padded = np.full((days * DAY, flat.shape[1]), np.nan)
    padded[: len(flat)] = flat
    by_day = padded.reshape(days, DAY, -1)
    keep = [1.0, -(0.5 ** (1 / half_days))]
    total = lfilter([1.0], keep, np.nansum(by_day, axis=1), axis=0)
    count = lfilter([1.0], keep, np.isfinite(by_day).sum(axis=1).astype(float), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.concatenate([np.full((1, flat.shape[1]), np.nan), (total / count)[:-1]])
    told: Floats = np.repeat(mean, DAY, axis=0)[: len(flat)].reshape(values.shape)
    return told


def _spread(left: Floats, mean: Floats) -> Usual:
    """How far remainders go by the hour of the day and of late, and how those of successive hours go together."""
    count = len(left)
    days = -(-count // DAY)
    hours = np.full(days * DAY, np.nan)
    hours[:count] = left
    by_hour = hours.reshape(days, DAY)
    plain = OF_MEAN * _carried(np.abs(left), HALF_DAYS)
    own = np.full((days, DAY), np.nan)
    for hour in range(DAY):
        absolute = np.full(days * DAY, np.nan)
        absolute[hour::DAY] = np.abs(by_hour[:, hour])
        own[:, hour] = OF_MEAN * _carried(absolute, HALF_DAYS)[::DAY]
    size = np.maximum(own.reshape(-1)[:count], 0.3 * plain)
    units = np.clip(left / size, -CLIP, CLIP)
    restless = OF_MEAN * _carried(np.abs(units), RECENT_DAYS)
    return Usual(left, size * restless, mean, _inverses(units))


def _inverses(units: Floats) -> Floats:
    """For each week: the inverse of the correlation of a window, of remainders in their own units, as known then."""
    padded = np.concatenate([np.full(WINDOW - 1, np.nan), units])
    windows = sliding_window_view(padded, WINDOW)[:, ::-1]
    products = windows * units[:, None]
    told = _carried(products, CORRELATION_DAYS)[:: 7 * DAY]
    inverses = np.full((len(told), WINDOW, WINDOW), np.nan)
    apart = np.abs(np.arange(WINDOW)[:, None] - np.arange(WINDOW))
    for week, shares in enumerate(told):
        if np.isfinite(shares).all() and shares[0] > 0:
            own = (shares / shares[0])[apart]
            values, vectors = np.linalg.eigh(own)
            inverses[week] = (vectors / np.maximum(values, NUGGET)) @ vectors.T
    return inverses
