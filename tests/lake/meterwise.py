"""Consumption from registers once more: slow, in plain Python, written from docs/consumption.md and from nothing else.

Times are µs since 1970, registers Decimal. Loops only; the SQL of lake/views is held against this row by row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

MINUTE = 60_000_000
HOUR, DAY = 60 * MINUTE, 1440 * MINUTE
DIGIT = Decimal("0.001")
MICRO = Decimal("0.000001")


@dataclass(frozen=True)
class Meter:
    """What is known of a meter: what it counts and lets back in an hour, and where its register begins anew."""

    most: Decimal = Decimal(125)
    back: Decimal = Decimal("0.02")
    full: Decimal | None = None


@dataclass(frozen=True)
class Point:
    """A reading: its time, its register, and the register as if it had never begun anew."""

    at: int
    register: Decimal
    height: Decimal


@dataclass(frozen=True)
class Step:
    """What lies between two readings."""

    starts: int
    ends: int
    kind: str
    amount: Decimal
    reverse: Decimal
    before: Decimal
    after: Decimal

    @property
    def estimated(self) -> bool:
        return self.kind in ("jump", "reset")


def fell(meter: Meter, first: Point, second: Point) -> bool:
    """Lower by more than backflow, which is some litres an hour, of a day at most; never down to zero."""
    fall = first.height - second.height
    if fall <= DIGIT:
        return False
    hours = Decimal(min(second.at - first.at, DAY)) / HOUR
    return second.register == 0 or fall > meter.back * hours


def jumped(meter: Meter, rise: Decimal, length: int) -> bool:
    """More than the meter counts in that time; a quarter of an hour at least."""
    return rise > 0 and rise * HOUR > meter.most * max(length, 15 * MINUTE)


def lift(meter: Meter, readings: Sequence[tuple[int, Decimal]]) -> list[Point]:
    """Undo rollovers."""
    points: list[Point] = []
    lifted = Decimal(0)
    for at, register in readings:
        if points and meter.full is not None:
            lifted += turn(meter, meter.full, points[-1], at, register)
        points.append(Point(at, register, register + lifted))
    return points


def turn(meter: Meter, full: Decimal, last: Point, at: int, register: Decimal) -> Decimal:
    low, high = full / 10, full / 10 * 9
    length = at - last.at
    if high <= last.register < full and register < low and not jumped(meter, register + full - last.register, length):
        return full
    if high <= register < full and last.register < low and jumped(meter, register - last.register, length):
        return -full
    return Decimal(0)


def falls_of(meter: Meter, points: list[Point]) -> list[int]:
    """Places of readings to which the register fell."""
    return [i for i in range(1, len(points)) if fell(meter, points[i - 1], points[i])]


def late(meter: Meter, points: list[Point]) -> set[int]:
    """One low reading with an old value."""
    found = set()
    for i in falls_of(meter, points):
        if i + 1 == len(points) or points[i + 1].at - points[i - 1].at > DAY:
            continue
        further = points[i - 2] if i >= 2 else None  # the reading two before
        near = further is not None and points[i].at - further.at <= DAY
        as_low = near and further is not None and further.height <= points[i].height + DIGIT
        if points[i + 1].height >= points[i - 1].height - DIGIT and not as_low:
            found.add(i)
    return found


def spikes(meter: Meter, points: list[Point]) -> set[int]:
    """High readings, each seen from the next fall after it."""
    falls, found, after = falls_of(meter, points), set(), 0
    middle: tuple[int, Decimal] | None = None  # the last jump: when, and half its height
    for i, here in enumerate(points):
        first = points[i - 1] if i else here
        if here.at - first.at <= DAY and jumped(meter, here.height - first.height, here.at - first.at):
            middle = here.at, (first.height + here.height) / 2
        while after < len(falls) and falls[after] <= i:
            after += 1
        if after == len(falls) or points[falls[after]].at - here.at > DAY:
            continue
        target = points[falls[after]].height
        stands_out = here.height > target + DIGIT and any(p.height <= target + DIGIT for p in day_before(points, i))
        undone = middle is not None and here.at - middle[0] <= DAY and target < middle[1] < here.height
        if stands_out or undone:
            found.add(i)
    return found


def day_before(points: list[Point], i: int) -> Iterator[Point]:
    for j in range(i - 1, -1, -1):
        if points[i].at - points[j].at > DAY:
            return
        yield points[j]


def glitches(meter: Meter, points: list[Point]) -> set[int]:
    """Low readings, each seen from the last fall up to it."""
    falls = [i for i in falls_of(meter, points) if points[i].at - points[i - 1].at <= 7 * DAY]
    found = set()
    for last, following in zip(falls, [*falls[1:], len(points)], strict=False):
        top, bottom = points[last - 1].height, points[last].height
        for i in range(last, following):
            if points[i].at - points[last].at > 21 * DAY:
                break
            if points[i].height < top - DIGIT and comes_back(points, i, top, (top - bottom) / 2):
                found.add(i)
    return found


def comes_back(points: list[Point], i: int, top: Decimal, leap: Decimal) -> bool:
    """Whether the register is at the top again within three weeks, and leaps so far in these."""
    returns = leaps = False
    for j in range(i + 1, len(points)):
        if points[j].at - points[i].at > 21 * DAY:
            break
        returns |= points[j].height >= top - DIGIT
        leaps |= points[j].height - points[j - 1].height >= leap
        if returns and leaps:
            return True
    return False


def steps(meter: Meter, readings: Sequence[tuple[int, Decimal]]) -> list[Step]:
    """The steps of one meter at one thing; readings in the order of time."""
    points = lift(meter, readings)
    for wrong in (late, spikes, glitches):
        left_out = wrong(meter, points)
        points = [p for i, p in enumerate(points) if i not in left_out]
    return [step(meter, first, second) for first, second in pairwise(points)]


def step(meter: Meter, first: Point, second: Point) -> Step:
    rise = second.height - first.height
    nothing = Step(first.at, second.at, "", Decimal(0), Decimal(0), first.register, second.register)
    if rise < 0:
        if fell(meter, first, second):
            return replace(nothing, kind="reset")
        return replace(nothing, kind="reverse", reverse=-rise)
    if jumped(meter, rise, second.at - first.at):
        return replace(nothing, kind="jump")
    return replace(nothing, kind="rollover" if second.register < first.register else "counted", amount=rise)


@dataclass
class Day:
    """A local day of a thing."""

    amount: Decimal = Decimal(0)
    reverse: Decimal = Decimal(0)
    estimated: bool = False
    known: int = 0


def days(found: Sequence[Step], zone: str) -> dict[date, Day]:
    """Steps shared among local days, and how much of each day they account for."""
    total: dict[date, Day] = {}
    for one in found:
        if one.ends - one.starts > 31 * DAY:
            continue
        parts = list(split(one.starts, one.ends, zone))
        for day, since, until in parts:
            here = total.setdefault(day, Day())
            here.amount += share(one.amount, one, since, until)
            here.reverse += share(one.reverse, one, since, until)
            here.estimated |= one.estimated or (len(parts) > 1 and one.ends - one.starts > 90 * MINUTE)
            here.known += until - since
    return total


def share(amount: Decimal, one: Step, since: int, until: int) -> Decimal:
    whole, length = int(amount / MICRO), one.ends - one.starts
    return (whole * (until - one.starts) // length - whole * (since - one.starts) // length) * MICRO


def split(starts: int, ends: int, zone: str) -> list[tuple[date, int, int]]:
    """A span of time as (local day, from, until)."""
    parts, since = [], starts
    day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=starts)).date() - timedelta(1)
    while since < ends:
        while midnight(day + timedelta(1), zone) <= since:
            day += timedelta(1)
        until = min(ends, midnight(day + timedelta(1), zone))
        parts.append((day, since, until))
        since = until
    return parts


@cache
def midnight(day: date, zone: str) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return int(moment.timestamp()) * 1_000_000
