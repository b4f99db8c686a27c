"""What every simulated thing shares: the calendar, its own stream of chance, and the record of faults."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays

HOUR, DAY, QUARTER = 3600, 86_400, 900
SUNDAY = 6

KINDS = (
    "household_leak",
    "district_leak",
    "hydrant_open",
    "bin_overflow",
    "lamp_dark",
    "lamp_day",
    "counter_stuck",
)


@dataclass(frozen=True)
class Fault:
    """Ground truth: what was broken, where and when (UTC); `until` None lasts to the end of the simulation."""

    kind: str
    thing_id: str
    device_id: str
    area_id: str
    since: datetime
    until: datetime | None = None
    detail: dict[str, float] = field(default_factory=dict)


class Moment(NamedTuple):
    """A step of the calendar: epoch seconds, and what a clock on the wall says there."""

    epoch: int
    hour: int  # 0..23, local
    weekday: int  # 0..6; a public holiday is a Sunday
    day: date  # local

    @property
    def weekend(self) -> bool:
        """Saturday, Sunday or a public holiday."""
        return self.weekday >= SUNDAY - 1


Value = float | int | bool | str | None  # decimals are text, so that no digit is lost


@dataclass
class Series:
    """The readings of one device and key: times (epoch s) and as many values of each measure."""

    family: str
    device_id: str
    times: list[int]
    columns: dict[str, list[Value]]
    keys: dict[str, str] = field(default_factory=dict)


@dataclass
class World:
    """One run of the simulation: a seed, a period and the wanted kinds of faults."""

    seed: int
    municipality: str
    start: int
    days: int
    wanted: frozenset[str]
    scale: float = 1.0
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Ljubljana"))
    faults: list[Fault] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Epoch of the first second after the period."""
        return self.start + self.days * DAY

    def rng(self, *name: str) -> Random:
        """Give a stream of chance of its own, so that a fault in one place moves nothing elsewhere."""
        return Random("/".join((str(self.seed), *name)))  # noqa: S311 - a simulation, no secret

    def count(self, size: int) -> int:
        """Scale a number of things; never fewer than two."""
        return max(2, round(size * self.scale))

    @cached_property
    def quarters(self) -> list[Moment]:
        """Every quarter of an hour of the period."""
        free = holidays.country_holidays("SI")
        found = []
        for epoch in range(self.start, self.end, QUARTER):
            local = datetime.fromtimestamp(epoch, self.zone)
            day = local.date()
            found.append(Moment(epoch, local.hour, SUNDAY if day in free else day.weekday(), day))
        return found

    @cached_property
    def hours(self) -> list[Moment]:
        """Every hour of the period."""
        return self.quarters[::4]

    @cached_property
    def dates(self) -> list[date]:
        """Every local day that the period touches."""
        return sorted({moment.day for moment in self.hours})

    def local(self, day: date, hour: float) -> int:
        """Epoch of a wall clock time; hours above 24 are in the next day."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return round((midnight + timedelta(hours=hour)).timestamp())

    def onset(self, rng: Random, tail_days: float = 4.0) -> int:
        """Draw when a fault begins: after ten quiet days, and `tail_days` or more before the end."""
        first = self.start + min(10.0, self.days * 0.5) * DAY
        last = self.end - min(tail_days, self.days * 0.25) * DAY
        return round(rng.uniform(first, max(first, last)))

    def onset_day(self, rng: Random, tail_days: float = 4.0) -> date:
        """Draw the local day of a fault; its whole night lies after ten quiet days."""
        drawn = datetime.fromtimestamp(self.onset(rng, tail_days), self.zone) + timedelta(days=1)
        return min(drawn.date(), self.dates[-2])  # in a short period the quiet time may be shorter

    def record(self, fault: Fault) -> None:
        """Write down a fault that has been put into the data."""
        self.faults.append(fault)


def utc(epoch: float) -> datetime:
    """Epoch seconds as an aware time."""
    return datetime.fromtimestamp(epoch, UTC)


def lot(rng: Random, share: float) -> bool:
    """Draw yes with the probability `share`."""
    return rng.random() < share


def clamp(value: float, low: float, high: float) -> float:
    """Keep a value within what a sensor can show."""
    return min(high, max(low, value))
