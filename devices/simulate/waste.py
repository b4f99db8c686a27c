"""Waste containers: they fill day by day, a lorry empties them on its days, and once it does not come."""

from dataclasses import dataclass
from datetime import timedelta
from math import cos, pi
from random import Random

from devices.simulate.town import Thing, Town
from devices.simulate.water import season
from devices.simulate.world import DAY, HOUR, Fault, Moment, Series, Value, World, clamp, utc

_ROUNDS = ((0, 3), (1, 4), (0, 2, 4), (2, 5))  # weekdays on which a lorry comes
_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AWAKE = range(7, 22)  # local hours
FULL, LONG_FULL = 95.0, 18  # percent; hours that an overflow must last to be one


@dataclass
class Bin:
    """A container and its habits: percent a day, when (epoch) it was emptied last, and when it will be."""

    thing: Thing
    per_day: float
    emptied: int
    pickups: list[int]


@dataclass(frozen=True)
class Rush:
    """A time (epoch) in which a container fills `pace` times as fast as usual."""

    since: int
    until: int
    pace: float


def simulate(world: World, town: Town) -> list[Series]:
    """Give the series of all containers."""
    bins = [_bin(world, thing) for thing in town.things["waste_container"]]
    levels = {one.thing.device_id: _levels(world, one, one.pickups) for one in bins}
    if "bin_overflow" in world.wanted:
        _overflow(world, bins, levels)
    return [_series(world, one.thing, levels[one.thing.device_id]) for one in bins]


def _bin(world: World, thing: Thing) -> Bin:
    rng = world.rng("waste", thing.device_id)
    days = rng.choice(_ROUNDS)
    thing.attributes["collection_days"] = " ".join(_NAMES[day] for day in days)
    thing.attributes["capacity_l"] = str(rng.choice((240, 660, 1100, 3000)))
    gap = max((later - day) % 7 or 7 for day, later in zip(days, (*days[1:], days[0]), strict=True))
    hour = rng.uniform(6, 12)
    week_before = [world.dates[0] - timedelta(days=n) for n in range(7, 0, -1)]
    pickups = [
        world.local(day, hour + rng.uniform(-0.5, 0.5)) for day in (*week_before, *world.dates) if day.weekday() in days
    ]
    emptied = max(pickup for pickup in pickups if pickup < world.start)
    return Bin(thing, rng.uniform(36, 68) / gap, emptied, [p for p in pickups if world.start <= p < world.end])


def _levels(world: World, one: Bin, pickups: list[int], rush: Rush | None = None) -> list[float]:
    """True level (percent, may stand above the rim) at each hour."""
    rng = world.rng("fill", one.thing.device_id)
    level = rng.uniform(1, 6) + one.per_day * (world.start - one.emptied) / DAY * rng.uniform(0.8, 1.1)
    waiting = list(reversed(pickups))
    found = []
    for moment in world.hours:
        fresh = rng.uniform(1, 6)  # drawn every hour: a missed pickup must not move what chance brings later
        while waiting and waiting[-1] <= moment.epoch:
            level = fresh
            waiting.pop()
        found.append(level)
        pace = rush.pace if rush and rush.since <= moment.epoch < rush.until else 1.0
        level += one.per_day * pace / 24 * _habit(moment) * rng.uniform(0.5, 1.5)
    return found


def _habit(moment: Moment) -> float:
    """People throw away by day, and more on Saturdays."""
    by_day = 1.5 if moment.hour in _AWAKE else 0.16
    return by_day * (1.2 if moment.weekend else 0.95)


def _overflow(world: World, bins: list[Bin], levels: dict[str, list[float]]) -> None:
    """The lorry passes one container by until it has stood full for long; the next round may empty it."""
    rng = world.rng("fault", "bin_overflow")
    order = bins[:]
    rng.shuffle(order)
    for pace in (1.0, 2.0, 4.0):  # in a short period only a container that fills quickly can overflow
        for one in order:
            begin = world.onset(rng, tail_days=6)
            missed = next((pickup for pickup in one.pickups if pickup >= begin), None)
            if missed is not None and _miss(world, one, Rush(missed, world.end, pace), levels):
                return


def _miss(world: World, one: Bin, rush: Rush, levels: dict[str, list[float]]) -> bool:
    kept = [pickup for pickup in one.pickups if pickup < rush.since]
    level = zip(world.hours, _levels(world, one, kept, rush), strict=True)
    full = next((moment.epoch for moment, now in level if moment.epoch > rush.since and now >= FULL + 4), None)
    if full is None or full > world.end - LONG_FULL * HOUR:
        return False
    later = [pickup for pickup in one.pickups if pickup >= full + LONG_FULL * HOUR]
    until = later[0] if later else None
    rush = Rush(rush.since, until or world.end, rush.pace)
    levels[one.thing.device_id] = _levels(world, one, kept + later, rush)
    detail = {"missed_at": float(rush.since), "fill_pct": 100.0}
    thing, end = one.thing, utc(until) if until else None
    world.record(Fault("bin_overflow", thing.thing_id, thing.device_id, thing.area_id, utc(full), end, detail))
    return True


def _series(world: World, thing: Thing, levels: list[float]) -> Series:
    rng = world.rng("bin", thing.device_id)
    offset, battery, wear = rng.randint(30, 3500), rng.uniform(55, 99), rng.uniform(0.005, 0.03)
    fill: list[Value] = [round(clamp(level + rng.gauss(0, 1.2), 0, 100), 1) for level in levels]
    temp: list[Value] = [_temperature(rng, moment) for moment in world.hours]
    charge: list[Value] = [round(battery - wear * (moment.epoch - world.start) / DAY, 1) for moment in world.hours]
    times = [moment.epoch + offset for moment in world.hours]
    return Series(
        "waste_container", thing.device_id, times, {"fill_pct": fill, "temp_cel": temp, "battery_pct": charge}
    )


def _temperature(rng: Random, moment: Moment) -> float:
    warmth = 22 * season(moment.day)
    return round(warmth - 4.5 * cos((moment.hour - 3) * pi / 12) + rng.gauss(0, 0.8), 1)
