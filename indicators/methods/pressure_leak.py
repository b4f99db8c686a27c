"""Leaks of a district from its flows and pressures: pressures that no longer follow from the flows as they did."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from indicators.method import FOUND, Assets, nothing
from indicators.methods.locate import Locator, locator
from indicators.methods.relation import (
    STEP_S,
    TRAIN,
    Floats,
    Ints,
    Relation,
    Steps,
    change,
    laid,
    relation,
    same_hours,
)
from indicators.methods.rise import more, stepped

# And any of flow_NAME, level_NAME, pressure_NAME (metres), or lists `sensors`, `pressures`, `meters`, `flows`.
COLUMNS = ("flow_m3h",)
DAY = 86400 // STEP_S
LEARN = 7 * DAY
GAP = 6 * DAY  # what is compared with the present is so old at least, once there is so much
SETTLE = DAY  # after a sudden change
# A sudden change: mean of so many steps against the day before, in units of its own usual, and that usual unknown.
FAST = ((3, 12.0, 3.0), (24, 9.0, 3.0), (72, 6.0, 3.0))
HISTORY = 10 * DAY  # that tells the usual of sudden changes
HOURS_LONG = 12  # steps; a longer mean has to leave that of the same hours of the day before as well
SLOW = 3 * DAY  # a growing one: mean of three days against what was learned from the weeks before the gap
SLOW_SCORE = 6.0
SLOW_USUAL = 15.0  # while it is not known
SLOW_LEAST = 3.0
SLOW_STEP = DAY // 4
SLOW_HISTORY = 60 * DAY  # what is low in it is the usual: a leak that grows must not raise its own bar
SLOW_LOW = 0.2
APART = 0.15  # share of a growth that leaks known before may leave unexplained: their direction is not exact
SAME = 0.85  # a growth so alike one known before is that one
GOES_ON, LIKE = 14 * DAY, 0.65  # and so soon after it one so alike: it has grown on
FOLLOW = 6 * DAY  # a growing leak shows its direction in so long; then it is looked past
KEEP = 60 * DAY
REVERSED = 0.75  # a sudden change so much the reverse of a leak is its repair
NOT_MORE_M3H = 2.0  # if no more than this flows in more
REPAIR_M3H = 8.0  # so much less flows in: a repair, or another change that is no leak
CLEARER = 0.1  # less drawn at a junction explains a change so much better than a leak at any
SERIOUS_M3H = 5.0


@dataclass
class Leak:
    """One condition, in steps."""

    at: int
    since: int
    score: float
    window: int
    change: Floats  # metres at each sensor
    flow: float
    model: Relation
    until: int | None = None
    first: "Leak | None" = None  # which this one is again, grown on
    later: "Leak | None" = None  # itself, as it was found last


@dataclass
class _Watch:
    steps: Steps
    leaks: list[Leak] = field(default_factory=list)
    eras: list[int] = field(default_factory=list)
    begun: int = 0
    where: Locator | None = None

    def __post_init__(self) -> None:
        count, sensors = self.steps.pressure.shape
        self.left: Floats = np.full((count, sensors), np.nan)  # as it was known then: for charts
        self.fast: dict[int, Floats] = {window: np.full(count, np.nan) for window, _, _ in FAST}
        self.slow: Floats = np.full(count, np.nan)
        self.grown: list[Leak] = []  # what growing leaks do to the pressures, those told and those alike them

    def run(self) -> list[Leak]:
        for start in range(self.steps.offset, len(self.left), DAY):
            stop = min(start + DAY, len(self.left))
            if start < LEARN or start - self.begun < SETTLE:
                continue
            since = start - self.begun if self.begun else start - LEARN + SETTLE
            gap = min(GAP, max(0, since - SETTLE))
            model = relation(self.steps, start - gap, self.eras)
            if model is None:
                continue
            self.left[start:stop] = model.left(self.steps, start, stop)
            found = self._sudden(model, start, stop)
            if not self._growing(model, start, found.at if found else stop) and found is not None:
                self._changed(found)
                self.left[found.at + 1 : stop] = np.nan  # the relation of that day is over
        return self.leaks

    def _sudden(self, model: Relation, start: int, stop: int) -> Leak | None:
        first: Leak | None = None
        for window, score, unknown in FAST:
            begin = max(self.begun, start - window - DAY)
            white = model.whiten(model.left(self.steps, begin, stop))
            there = np.isfinite(white[:, 0])
            lead = int(np.argmax(there))
            begin, white = begin + lead, np.nan_to_num(white[lead:])
            before = DAY + window - 1 if window > HOURS_LONG else DAY
            at = np.arange(max(start, begin + before), stop)  # against a whole day
            if there.sum() < window + 8 or not len(at):
                continue
            apart = change(white, at - begin + 1, window)
            size = (apart**2).mean(axis=1) * window
            if window > HOURS_LONG:
                again = (same_hours(white, at - begin + 1, window) ** 2).mean(axis=1) * window / 2
                size = np.minimum(size, again)
            past = self.fast[window][max(0, start - HISTORY) : start]
            past = past[np.isfinite(past)]
            usual = unknown if len(past) < DAY else max(float(np.quantile(past, 0.75)), 1.0)
            self.fast[window][at] = size
            over = np.flatnonzero(size > score * usual)
            if len(over) and (first is None or at[over[0]] < first.at):
                number = int(over[0])
                moment = int(at[number])
                metres = model.unwhiten(apart[number])
                flow = stepped(self.steps.net, moment, window)
                first = Leak(moment, moment - window + 1, float(size[number] / usual), window, metres, flow, model)
        return first

    def _growing(self, model: Relation, start: int, stop: int) -> bool:
        """Every six hours: what the last three days have in common that growing leaks known before do not explain."""
        known = [leak for leak in self.grown if start - leak.at < KEEP]
        learned = min(max(start - GAP - self.begun, SETTLE), TRAIN)
        for at in range(start + SLOW_STEP - 1, stop, SLOW_STEP):
            begin = max(self.begun + SLOW if self.begun else 0, at - SLOW + 1)
            rows = model.left(self.steps, min(begin, at), at + 1)
            rows = rows[np.isfinite(rows[:, 0])]
            if len(rows) < 0.66 * SLOW:
                continue
            mean = rows.mean(axis=0)
            if known and at - known[-1].at < FOLLOW:
                known[-1].change = mean
                continue
            whole = model.whiten(mean[None])[0]
            others = model.whiten(np.stack([leak.change for leak in known])) if known else np.zeros((0, len(whole)))
            basis, _ = np.linalg.qr(others.T)
            white = whole - basis @ (basis.T @ whole)
            size = float((white**2).mean()) / (1 / len(rows) + 1 / learned) * (1 + SLOW / TRAIN)
            self.slow[at] = size
            usual = self._usually_slow(at)
            if size <= SLOW_SCORE * usual or (white**2).sum() < (APART * (whole**2).sum() if known else 0.0):
                continue
            flow = max(more(self.steps.net, at, DAY), 0.0)
            found = Leak(at, at - SLOW, size / usual, SLOW, mean, flow, model)
            self.grown.append(found)
            if known and _goes_on(found, known, [_like(whole, other) for other in others]):
                return False
            self.leaks.append(found)
            return True
        return False

    def _usually_slow(self, at: int) -> float:
        past = self.slow[max(0, at - SLOW_HISTORY) : at - 2 * DAY]
        past = past[np.isfinite(past)]
        return SLOW_USUAL if len(past) < 8 else max(float(np.quantile(past, SLOW_LOW)), SLOW_LEAST)  # noqa: PLR2004 - two days

    def _changed(self, found: Leak) -> None:
        """Begin a new era; it is a leak unless a repair explains it better."""
        white = found.model.whiten(found.change[None])[0]
        going = [leak for leak in self.leaks if leak.until is None]
        reverse = [-_like(white, found.model.whiten(leak.change[None])[0]) for leak in going]
        best = int(np.argmax(reverse)) if going else -1
        if going and reverse[best] > REVERSED and found.flow < NOT_MORE_M3H:
            going[best].until = found.at
        elif found.flow >= -REPAIR_M3H and not (self.where and self._is_less(self.where, found)):
            self.leaks.append(found)
        self.begun = found.at + 1
        self.eras.append(found.at + 1)

    def _is_less(self, where: Locator, found: Leak) -> bool:
        """Whether, by the model of the network, less is drawn somewhere."""
        leak, less = (
            float(where.place(sign * found.change, found.model, self.steps, found.at, found.window)["likeness"])
            for sign in (1, -1)
        )
        return less > leak + CLEARER


def _goes_on(found: Leak, known: Sequence[Leak], like: Sequence[float]) -> bool:
    """Whether it is one known before that has grown on: then that one is told with its size of now."""
    best = int(np.argmax(like))
    if like[best] <= (LIKE if found.at - known[best].at < GOES_ON else SAME):
        return False
    found.first = known[best].first or known[best]
    found.first.later = found
    return True


def _like(one: Floats, other: Floats) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-12))


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:
    """Find leaks in series of flows (m3/h), levels and pressures (m) of districts.

    Where `network` of an asset is an EPANET file that has the names of its sensors and meters, evidence has `place`.
    """
    rows = []
    for (name,), part in series.group_by("asset", maintain_order=True):
        steps = laid(part)
        if steps is None or not steps.sensors:
            continue
        where = locator(assets.get(str(name), {}), steps)
        rows += list(_rows(str(name), steps, where))
    return pl.DataFrame(rows, schema=FOUND, orient="row") if rows else nothing()


def _rows(name: str, steps: Steps, where: Locator | None) -> Iterator[dict[str, Any]]:
    watch = _Watch(steps, where=where)
    for leak in watch.run():
        told: dict[str, Any] = {}
        if where is not None:
            told = where.place(leak.change, leak.model, steps, leak.at, leak.window)
            leak.flow = float(told["flow_m3h"])
            if leak.later is not None:  # its place stays the one that was named
                now = leak.later
                now.flow = float(where.place(now.change, now.model, steps, now.at, now.window)["flow_m3h"])
        last = leak.until if leak.until is not None else len(steps.at) - 1
        flow = max(leak.flow, leak.later.flow if leak.later is not None else 0.0, 0.0)
        volume = flow * (last - leak.since) * STEP_S / 3600 * (0.5 if leak.window == SLOW else 1.0)
        order = np.argsort(-np.abs(leak.change))[:5]
        evidence: dict[str, Any] = {
            **told,
            "shape": "growing" if leak.window == SLOW else "jump",
            "score": round(leak.score, 1),
            "flow_m3h": round(flow, 1),
            "sensor": steps.sensors[order[0]],
            "change_m": round(float(leak.change[order[0]]), 3),
            "changes_m": {steps.sensors[number]: round(float(leak.change[number]), 3) for number in order},
            "chart": _chart(watch.left[:, order[0]], leak.at),
        }
        yield {
            "asset": name,
            "since": _moment(steps.at, leak.since),
            "at": _moment(steps.at, leak.at),
            "until": _moment(steps.at, leak.until) if leak.until is not None else None,
            "severity": "critical" if flow >= SERIOUS_M3H else "warning",
            "litres_per_hour": round(1000 * flow, 0),
            "volume_m3": round(volume, 1),
            "confidence": round(min(0.99, 1 - 0.4 * float(np.exp(-leak.score / 10))), 2),
            "evidence": json.dumps(evidence),
        }


def _moment(at: Ints, step: int) -> datetime:
    return datetime.fromtimestamp(int(at[max(step, 0)]), UTC)


def _chart(left: Floats, at: int) -> list[float]:
    """Six-hour means of the sensor that changed most, a week up to the alarm."""
    part = left[max(at + 1 - 7 * DAY, 0) : at + 1]
    means = [part[k : k + DAY // 4] for k in range(0, len(part), DAY // 4)]
    return [round(float(np.nanmean(one)), 3) for one in means if np.isfinite(one).any()]
