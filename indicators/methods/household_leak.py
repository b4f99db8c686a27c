"""A leak behind a water meter: flow that comes back to the same floor when this connection would rest.

Two faces of the same thing. A connection that usually rests shows the leak alone at hours at which it would have shown
nothing: each such hour says as much as this connection used to rest at that hour of the day more often than it used to
show just this flow. One that never rests, or leaks already, is held against its own lowest flow: the lowest step of a
day above all such days of the four weeks before.
"""

import json

import numpy as np
import polars as pl

from indicators.method import Assets
from indicators.methods.household import COLUMNS, Floats, Steps, moment, so_far, steps

__all__ = ["COLUMNS", "find"]

REST_LPH = 0.5  # less is rest: a register of whole litres shows 1 or 0
LEAST_H = 0.75  # shorter steps are put together
CLEAR_STEP_H = 3.0  # longer ones say nothing about an hour of the day
FLOOR, FLOOR_LPH = 1.08, 1.0  # steps up to so much above the lowest are the floor
SPANS = (4, 6, 9, 13, 24)  # the last steps, of which the lowest may be the floor
FLOWS = np.array([0.5, 1.5, 2.5, 3.5, 4.5, 6, 8, 10.5, 14, 18.5, 25, 33, 44, 59, 80, 110, 150, 210, 300, 450])
UNSEEN = 10.0  # steps that any flow may have shown
SELDOM = 0.1  # hours at which it rested less often say nothing
SAID = 14.5  # by all steps on the floor together, in natural logarithms
LEAST_STEPS = 4  # of them
WATERING_LPH, WATERING_H = 50.0, 11.0  # so much may be a garden or a cistern, and has to run for longer
HABIT_H = 45 * 24.0  # the habits of a connection are forgotten with this time constant
KNOWN_H = 7 * 24.0
EMPTY_H = 24.0  # a house that rests for longer is empty: that says nothing about the hours at which it rests
DAY_STEPS = 24
RECORD_BLOCKS, BLOCK_H = 28, 24.0
ABOVE, ABOVE_LPH = 1.5, 9.0  # the lowest flow against its record
GROWN, GROWN_LPH, GROWN_H = 1.4, 2.0, 24.0  # a leak that has grown so much is told again, a day later at the earliest
GONE = 0.5  # a step with less of it ends a leak
CLEAR_H = 7 * 24.0  # another within so long is the same leak
CRITICAL_LPH = 100.0

_SPANS = np.array(SPANS)
_WITHIN = np.arange(DAY_STEPS) < _SPANS[:, None]  # the newest step first
_KINDS = len(FLOWS) + 1
_WIDTH = np.diff(FLOWS, prepend=0.0, append=2 * FLOWS[-1])


