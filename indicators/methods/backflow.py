"""Water that flows back through a meter: the register falls, step by step, by as much as water can have flowed.

What else makes a register fall is told apart (`kinds`): two readers whose telegrams cross (a step of minutes), a glitch
or another meter's telegram (more than can flow), and the swing of a few litres when pressure or temperature changes.
"""

import json

import numpy as np
import polars as pl

from indicators.method import FOUND, Assets
from indicators.methods.household import COLUMNS, MOST_LPH, Floats, moment, steps

__all__ = ["COLUMNS", "find", "kinds"]

CROSSED = 0.5  # a step shorter than so much of the usual one may lie between the telegrams of two readers,
RECENT = 3  # and then the register falls by no more than it rose in so many steps before
USUAL = 24  # steps that say what is usual
LONGEST_H = 3.0  # a gap counts for no more
SWING_L = 15.0  # less in a day is the house's own pipes
SUM_H = 24.0
MUCH_L = 100.0
WEEK_STEPS = 7 * 24  # before it, that say what the house draws
FORGET_H = 24.0  # quiet for so long: it is over


def kinds(litres: Floats, hours: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    """What each step is: `rise`, `crossed`, `glitch`, `swing` or `backflow` (NaN: `rise`)."""
    fell = litres < 0
    told = np.full(litres.shape, "rise", "U8")
    told[fell] = "swing"
    told[fell & (litres <= -SWING_L)] = "backflow"
    rose = np.pad(np.nan_to_num(np.clip(litres, 0, None)), ((0, 0), (RECENT, 0)))
    recent = sum(rose[:, back : back + litres.shape[1]] for back in range(RECENT))
    told[fell & (hours < CROSSED * _usual(hours)) & (-litres <= recent)] = "crossed"
    told[fell & (-litres > MOST_LPH * np.maximum(hours, 1.0))] = "glitch"
    return told


def _usual(hours: Floats) -> Floats:
    """The step in which a moment of the time before mostly lay: the mean of the steps, weighed by their length."""
    length = np.concatenate([np.zeros((len(hours), USUAL)), np.clip(np.nan_to_num(hours), 0, LONGEST_H)], axis=1)
    sums, squares = np.cumsum(length, axis=1), np.cumsum(length**2, axis=1)
    before = slice(USUAL - 1, -1)
    weight = sums[:, before] - np.pad(sums, ((0, 0), (1, 0)))[:, : hours.shape[1]]
    square = squares[:, before] - np.pad(squares, ((0, 0), (1, 0)))[:, : hours.shape[1]]
    told: Floats = np.divide(square, weight, out=np.zeros_like(weight), where=weight > 0)
    return told


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find water flowing back (FOUND)."""
    table = steps(series)
    told = kinds(table.litres, table.hours)
    found: list[dict[str, object]] = []
    for asset in np.flatnonzero(((told == "backflow") | (told == "swing")).any(axis=1)):
        litres, at = table.litres[asset], table.at[asset]
        back = np.flatnonzero((told[asset] == "backflow") | (told[asset] == "swing"))
        found += _episodes(table.assets[asset], litres, at, table.hours[asset], back)
    return pl.DataFrame(found, FOUND).sort("at", "asset")


def _episodes(asset: str, litres: Floats, at: Floats, hours: Floats, back: object) -> list[dict[str, object]]:
    """Steps back that add up to more than a swing within a day; quiet for a day ends them."""
    found: list[dict[str, object]] = []
    steps_back: list[int] = []
    last = float(at[np.isfinite(at)][-1])
    for number in np.asarray(back).tolist():
        if found and found[-1]["until"] is None and at[number] - at[steps_back[-1]] > FORGET_H * 3600:
            found[-1]["until"] = moment(at[steps_back[-1]])
            steps_back = []
        steps_back = [*(one for one in steps_back if at[number] - at[one] < SUM_H * 3600), number]
        total = -float(litres[steps_back].sum())
        going = bool(found) and found[-1]["until"] is None
        if total >= SWING_L and not going:
            first = steps_back[0]
            found.append(
                {
                    "asset": asset,
                    "since": moment(at[first] - hours[first] * 3600),
                    "at": moment(at[number]),
                    "until": None,
                    "severity": "critical" if total >= MUCH_L else "warning",
                    "litres_per_hour": round(total / float(hours[steps_back].sum()), 1),
                    "volume_m3": round(total / 1000, 3),
                    "confidence": 0.9,
                    "evidence": _evidence(litres, hours, steps_back, total),
                }
            )
    if found and found[-1]["until"] is None and last - at[steps_back[-1]] > FORGET_H * 3600:
        found[-1]["until"] = moment(at[steps_back[-1]])
    return found


def _evidence(litres: Floats, hours: Floats, back: list[int], total: float) -> str:
    chart = [round(float(one), 1) for one in np.nan_to_num(litres[max(0, back[-1] - 35) : back[-1] + 1])]
    told = {"litres": round(total, 1), "steps": len(back), **_bounds(litres, hours, back, total), "chart": chart}
    return json.dumps(told)


def _bounds(litres: Floats, hours: Floats, back: list[int], total: float) -> dict[str, float]:
    """No less than the register fell without a last litre; no more than that and what the house drew meanwhile."""
    before = slice(max(0, back[0] - WEEK_STEPS), back[0])
    use, time = litres[before], hours[before]
    sound = (use >= 0) & (use <= MOST_LPH * np.maximum(time, 1))
    usual = float(use[sound].sum() / time[sound].sum()) if sound.any() else 0.0
    took = float(hours[back].sum())
    return {
        "litres_per_hour_low": round(max(total - 1, 0.0) / took, 1),
        "litres_per_hour_high": round((total + 1) / took + usual, 1),
    }
