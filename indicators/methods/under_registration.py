"""A register that shows less than it did: each hour with use shows the same part of what it showed, and stays down.

Fewer people at home use water at fewer hours, and a garden that is no longer watered takes away the large hours alone;
a worn or throttled meter shows less of every one. So the hours with use of four weeks are explained as those of the
eight weeks before shown in part, in the part in which they are likeliest, and their mean has to have fallen as well.
"""

import json

import numpy as np
import polars as pl

from indicators.method import Assets
from indicators.methods.household import (
    COLUMNS,
    DAY,
    Days,
    Floats,
    Ints,
    bounds,
    days,
    moment,
    so_far,
    weekly,
    windowed,
)

__all__ = ["COLUMNS", "find"]

NOW_D, BASE_D = 28, 56
FALL = 0.20  # of the mean, as a natural logarithm: to 82 %
PART = 0.22  # and of the likeliest part: to 80 %
ACTIVE_H = 1.0  # hours with use a day, at least
STAYS_D = 2
BACK = 0.5  # over when half of the fall is made good
HOUR = (0.4, 1.6)  # steps that are an hour
FEWEST = 1.5  # of them with use, a day
PARTS = np.exp(np.arange(-1.4, 0.46, 0.05))
CLASSES = np.array(  # litres at which a class of hours begins
    [*range(1, 11), 12, 14, 16, 19, 22, 26, 31, 37, 44, 52, 62, 74, 90, 110, 140, 180, 240]
)
UNSEEN = 20.0  # hours with use that every class may have

_LITRES = np.unique(np.geomspace(1, 400, 160).astype(np.int64))  # an hour with use shows one of these, or between two
_KINDS = len(CLASSES)


def _shown_in_part() -> Floats:
    """For each litres, part and class: how likely the part of an hour with so many litres shows in this class."""
    part = PARTS * _LITRES[:, None]
    whole = np.floor(part)
    told = np.zeros((len(_LITRES), len(PARTS), _KINDS + 1))
    row, column = np.indices(part.shape)
    np.add.at(told, (row, column, np.searchsorted(CLASSES, whole, "right")), 1 - (part - whole))
    np.add.at(told, (row, column, np.searchsorted(CLASSES, whole + 1, "right")), part - whole)
    seen = told[:, :, 1:]  # an hour that shows nothing is none with use
    near = seen.copy()
    near[:, :, 1:] += seen[:, :, :-1] / 2
    near[:, :, :-1] += seen[:, :, 1:] / 2
    return near


