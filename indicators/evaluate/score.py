"""Alarms against events: matched one to one by time and asset, beside what the same number of random alarms would find.

The rules, so that a person can check them by hand:
 - an alarm is a rising edge: one within the refractory period of the last counted one of its asset is not counted;
 - an event can be found from its start less `before_h` to its start plus `after_h` (tolerance of its kind; without
   `after_h` to its end);
 - alarms are taken in the order of time; each takes, of the events of its asset that are still open and not found, the
   one whose time runs out first; an alarm that finds none is false;
 - the delay is the time from an event's start to its alarm, not below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
import polars as pl

from indicators.evaluate.dataset import Dataset

DRAWS, RESAMPLES, SEED = 500, 1000, 20260101
HOUR = 3600.0
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Window:
    """When an event can be found, in seconds."""

    asset: str
    kind: str
    start: float
    opens: float
    closes: float


@dataclass(frozen=True)
class Match:
    """Which alarm found which event: indices, and the delay in hours."""

    alarm: int
    event: int
    delay_h: float


def edges(found: pl.DataFrame, refractory_h: float) -> pl.DataFrame:
    """Rising edges of what a method found (columns asset, at): sorted by time, those within the period left out."""
    kept: list[int] = []
    last: dict[str, float] = {}
    ordered = found.sort("at", "asset", maintain_order=True)
    times = ordered["at"].dt.epoch("us").to_numpy() / 1e6
    for index, (asset, at) in enumerate(zip(ordered["asset"], times, strict=True)):
        if asset not in last or at - last[asset] >= refractory_h * HOUR:
            kept.append(index)
            last[asset] = float(at)
    return ordered[kept]


def windows(dataset: Dataset, events: pl.DataFrame, kinds: Sequence[str], end: float) -> list[Window]:
    """When each event of these kinds (all where none is named) can be found."""
    made = []
    for event in events.iter_rows(named=True):
        if kinds and event["kind"] not in kinds:
            continue
        tolerance = dataset.tolerance_of(event["kind"])
        start = event["start"].timestamp()
        over = event["end"].timestamp() if event["end"] is not None else end
        closes = over if tolerance.after_h is None else start + tolerance.after_h * HOUR
        closes = min(closes, over) if tolerance.until_end else closes
        made.append(Window(event["asset"], event["kind"], start, start - tolerance.before_h * HOUR, closes))
    return made


def match(assets: Sequence[str], times: Floats, events: Sequence[Window]) -> list[Match]:
    """Match alarms (sorted by time) to events, one to one."""
    coming: dict[str, list[int]] = {}  # of each asset, the last to open first
    for index in sorted(range(len(events)), key=lambda i: events[i].opens, reverse=True):
        coming.setdefault(events[index].asset, []).append(index)
    open_: dict[str, list[tuple[float, float, int]]] = {asset: [] for asset in coming}  # heaps by when time runs out
    made = []
    for alarm, (asset, at) in enumerate(zip(assets, times.tolist(), strict=True)):
        later, mine = coming.get(asset, []), open_.get(asset, [])
        while later and events[later[-1]].opens <= at:
            index = later.pop()
            heappush(mine, (events[index].closes, events[index].start, index))
        while mine and mine[0][0] < at:
            heappop(mine)
        if mine:
            event = heappop(mine)[2]
            made.append(Match(alarm, event, max(0.0, at - events[event].start) / HOUR))
    return made


@dataclass(frozen=True)
class Span:
    """How long an asset was watched, in seconds."""

    asset: str
    first: float
    last: float


def spans(series: pl.DataFrame) -> list[Span]:
    """The time that each asset was watched."""
    ends = series.group_by("asset", maintain_order=True).agg(
        first=pl.col("at").min().dt.epoch("us") / 1e6, last=pl.col("at").max().dt.epoch("us") / 1e6
    )
    return [Span(*row) for row in ends.iter_rows()]


def null(number: int, watched: Sequence[Span], events: Sequence[Window]) -> float:
    """How many events so many alarms at random times of random assets (by their time) find on average."""
    if not number or not events:
        return 0.0
    chance = np.random.default_rng(SEED)
    length = np.array([span.last - span.first for span in watched])
    share = length / length.sum() if length.sum() else np.full(len(watched), 1 / len(watched))
    found = 0
    for _ in range(DRAWS):
        which = chance.choice(len(watched), number, p=share)
        at = np.array([watched[i].first for i in which]) + chance.random(number) * length[which]
        order = np.argsort(at, kind="stable")
        found += len(match([watched[i].asset for i in which[order]], at[order], events))
    return found / DRAWS


def intervals(events: int, found: Sequence[int], false: int) -> dict[str, list[float] | None]:
    """95 % of recall, precision and F1 when the events are drawn again and again from those there were."""
    if not events:
        return {"recall": None, "precision": None, "f1": None}
    chance = np.random.default_rng(SEED)
    was = np.zeros(events)
    was[list(found)] = 1
    drawn = was[chance.integers(0, events, (RESAMPLES, events))].sum(axis=1)
    recall = drawn / events
    precision = np.divide(drawn, drawn + false, out=np.zeros(RESAMPLES), where=drawn + false > 0)
    f1 = 2 * drawn / (drawn + false + events)
    return {
        name: [round(float(q), 4) for q in np.quantile(values, (0.025, 0.975))]
        for name, values in (("recall", recall), ("precision", precision), ("f1", f1))
    }


def ratio(above: float, below: float) -> float | None:
    """A share, or None where there is nothing to have a share of."""
    return round(above / below, 4) if below else None


def f1(precision: float | None, recall: float | None) -> float | None:
    """The harmonic mean of precision and recall."""
    if precision is None or recall is None:
        return None
    return round(2 * precision * recall / (precision + recall), 4) if precision + recall else 0.0


def quantile(values: Sequence[float], q: float) -> float | None:
    """A quantile of delays, or None of none."""
    return round(float(np.quantile(values, q)), 2) if values else None
