"""Water drawn from the network at night and never billed: the same hours of many nights, on and off within the night.

Each half hour from 22:00 to 06:30 is looked at: what flows in, less what tanks take in, less what meters of connections
told where they all did. A pulse is what some hours have more than those beside them, against what they
usually have more; a leak or a warm night adds to all hours alike. Nights add up.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from indicators.method import FOUND, Assets, nothing
from indicators.methods.inflow import Floats, Ints

COLUMNS = ("flow_m3h", "stored_m3", "metered_m3h")
BEGINS_H, BINS = 22, 17  # half hours of a night
LENGTHS = (2, 3, 4, 6)  # half hours of a pulse
RECENT = 7  # nights that add up, and that are not yet usual
USUAL, KNOWN = 42, 14  # nights before them, and how many must be there
LATE_NIGHTS = (4, 5)  # Friday's and Saturday's are another kind
LATE_KNOWN = 4
CLIP = 5.0  # deviations: one night alone proves nothing
BAR = 4.4  # of the sum of a pulse's nights, over the root of their number
ACTIVE, ACTIVE_NIGHTS = 1.5, 3  # deviations in which a night shows it, and how many must
BESIDE = 2  # half hours before and after a pulse that it is held against
LEAST_M3H = 1.0
LEAST_SHARE = 0.01  # of the mean flow
FLOOR = 0.85  # of the middle spread of pulses as long
QUIET = 6  # nights without it: it is over
SERIOUS_M3H = 5.0


@dataclass(frozen=True)
class Nights:
    """Rows: nights without a gap between them, columns: half hours (m3/h, NaN where nobody measured)."""

    first: int  # days since 1970 of the evening of the first
    ends: list[datetime | None]  # of the last half hour that is known
    flow: Floats
    mean: float
    zone: timedelta  # local less UTC, of the last row

    def when(self, night: int, half_hours: int) -> datetime:
        """UTC of so many half hours after the evening's beginning."""
        local = datetime.fromtimestamp((self.first + night) * 86400 + BEGINS_H * 3600 + half_hours * 1800, UTC)
        return local - self.zone


@dataclass
class Draw:
    """One condition, in nights."""

    pulse: tuple[int, int]  # first half hour, and how many
    at: int
    active: list[int]
    size: float
    spread: float
    score: float
    usual: Floats  # of each half hour
    until: int | None = None


