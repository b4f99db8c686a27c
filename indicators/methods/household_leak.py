"""A leak behind a water meter: flow that does not rest when this connection rests, or rests higher than ever.

Two faces of the same thing. A connection that usually rests at night is surprised by hours without rest, each by how
often the connection rested at that hour of the day before, and by hours that all come down to the same flow. One that
never rests, or leaks already, is held against its own lowest flow: the lowest step of a day above all such days of the
four weeks before.
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
SURPRISE = 18.0  # of the hours without rest and of the floor together, in natural logarithms
ALONE = 11.0  # of which the hours without rest alone
MOST_AN_HOUR = 3.0  # no single hour says more
LEAST_RUN_H = 6.0
WATERING_LPH, WATERING_H = 60.0, 13.0  # so much may be a garden or a pool, and has to run for longer
FLOOR, FLOOR_LPH = 1.08, 1.0  # hours up to so much above the lowest are the floor
SELDOM, OFTEN = 0.15, 0.3  # the floor counts in full at hours at which it rests so often, and not at those where seldom
FLOOR_H, FREE_H = 4.0, 3.0  # so many of them, and those that say nothing
STEADY = 4.0  # each more says so many times the logarithm of the lowest flow in L/h
HABIT_H = 45 * 24.0  # the habit of rest forgets with this time constant
KNOWN_H = 7 * 24.0
EMPTY_H = 24.0  # a house that rests for longer is empty: that says nothing about the hours at which it rests
DAY_STEPS = 24
RECORD_BLOCKS, BLOCK_H = 28, 24.0
ABOVE, ABOVE_LPH = 1.5, 5.0  # the lowest flow against its record
GROWN, GROWN_LPH, GROWN_H = 2.0, 5.0, 24.0  # a leak that has grown so much is told again, a day later at the earliest
CLEAR_H = 7 * 24.0  # another run within so long is the same leak
CRITICAL_LPH = 100.0


class _State:
    """What is known of every connection at one reading; all arrays have a place for each."""

    def __init__(self, size: int) -> None:
        self.seen, self.rested = np.zeros((size, 24)), np.zeros((size, 24))
        self.held_h, self.held_l = np.zeros(size), np.zeros(size)  # of steps too short to say something
        self.score, self.run_h, self.since = np.zeros(size), np.zeros(size), np.zeros(size)
        self.lowest = np.full((size, DAY_STEPS), np.nan)  # the last steps
        self.run = np.full((size, 24), np.nan)  # the last steps of the run
        self.odd = np.zeros((size, 24))  # how often it rested at the hours of these steps
        self.record = np.full((size, RECORD_BLOCKS), np.nan)  # highest lowest flow of each day, a ring
        self.block_h = np.zeros(size)
        self.day = np.zeros(size, np.int64)
        self.watched, self.empty_h = np.zeros(size), np.zeros(size)  # empty_h: of the rest that goes on
        self.active = np.full(size, -1)
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
    _run(state, whole, rate, hours, at, hour)
    high = _record(state, whole, rate, hours)
    _habit(state, whole, rate, hours, hour)
    run = state.run[whole]
    low = np.fmin.reduce(run, axis=1)
    floor = ((run <= FLOOR * low[:, None] + FLOOR_LPH) * state.odd[whole]).sum(axis=1)
    total = state.score[whole] + STEADY * np.clip(floor - FREE_H, 0, None) * np.log(np.fmax(low, 1.0))
    least = np.where(low >= WATERING_LPH, WATERING_H, LEAST_RUN_H)
    leaky = (total >= SURPRISE) & (state.score[whole] >= ALONE) & (state.run_h[whole] >= least) & (
        floor >= FLOOR_H
    ) | high
    leaky &= state.watched[whole] >= KNOWN_H
    _alarms(state, table, number, whole[leaky], whole[~leaky], found)


def _run(state: _State, whole: np.ndarray, rate: Floats, hours: Floats, at: Floats, hour: np.ndarray) -> None:
    """Hours without rest, and how surprising they are."""
    rest = rate < REST_LPH
    ended = whole[rest & (state.run_h[whole] > 0)]
    state.score[ended] = state.run_h[ended] = 0.0
    state.run[ended] = np.nan
    run = np.concatenate([state.run[whole, 1:], np.where(rest, np.nan, rate)[:, None]], axis=1)
    state.run[whole] = run
    on, spent = whole[~rest], hours[~rest]
    begins = state.run_h[on] == 0
    state.since[on[begins]] = (at - hours * 3600)[~rest][begins]
    state.run_h[on] += spent
    share = (state.rested[on, hour[~rest]] + 0.5) / (state.seen[on, hour[~rest]] + 1)
    state.odd[whole] = np.concatenate([state.odd[whole, 1:], np.zeros((len(whole), 1))], axis=1)
    state.odd[on, -1] = np.clip((share - SELDOM) / (OFTEN - SELDOM), 0, 1)
    state.score[on] += np.where(spent <= CLEAR_STEP_H, np.minimum(-np.log1p(-share) * spent, MOST_AN_HOUR), 0.0)


def _habit(state: _State, whole: np.ndarray, rate: Floats, hours: Floats, hour: np.ndarray) -> None:
    """How often it rests at each hour of the day."""
    fade = np.exp(-24 / HABIT_H)  # an hour of the day comes once a day
    state.empty_h[whole] = np.where(rate < REST_LPH, state.empty_h[whole] + hours, 0.0)
    counted = (hours <= CLEAR_STEP_H) & (state.empty_h[whole] <= EMPTY_H)
    one, at_hour = whole[counted], hour[counted]
    state.seen[one, at_hour] = state.seen[one, at_hour] * fade + 1
    state.rested[one, at_hour] = state.rested[one, at_hour] * fade + (rate[counted] < REST_LPH)
    state.watched[whole] += hours


def _record(state: _State, whole: np.ndarray, rate: Floats, hours: Floats) -> np.ndarray:
    """Whether the lowest flow of a day is above all those of the four weeks before."""
    state.lowest[whole] = np.concatenate([state.lowest[whole, 1:], rate[:, None]], axis=1)
    low = state.lowest[whole].min(axis=1)  # NaN until there are enough
    known = np.isfinite(state.record[whole]).sum(axis=1) >= RECORD_BLOCKS // 2
    best = np.nanmax(np.where(np.isfinite(state.record[whole]), state.record[whole], -1.0)[:, :-2], axis=1)
    high = known & np.isfinite(low) & (low >= ABOVE * np.maximum(best, 0) + ABOVE_LPH)
    state.block_h[whole] += hours
    new = whole[state.block_h[whole] >= BLOCK_H]
    state.record[new] = np.concatenate([state.record[new, 1:], np.full((len(new), 1), np.nan)], axis=1)
    state.block_h[new] = 0.0
    newest = state.record[whole, -1]
    state.record[whole, -1] = np.where(np.isfinite(low), np.fmax(newest, low), newest)
    told: np.ndarray = high
    return told


def _alarms(
    state: _State, table: Steps, number: int, leaky: np.ndarray, quiet: np.ndarray, found: list[dict[str, object]]
) -> None:
    for one in quiet[state.active[quiet] >= 0]:
        if table.at[one, number] - state.leaky_at[one] >= CLEAR_H * 3600:
            found[state.active[one]]["until"] = moment(state.leaky_at[one])
            state.active[one] = -1
    low = np.fmin.reduce(state.run[leaky], axis=1)
    later = table.at[leaky, number] - state.began_at[leaky] >= GROWN_H * 3600
    grown = (state.active[leaky] >= 0) & later & (low >= GROWN * state.low[leaky] + GROWN_LPH)
    for one in leaky[grown]:
        found[state.active[one]]["until"] = moment(table.at[one, number])
    for one in leaky[(state.active[leaky] < 0) | grown]:
        state.active[one] = len(found)
        state.began_at[one], state.low[one] = table.at[one, number], np.nan_to_num(np.nanmin(state.run[one]))
        found.append(_told(state, table, int(one), number))
    state.leaky_at[leaky] = table.at[leaky, number]


def _told(state: _State, table: Steps, one: int, number: int) -> dict[str, object]:
    at = table.at[one, number]
    lowest = float(state.low[one])
    since = state.since[one] if state.run_h[one] > 0 else at
    return {
        "asset": table.assets[one],
        "since": moment(since),
        "at": moment(at),
        "until": None,
        "severity": "critical" if lowest >= CRITICAL_LPH else "warning",
        "litres_per_hour": round(lowest, 1),
        "confidence": round(min(0.99, 0.7 + 0.02 * float(state.score[one])), 2),
        "evidence": json.dumps(
            {
                "hours": round(float(state.run_h[one]), 1),
                "lowest_lph": round(lowest, 1),
                "zero_share": round(float(state.rested[one].sum() / state.seen[one].sum()), 3),
                "score": round(float(state.score[one]), 1),
                **_bounds(state, one, lowest),
                "chart": [round(float(rate), 1) for rate in _rates(table, one, number)],
            }
        ),
    }


def _bounds(state: _State, one: int, lowest: float) -> dict[str, float]:
    """No less than the lowest hour without the last litre of its register, no more than half of the hours show."""
    return {
        "litres_per_hour_low": round(max(lowest - 1, 0.0), 1),
        "litres_per_hour_high": round(max(lowest + 1, float(np.nanmedian(state.run[one]))), 1),
    }


def _rates(table: Steps, one: int, number: int) -> Floats:
    """Litres an hour in the last three days."""
    last = slice(max(0, number - 71), number + 1)
    told: Floats = np.nan_to_num(table.litres[one, last] / np.maximum(table.hours[one, last], 0.25))
    return told
