"""Water meters: what households, a school, a bakery and gardens draw, hour by hour, and one house that leaks."""

from datetime import date, timedelta
from itertools import accumulate
from math import exp
from random import Random

from devices.simulate.town import Thing, Town
from devices.simulate.world import DAY, HOUR, Fault, Moment, Series, World, lot, utc

# Draws per person in each hour of the day; about 9.4 draws of 12 L make 113 L a day.
_WORKDAY = (
    0.10, 0.03, 0.015, 0.012, 0.03, 0.25, 0.75, 0.80, 0.45, 0.35, 0.35, 0.40,
    0.45, 0.40, 0.40, 0.45, 0.50, 0.55, 0.70, 0.75, 0.65, 0.50, 0.35, 0.20,
)  # fmt: skip
_FREE_DAY = (
    0.15, 0.05, 0.02, 0.012, 0.02, 0.06, 0.25, 0.55, 0.85, 0.85, 0.70, 0.60,
    0.60, 0.50, 0.45, 0.45, 0.45, 0.50, 0.60, 0.65, 0.60, 0.50, 0.40, 0.25,
)  # fmt: skip
_BAKERY = {23: 60, 0: 140, 1: 190, 2: 210, 3: 190, 4: 150, 5: 120, 6: 60, 7: 30, 8: 20, 9: 12, 10: 15, 11: 25}
_SCHOOL = {6: 60, 7: 350, 8: 480, 9: 700, 10: 620, 11: 650, 12: 560, 13: 380, 14: 180, 15: 90, 16: 40}
_SHOP = {7: 12, 8: 25, 9: 30, 10: 30, 11: 35, 12: 40, 13: 25, 14: 25, 15: 30, 16: 30, 17: 25, 18: 15}
_KINDS = {"school": "school", "bakery": "bakery", "shop": "shop", "block": "block"}
_SUNDAY = 6

Use = list[int]  # litres in each hour of the period


def simulate(world: World, town: Town) -> tuple[list[Series], dict[str, Use]]:
    """Give the registers of all meters, and what each district draws through them in each hour (L)."""
    meters = town.things["water_meter"]
    roles = _roles(world, meters)
    uses = {thing.device_id: _use(world, thing, roles[thing.device_id]) for thing in meters}
    if "household_leak" in world.wanted:
        _leak(world, [thing for thing in meters if roles[thing.device_id] == "household"], uses)
    totals: dict[str, Use] = {}
    for area_id in town.districts:
        columns = [uses[thing.device_id] for thing in meters if thing.area_id == area_id]
        totals[area_id] = [sum(hour) for hour in zip(*columns, strict=True)] or [0] * len(world.hours)
    return [_series(world, thing, uses[thing.device_id]) for thing in meters], totals


def _roles(world: World, meters: list[Thing]) -> dict[str, str]:
    """One bakery, one school, one irrigation by night, one toilet that runs for hours; the rest by lot."""
    rng = world.rng("water", "roles")
    special = ["bakery", "school", "night_garden", "toilet"][: max(0, len(meters) - 2)]
    kinds, weights = ("household", "block", "shop", "garden", "empty"), (74, 12, 3, 6, 5)
    # the first stays an ordinary house, so that there is always one that can leak
    drawn = ["household", *special, *rng.choices(kinds, weights, k=max(0, len(meters) - 1 - len(special)))]
    order = meters[:]
    rng.shuffle(order)
    roles = {thing.device_id: role for thing, role in zip(order, drawn, strict=False)}
    for thing in meters:
        role = roles[thing.device_id]
        thing.attributes["kind"] = _KINDS.get(role, "household")
        if role not in ("school", "bakery", "shop"):
            low, high = (8, 16) if role == "block" else (1, 5)
            thing.attributes["persons"] = str(world.rng("persons", thing.device_id).randint(low, high))
    return roles


def _use(world: World, thing: Thing, role: str) -> Use:
    rng = world.rng("water", thing.device_id)
    if role == "empty":
        return [0] * len(world.hours)
    if role in ("bakery", "school", "shop"):
        return [_business(rng, role, moment) for moment in world.hours]
    use = _dwelling(world, rng, int(thing.attributes["persons"]), can_leave=role == "household")
    if role == "garden":
        _irrigate(world, rng, use)
    elif role == "night_garden":
        _irrigate_by_night(world, rng, use)
    elif role == "toilet":
        _running_toilet(world, rng, use)
    return use


