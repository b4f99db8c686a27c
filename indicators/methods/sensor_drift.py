"""A sensor that drifts: it slowly leaves what its neighbours, the same as before, say that it should show.

What is expected of a device on a day follows from those of the same measure that went with it best over half a year,
learned before the last three months. So weather, holidays and growth, which all show, are no drift. A departure is the
median of four weeks, in units of how far this device has wandered from its neighbours in as much time before. One that
comes at once is a step (an exchange, a new place) and not told; neither is one that a neighbour shares.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from indicators.method import FOUND, Assets
from indicators.methods.channels import long
from indicators.methods.neighbours import LEARN, LOOK, Courses, Floats, Ints, Look, departure
from schemas.vocabulary import measures

COLUMNS = ()  # value_NAME for each measure, or `measure` and `value`; `channel` of lanes
WEEK = 7  # days from look to look
HISTORY, KNOWN = 240, 12  # days of departures before that tell the usual, and how many of them at least
USUAL, OTHERS = 0.8, 0.9  # the usual is this quantile, of all devices where too little is known of one
FLOOR = 0.03  # of the device's own spread: less is not told
SCORE = 3.0  # times the usual
ALONE = 0.7  # share of it that stays when any one neighbour is left out
SHARED = 0.5  # a neighbour with so much of it that goes the same way: it is the world
RAMPS, STEPS = Courses.of((20, 30, 45, 60, 90)), Courses.of((0, 4))  # days in which it comes: a drift, a step
PLAINLY = 0.95  # a drift leaves so much less unexplained than a step
GROWN = 0.5  # share of the departure that came within the look
AGAIN = 270  # days for which a device that was told is no neighbour and is not told again
OVER = 0.5  # share of the bar below which it is over
AMOUNTS = ("{vehicle}", "m3/h", "m3/s", "ug/m3", "mg/m3", "mg/L", "W/m2")  # of these a share is lost; others are offset


@dataclass
class _Drift:
    """One condition; days are counted from the first."""

    channel: int
    at: int  # the last day looked at
    since: int
    usual: float
    peers: Ints
    left: Floats
    until: int | None = None


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find drifting sensors: one condition a channel of an asset (FOUND); evidence names the measure."""
    found: list[dict[str, Any]] = []
    rows = long(series).with_columns(day=(pl.col("local") - timedelta(microseconds=1)).dt.date())
    for (measure,), part in rows.group_by("measure", maintain_order=True):
        names = part.select("asset", "channel").unique(maintain_order=True)
        first, over, value = _grid(part, names, _is_amount(str(measure)))
        for drift in _Watch(first, over, value).run():
            found.append(_told(str(measure), names.rows(), over, drift))
    return pl.DataFrame(found, FOUND).sort("at", "asset")


def _is_amount(measure: str) -> bool:
    return measure in measures() and measures()[measure].unit in AMOUNTS


def _grid(part: pl.DataFrame, names: pl.DataFrame, amount: bool) -> tuple[date, Sequence[datetime | None], Floats]:
    """The first day; when each was known to be over; means by day and channel, of amounts their logarithm."""
    first = part["day"].min()
    means = part.group_by("asset", "channel", "day").agg(pl.col("value").mean())
    means = means.join(names.with_row_index("number"), on=["asset", "channel"])
    day = (means["day"] - first).dt.total_days().to_numpy()
    value = np.full((int(day.max()) + 1, names.height), np.nan)
    shown = means["value"].to_numpy()
    value[day, means["number"].to_numpy()] = np.log(np.where(shown > 0, shown, np.nan)) if amount else shown
    ends = part.group_by(over=pl.col("local").dt.date()).agg(pl.col("at").min()).filter(pl.col("over") > first)
    days = pl.DataFrame({"over": [first + timedelta(days=one + 1) for one in range(len(value))]})  # type: ignore[operator]
    over = days.join(ends, on="over", how="left", maintain_order="left")["at"].fill_null(strategy="backward")
    return first, over.to_list(), value  # type: ignore[return-value]


