"""Leaks of a district from its flows and pressures: pressures that no longer follow from the flows as they did."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from indicators.method import FOUND, Assets, nothing
from indicators.methods.locate import Locator, locator
from indicators.methods.relation import STEP_S, Floats, Ints, Relation, Steps, change, laid, relation

# And any of flow_NAME, level_NAME, pressure_NAME (metres), or lists `sensors`, `pressures`, `meters`, `flows`.
COLUMNS = ("flow_m3h",)
DAY = 86400 // STEP_S
LEARN = 7 * DAY
GAP = 6 * DAY  # what is compared with the present is so old at least, once there is so much
SETTLE = DAY  # after a sudden change
# A sudden change: mean of so many steps against the day before, in units of its own usual, and that usual unknown.
FAST = ((3, 12.0, 3.0), (24, 7.0, 6.0))
SLOW = 3 * DAY  # a growing one: mean of three days against what was learned from the weeks before the gap
SLOW_SCORE = 6.0
SLOW_USUAL = 15.0  # while it is not known
SLOW_LEAST = 3.0
SLOW_STEP = DAY // 4
HISTORY = 10 * DAY
FOLLOW = 6 * DAY  # a growing leak shows its direction in so long; then it is looked past
KEEP = 60 * DAY
REPAIR_M3H = 4.0  # so much less flows in: a repair, or another change that is no leak
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


@dataclass
class _Watch:
    steps: Steps
    leaks: list[Leak] = field(default_factory=list)
    eras: list[int] = field(default_factory=list)
    begun: int = 0

    def __post_init__(self) -> None:
        count, sensors = self.steps.pressure.shape
        self.left: Floats = np.full((count, sensors), np.nan)
        self.fast: dict[int, Floats] = {window: np.full(count, np.nan) for window, _, _ in FAST}
        self.slow: Floats = np.full(count, np.nan)

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
            grown = self._growing(model, start, found.at if found else stop)
            if grown is not None:
                self.leaks.append(grown)
            elif found is not None:
                self._changed(found)
                self.left[found.at + 1 : stop] = np.nan  # the relation of that day is over
        return self.leaks

    def _sudden(self, model: Relation, start: int, stop: int) -> Leak | None:
        first: Leak | None = None
        for window, score, unknown in FAST:
            begin = max(self.begun, start - window - DAY)
            white = model.whiten(self.left[begin:stop])
            there = np.isfinite(white[:, 0])
            begin += int(np.argmax(there))
            white = np.nan_to_num(white[int(np.argmax(there)) :])
            at = np.arange(max(start, begin + max(window + 7, DAY)), stop)  # against a whole day
            if there.sum() < window + 8 or not len(at):
                continue
            apart = change(white, at - begin + 1, window)
            size = (apart**2).mean(axis=1) * window
            past = self.fast[window][max(self.begun, start - HISTORY) : start]
            past = past[np.isfinite(past)]
            usual = unknown if len(past) < DAY else max(float(np.quantile(past, 0.75)), 1.0)
            self.fast[window][at] = size
            over = np.flatnonzero(size > score * usual)
            if len(over) and (first is None or at[over[0]] < first.at):
                number = int(over[0])
                moment = int(at[number])
                metres = model.unwhiten(apart[number])
                flow = more(self.steps, moment, window)
                first = Leak(moment, moment - window + 1, float(size[number] / usual), window, metres, flow, model)
        return first

    def _growing(self, model: Relation, start: int, stop: int) -> Leak | None:
        """Every six hours: what the last three days have in common that growing leaks known before do not explain."""
        known = [leak for leak in self.leaks if leak.window == SLOW and start - leak.at < KEEP]
        for at in range(start + SLOW_STEP - 1, stop, SLOW_STEP):
            begin = max(self.begun + SLOW if self.begun else 0, at - SLOW + 1)
            rows = self.left[begin : at + 1]
            rows = rows[np.isfinite(rows[:, 0])]
            if len(rows) < 0.66 * SLOW:
                continue
            mean = rows.mean(axis=0)
            if known and at - known[-1].at < FOLLOW:
                known[-1].change = mean
                continue
            white = model.whiten(mean[None])[0]
            if known:
                basis, _ = np.linalg.qr(model.whiten(np.stack([leak.change for leak in known])).T)
                white = white - basis @ (basis.T @ white)
            size = float((white**2).mean()) * len(rows)
            self.slow[at] = size
            recent = bool(known) and at - known[-1].at <= FOLLOW + 4 * DAY
            past = self.slow[max(self.begun, at - HISTORY - 3 * DAY) : at - 2 * DAY]
            past = past[np.isfinite(past)][: 0 if recent else None]
            usual = SLOW_USUAL if len(past) < 8 else max(float(np.quantile(past, 0.3)), SLOW_LEAST)  # noqa: PLR2004 - two days
            if size > SLOW_SCORE * usual and size > 4 * SLOW_LEAST:
                flow = max(more(self.steps, at, DAY), 0.0)
                return Leak(at, at - SLOW, size / usual, SLOW, mean, flow, model)
        return None

    def _changed(self, found: Leak) -> None:
        """Begin a new era; it is a leak unless less flows in than before."""
        if found.flow < -REPAIR_M3H:
            fits = [leak for leak in self.leaks if leak.until is None and leak.flow < 2 * -found.flow]
            if fits:
                min(fits, key=lambda leak: abs(leak.flow + found.flow)).until = found.at
        else:
            self.leaks.append(found)
        self.begun = found.at + 1
        self.eras.append(found.at + 1)


def more(steps: Steps, at: int, window: int) -> float:
    """How much more flows in than a week before at this time, by how the day before it compared (m3/h)."""
    flow, begin = steps.net, at - window + 1
    week = 7 * DAY
    if begin - week - DAY >= 0:
        usual = flow[begin - week : at + 1 - week]
        before, then = flow[begin - DAY : begin], flow[begin - DAY - week : begin - week]
        if np.isfinite(usual).any() and np.isfinite(before).any() and np.isfinite(then).any():
            return float(np.nanmean(flow[begin : at + 1]) - np.nanmean(usual) * np.nanmean(before) / np.nanmean(then))
    usual = flow[max(begin - DAY, 0) : max(at + 1 - DAY, 1)]
    return float(np.nanmean(flow[begin : at + 1]) - np.nanmean(usual)) if np.isfinite(usual).any() else 0.0


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
    watch = _Watch(steps)
    for leak in watch.run():
        told: dict[str, Any] = {}
        if where is not None:
            told = where.place(leak.change, leak.model, steps, leak.at, whole_day=leak.window == SLOW)
            leak.flow = float(told["flow_m3h"])
        last = leak.until if leak.until is not None else len(steps.at) - 1
        flow = max(leak.flow, 0.0)
        volume = flow * (last - leak.since) * STEP_S / 3600 * (0.5 if leak.window == SLOW else 1.0)
        order = np.argsort(-np.abs(leak.change))[:5]
        evidence: dict[str, Any] = {
            "shape": "growing" if leak.window == SLOW else "jump",
            "score": round(leak.score, 1),
            "flow_m3h": round(flow, 1),
            "sensor": steps.sensors[order[0]],
            "change_m": round(float(leak.change[order[0]]), 3),
            "changes_m": {steps.sensors[number]: round(float(leak.change[number]), 3) for number in order},
            "chart": _chart(watch.left[:, order[0]], leak.at),
            **told,
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