def _business(rng: Random, role: str, moment: Moment) -> int:
    """Litres in an hour of a business: its own hours only. A bakery works at night, and rests before Sunday."""
    table, rest = {
        "bakery": (_BAKERY, moment.weekday == _SUNDAY),
        "school": (_SCHOOL, moment.weekend),
        "shop": (_SHOP, moment.weekday == _SUNDAY),
    }[role]
    mean = 0 if rest else table.get(moment.hour, 0)
    return max(0, round(mean * rng.uniform(0.6, 1.4))) if mean else 0


def _dwelling(world: World, rng: Random, persons: int, *, can_leave: bool) -> Use:
    away = _away(world, rng) if can_leave and lot(rng, 0.12) else (0, 0)
    thrift = rng.uniform(0.75, 1.25)
    use: Use = []
    for moment in world.hours:
        rate = persons * thrift * (_FREE_DAY if moment.weekend else _WORKDAY)[moment.hour]
        nothing = exp(-rate)
        if rng.random() < nothing or away[0] <= moment.epoch < away[1]:
            use.append(0)
        else:
            use.append(1 + int(rng.expovariate(1 / 11) * rate / (1 - nothing)))
    return use


def _away(world: World, rng: Random) -> tuple[int, int]:
    leave = rng.randint(world.start, world.end)
    return leave, leave + rng.randint(5, 9) * DAY


def _irrigate(world: World, rng: Random, use: Use) -> None:
    """Water the garden from five to seven in the morning, every second day or so."""
    litres = rng.randint(150, 400)
    days = {day for day in world.dates if lot(rng, 0.5)}
    for i, moment in enumerate(world.hours):
        if moment.day in days and moment.hour in (5, 6):
            use[i] += round(litres * rng.uniform(0.9, 1.1))


def _irrigate_by_night(world: World, rng: Random, use: Use) -> None:
    """Let a drip line run from dusk to dawn on three nights: continuous, large, and no leak."""
    litres = rng.randint(120, 300)
    for day in _spread(world, rng, 3):
        _between(world, use, world.local(day, 21), world.local(day, 30), litres)


def _running_toilet(world: World, rng: Random, use: Use) -> None:
    """A float valve hangs for some hours on two days and then falls shut by itself."""
    for day in _spread(world, rng, 2):
        begin = world.local(day, rng.uniform(17, 23))
        _between(world, use, begin, begin + rng.randint(5, 9) * HOUR, rng.randint(60, 140))


def _spread(world: World, rng: Random, number: int) -> list[date]:
    """Draw days that do not follow each other: one in each equal part of the period, and not the last of it."""
    part = len(world.dates) // number
    return [world.dates[n * part + rng.randrange(max(1, part - 2))] for n in range(number)]


def _between(world: World, use: Use, begin: int, end: int, litres_per_hour: float) -> None:
    """Add a steady flow to the hours it covers, partly covered ones in their share."""
    for i, moment in enumerate(world.hours):
        covered = min(end, moment.epoch + HOUR) - max(begin, moment.epoch)
        if covered > 0:
            use[i] += round(litres_per_hour * covered / HOUR)


def _leak(world: World, houses: list[Thing], uses: dict[str, Use]) -> None:
    rng = world.rng("fault", "household_leak")
    thing = rng.choice(houses)
    since, litres = world.onset(rng), rng.randint(15, 80)
    _between(world, uses[thing.device_id], since, world.end, litres)
    detail = {"litres_per_hour": float(litres)}
    world.record(Fault("household_leak", thing.thing_id, thing.device_id, thing.area_id, utc(since), detail=detail))


def _series(world: World, thing: Thing, use: Use) -> Series:
    first = world.rng("register", thing.device_id).randint(50_000, 2_500_000)
    registers = list(accumulate(use[:-1], initial=first))
    times = [moment.epoch for moment in world.hours]
    return Series("water_meter", thing.device_id, times, {"volume_total_m3": [f"{v / 1000:.3f}" for v in registers]})


def season(day: date) -> float:
    """How warm the time of the year is, from 0 in mid January to 1 in mid July."""
    distance = abs((day - date(day.year, 7, 15)) / timedelta(days=1))
    return 1 - min(distance, 365 - distance) / 182.5