_IN_PART = _shown_in_part().reshape(len(_LITRES), -1)
_CLASS = np.eye(_KINDS)[np.searchsorted(CLASSES, _LITRES, "right") - 1]


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find registers that show less (FOUND)."""
    table = days(series)
    now, before = _level(table, NOW_D, 0), _level(table, BASE_D, NOW_D)
    fallen = (np.log(now / before) <= -FALL) & np.isfinite(table.known)
    places = {table.assets[asset]: asset for asset in np.flatnonzero(fallen.any(axis=1)).tolist()}
    found: list[dict[str, object]] = []
    for (name,), hours in _hours(series, places).group_by("asset", maintain_order=True):
        asset = places[str(name)]
        at = np.flatnonzero(fallen[asset])
        below = np.zeros(fallen.shape[1], bool)
        below[at] = _part(_counts(hours, table), at) <= -PART
        found += _episodes(table, now[asset], before[asset], below, asset)
    return so_far(found, series)


def _level(table: Days, width: int, lag: int) -> Floats:
    """Mean litres of an hour with use; NaN where there are too few such hours."""
    hours = windowed(table.active, width, lag)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = windowed(table.litres, width, lag) / hours
    told: Floats = np.where((hours >= ACTIVE_H * width * 0.7) & (level > 0), level, np.nan)
    return told


def _hours(series: pl.DataFrame, assets: dict[str, int]) -> pl.DataFrame:
    """Hours with use of these assets: day and litres."""
    return (
        series.filter(pl.col("asset").is_in(list(assets)) & pl.col("hours").is_between(*HOUR))
        .select("asset", day=DAY, litres=(pl.col("rise_m3") * 1000).round())
        .filter(pl.col("litres").is_between(1, _LITRES[-1]))
    )


def _counts(hours: pl.DataFrame, table: Days) -> Floats:
    """How many hours of each day show each of _LITRES, summed over the days before (one row more than days)."""
    number = table.litres.shape[1]
    kind = np.searchsorted(_LITRES, hours["litres"].to_numpy(), "right") - 1
    place = (hours["day"].to_numpy() - table.first) * len(_LITRES) + kind
    daily = np.bincount(place, minlength=number * len(_LITRES)).reshape(number, -1)
    return np.concatenate([np.zeros((1, len(_LITRES))), daily.cumsum(axis=0)])


def _part(counts: Floats, at: Ints) -> Floats:
    """The natural logarithm of the likeliest part on these days; 0 where there are too few hours with use."""
    begin = np.maximum(at + 1 - NOW_D, 0)
    lately, base = counts[at + 1] - counts[begin], counts[begin] - counts[np.maximum(begin - BASE_D, 0)]
    likely = (base @ _IN_PART).reshape(len(at), len(PARTS), _KINDS)
    likely = (likely + UNSEEN / _KINDS) / (likely.sum(axis=2, keepdims=True) + UNSEEN)
    told = np.einsum("dk,dpk->dp", lately @ _CLASS, np.log(likely)).argmax(axis=1)
    enough = (lately.sum(axis=1) >= FEWEST * NOW_D) & (base.sum(axis=1) >= FEWEST * BASE_D)
    parts: Floats = np.where(enough, np.log(PARTS[told]), 0.0)
    return parts


def _episodes(table: Days, now: Floats, before: Floats, below: np.ndarray, asset: int) -> list[dict[str, object]]:
    """From the second day below to the day when half of the fall is made good, against the level before the fall."""
    found: list[dict[str, object]] = []
    run, level, low = 0, 0.0, 0.0
    for day, shows in enumerate(below):
        if found and found[-1]["until"] is None:
            low = min(low, now[day]) if np.isfinite(now[day]) else low
            if np.isfinite(table.known[asset, day]) and now[day] >= level - BACK * (level - low):
                found[-1]["until"] = moment(table.known[asset, day])
                run = 0
            continue
        run = run + 1 if shows else 0
        if run == STAYS_D:
            level, low = float(before[day]), float(now[day])
            found.append(_told(table, asset, day, level, low))
    return found


def _told(table: Days, asset: int, day: int, level: float, low: float) -> dict[str, object]:
    window = slice(max(0, day - NOW_D + 1), day + 1)
    shown = float(table.litres[asset, window].sum())
    missing = shown * (level / low - 1)
    return {
        "asset": table.assets[asset],
        "since": moment(table.known[asset, day] - NOW_D * 86400),
        "at": moment(table.known[asset, day]),
        "until": None,
        "severity": "info",
        "litres_per_hour": round(missing / NOW_D / 24, 2),
        "confidence": 0.65,
        "evidence": json.dumps(
            {
                "share": round(low / level, 3),
                "before_l": round(level, 1),
                "now_l": round(low, 1),
                "missing_l": round(missing),
                **bounds(missing / NOW_D / 24, shown / NOW_D / 24 * level / low * _error(table, asset, day)),
                "chart": [round(float(one)) for one in weekly(table.litres[asset, : day + 1][-84:])],
            }
        ),
    }


def _error(table: Days, asset: int, day: int) -> float:
    """Standard error of the logarithm of the fall, from how far the weeks before differ."""
    before = slice(max(day - NOW_D - BASE_D + 1, 0), day - NOW_D + 1)
    litres, active = (weekly(of[asset, before]) for of in (table.litres, table.active))
    used = (litres > 0) & (active > 0)
    spread = float(np.log(litres[used] / active[used]).std()) if used.any() else 0.0
    return spread * float(np.sqrt(7 / NOW_D + 7 / BASE_D))
