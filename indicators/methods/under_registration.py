"""A register that shows less than it did: the mean litres of an hour with use fall, and stay down.

Fewer people at home use water at fewer hours; a worn or throttled meter shows less at each of them. So the litres of
an hour with use are compared, four weeks against the eight before, and with how much this figure varies here anyway.
"""

import json

import numpy as np
import polars as pl

from indicators.method import Assets
from indicators.methods.household import COLUMNS, Days, Floats, days, moment, so_far, windowed

__all__ = ["COLUMNS", "find"]

NOW_D, BASE_D = 28, 56
FALL = 0.30  # natural logarithm: to 74 %
SPREADS = 2.0  # and so many times the standard deviation of this connection
HISTORY_D, LEAST_HISTORY_D = 120, 30
ACTIVE_H = 1.0  # hours with use a day, at least
STAYS_D = 3
BACK = 0.5  # over when half of the fall is made good


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find registers that show less (FOUND)."""
    table = days(series)
    now, before = _level(table, NOW_D, 0), _level(table, BASE_D, NOW_D)
    fall = np.log(now / before)
    bound = np.maximum(FALL, SPREADS * _spread(fall))
    below = (fall <= -bound) & np.isfinite(table.known)
    found: list[dict[str, object]] = []
    for asset in np.flatnonzero(below.any(axis=1)):
        found += _episodes(table, now, before, below, int(asset))
    return so_far(found, series)


def _level(table: Days, width: int, lag: int) -> Floats:
    """Mean litres of an hour with use; NaN where there are too few such hours."""
    hours = windowed(table.active, width, lag)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = windowed(table.litres, width, lag) / hours
    told: Floats = np.where((hours >= ACTIVE_H * width * 0.7) & (level > 0), level, np.nan)
    return told


def _spread(fall: Floats) -> Floats:
    """Standard deviation of the figure over the time before the window; 0 where too little is known."""
    there = np.isfinite(fall)
    values = np.where(there, fall, 0.0)
    lead = ((0, 0), (HISTORY_D + NOW_D, 0))  # at the beginning, as much as there is

    def sums(of: Floats) -> Floats:
        return windowed(np.pad(of, lead), HISTORY_D, NOW_D)[:, HISTORY_D + NOW_D :]

    count = sums(there.astype(float))
    mean = sums(values) / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(sums(values**2) / np.maximum(count, 1) - mean**2, 0))
    told: Floats = np.where(count >= LEAST_HISTORY_D, spread, 0.0)
    return told


def _episodes(table: Days, now: Floats, before: Floats, below: np.ndarray, asset: int) -> list[dict[str, object]]:
    """From the third day below to the day when half of the fall is made good, against the level before the fall."""
    found: list[dict[str, object]] = []
    run, level, low = 0, 0.0, 0.0
    for day in range(below.shape[1]):
        if found and found[-1]["until"] is None:
            low = min(low, now[asset, day]) if np.isfinite(now[asset, day]) else low
            if np.isfinite(table.known[asset, day]) and now[asset, day] >= level - BACK * (level - low):
                found[-1]["until"] = moment(table.known[asset, day])
                run = 0
            continue
        run = run + 1 if below[asset, day] else 0
        if run == STAYS_D:
            level, low = float(before[asset, day]), float(now[asset, day])
            found.append(_told(table, asset, day, level, low))
    return found


def _told(table: Days, asset: int, day: int, level: float, low: float) -> dict[str, object]:
    window = slice(max(0, day - NOW_D + 1), day + 1)
    shown = float(table.litres[asset, window].sum())
    missing = shown * (level / low - 1)
    weeks = table.litres[asset, : day + 1][-84:]
    weeks = weeks[len(weeks) % 7 :].reshape(-1, 7).sum(axis=1)
    return {
        "asset": table.assets[asset],
        "since": moment(table.known[asset, day] - NOW_D * 86400),
        "at": moment(table.known[asset, day]),
        "until": None,
        "severity": "info",
        "litres_per_hour": round(missing / NOW_D / 24, 2),
        "confidence": 0.6,
        "evidence": json.dumps(
            {
                "share": round(low / level, 3),
                "before_l": round(level, 1),
                "now_l": round(low, 1),
                "missing_l": round(missing),
                "chart": [round(float(one)) for one in weeks],
            }
        ),
    }
