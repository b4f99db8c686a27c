"""Leaks of a district fed from one side, and how long each lasts: head losses that no longer go with the inflow.

Each head loss at its inflow (head_loss.py) is held against its own slot of the week and the level of the weeks before,
and averaged over hours and days. Who takes water at one place can lower them only so far: a leak is not its end.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from indicators.method import FOUND, Assets, nothing
from indicators.methods.head_loss import (
    DAY,
    LEARN,
    LEAST,
    POWER,
    STEP_S,
    WEEK,
    Bools,
    Floats,
    Ints,
    Losses,
    Means,
    Steps,
    laid,
    losses,
)

# And pressure_NAME (metres) of two sensors or more, or lists `sensors` and `pressures`.
COLUMNS = ("flow_m3h",)
BACK, GAP = 28 * DAY, 2 * DAY  # the usual level is that of the days between: what grows slowly is not learned at once
KNOWN = 3  # slots of the same time of day that must have been seen
WINDOWS = ((6, 11.5), (16, 11.5), (DAY, 9.5), (4 * DAY, 9.5))  # steps, and the score that is a change
DRIFT = 0.02  # variance (in units of a step's) by which the usual level may have moved by itself
LOST = {DAY: 0.5, 4 * DAY: 1.3}  # scores at which nothing is left of it; the day's only while it is young
YOUNG = 3 * DAY
WAIT = 4  # steps (or half a window) in which an end is seen before it is judged
FELL = 0.5  # of the change must go at once for an end
# A second leak is still there where what is left has a score of SOME and is more than SMALL of what was, and either
# what went is not like what came (ALIKE; if that has a score of SURE) or more is left than REST of it and than WANDER.
SURE, SOME, SMALL, ALIKE, REST = 40.0, 4.0, 0.1, 0.6, 0.15
WANDER = 0.025  # a day: so far a level may move by itself (in units of a step's)
AGAIN = 7 * DAY  # for so long it is asked again whether more flows in or less
FEWER = 2.0  # standard deviations by which less is likelier than more
SEASON = 0.0007  # a day: so much may the growth of the flow over a week change by itself


@dataclass
class _Leak:
    at: int
    window: int
    score: float
    change: Floats  # relative, of each head loss at its flow
    more: float  # relative, of the flow
    until: int | None = None
    moved: int = 0  # the step since which its size is followed
    level: Floats = field(default_factory=lambda: np.empty(0))
    single: bool = True
    came: Floats = field(default_factory=lambda: np.empty(0))  # as it was in its first days
    sure: bool = False  # that is known well
    small: float = 0.0  # what is left when another has ended was no leak if it proves to be smaller


@dataclass(frozen=True)
class _End:
    at: int
    window: int
    was: Floats
    left: Floats
    score: float  # of what is left


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find leaks in series of inflow (m3/h) and pressures (m) of districts."""
    rows: list[dict[str, Any]] = []
    for (name,), part in series.group_by("asset", maintain_order=True):
        steps = laid(part)
        seen = losses(steps) if steps is not None else None
        if steps is not None and seen is not None:
            rows += _rows(str(name), steps, seen)
    return pl.DataFrame(rows, schema=FOUND, orient="row") if rows else nothing()