def nights(part: pl.DataFrame) -> Nights | None:
    """The nights of one district."""
    for name in ("stored_m3", "metered_m3h"):
        if name not in part.columns:
            part = part.with_columns(pl.lit(None, pl.Float64).alias(name))
    stamp = pl.col("at").dt.epoch("us")
    stored = pl.col("stored_m3").diff() / (stamp.diff() / 3.6e9)
    flow = (pl.col("flow_m3h") - stored.fill_null(0) - pl.col("metered_m3h").fill_null(0)).alias("flow")
    slot = (pl.col("local").dt.epoch("us") - 1) // 1_800_000_000 - BEGINS_H * 2
    told = part.select("at", "local", flow, night=slot // 48, bin=slot % 48)
    if told.is_empty():
        return None
    dark = told.filter(pl.col("bin") < BINS).group_by("night", "bin").agg(pl.col("flow").mean(), pl.col("at").max())
    if dark.is_empty():
        return None
    row, column = dark["night"].to_numpy(), dark["bin"].to_numpy()
    first, count = int(row.min()), int(row.max() - row.min()) + 1
    grid = np.full((count, BINS), np.nan)
    grid[row - first, column] = dark["flow"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    last = dict(dark.filter(pl.col("bin") == BINS - 1).select(pl.col("night") - first, "at").iter_rows())
    mean = float(told["flow"].head(KNOWN * 48).mean() or 0.0)  # type: ignore[arg-type]
    zone = told["local"][-1] - told["at"][-1].replace(tzinfo=None)
    return Nights(first, [last.get(night) for night in range(count)], grid, mean, zone)


PULSES = [(start, length) for length in LENGTHS for start in range(1, BINS - length)]


def contrasts(flow: Floats) -> Floats:
    """What each pulse has more than the hours before and after it, a half hour between left out."""
    told = np.full((len(flow), len(PULSES)), np.nan)
    known = np.isfinite(flow).sum(axis=1) >= BINS - 2
    for number, (start, length) in enumerate(PULSES):
        rest = np.zeros(BINS, bool)
        rest[max(start - 1 - BESIDE, 0) : start - 1] = True
        rest[start + length + 1 : start + length + 1 + BESIDE] = True
        inside, outside = flow[known][:, start : start + length], flow[known][:, rest]
        whole = np.isfinite(inside).all(axis=1)
        apart = inside.mean(axis=1) - np.nanmean(outside, axis=1)
        told[known, number] = np.where(whole, apart, np.nan)
    return told


def _late(told: Nights) -> Ints:
    weekday = (told.first + np.arange(len(told.flow)) + 3) % 7  # 1970 began on a Thursday
    late: Ints = np.isin(weekday, LATE_NIGHTS).astype(np.int64)
    return late


def _usual(values: Floats, kind: Ints, night: int) -> tuple[Floats, Floats] | None:
    """Middle of both kinds of nights before the recent ones (rows: as `values` of the recent), and their spread."""
    past = np.arange(max(night - RECENT - USUAL + 1, 0), night - RECENT + 1)
    past = past[np.isfinite(values[past]).all(axis=1)]
    if len(past) < KNOWN:
        return None
    middle = np.repeat(np.median(values[past], axis=0)[None], 2, axis=0)
    for late in (0, 1):
        alike = past[kind[past] == late]
        if len(alike) >= LATE_KNOWN:
            middle[late] = np.median(values[alike], axis=0)
    apart = values[past] - middle[kind[past]]
    spread = 1.4826 * np.median(np.abs(apart), axis=0) * (len(past) / (len(past) - KNOWN / 2)) ** 0.5 + 1e-6
    for length in LENGTHS:  # of many spreads chance makes some small
        alike = np.flatnonzero([pulse[1] == length for pulse in PULSES])
        spread[alike] = np.maximum(spread[alike], FLOOR * np.median(spread[alike]))
    return middle, spread


def draws(told: Nights) -> list[Draw]:
    """Walk along the nights; looks at nothing behind the night it is at."""
    values, kind, found = contrasts(told.flow), _late(told), []
    least = max(LEAST_M3H, LEAST_SHARE * told.mean)
    going: list[tuple[Draw, Floats, float]] = []
    whole = len(values) - (told.ends[-1] is None)  # of a night that is not over nobody knows that it was quiet
    for night in range(KNOWN + RECENT, whole):
        going = [one for one in going if _goes_on(*one, values, kind, night)]
        usual = _usual(values, kind, night)
        if usual is None:
            continue
        middle, spread = usual
        recent = np.arange(night - RECENT + 1, night + 1)
        apart = values[recent] - middle[kind[recent]]
        apart[
            :, [number for number, pulse in enumerate(PULSES) if any(_near(pulse, one[0].pulse) for one in going)]
        ] = 0.0
        draw = _best(apart, spread, least, night)
        if draw is not None:
            before = np.arange(max(night - RECENT - USUAL + 1, 0), night - RECENT + 1)
            draw.usual = np.nanmedian(told.flow[before], axis=0)
            found.append(draw)
            number = PULSES.index(draw.pulse)
            going.append((draw, middle[:, number], float(spread[number])))
    return found


def _near(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two pulses overlap, or lie side by side."""
    return one[0] <= other[0] + other[1] + BESIDE and other[0] <= one[0] + one[1] + BESIDE


def _best(apart: Floats, spread: Floats, least: float, night: int) -> Draw | None:
    """The pulse whose recent nights say most together, where that is enough."""
    whole = np.nan_to_num(apart / spread)
    score = np.clip(whole, -CLIP, CLIP)
    shown = score > ACTIVE
    best: tuple[float, int, int] | None = None
    for count in range(ACTIVE_NIGHTS, RECENT + 1):
        sums = score[-count:].sum(axis=0) / count**0.5
        sums[shown[-count:].sum(axis=0) < ACTIVE_NIGHTS] = 0.0
        number = int(np.lexsort((whole[-count:].sum(axis=0), np.round(sums, 6)))[-1])  # of equal ones the clearest
        if sums[number] > BAR and (best is None or sums[number] > best[0]):
            best = float(sums[number]), number, count
    if best is None:
        return None
    total, number, count = best
    rows = np.flatnonzero(shown[-count:, number])
    size = float(np.median(apart[-count:, number][rows]))
    if size < least:
        return None
    active = [int(night - count + 1 + row) for row in rows]
    return Draw(PULSES[number], night, active, size, float(spread[number]), total, np.empty(0))


def _goes_on(draw: Draw, middle: Floats, spread: float, values: Floats, kind: Ints, night: int) -> bool:
    """Follow a draw for one night against what was usual before it, for as long as that tells something."""
    more = values[night, PULSES.index(draw.pulse)] - middle[int(kind[night])]
    if more > max(ACTIVE * spread, draw.size / 2):
        draw.active.append(night)
    if night - draw.active[-1] < QUIET and night - draw.at < USUAL:
        return True
    draw.until = draw.active[-1]
    return False


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:
    """Find draws in series of inflow (m3/h), of what tanks hold (m3) and of what meters told (m3/h) of districts."""
    del assets
    rows: list[dict[str, Any]] = []
    for (name,), part in series.group_by("asset", maintain_order=True):
        told = nights(part)
        if told is not None and len(told.flow) > KNOWN + RECENT:
            rows += list(_rows(str(name), told))
    return pl.DataFrame(rows, schema=FOUND, orient="row") if rows else nothing()


def _rows(name: str, told: Nights) -> Iterator[dict[str, Any]]:
    for draw in draws(told):
        at = told.ends[draw.at]
        if at is None:
            continue
        start, length = draw.pulse
        error = 2 * draw.spread / len(draw.active) ** 0.5
        low, high = max(draw.size - error, 0.0), draw.size + error
        from_h, to_h = ((BEGINS_H * 60 + 30 * one) % 1440 for one in (start, start + length))
        night = np.nanmean(told.flow[draw.active], axis=0) - draw.usual
        evidence = {
            "from": f"{from_h // 60:02d}:{from_h % 60:02d}",
            "to": f"{to_h // 60:02d}:{to_h % 60:02d}",
            "nights": len(draw.active),
            "of": (draw.until or len(told.flow) - 1) - draw.active[0] + 1,
            "now_m3h": round(draw.size, 2),
            "spread_m3h": round(draw.spread, 2),
            "low_m3h": round(low, 2),
            "high_m3h": round(high, 2),
            "litres_per_hour_low": round(1000 * low),
            "litres_per_hour_high": round(1000 * high),
            "score": round(draw.score, 1),
            "chart": [round(float(one), 2) if np.isfinite(one) else None for one in night],
        }
        yield {
            "asset": name,
            "since": told.when(draw.active[0], start),
            "at": at,
            "until": told.when(draw.until, start + length) if draw.until is not None else None,
            "severity": "critical" if draw.size >= SERIOUS_M3H else "warning",
            "litres_per_hour": round(1000 * draw.size),
            "volume_m3": round(draw.size * length / 2 * len(draw.active), 1),
            "confidence": round(min(0.95, 1 - 0.5 * float(np.exp(-(draw.score - BAR) / 2))), 2),
            "evidence": json.dumps(evidence),
        }
