"""A meter that stands still: it reports, and its register has not moved for longer than this connection ever rests.

An empty house looks the same. So it has to stand longer than most holidays last, and a quarter longer than the second
longest rest of this connection lately; connections that are empty for half of the time are left to people.
"""

import json

import numpy as np
import polars as pl

from indicators.method import Assets
from indicators.methods.household import COLUMNS, MOST_LPH, Floats, Steps, bounds, moment, so_far, steps

__all__ = ["COLUMNS", "find"]

STILL_H = 8.5 * 24.0  # shorter rests are holidays, a week with both of its weekends; longer ones are found too late
LONGER = 1.25  # times the second longest rest before: one long holiday is excused
EMPTY_SHARE = 0.5  # of the time lately spent in rests of more than two days: a second home
REST_H = 48.0
FORGET_H = 45 * 24.0  # what was long ago fades with this time constant
HISTORY_H = 28 * 24.0
LEAST_LPD = 10.0  # used before: below it nobody lives there
WEEKS = 8  # before it stood still, that say how much its use differs

_WEEK_S = 7 * 86400.0


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find meters that stand still (FOUND)."""
    table = steps(series)
    size = len(table.assets)
    still, since, longest, second, empty, watched, used, recent = (np.zeros(size) for _ in range(8))
    open_ = np.full(size, -1)
    found: list[dict[str, object]] = []
    for number in range(table.litres.shape[1]):
        litres, hours, at = table.litres[:, number], table.hours[:, number], table.at[:, number]
        there = (number < table.counts) & np.isfinite(litres) & np.isfinite(hours)
        moved = there & (litres > 0)
        fade = np.exp(-np.where(there, hours, 0.0) / FORGET_H)
        empty *= fade
        recent = recent * fade + np.where(there, hours, 0.0)
        longest *= fade
        second *= fade
        rested = moved & (still >= REST_H)
        empty[rested] += still[rested]
        second[rested] = np.maximum(second, np.minimum(longest, still))[rested]
        longest[rested] = np.maximum(longest, still)[rested]
        for asset in np.flatnonzero(moved & (open_ >= 0)):
            found[open_[asset]]["until"] = moment(at[asset] - hours[asset] * 3600)
            open_[asset] = -1
        fresh = there & ~moved & (still == 0)
        since[fresh] = (at - hours * 3600)[fresh]
        still = np.where(moved, 0.0, still + np.where(there, hours, 0.0))
        watched += np.where(there, hours, 0.0)
        used += np.where(moved & (litres < MOST_LPH * np.maximum(hours, 1)), litres, 0.0)
        before = watched - still
        stands = there & (open_ < 0) & (still >= np.maximum(STILL_H, LONGER * second)) & (before >= HISTORY_H)
        stands &= (empty <= EMPTY_SHARE * (recent - still)) & (used >= LEAST_LPD / 24 * before)
        for asset in np.flatnonzero(stands):
            open_[asset] = len(found)
            found.append(_told(table, int(asset), number, since, longest, used[asset] / before[asset]))
    return so_far(found, series)


def _told(table: Steps, asset: int, number: int, since: Floats, longest: Floats, lph: float) -> dict[str, object]:
    at = table.at[asset, number]
    days = (at - since[asset]) / 86400
    daily = _chart(table, asset, number)
    return {
        "asset": table.assets[asset],
        "since": moment(since[asset]),
        "at": moment(at),
        "until": None,
        "severity": "warning",
        "litres_per_hour": round(lph, 1),
        "confidence": 0.8,
        "evidence": json.dumps(
            {
                "days": round(days, 1),
                "longest_before_d": round(longest[asset] / 24, 1),
                "usual_lpd": round(lph * 24, 0),
                **bounds(lph, _spread(table, asset, since[asset])),
                "chart": daily,
            }
        ),
    }


def _spread(table: Steps, asset: int, since: float) -> float:
    """Standard deviation of the litres an hour of whole weeks before it stood still."""
    litres, at = table.litres[asset], table.at[asset]
    sound = (at <= since) & (litres >= 0) & (litres <= MOST_LPH * np.maximum(table.hours[asset], 1))
    week = np.floor((since - at[sound]) / _WEEK_S).astype(int)
    weeks = np.bincount(week, litres[sound])[:WEEKS]
    hours = np.bincount(week, table.hours[asset][sound])[:WEEKS]
    seen = hours >= _WEEK_S / 3600 / 2
    lph = weeks[seen] / hours[seen]
    return float(lph.std(ddof=1)) if len(lph) > 1 else 0.0


def _chart(table: Steps, asset: int, number: int) -> list[float]:
    """Litres of each of the last 28 days."""
    first = max(0, number - 28 * 24)
    age = np.floor((table.at[asset, number] - table.at[asset, first : number + 1]) / 86400 + 1e-9).astype(int)
    litres = np.nan_to_num(table.litres[asset, first : number + 1])
    sums = np.bincount(age, np.clip(litres, 0, 3000), minlength=28)[:28][::-1]
    return [round(float(one), 1) for one in sums]