class _Watch:
    """All devices of a measure, looked at every week."""

    def __init__(self, first: date, over: Sequence[datetime | None], value: Floats) -> None:
        self.looks = [
            day for day in range(LEARN + LOOK - 1, len(value)) if not (first.toordinal() + day) % WEEK and over[day]
        ]
        self.value = value
        self.heard = value.copy()  # what neighbours say: without those that were told
        self.past: list[tuple[int, Floats]] = []
        self.usual = np.full(value.shape[1], np.nan)
        self.told: dict[int, _Drift] = {}

    def run(self) -> list[_Drift]:
        found: list[_Drift] = []
        for at in self.looks:
            span = slice(at + 1 - LOOK - LEARN, at + 1)
            look = Look(self.value[span], self.heard[span])
            apart = look.departures()
            bar = SCORE * self._usual(at, look.spread)
            self._closed(at, np.abs(apart) < OVER * bar)
            kept = apart.copy()
            kept[list(self.told)] = np.nan
            self.past.append((at, kept))
            for drift in self._new(at, look, apart, bar):
                found.append(drift)
                self._look_past(drift, look)
        return found

    def _usual(self, at: int, spread: Floats) -> Floats:
        """How far each device usually is from its neighbours."""
        held = [one for day, one in self.past if at - LOOK - HISTORY <= day <= at - LOOK]
        past = np.abs(np.array(held).reshape(len(held), len(spread)))
        if np.isfinite(past).sum() < KNOWN:
            return np.full(len(spread), np.inf)
        enough = np.isfinite(past).sum(axis=0) >= KNOWN
        if enough.any():
            self.usual[enough] = np.nanquantile(past[:, enough], USUAL, axis=0)
        usual = np.where(np.isfinite(self.usual), self.usual, np.nanquantile(past, OTHERS))
        return np.maximum(usual, FLOOR * spread)

    def _closed(self, at: int, near: Any) -> None:
        for channel, drift in list(self.told.items()):
            if drift.until is None and (near[channel] or at - drift.at >= AGAIN):
                drift.until = at
            if at - drift.at >= AGAIN:
                del self.told[channel]

    def _new(self, at: int, look: Look, apart: Floats, bar: Floats) -> Iterator[_Drift]:
        """Those over the bar, the clearest first; who is told is not asked for the ones after it."""
        score = np.nan_to_num(np.abs(apart) / bar)
        for channel in np.argsort(-score).tolist():
            if score[channel] < 1:
                return
            peers, left = look.peers(channel), look.left(channel)
            begun = _begun(left) if channel not in self.told else None
            if begun is not None and _alone(look, channel, peers, departure(left), bar):
                since = at + 1 - LOOK + begun
                yield _Drift(channel, at, since, float(bar[channel] / SCORE), peers, left)

    def _look_past(self, drift: _Drift, look: Look) -> None:
        """Who drifts tells nothing of others, nor of what is usual for itself."""
        self.told[drift.channel] = drift
        look.speaks[drift.channel] = False
        self.heard[drift.since :, drift.channel] = np.nan
        for day, apart in self.past:
            if day >= drift.since:
                apart[drift.channel] = np.nan


def _begun(left: Floats) -> int | None:
    """The day of the look on which a departure began to grow; none where it came before, or at once."""
    size = departure(left)
    if not np.isfinite(size):
        return None
    (slow, grown, begun), (sudden, _, _) = RAMPS.fitted(left), STEPS.fitted(left)
    return begun if slow <= PLAINLY * sudden and grown * np.sign(size) >= GROWN * abs(size) else None


def _alone(look: Look, channel: int, peers: Ints, size: float, bar: Floats) -> bool:
    """Whether it goes whoever of its neighbours is not asked, and none of them, asked without it, goes as well.

    One that goes the same way is the world; one that goes farther, whichever way, is what the others leave.
    """
    way, score = np.sign(size), abs(size) / bar[channel]
    without = [departure(look.left(channel, peer)) * way / bar[channel] for peer in peers.tolist()]
    if not (score >= ALONE and all(one >= ALONE for one in without)):
        return False
    theirs = [departure(look.left(peer, channel)) * way / bar[peer] for peer in peers.tolist()]
    return not any(one >= SHARED or abs(one) >= score for one in theirs)


def _told(measure: str, names: list[tuple[str, str]], over: Sequence[datetime | None], drift: _Drift) -> dict[str, Any]:
    asset, channel = names[drift.channel]
    title = measures()[measure].title if measure in measures() else None
    weeks = drift.left[LOOK % WEEK :].reshape(-1, WEEK)
    chart = [round(float(np.median(week[np.isfinite(week)])), 3) if np.isfinite(week).any() else None for week in weeks]
    return {
        "asset": asset,
        "since": next(one for one in over[drift.since :] if one is not None),
        "at": over[drift.at],
        "until": None if drift.until is None else over[drift.until],
        "severity": "info",
        "confidence": 0.7,
        "evidence": json.dumps(
            {
                "measure": measure,
                "measure_en": title.en if title else measure,
                "measure_sl": title.sl if title else measure,
                "channel": channel,
                "change": _size(measure, departure(drift.left)),
                "usual": _size(measure, drift.usual).lstrip("+"),
                "days": drift.at - drift.since + 1,
                "with": ", ".join(" ".join(filter(None, names[peer])) for peer in drift.peers.tolist()),
                "chart": chart,
            }
        ),
    }


def _size(measure: str, departure: float) -> str:
    """A departure as people read it: of amounts a share."""
    if _is_amount(measure):
        return f"{100 * np.expm1(departure):+.0f} %"
    return f"{departure:+.3g} {measures()[measure].unit if measure in measures() else ''}".strip()
