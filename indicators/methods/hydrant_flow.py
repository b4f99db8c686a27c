"""Hydrants opened without a word, seen by a district: its inflow leaps, its pressures fall, known in ten minutes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from indicators.method import FOUND, Assets, nothing
from indicators.methods.hydrant_leap import BEFORE, LEARN_DAYS, STEPS_S, Leaps, levels
from indicators.methods.relation import Floats, Steps, laid

# And any of flow_NAME, level_NAME, pressure_NAME (metres), or lists `sensors`, `pressures`, `meters`, `flows`.
COLUMNS = ("flow_m3h",)
WINDOWS = (1, 2, 3)  # steps
BAR = 5.5  # of the score, about standard deviations
ABOVE_USUAL, USUAL, USUAL_DAYS = 1.3, 0.3, 14  # times what most days climb to: a pump that nobody measures
HYDRANT_M3H, LESS = 15.0, 1.5  # what one gives at least, less so many deviations
EARLIER = (9, 15, 21, 33)  # steps before, whose inflow it must exceed by that share, too: the end of an outage is none
STAYS = 0.3
QUIET = 9  # steps after an opening in which the leap is still the same
COMES_BACK = 0.55  # of the leap: it is closed
FROZEN = BEFORE + 2  # steps for which the half hour before the opening is what is compared with
SAME = BEFORE + 2  # steps in which one leap back is still the same
LEFT_OPEN_H = 3.0
GIVE_UP_DAYS = 3  # then it is what the district draws
CHART = 24  # steps before


@dataclass
class Opening:
    """One condition, in steps."""

    at: int
    window: int
    score: float
    flow: float  # m3/h
    error: float
    by_flow: bool
    change: Floats  # of each pressure, metres
    until: int | None = None

    @property
    def since(self) -> int:
        """The step in which it was opened."""
        return self.at - self.window + 1


class _Watch:
    """Walks along the days of one district; looks at nothing behind the step it is at."""

    def __init__(self, steps: Steps) -> None:
        self.steps, self.day = steps, 86400 // steps.step_s
        self.leaps = {window: Leaps(steps, window) for window in WINDOWS}
        self.tank = levels(steps).shape[1] > 0
        self.found: list[Opening] = []
        self.highest: list[float] = []

    def run(self) -> list[Opening]:
        count = len(self.steps.net)
        for start in range(self.steps.offset, count, self.day):
            if start >= LEARN_DAYS * self.day:
                self._look(start, min(start + self.day, count))
        self._close()
        return self.found

    def _look(self, start: int, stop: int) -> None:
        day = slice(start, stop)
        scores = np.zeros((stop - start, len(WINDOWS)))
        for column, window in enumerate(WINDOWS):
            model = self.leaps[window].learn(start, stop)
            if model is not None:
                scores[:, column] = self.leaps[window].score(day, model)
        past = self.highest[-USUAL_DAYS:]
        bar = max(BAR, ABOVE_USUAL * float(np.quantile(past, USUAL))) if len(past) >= LEARN_DAYS else BAR
        for row in np.flatnonzero(scores.max(axis=1) > bar):
            at, window = start + int(row), WINDOWS[int(np.argmax(scores[row]))]
            if not self.found or at > self.found[-1].at + QUIET:
                self._opens(at, window, float(scores[row].max()))
        self.highest.append(float(scores.max()))

    def _opens(self, at: int, window: int, score: float) -> None:
        leap = self.leaps[window]
        flow, error = float(leap.flow[at]), float(leap.spread[at])
        by_flow = flow > 3 * error
        if not by_flow and self._fell(at):
            return
        end = at + 1
        rises = [_more(self.steps, (end - window, end), (end - b, end - a)) for a, b in pairwise(EARLIER)]
        if by_flow and min(rises) < STAYS * flow:
            return
        if flow < HYDRANT_M3H - LESS * error and (by_flow or not self.tank):
            return
        self.found.append(Opening(at, window, score, flow, error, by_flow, leap.pressure[at]))

    def _fell(self, at: int) -> bool:
        """Whether the inflow has just leapt down: something was closed, and pressures settle."""
        leap, near = self.leaps[1], slice(max(at - QUIET, 0), at + 1)
        return bool((leap.flow[near] < -BAR * leap.spread[near]).any())

    def _close(self) -> None:
        """Give each opening its end: where several could come back, the one that fits best."""
        count = len(self.steps.net)
        ends: dict[int, list[tuple[float, int, bool]]] = {}
        for number, one in enumerate(self.found):
            for at, share, sure in self._back(one):
                ends.setdefault(at, []).append((abs(share - 1), number, sure))
        last = -SAME
        for at in sorted(ends):
            fits = [end for end in ends[at] if self.found[end[1]].until is None]
            if fits and at >= last + SAME and min(fits)[2]:
                self.found[min(fits)[1]].until = last = at
        for one in self.found:
            if one.until is None and one.at + GIVE_UP_DAYS * self.day < count:
                one.until = one.at + GIVE_UP_DAYS * self.day

    def _back(self, one: Opening) -> Iterator[tuple[int, float, bool]]:
        """Steps at which its leap comes back, with the share of it that does, and whether two steps show it."""
        leap = self.leaps[2]
        days = [day for day in leap.models if day <= one.at]
        top = one.since + 1
        if not days or top >= len(leap.flow) or not np.isfinite(leap.flow[top]):
            return
        model = leap.models[days[-1]]
        own = leap.joint(leap.flow[[top]], leap.left[[top]], model, one.error)[0]

        def share(flow: Floats, left: Floats) -> Floats:
            part: Floats = leap.joint(flow, left, model, one.error) @ own / (own @ own)
            return part

        soon = np.arange(max(one.at + 1, top + 1), min(one.since + FROZEN, len(leap.flow)))
        for row, back in zip(soon, 1 - share(*leap.since(one.since, soon, model)), strict=True):
            if back > COMES_BACK:
                yield int(row), float(back), True
        late = np.arange(max(one.at + 1, one.since + FROZEN), min(one.at + GIVE_UP_DAYS * self.day, len(leap.flow)))
        first = self.leaps[1]
        twice, once = (-share(part.flow[late], part.left[late]) for part in (leap, first))
        for row in np.flatnonzero(np.maximum(twice, once) > COMES_BACK):
            yield int(late[row]), float(max(twice[row], once[row])), bool(twice[row] > COMES_BACK)


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:
    """Find openings in series of flows (m3/h), levels and pressures (m) of districts, best of every five minutes."""
    del assets
    rows = []
    for (name,), part in series.group_by("asset", maintain_order=True):
        steps = laid(part, _step(part))
        if steps is not None:
            watch = _Watch(steps)
            rows += [_row(str(name), steps, one) for one in watch.run()]
    return pl.DataFrame(rows, schema=FOUND, orient="row") if rows else nothing()


def _step(part: pl.DataFrame) -> int:
    spacing = part["at"].diff().dt.total_seconds().median()
    return STEPS_S[isinstance(spacing, float) and spacing > STEPS_S[0] * 1.5]


def _row(name: str, steps: Steps, one: Opening) -> dict[str, Any]:
    last = one.until if one.until is not None else len(steps.net)
    hours = (last - one.since) * steps.step_s / 3600
    given_up = one.until is not None and one.until - one.at >= GIVE_UP_DAYS * 86400 // steps.step_s
    left_open = hours >= LEFT_OPEN_H
    size = _size(steps, one, last)
    low, high = max(size - 2 * one.error, 0.0), size + 2 * one.error
    chart = steps.net[max(one.since - CHART, 0) : last][:96]
    known = one.by_flow or one.flow > 2 * one.error
    evidence: dict[str, Any] = {
        "state": "lost" if given_up else "left_open" if left_open else "open" if one.until is None else "closed",
        "minutes": round(60 * hours),
        "now_m3h": round(float(np.nanmean(steps.net[one.since : one.at + 1])), 1),
        "before_m3h": round(float(np.nanmean(steps.net[one.since - BEFORE : one.since])), 1),
        "leap_m3h": round(size if known else one.flow, 1),
        "spread_m3h": round(one.error, 2),
        "score": round(one.score, 1),
        "sensor": "-",
        "change_m": 0.0,
        "chart": [round(float(x), 1) if np.isfinite(x) else None for x in chart],
    }
    if len(one.change):
        most = int(np.argmin(np.nan_to_num(one.change)))
        evidence |= {"sensor": steps.sensors[most], "change_m": round(float(np.nan_to_num(one.change[most])), 2)}
    if known:
        evidence |= {"litres_per_hour_low": round(1000 * low), "litres_per_hour_high": round(1000 * high)}
    return {
        "asset": name,
        "since": _moment(steps, one.since - 1),
        "at": _moment(steps, one.at),
        "until": _moment(steps, one.until - 1) if one.until is not None else None,
        "severity": "critical" if left_open and not given_up else "warning",
        "litres_per_hour": round(1000 * size) if known else None,
        "volume_m3": round(size * hours, 1) if known else None,
        "confidence": round(min(0.98, 1 - 0.5 * float(np.exp(-(one.score - BAR) / 3))), 2),
        "evidence": json.dumps(evidence),
    }


def _size(steps: Steps, one: Opening, last: int) -> float:
    """What more flows in during the first whole steps: in the very first it was opened."""
    during = (one.since + 1, max(min(last - 1, one.since + FROZEN), one.since + 2))
    size = _more(steps, during, (one.since - BEFORE, one.since))
    return max(size, 0.0) if np.isfinite(size) else one.flow


def _more(steps: Steps, now: tuple[int, int], then: tuple[int, int]) -> float:
    """How much more flows in in the one span than in the other, less what that is on other days."""
    told, day = [], 86400 // steps.step_s
    for back in range(0, 8 * day, day):
        spans = [steps.net[max(a - back, 0) : max(b - back, 0)] for a, b in (now, then)]
        spans = [span[np.isfinite(span)] for span in spans]
        if all(map(len, spans)):
            told.append(float(np.mean(spans[0]) - np.mean(spans[1])))
        elif not back:
            break
    return told[0] - float(np.median(told[1:])) if len(told) > 1 else np.inf


def _moment(steps: Steps, step: int) -> datetime:
    return datetime.fromtimestamp(int(steps.at[0]) + step * steps.step_s, UTC)
