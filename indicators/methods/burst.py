"""Bursts of a district within the day: its last 24 hours against what it and its neighbours let expect.

What a forecast leaves of each hour is held against a constant flow that began a day ago, by the correlation that such
remainders have (a matched filter). The score says how much likelier a burst of 5 % of the mean flow is than none, so a
restless district has to show more, and a steady one is not called for less than half of that.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from indicators.method import FOUND, Assets, nothing
from indicators.methods.burst_usual import DAY, WINDOW, Usual, usual
from indicators.methods.inflow import Floats, Ints, hourly

COLUMNS = ("flow_m3h", "stored_m3")
SIZE = 0.05  # of the mean flow: what is looked for
LEAST_M3H = 0.5
BAR = 4.8  # log of how much likelier a burst is
OVER = 0.4  # share of the bar below which the next crossing is another burst
BEGAN = tuple(range(3, 25))  # hours ago, once it is known that there is one
LEARN_DAYS = 28  # of remainders
HOURS = 18  # of 24 must be there, and the last six
CLIP = 6.0  # deviations: one hour of flushing is no burst
BACK, BACK_H = 0.6, 12  # so much of its flow gone for so many hours: it is over
FOLLOW_DAYS = 7  # then it is what the district draws, and the alarm that goes on is its leak's
SERIOUS_M3H = 5.0
CHART_H = 48


@dataclass(frozen=True)
class Town:
    """Flows by hours of the wall clock (rows) and districts (columns)."""

    names: list[str]
    flow: Floats
    ends: Ints  # hours since 1970 at which each row ended in UTC; 0 where no district was measured


@dataclass(frozen=True)
class Looks:
    """At each look, the end of hour `hour`: flow of a step that began 24 h before (m3/h), and its error."""

    hour: Ints
    flow: Floats
    error: Floats
    size: Floats  # of what is looked for

    def score(self, at: int, told: float = 0.0) -> float:
        """How much likelier a burst of that size is than none, beside one of `told` that still goes on."""
        size = self.size[at]
        return float(size * (self.flow[at] - told - size / 2) / self.error[at] ** 2)


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:
    """Find bursts in series of flow (m3/h) by district; `stored_m3` is what its tanks hold.

    Districts of one series are neighbours: what they have in common is taken away.
    """
    del assets
    if series.is_empty():
        return nothing()
    town = _town(series)
    rows = [row for number, one in enumerate(usual(town.flow)) for row in _Watch(town, number, one).run()]
    return pl.DataFrame(rows, schema=FOUND, orient="row") if rows else nothing()


def _town(series: pl.DataFrame) -> Town:
    names, hours = [], []
    for (name,), part in series.group_by("asset", maintain_order=True):
        told = hourly(part)
        if len(told.flow):
            utc = told.first + np.arange(len(told.flow))
            ahead = (told.of_week - utc - 72 + 84) % 168 - 84  # of the wall clock; 1970 began on a Thursday
            wall, first = np.unique(utc + ahead, return_index=True)  # of an hour that comes twice the first
            names.append(str(name))
            hours.append((wall, utc[first] + 1, told.flow[first]))
    if not names:
        return Town([], np.empty((0, 0)), np.empty(0, np.int64))
    begin = min(int(wall[0]) for wall, _, _ in hours) // DAY * DAY
    count = max(int(wall[-1]) for wall, _, _ in hours) - begin + 1
    flow, ends = np.full((count, len(names)), np.nan), np.zeros(count, np.int64)
    for column, (wall, end, values) in enumerate(hours):
        flow[wall - begin, column] = values
        ends[wall - begin] = end
    return Town(names, flow, ends)


class _Watch:
    """Looks at one district hour by hour; at nothing behind that hour."""

    def __init__(self, town: Town, number: int, told: Usual) -> None:
        self.name, self.flow, self.ends, self.told = town.names[number], town.flow[:, number], town.ends, told
        units = np.clip(told.left / told.spread, -CLIP, CLIP)
        self.there = np.isfinite(units)
        self.units = sliding_window_view(np.nan_to_num(units), WINDOW) if len(units) >= WINDOW else None
        self.scale = np.where(self.there, 1 / told.spread, 0.0)

    def run(self) -> Iterator[dict[str, Any]]:
        looks = self._looks()
        on, last, told = False, -DAY, 0.0
        over: int | None = -1
        for at, hour in enumerate(looks.hour):
            if over is not None and hour > over:
                told = 0.0
            if not on and looks.score(at, told) > BAR:
                on = True
                if hour >= last + DAY:  # before that, the day looked at holds the one told
                    last = int(hour)
                    told, over, row = self._row(looks, at)
                    yield row
            elif looks.score(at) < OVER * BAR:
                on = False

    def _looks(self) -> Looks:
        hours = self._when()
        if self.units is None or not len(hours):
            return Looks(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))
        flow, error = np.empty(len(hours)), np.empty(len(hours))
        weeks = hours // (7 * DAY)
        for week in np.unique(weeks):
            mine = weeks == week
            flow[mine], error[mine] = self._fit(hours[mine], DAY)
        return Looks(hours, flow, error, np.maximum(SIZE * self.told.mean[hours], LEAST_M3H))

    def _when(self) -> Ints:
        if not self.there.any():
            return np.empty(0, np.int64)
        hours = np.arange(max(int(self.there.argmax()) + LEARN_DAYS * DAY, WINDOW), len(self.there))
        known = np.concatenate([[0], np.cumsum(self.there)])
        told = (known[hours + 1] - known[hours + 1 - DAY] >= HOURS) & (known[hours + 1] - known[hours - 5] == 6)  # noqa: PLR2004
        usable = np.isfinite(self.told.inverse[:, 0, 0])
        chosen: Ints = hours[told & usable[hours // (7 * DAY)]]
        return chosen

    def _fit(self, hours: Ints, began: int) -> tuple[Floats, Floats]:
        """Flow (m3/h), and its error, of steps that began so many hours before the ends of these hours of a week."""
        assert self.units is not None  # noqa: S101 - asked before
        first = hours - WINDOW + 1
        shape = sliding_window_view(self.scale, WINDOW)[first] * (np.arange(WINDOW) >= WINDOW - began)
        held = shape @ self.told.inverse[hours[0] // (7 * DAY)]
        power = (held * shape).sum(axis=1)
        return (held * self.units[first]).sum(axis=1) / power, power**-0.5

    def _row(self, looks: Looks, at: int) -> tuple[float, int | None, dict[str, Any]]:
        known = int(looks.hour[at])
        fits = [tuple(float(part[0]) for part in self._fit(looks.hour[at : at + 1], began)) for began in BEGAN]
        best = int(np.argmax([flow / error for flow, error in fits]))
        began, (size, error) = known - BEGAN[best], fits[best]
        over, first = self._over(known, began, size), size
        later = looks.hour[(looks.hour > known) & (looks.hour <= began + DAY)]
        if len(later):  # by now it is known better
            size, error = (float(part[0]) for part in self._fit(later[-1:], int(later[-1]) - began))
        return first, over, self._told(known, began, over, size, error, looks.score(at))

    def _over(self, known: int, began: int, size: float) -> int | None:
        """The hour in which most of it was gone, against the same hours of the weeks before it; None: not yet."""
        hours = np.arange(began + 1, min(known + FOLLOW_DAYS * DAY, len(self.flow) - 1) + 1)
        before = hours - 168 * -(-(hours - began) // 168)
        more = self.flow[hours] - _mean(np.stack([self.flow[before - back] for back in (0, 168, 336)], axis=1))
        since = np.concatenate([np.full(BACK_H - 1, np.nan), _mean(sliding_window_view(more, BACK_H))])
        gone = since < _mean(more[None, : known - began])[0] - BACK * size
        gone[: known - began] = False
        if gone.any():
            return int(hours[gone.argmax()])
        return int(hours[-1]) if len(self.flow) > known + FOLLOW_DAYS * DAY else None

    def _told(
        self, known: int, began: int, over: int | None, size: float, error: float, score: float
    ) -> dict[str, Any]:
        end = over if over is not None else len(self.flow) - 1
        since, until = self._moment(began), self._moment(end)
        size, low, high = max(size, 0.0), max(size - 2 * error, 0.0), size + 2 * error
        chart = self.flow[max(known - CHART_H + 1, 0) : end + 1][:96]
        evidence = {
            "baseline_m3h": round(float(self.told.mean[known]), 2),
            "now_m3h": round(size, 2),
            "low_m3h": round(low, 2),
            "high_m3h": round(high, 2),
            "litres_per_hour_low": round(1000 * low, 1),
            "litres_per_hour_high": round(1000 * high, 1),
            "hours": known - began,
            "score": round(score, 1),
            "chart": [round(float(value), 2) if np.isfinite(value) else None for value in chart],
        }
        return {
            "asset": self.name,
            "since": since,
            "at": self._moment(known),
            "until": until if over is not None else None,
            "severity": "critical" if size >= SERIOUS_M3H else "warning",
            "litres_per_hour": round(1000 * size, 1),
            "volume_m3": round(size * ((until - since) / timedelta(hours=1)), 2),
            "confidence": round(1 - float(np.exp(-score / 4)) * 0.5, 2),
            "evidence": json.dumps(evidence),
        }

    def _moment(self, hour: int) -> datetime:
        while not self.ends[hour]:  # nobody measured it
            hour -= 1
        return datetime.fromtimestamp(int(self.ends[hour]) * 3600, UTC)


def _mean(values: Floats) -> Floats:
    """Of each row, of what is known; NaN where that is less than half."""
    there = np.isfinite(values)
    share = there.mean(axis=1)
    mean: Floats = np.where(share >= 0.5, np.nan_to_num(values).mean(axis=1) / np.maximum(share, 0.5), np.nan)  # noqa: PLR2004 - half
    return mean
