"""Traffic counters: commuters, quiet nights, and a lane whose detector hangs."""

from random import Random

from devices.simulate.town import Thing, Town
from devices.simulate.world import HOUR, QUARTER, Fault, Moment, Series, Value, World, clamp, lot, utc

_QUIET = "counter-001"  # a road by night so quiet that zeros are the rule
_LANES, _DIRECTIONS = ("1", "2"), ("in", "out")
# Vehicles in an hour as a share of the counter's daily mean hour.
_IN = (
    0.10, 0.05, 0.04, 0.05, 0.20, 0.75, 1.70, 2.40, 1.90, 1.30, 1.15, 1.10,
    1.15, 1.25, 1.50, 1.75, 1.60, 1.35, 1.15, 0.90, 0.65, 0.45, 0.30, 0.20,
)  # fmt: skip
_FREE = (
    0.25, 0.15, 0.10, 0.08, 0.08, 0.15, 0.30, 0.50, 0.80, 1.10, 1.30, 1.30,
    1.10, 1.05, 1.10, 1.20, 1.25, 1.25, 1.10, 0.85, 0.60, 0.45, 0.35, 0.28,
)  # fmt: skip
_OUT = tuple(_IN[(hour - 8) % 24] if hour in range(13, 19) else _IN[hour] * 0.85 for hour in range(24))


def simulate(world: World, town: Town) -> list[Series]:
    """Give a series for each counter, lane and direction."""
    things = {thing.device_id: thing for thing in town.things["traffic_counter"]}
    found = [
        _series(world, thing, lane, direction)
        for thing in things.values()
        for lane in _LANES
        for direction in _DIRECTIONS
    ]
    if "counter_stuck" in world.wanted:
        rng = world.rng("fault", "counter_stuck")
        _stick(world, rng, things, rng.choice(found))
    return found


def _series(world: World, thing: Thing, lane: str, direction: str) -> Series:
    thing.attributes["lanes"] = str(len(_LANES))
    own, rng = world.rng("counter", thing.device_id), world.rng("traffic", thing.device_id, lane, direction)
    mean = (own.uniform(14, 22) if thing.thing_id == _QUIET else own.uniform(35, 160)) * (1.0 if lane == "1" else 0.6)
    limit = own.choice((50, 50, 70))
    curve = _IN if direction == "in" else _OUT
    counts: list[Value] = []
    speeds: list[Value] = []
    occupied: list[Value] = []
    for moment in world.quarters:
        number = _count(rng, mean / 4, curve, moment)
        counts.append(number)
        speeds.append(
            round(clamp(rng.gauss(limit - 4 - number / 12, 6 / max(1, number) ** 0.5), 8, 130), 1) if number else None
        )
        occupied.append(round(clamp(number * rng.uniform(1.6, 2.4) / QUARTER * 100, 0, 100), 1))
    columns: dict[str, list[Value]] = {
        "interval_s": [QUARTER] * len(counts), "count": counts, "speed_mean_kmh": speeds, "occupancy_pct": occupied,
    }  # fmt: skip
    keys = {"lane": lane, "direction": direction, "vehicle_class": "all"}
    return Series("traffic_counter", thing.device_id, [m.epoch for m in world.quarters], columns, keys)


def _count(rng: Random, mean: float, curve: tuple[float, ...], moment: Moment) -> int:
    """Vehicles in a quarter of an hour: Poisson, wider by day."""
    share = _FREE[moment.hour] * 0.8 if moment.weekend else curve[moment.hour]
    expected = mean * share
    if expected > 12:  # noqa: PLR2004 - above it the normal law is close enough, and quicker
        return max(0, round(rng.gauss(expected, (expected + (0.08 * expected) ** 2) ** 0.5)))
    number, waited = 0, rng.expovariate(1.0)
    while waited < expected:
        number += 1
        waited += rng.expovariate(1.0)
    return number


def _stick(world: World, rng: Random, things: dict[str, Thing], series: Series) -> None:
    """From one morning on the lane shows zeros, or the same busy quarter over and over."""
    since = world.local(world.onset_day(rng, tail_days=3), rng.randint(24, 36) / 4)  # between six and nine
    until = min(world.end, since + rng.randint(11, 36) * HOUR)
    first = (since - world.start) // QUARTER
    zeros = lot(rng, 0.5)
    counts, speeds, occupied = (series.columns[name] for name in ("count", "speed_mean_kmh", "occupancy_pct"))
    value: tuple[Value, Value, Value] = (0, None, 0.0)
    if not zeros:  # hold a quarter with traffic in it
        held = next(i for i in range(first, 0, -1) if counts[i])
        value = counts[held], speeds[held], occupied[held]
    for i in range(first, min(len(counts), (until - world.start) // QUARTER)):
        counts[i], speeds[i], occupied[i] = value
    thing = things[series.device_id]
    detail = {"count": float(value[0] or 0), "lane": float(series.keys["lane"])}
    detail["direction_out"] = float(series.keys["direction"] == "out")
    world.record(
        Fault(
            "counter_stuck",
            thing.thing_id,
            thing.device_id,
            thing.area_id,
            utc(since),
            utc(until) if until < world.end else None,
            detail,
        )
    )