class _Watch:
    """One district in time."""

    def __init__(self, slot: Ints, losses: Losses) -> None:
        self.slot = slot
        self.losses = losses
        self.leaks: list[_Leak] = []
        self.open: _Leak | None = None
        self.begun = 0  # of the time after the last change
        self.clean = losses.clear.copy()  # steps that teach
        self.clean[LEARN:] = False
        sensors = losses.told.shape[1]
        self.sums, self.seen = np.zeros((WEEK, sensors)), np.zeros(WEEK)
        self.level, self.level_of, self.edge = np.zeros(sensors), 0, 0
        first = np.flatnonzero(self.clean[:LEARN])
        self._teach(first, losses.told[first].mean(axis=0))

    def run(self) -> list[_Leak]:
        """Day by day."""
        count = len(self.slot)
        for start in range(LEARN, count, DAY):
            stop = min(start + DAY, count)
            self._day(start, stop)
            if self.open is None:
                rows = np.arange(max(start, self.begun), stop)
                self.clean[rows] = self.losses.clear[rows]
        return self.leaks

    def _teach(self, rows: Ints, level: Floats) -> None:
        np.add.at(self.sums, self.slot[rows], self.losses.told[rows] - level)
        np.add.at(self.seen, self.slot[rows], 1)

    def _profile(self) -> tuple[Floats, Bools]:
        """Each slot of the week, drawn to its time of day by as much as one week says; and those that are known."""
        by_day, seen = self.sums.reshape(7, DAY, -1).sum(axis=0), self.seen.reshape(7, DAY).sum(axis=0)
        usual = np.tile(by_day / np.maximum(seen, 1)[:, None], (7, 1))
        return (self.sums + usual) / (self.seen + 1)[:, None], np.tile(seen >= KNOWN, 7)

    def _day(self, start: int, stop: int) -> None:
        profile, known = self._profile()
        low = max(0, start - BACK - GAP)
        slot = self.slot[low:stop]
        good = self.losses.clear[low:stop] & known[slot]
        left = np.where(good[:, None], self.losses.told[low:stop] - profile[slot], 0.0)
        if self.open is None:
            begin = max(self.begun, start - BACK)
            self.edge = min(start, max(start - GAP, begin + DAY))
            use = (self.clean[low:stop] & good)[begin - low : self.edge - low]
            self.level_of = int(use.sum())
            if self.level_of < 2 * LEAST:
                return
            self.level = left[begin - low : self.edge - low][use].mean(axis=0)
        means = Means(
            np.where(good[:, None], left - self.level, 0.0), np.where(good, self.losses.weight[low:stop], 0.0), low
        )
        at = np.arange(start, stop)[good[start - low :]]
        if self.open is not None:
            self._go_on(self.open, means, at, start)
            return
        found = self._begins(means, at)
        if found is not None:
            self._changed(found)
        learned = np.arange(max(start - GAP, self.begun, LEARN), start - GAP + DAY)
        if self.open is None and len(learned):
            self._teach(learned[self.clean[learned]], self.level)

    def _score(self, mean: Floats, weight: Floats, of: Floats | float) -> Floats:
        """How far the mean lies beyond what chance gives: 0 is usual, one standard deviation of chance is 1."""
        size = (mean**2).sum(axis=1) / (1 / weight + 1 / of + DRIFT)
        told: Floats = (size - mean.shape[1]) / np.sqrt(2 * mean.shape[1])
        return told

    def _begins(self, means: Means, at: Ints) -> _Leak | None:
        first: _Leak | None = None
        for window, least in WINDOWS:
            mean, weight, enough = means.over(np.maximum(at + 1 - window, max(self.edge, self.begun)), at + 1)
            score = self._score(mean, weight, self.level_of)
            over = np.flatnonzero(enough & (score > least))
            if len(over) and (first is None or at[over[0]] < first.at):
                number = int(over[0])
                moment = int(at[number])
                usual = means.usual(max(moment + 1 - window, self.edge, self.begun), moment + 1)
                change = mean[number] @ self.losses.back * usual
                more, fewer = self._more(change, float(weight[number]), moment, window)
                first = _Leak(moment, window, float(score[number]), change, more, moved=moment, level=mean[number])
                first.came = first.level
                first.until = moment if fewer > FEWER else None
        return first

    def _changed(self, found: _Leak) -> None:
        """A leak, or where less flows in than before (it was repaired, or a valve turned), a new beginning."""
        if found.until is None:
            self.leaks.append(found)
            self.open = found
        else:
            self.begun = found.at + 1
            self.clean[max(0, found.at - found.window) : found.at + 1] = False

    def _more(self, change: Floats, weight: float, at: int, window: int) -> tuple[float, float]:
        """How much more flows in than a week before, and by how many standard deviations less is likelier than more.

        Who takes water at one place cannot lower a head loss at given flow by more than the flow's own power.
        """
        now, before = (
            rows[self.losses.clear[rows] & self.losses.clear[rows - WEEK]]
            for rows in (np.arange(max(at + 1 - max(window, 12), WEEK), at + 1), self._before(at + 1 - max(window, 12)))
        )
        if not len(now) or len(before) < LEAST:
            return 0.0, 0.0
        more, error = self._apart(now, before)
        sure = np.sqrt(np.diag(self.losses.spread) / weight)
        most, least = float((change - sure).max()) / POWER, float((-change - sure).max()) / POWER
        return more, (max(0.0, max(least, 0.0) - more) - max(0.0, more + max(most, 0.0))) / error

    def _before(self, end: int) -> Ints:
        """Two weeks before, but nothing from before the last change unless there is little else."""
        begin = max(end - 2 * WEEK, WEEK)
        return np.arange(max(begin, min(self.begun + WEEK, end - 2 * DAY)), max(end, begin))

    def _apart(self, now: Ints, before: Ints) -> tuple[float, float]:
        """How far the flow's growth over a week differs from its growth before, carried on in a line; and the error."""
        growth = self.losses.log_flow[before] - self.losses.log_flow[before - WEEK]
        days = (before - now.mean()) / DAY
        terms = np.stack([np.ones(len(days)), days], axis=1) / (np.sqrt(2) * self.losses.flow_sd)
        inverse = np.linalg.inv(terms.T @ terms + np.diag([0.0, SEASON**-2]))
        expected = inverse @ terms.T @ growth / (np.sqrt(2) * self.losses.flow_sd)
        told = float((self.losses.log_flow[now] - self.losses.log_flow[now - WEEK]).mean())
        return told - float(expected[0]), float(np.sqrt(inverse[0, 0] + 2 * self.losses.flow_sd**2 / len(now)))

    def _go_on(self, leak: _Leak, means: Means, at: Ints, start: int) -> None:
        if leak.single and start - leak.at < AGAIN:
            begin = leak.at
            mean, weight, enough = means.over(np.array([begin]), np.array([start]))
            change = mean[0] @ self.losses.back * means.usual(begin, start)
            more, fewer = self._more(change, float(weight[0]), start - 1, start - begin)
            if enough[0] and fewer > 2 * FEWER:
                self._over(leak, start, max(leak.at + 1 - leak.window // 2, 0))
                return
            leak.more, leak.came = more, mean[0]
            leak.sure = bool(self._score(mean, weight, self.level_of)[0] > SURE)
        end = self._ends(leak, means, at)
        if end is None:
            return
        if self._another(leak, end):
            leak.moved, leak.level, leak.single = end.at, end.left, False
        else:
            self._over(leak, end.at, max(end.at + 1 - end.window // 2, 0))

    def _another(self, leak: _Leak, end: _End) -> bool:
        """Whether a second leak is still there: what went was not the one that came, or too much is left."""
        rest = float(np.linalg.norm(end.left))
        if end.score < SOME or float(end.left @ end.was) <= 0 or rest < SMALL * float(np.linalg.norm(end.was)):
            return False
        went, came = end.was - end.left, leak.came
        alike = float(went @ came) / max(float(np.linalg.norm(went) * np.linalg.norm(came)), 1e-9)
        leak.small = max(REST * float(np.linalg.norm(end.was)), WANDER * (end.at - leak.at) / DAY)
        return (leak.sure and alike < ALIKE) or rest > leak.small

    def _over(self, leak: _Leak, moment: int, begun: int) -> None:
        leak.until, self.open, self.begun = moment, None, begun

    def _ends(self, leak: _Leak, means: Means, at: Ints) -> _End | None:
        """Where it stepped back against the days before, or nothing is left of it."""
        first: _End | None = None
        for window, least in WINDOWS:
            mean, weight, enough = means.over(at + 1 - window, at + 1)
            last = np.maximum(at + 1 - window, leak.moved)
            was, of, known = means.over(np.maximum(last - 4 * DAY, leak.moved), last)
            was[~known], of[~known] = leak.level, LEAST
            size = np.linalg.norm(was, axis=1)
            back = ((was - mean) * was).sum(axis=1) > FELL * size**2
            ended = back & (self._score(was - mean, weight, of) > least) & (at - leak.moved >= window)
            rest = self._score(mean, weight, self.level_of)
            wait = min(window // 2, WAIT, len(at))
            ended[wait:] &= ended[: len(ended) - wait]  # half a window of what was makes no second leak
            ended[:wait] = False
            if window in LOST:
                young = (at - leak.moved < YOUNG) | (window > DAY)
                lost = (rest < LOST[window]) & young
                lost = (lost | (np.linalg.norm(mean, axis=1) < leak.small)) & (at - leak.moved >= window)
            else:
                lost = np.zeros(len(at), bool)
            over = np.flatnonzero(enough & (ended | lost))
            if len(over) and (first is None or at[over[0]] < first.at):
                number = int(over[0])
                first = _End(int(at[number]), window, was[number], mean[number], float(rest[number]))
        return first


def _rows(name: str, steps: Steps, losses: Losses) -> Iterator[dict[str, Any]]:
    for leak in _Watch(steps.slot, losses).run():
        begin = max(leak.at + 1 - leak.window, 0)
        flow = max(leak.more, 0.0) * float(np.nanmean(steps.flow[begin : leak.at + 1]))
        last = leak.until if leak.until is not None else len(steps.at) - 1
        order = np.argsort(-np.abs(leak.change))[:5]
        evidence = {
            "score": round(leak.score, 1),
            "window_h": leak.window * STEP_S / 3600,
            "flow_m3h": round(flow, 1),
            "sensor": losses.sensors[order[0]],
            "change_pct": round(100 * float(leak.change[order[0]]), 2),
            "changes_pct": {losses.sensors[number]: round(100 * float(leak.change[number]), 2) for number in order},
            "chart": _chart(losses, int(order[0]), leak.at),
        }
        yield {
            "asset": name,
            "since": _moment(steps.at[begin]),
            "at": _moment(steps.at[leak.at]),
            "until": _moment(steps.at[leak.until]) if leak.until is not None else None,
            "severity": "warning",
            "litres_per_hour": round(1000 * flow, 0),
            "volume_m3": round(flow * (last - begin) * STEP_S / 3600, 1),
            "confidence": round(min(0.99, 1 - 0.4 * float(np.exp(-leak.score / 20))), 2),
            "evidence": json.dumps(evidence),
        }


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _chart(losses: Losses, sensor: int, at: int) -> list[float]:
    """Days' means of the head loss at its flow (per cent of usual), two weeks up to the alarm."""
    told = 100 * (losses.told @ losses.back)[max(at + 1 - 14 * DAY, 0) : at + 1, sensor]
    clear = losses.clear[max(at + 1 - 14 * DAY, 0) : at + 1]
    parts = [(told[k : k + DAY], clear[k : k + DAY]) for k in range(0, len(told), DAY)]
    return [round(float(day[there].mean()), 2) for day, there in parts if there.any()]
