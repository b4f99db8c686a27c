"""What the neighbours of a device say that it should show: relations of one day, learned before the time looked at."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LEARN = 180  # days of which the relation is learned,
LOOK = 90  # before so many: a drift within them is not learned
LAST = 28  # days whose median is the departure
SEEN = 0.7  # share of the days that have to be known
PEERS, LEAST, ALIKE = 4, 2, 0.6  # neighbours at most and at least, and their correlation
RIDGE = 0.05  # of the neighbours' variance
FAILED = 8.0  # spreads from its middle: a device that fails on such a day does not drift

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Look:
    """All channels over one span of LEARN and LOOK days: columns are channels."""

    def __init__(self, value: Floats, heard: Floats) -> None:
        """Learn from what each shows; only what is `heard` of it tells of others."""
        middle, self.spread = _usual(value[:LEARN])
        sound = np.abs(value - middle) <= FAILED * self.spread
        self.value = np.where(sound, value, np.nan)
        self.heard = np.where(sound, heard, np.nan)
        self.seen = _share(self.value[:LEARN]) >= SEEN
        self.speaks = (_share(self.heard[:LEARN]) >= SEEN) & (_share(self.heard[-LAST:]) >= SEEN)
        self.alike = _alike(self.value[:LEARN])

    def peers(self, channel: int, without: int = -1) -> Ints:
        """Give those that go with a channel best; too few of them say nothing."""
        alike = np.where(self.speaks, self.alike[channel], -1.0)
        alike[[channel, without] if without >= 0 else [channel]] = -1.0
        peers = np.argsort(-alike)[:PEERS]
        peers = peers[alike[peers] >= ALIKE]
        return peers if self.seen[channel] and len(peers) >= LEAST else peers[:0]

    def left(self, channel: int, without: int = -1) -> Floats:
        """What remains of a channel on the days looked at; not a number where its neighbours say nothing."""
        peers = self.peers(channel, without)
        own, others = self.value[:, channel], self.heard[:, peers]
        learn = (np.isfinite(own) & np.isfinite(others).all(axis=1))[:LEARN]
        if not len(peers) or learn.mean() < SEEN / 2:
            return np.full(LOOK, np.nan)
        known, shown = others[:LEARN][learn], own[:LEARN][learn]
        near, level = known - known.mean(axis=0), shown.mean()
        square = near.T @ near / len(near)
        square += RIDGE * np.diag(np.diag(square))
        weights = np.linalg.solve(square, near.T @ (shown - level) / len(near))
        told = near @ weights
        weights *= told @ (shown - level) / max(told @ told, 1e-30)  # a season is not to be shrunk
        left: Floats = (own - level - (others - known.mean(axis=0)) @ weights)[LEARN:]
        return left

    def departures(self) -> Floats:
        """How far each channel has left its neighbours."""
        return np.array([departure(self.left(channel)) for channel in range(len(self.spread))])


def departure(left: Floats) -> float:
    """Give the median of the last days; not a number where half of them are unknown."""
    known = left[-LAST:]
    known = known[np.isfinite(known)]
    return float(np.median(known)) if 2 * len(known) >= LAST else float("nan")


def _share(values: Floats) -> Floats:
    share: Floats = np.isfinite(values).mean(axis=0)
    return share


def _usual(values: Floats) -> tuple[Floats, Floats]:
    """Median and spread of each channel, by its quartiles."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel that was not there yet
        low, middle, high = np.nanquantile(values, (0.25, 0.5, 0.75), axis=0)
    return middle, (high - low) / 1.349  # of a normal distribution one standard deviation


def _alike(values: Floats) -> Floats:
    """Correlation of each two channels over the days that both know."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    apart = np.where(known, values - np.where(known, values, 0).sum(axis=0) / count, 0)
    scale = (apart**2).T @ known.astype(float)
    alike: Floats = apart.T @ apart / np.sqrt(scale * scale.T + 1e-30)
    return alike


@dataclass(frozen=True)
class Courses:
    """Courses of the days looked at: zero, then a straight line of some length to one; with half of it at least."""

    course: Floats
    starts: tuple[int, ...]

    @classmethod
    def of(cls, lengths: Sequence[int]) -> "Courses":
        """Courses of such lengths in days, from every fourth day on."""
        pairs = [(start, length) for length in lengths for start in range(0, LOOK - max(length // 2, 7), 4)]
        day = np.arange(LOOK)
        rows = [np.clip((day - start) / length, 0, 1) if length else (day >= start) * 1.0 for start, length in pairs]
        return cls(np.array(rows), tuple(start for start, _ in pairs))

    def fitted(self, left: Floats) -> tuple[float, float, int]:
        """Squares that the best course leaves of what is known, its size, and the day it begins with."""
        known = np.isfinite(left)
        apart = left[known] - left[known].mean()
        course = self.course[:, known] - self.course[:, known].mean(axis=1, keepdims=True)
        square = (course**2).sum(axis=1) + 1e-12
        size = course @ apart / square
        rest = (apart**2).sum() - size**2 * square
        best = int(np.argmin(rest))
        return float(rest[best]), float(size[best]), self.starts[best]
