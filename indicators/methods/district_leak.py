"""Leaks of a district from its flow alone: a constant flow that was not there before, at once or growing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from indicators.method import FOUND, Assets, nothing
from indicators.methods.inflow import EVERY_H, Floats, Hourly, Levels, hourly, levels

COLUMNS = ("flow_m3h", "stored_m3", "metered_m3h")
STEPS = 24 // EVERY_H  # a day
JUMP = 5.0  # robust deviations in which a level leaves its line at once
DRIFT = 4.75  # deviations in which the mean of the last days leaves it
DRIFT_DAYS = (3, 6)
BASE_DAYS = 14  # the line is that of so many days before
LEAST_DAYS = 5  # or fewer after something changed
SLOPE = 2.0  # a rise of the line below so many of its own deviations is none
LIKE = 1.3  # neighbouring days are alike: their mean is so much less certain
RECENT = 0.3  # share of a jump that the last six hours must show, or it is over already
SETTLE = STEPS  # a day after a jump the new level is known
METERED = 0.6  # of a rise went through the meters of connections: it is theirs
LEAST_M3H = 0.5
LEAST_SHARE = 0.01  # of the mean flow
SERIOUS_M3H = 5.0


@dataclass
class Leak:
    """One condition while it is followed."""

    since: int  # steps
    at: int
    before: float  # level of the line when it was found
    size: float
    spread: float
    score: float
    jump: bool
    until: int | None = None
    found: float = 0.0  # its size as it was known then


@dataclass
class _Line:
    at_end: float
    slope: float  # m3/h a day, not below zero
    spread: float
    days: float


@dataclass
class _Watch:
    """Walks along the levels of one district; looks at nothing behind the step it is at."""

    told: Levels
    least: float
    leaks: list[Leak] = field(default_factory=list)
    begun: int = 0  # the line begins here: a drift was found then
    growing: bool = False
    jump: tuple[int, _Line, Leak | None] | None = None

    def __post_init__(self) -> None:
        lead = LEAST_DAYS * STEPS + STEPS + 2  # while the profile was learned the level was zero
        self.level: Floats = np.concatenate([np.zeros(lead), self.told.level])
        self.recent: Floats = np.concatenate([np.zeros(lead), self.told.recent])
        self.error: Floats = np.concatenate([np.full(lead, self.told.error[0]), self.told.error])
        self.lead = lead

    def run(self) -> list[Leak]:
        for step in range(self.lead, len(self.level)):
            if self.jump is not None:
                self._settle(step)
            elif not self._jumps(step):
                self._drifts(step)
            if self.growing and step - self.begun > (BASE_DAYS + 7) * STEPS:
                self.growing = False
        return self.leaks

    def _line(self, first: int, last: int, step: int) -> _Line | None:
        """Fit a line to [first, last) and read it at `step`; None where too little is known since the last change."""
        first = max(first, self.begun, 0)
        if last - first < LEAST_DAYS * STEPS - 1:
            return None
        level = self.level[first:last]
        there = np.isfinite(level)
        if there.sum() < LEAST_DAYS * STEPS - 1:
            return None
        level, day = level[there], (np.arange(first, last)[there] - step) / STEPS
        days, middle = there.sum() / STEPS, day.mean()
        slope = ((day - middle) * level).sum() / ((day - middle) ** 2).sum()
        spread = 1.4826 * np.median(np.abs(level - level.mean() - slope * (day - middle)))
        spread = max(float(spread), 0.9 * float(self.error[step]))
        if not self.growing and slope < SLOPE * LIKE * spread * (12 / days**3) ** 0.5:
            slope = 0.0
        slope = max(float(slope), 0.0)
        return _Line(float(np.median(level - slope * day)), slope, spread, days)

    def _jumps(self, step: int) -> bool:
        line = self._line(step - BASE_DAYS * STEPS, step - STEPS + 1, step)
        if line is None or not np.isfinite(self.level[step]):
            return False
        steep = self._line(step - 7 * STEPS, step - STEPS + 1, step)
        if steep is not None and steep.slope > 0 and steep.at_end > line.at_end:
            line = _Line(steep.at_end, steep.slope, line.spread, line.days)
        more = self.level[step] - line.at_end
        score, recent = more / line.spread, self.recent[step] - line.at_end
        if score > JUMP and more > self.least and recent > RECENT * more:
            leak = Leak(step, step, line.at_end, more, line.spread, score, jump=True, found=more)
            self.leaks.append(leak)
            self.jump = (step, line, leak)
        elif score < -JUMP and recent < RECENT * more:
            self.jump = (step, line, None)
            self._repaired(step, -more)
        return self.jump is not None

    def _settle(self, step: int) -> None:
        """Once the new level is known, the days before a jump are put onto it, so that the line goes on."""
        assert self.jump is not None  # noqa: S101 - asked before
        began, line, leak = self.jump
        if step - began < SETTLE:
            return
        size = float(np.median(self.level[step - 2 : step + 1])) - line.at_end - line.slope * (step - began) / STEPS
        self.level[: began - 5] += size
        self.level[began - 5 : step - 2] = np.nan
        for other in self.leaks:
            other.before += size if other is not leak else 0.0
        if leak is not None:
            leak.size = max(size, 0.0)
        self.jump = None

    def _repaired(self, step: int, size: float) -> None:
        """End the open leak that fits a fall best, if it explains at least half of it or it of it."""
        last = [leak for leak in self.leaks if leak.until is None and 0.5 < leak.size / max(size, 1e-9) < 2]  # noqa: PLR2004
        if last:
            min(last, key=lambda leak: abs(leak.size - size)).until = step

    def _drifts(self, step: int) -> None:
        for days in DRIFT_DAYS:
            first = step - days * STEPS + 1
            line = self._line(first - BASE_DAYS * STEPS - 1, first, step)
            level = self.level[max(first, 0) : step + 1]
            if line is None or np.isfinite(level).sum() < 0.6 * days * STEPS:
                continue
            day = (np.arange(step + 1 - len(level), step + 1) - step) / STEPS
            more = float(np.nanmean(level - line.slope * day)) - line.at_end
            score = more / (line.spread * LIKE * (1 / days + 1 / line.days) ** 0.5)
            if score > DRIFT and more > self.least:
                drift = Leak(first - 1, step, line.at_end, more, line.spread, score, jump=False, found=more)
                self.leaks.append(drift)
            elif score > -DRIFT - 1:
                continue
            else:
                self._repaired(step, -more)
            self.begun, self.growing = first - 1, score > 0
            return


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:
    """Find leaks in series of flow (m3/h) by district.

    `stored_m3` is what its tanks hold, `metered_m3h` what its connections drew, where that is known: a rise that went
    through their meters is no leak of the network.
    """
    del assets
    rows = [row for (name,), part in series.group_by("asset", maintain_order=True) for row in _found(str(name), part)]
    return pl.DataFrame(rows, schema=FOUND, orient="row") if rows else nothing()


def _found(name: str, part: pl.DataFrame) -> Iterator[dict[str, Any]]:
    hours = hourly(part)
    told = levels(hours)
    if not len(told.level):
        return
    watch = _Watch(told, max(LEAST_M3H, LEAST_SHARE * float(np.nanmean(hours.flow[: told.hour[0]]))))
    metered = levels(hourly(part.select("at", "local", flow_m3h="metered_m3h"))) if _is_metered(part) else None
    found = [leak for leak in watch.run() if metered is None or not _is_drawn(leak, watch, metered)]
    growing = [leak.at for leak in found if not leak.jump] + [len(watch.level)]
    for leak in found:
        grown = min(at for at in growing if at > leak.at)  # what grows from the next alarm on belongs to that one
        yield _row(name, leak, watch, hours, grown)


def _is_metered(part: pl.DataFrame) -> bool:
    return "metered_m3h" in part.columns and part["metered_m3h"].count() > 0


def _is_drawn(leak: Leak, watch: _Watch, metered: Levels) -> bool:
    """Whether what the meters drew rose by most of what flows in more."""
    at = watch.told.hour[leak.at - watch.lead]
    since = watch.told.hour[max(leak.since - watch.lead, 0)] - (24 if leak.jump else 0)
    before = metered.level[(metered.hour <= since) & (metered.hour > since - BASE_DAYS * 24)]
    now = metered.level[(metered.hour <= at) & (metered.hour > at - 2 * EVERY_H)][-1:]
    return bool(len(before) and len(now) and np.median(now) - np.median(before) > METERED * leak.found)


def _row(name: str, leak: Leak, watch: _Watch, hours: Hourly, grown: int) -> dict[str, Any]:
    told, lead = watch.told, watch.lead

    def moment(step: int) -> datetime:
        return hours.end(int(told.hour[max(step - lead, 0)]))

    last = leak.until if leak.until is not None else len(watch.level) - 1
    since = _began(hours, int(told.hour[leak.at - lead])) if leak.jump else moment(leak.since)
    size = leak.size if leak.jump else _grown(watch, leak, min(last, grown - 1))
    lasted = max((moment(last) - since) / timedelta(hours=1), 0.0)
    volume = size * lasted * (1.0 if leak.jump else 0.5)
    error = leak.spread * LIKE * (1 / max(min(lasted / 24, 8), 1) + 1 / BASE_DAYS) ** 0.5
    day = told.level[max(leak.at - lead - 28 * STEPS, 0) : last - lead + 1][::STEPS]
    evidence = {
        "baseline_m3h": round(float(np.nanmean(hours.flow[: told.hour[0]])), 2),
        "now_m3h": round(size, 2),
        "spread_m3h": round(leak.spread, 2),
        "score": round(leak.score, 1),
        "shape": "jump" if leak.jump else "growing",
        "low_m3h": round(max(size - 2 * error, 0), 2),
        "high_m3h": round(size + 2 * error, 2),
        "litres_per_hour_low": round(1000 * max(size - 2 * error, 0), 1),  # bounds of every amount of the alarm
        "litres_per_hour_high": round(1000 * (size + 2 * error), 1),
        "days": round(lasted / 24, 1),
        "chart": [round(float(value), 2) for value in day[-42:]],
    }
    return {
        "asset": name,
        "since": since,
        "at": moment(leak.at),
        "until": moment(leak.until) if leak.until is not None else None,
        "severity": "critical" if size >= SERIOUS_M3H else "warning",
        "litres_per_hour": round(1000 * size, 1),
        "volume_m3": round(volume, 2),
        "confidence": round(min(0.99, 1 - 0.5 * float(np.exp(-leak.score / 5))), 2),
        "evidence": json.dumps(evidence),
    }


def _grown(watch: _Watch, leak: Leak, last: int) -> float:
    """What a growing leak has come to: the last two days above the line it left."""
    level = watch.level[max(leak.at - 2 * STEPS, last - 2 * STEPS + 1) : last + 1]
    level = level[np.isfinite(level)]
    return max(float(np.median(level)) - leak.before, 0.0) if len(level) else leak.size


def _began(hours: Hourly, last: int) -> datetime:
    """The hour of the 36 before a jump was known at which the flow left that of the week before most."""
    now, week = hours.flow[max(last - 35, 0) : last + 1], hours.flow[max(last - 203, 0) : max(last - 167, 0)]
    apart = now[-len(week) :] - week if len(week) else now
    apart = np.where(np.isfinite(apart), apart, np.nanmean(apart) if np.isfinite(apart).any() else 0.0)
    sums, count = np.cumsum(apart), np.arange(1, len(apart) + 1)
    inside = slice(0, len(apart) - 3)
    gain = (sums[-1] * count / len(apart) - sums)[inside] / np.sqrt(count * (len(apart) - count) + 1e-9)[inside]
    return hours.end(last - len(apart) + 1 + int(np.argmax(gain)))