class _State:
    """What is known of every connection at one reading; all arrays have a place for each."""

    def __init__(self, size: int) -> None:
        self.seen, self.rested = np.zeros((size, 24)), np.zeros((size, 24))
        self.shown, self.steps = np.zeros((size, _KINDS)), np.zeros(size)  # how often each flow
        self.held_h, self.held_l = np.zeros(size), np.zeros(size)  # of steps too short to say something
        self.since, self.least = np.zeros(size), np.full(size, np.inf)  # when it rested last, and the lowest flow since
        self.lowest = np.full((size, DAY_STEPS), np.nan)  # the last steps
        self.run = np.full((size, DAY_STEPS), np.nan)  # those of them since it rested
        self.begun = np.zeros((size, DAY_STEPS))  # when they began
        self.odd = np.zeros((size, DAY_STEPS))  # how often it rested at these hours, as a logarithm
        self.record = np.full((size, RECORD_BLOCKS), np.nan)  # highest lowest flow of each day, a ring
        self.best, self.days = np.full(size, -1.0), np.zeros(size)  # of the record, without its last two and last day
        self.block_h = np.zeros(size)
        self.watched, self.empty_h = np.zeros(size), np.zeros(size)  # empty_h: of the rest that goes on
        self.active, self.going = np.full(size, -1), np.zeros(size, bool)
        self.leaky_at, self.began_at, self.low = np.zeros(size), np.zeros(size), np.zeros(size)  # of the alarm


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find leaks (FOUND)."""
    table = steps(series)
    state = _State(len(table.assets))
    found: list[dict[str, object]] = []
    for number in range(table.litres.shape[1]):
        _step(state, table, number, found)
    return so_far(found, series)


def _step(state: _State, table: Steps, number: int, found: list[dict[str, object]]) -> None:
    litres, hours = table.litres[:, number], table.hours[:, number]
    there = (number < table.counts) & np.isfinite(litres) & np.isfinite(hours)
    state.held_h[there] += hours[there]
    state.held_l[there] += litres[there]
    whole = np.flatnonzero(there & (state.held_h >= LEAST_H))
    if not len(whole):
        return
    hours, litres = state.held_h[whole], state.held_l[whole]
    state.held_h[whole] = state.held_l[whole] = 0.0
    rate = litres / hours
    at, hour = table.at[whole, number], table.hour[whole, number]
    rest = rate < REST_LPH
    _run(state, whole, rate, hours, at, hour)
    high = _record(state, whole, rate, hours)
    said, low = _said(state, whole, at, high | state.going[whole])
    _habit(state, whole, rate, hours, hour)
    known = state.watched[whole] >= KNOWN_H
    fresh = (said >= SAID) & known
    state.going[whole] &= ~rest & (rate >= GONE * state.low[whole])
    leaky = fresh | state.going[whole] | high & known
    _alarms(state, table, number, whole[leaky], whole[~leaky], low[leaky], said[leaky], high[leaky], found)
    state.going[whole] |= fresh


def _run(state: _State, whole: np.ndarray, rate: Floats, hours: Floats, at: Floats, hour: np.ndarray) -> None:
    """The steps since the last rest, and how often this connection rested at their hours."""
    rest = rate < REST_LPH
    state.run[whole[rest]] = np.nan
    state.since[whole[rest]] = at[rest]
    state.least[whole] = np.where(rest, np.inf, np.minimum(state.least[whole], rate))
    share = (state.rested[whole, hour] + 0.5) / (state.seen[whole, hour] + 1)
    odd = np.where((hours <= CLEAR_STEP_H) & (share >= SELDOM), np.log(share), -np.inf)
    for ring, newest in ((state.run, np.where(rest, np.nan, rate)), (state.odd, odd), (state.begun, at - hours * 3600)):
        _push(ring, whole, newest)


def _push(ring: Floats, whole: np.ndarray, newest: Floats) -> None:
    if len(whole) == len(ring):  # as nearly always
        ring[:, :-1] = ring[:, 1:]
        ring[:, -1] = newest
    else:
        ring[whole] = np.concatenate([ring[whole, 1:], newest[:, None]], axis=1)


def _said(state: _State, whole: np.ndarray, at: Floats, asked: np.ndarray) -> tuple[Floats, Floats]:
    """What the steps on the floor say, and the floor: of the spans the one that says most.

    Where that cannot be SAID, both are 0, but where they are asked for.
    """
    most, floor = np.zeros(len(whole)), np.zeros(len(whole))
    runs = np.flatnonzero(np.isfinite(state.run[whole, -LEAST_STEPS:]).all(axis=1))
    if not len(runs):
        return most, floor
    one = whole[runs]
    lowest = np.fmin.accumulate(state.run[one, ::-1], axis=1)
    often = _often(state, one, lowest[:, _SPANS - 1])
    told_at_most = np.fmax(state.odd[one] - np.log(often.min(axis=1))[:, None], 0)
    told_at_most[np.isnan(state.run[one])] = 0
    may = (told_at_most.sum(axis=1) >= SAID - 1e-6) | asked[runs]
    runs, one, lowest, often = runs[may], one[may], lowest[may], often[may]
    run, low = state.run[one, ::-1], lowest[:, _SPANS - 1]
    on = (run[:, None] <= (FLOOR * low + FLOOR_LPH)[:, :, None]) & _WITHIN
    surprise = state.odd[one, None, ::-1] - np.log(often)[:, :, None]
    # a flow that may be a garden counts from when it has lasted
    held = np.isfinite(run)[:, None] & (FLOOR * lowest[:, None] + FLOOR_LPH >= low[:, :, None])
    began = np.take_along_axis(state.begun[one], -held.sum(axis=2), axis=1)
    enough = (low < WATERING_LPH) | (at[runs, None] - began >= WATERING_H * 3600)
    told = (np.fmax(surprise, 0) * on).sum(axis=2) * (enough & (on.sum(axis=2) >= LEAST_STEPS))
    best = told.argmax(axis=1)[:, None]
    most[runs] = np.take_along_axis(told, best, axis=1)[:, 0]
    floor[runs] = np.where(most[runs] > 0, np.take_along_axis(low, best, axis=1)[:, 0], 0.0)
    return most, floor


def _often(state: _State, one: np.ndarray, low: Floats) -> Floats:
    """How often a step of this connection showed a flow of this floor."""
    kind = np.clip(np.searchsorted(FLOWS, low * (1 + FLOOR) / 2), 1, _KINDS - 2)
    near = [state.shown[one[:, None], kind + by] for by in (-1, 0, 1)]
    part = np.minimum(((FLOOR - 1) * low + FLOOR_LPH) / _WIDTH[kind], 1.0)
    often: Floats = (near[0] / 2 + near[1] + near[2] / 2 + 1) / (2 * (state.steps[one, None] + UNSEEN)) * part
    return often


def _habit(state: _State, whole: np.ndarray, rate: Floats, hours: Floats, hour: np.ndarray) -> None:
    """How often it rests at each hour of the day, and shows each flow."""
    rest = rate < REST_LPH
    state.empty_h[whole] = np.where(rest, state.empty_h[whole] + hours, 0.0)
    counted = (hours <= CLEAR_STEP_H) & (state.empty_h[whole] <= EMPTY_H)
    one, at_hour = whole[counted], hour[counted]
    daily = np.exp(-24 / HABIT_H)  # an hour of the day comes once a day
    state.seen[one, at_hour] = state.seen[one, at_hour] * daily + 1
    state.rested[one, at_hour] = state.rested[one, at_hour] * daily + rest[counted]
    state.shown[one] *= np.exp(-1 / HABIT_H)
    state.shown[one, np.searchsorted(FLOWS, rate[counted])] += 1
    state.steps[one] = state.steps[one] * np.exp(-1 / HABIT_H) + 1
    state.watched[whole] += hours


def _record(state: _State, whole: np.ndarray, rate: Floats, hours: Floats) -> np.ndarray:
    """Whether the lowest flow of a day is above all those of the four weeks before."""
    _push(state.lowest, whole, rate)
    low = state.lowest[whole].min(axis=1)  # NaN until there are enough
    known = state.days[whole] + np.isfinite(state.record[whole, -1]) >= RECORD_BLOCKS // 2
    high = known & np.isfinite(low) & (low >= ABOVE * np.maximum(state.best[whole], 0) + ABOVE_LPH)
    state.block_h[whole] += hours
    new = whole[state.block_h[whole] >= BLOCK_H]
    state.record[new] = np.concatenate([state.record[new, 1:], np.full((len(new), 1), np.nan)], axis=1)
    state.block_h[new] = 0.0
    state.best[new] = np.fmax.reduce(state.record[new, :-2], axis=1, initial=-1.0)
    state.days[new] = np.isfinite(state.record[new, :-1]).sum(axis=1)
    newest = state.record[whole, -1]
    state.record[whole, -1] = np.where(np.isfinite(low), np.fmax(newest, low), newest)
    told: np.ndarray = high
    return told


def _alarms(
    state: _State,
    table: Steps,
    number: int,
    leaky: np.ndarray,
    quiet: np.ndarray,
    floor: Floats,
    said: Floats,
    high: np.ndarray,
    found: list[dict[str, object]],
) -> None:
    for one in quiet[state.active[quiet] >= 0]:
        if table.at[one, number] - state.leaky_at[one] >= CLEAR_H * 3600:
            found[state.active[one]]["until"] = moment(state.leaky_at[one])
            state.active[one] = -1
    lasting = np.fmin.reduce(state.lowest[leaky], axis=1)
    low = np.where(floor > 0, floor, lasting)
    open_h = (table.at[leaky, number] - state.began_at[leaky]) / 3600
    grown = (open_h >= GROWN_H) & (lasting >= GROWN * state.low[leaky] + GROWN_LPH) | (open_h >= CLEAR_H) & high
    grown &= state.active[leaky] >= 0
    for one in leaky[grown]:
        found[state.active[one]]["until"] = moment(table.at[one, number])
    new = (state.active[leaky] < 0) | grown
    for one, lowest, much in zip(leaky[new], low[new], said[new], strict=True):
        state.active[one] = len(found)
        state.began_at[one], state.low[one] = table.at[one, number], lowest
        found.append(_told(state, table, int(one), number, float(much)))
    state.leaky_at[leaky] = table.at[leaky, number]


def _told(state: _State, table: Steps, one: int, number: int, said: float) -> dict[str, object]:
    at, lowest = table.at[one, number], float(state.low[one])
    since = _since(state, one)
    return {
        "asset": table.assets[one],
        "since": moment(since),
        "at": moment(at),
        "until": None,
        "severity": "critical" if lowest >= CRITICAL_LPH else "warning",
        "litres_per_hour": round(lowest, 1),
        "confidence": round(min(0.99, 0.7 + 0.01 * said), 2),
        "evidence": json.dumps(
            {
                "hours": round((at - since) / 3600, 1),
                "lowest_lph": round(lowest, 1),
                "zero_share": round(float(state.rested[one].sum() / state.seen[one].sum()), 3),
                "score": round(said, 1),
                **_bounds(state, one, lowest),
                "chart": [round(float(rate), 1) for rate in _rates(table, one, number)],
            }
        ),
    }


def _since(state: _State, one: int) -> float:
    """From when on no step shows less than the floor, as far back as the last steps go, or to the last rest."""
    if FLOOR * state.least[one] + FLOOR_LPH >= state.low[one]:
        return float(state.since[one])
    below = np.flatnonzero(~(FLOOR * state.run[one] + FLOOR_LPH >= state.low[one]))
    return float(state.begun[one, min(below.max(initial=-1) + 1, DAY_STEPS - 1)])


def _bounds(state: _State, one: int, lowest: float) -> dict[str, float]:
    """No less than the lowest hour without the last litre of its register, no more than half of the hours show."""
    since = state.begun[one] >= _since(state, one)
    return {
        "litres_per_hour_low": round(max(lowest - 1, 0.0), 1),
        "litres_per_hour_high": round(max(lowest + 1, float(np.median(state.lowest[one, since]))), 1),
    }


def _rates(table: Steps, one: int, number: int) -> Floats:
    """Litres an hour in the last three days."""
    last = slice(max(0, number - 71), number + 1)
    told: Floats = np.nan_to_num(table.litres[one, last] / np.maximum(table.hours[one, last], 0.25))
    return told
