"""The pipes: inflow and pressure of each district, its hydrants, a burst, and a hydrant opened at night."""

from dataclasses import dataclass
from random import Random

from devices.simulate.town import Thing, Town
from devices.simulate.world import DAY, HOUR, QUARTER, Fault, Series, Value, World, clamp, lot, utc

# Share of the day's unmetered use in each hour; a person awake at night is rare.
_UNMETERED = (
    0.25, 0.15, 0.10, 0.10, 0.15, 0.45, 1.30, 1.60, 1.35, 1.15, 1.05, 1.10,
    1.20, 1.10, 1.00, 1.05, 1.15, 1.30, 1.55, 1.60, 1.40, 1.10, 0.75, 0.45,
)  # fmt: skip
_REPORT_WHILE_OPEN = 600  # an open hydrant reports every ten minutes


@dataclass(frozen=True)
class Opening:
    """A hydrant that somebody opened: when (epoch) and how much flows (m3/h)."""

    thing: Thing
    since: int
    until: int
    flow: float


@dataclass(frozen=True)
class Burst:
    """Water that leaves a district unseen: from when (epoch), full after `growth` seconds, m3/h."""

    area_id: str
    since: int
    growth: int
    flow: float

    def at(self, epoch: int) -> float:
        """Flow of the burst at a time."""
        if epoch <= self.since:
            return 0.0
        return self.flow * (1.0 if not self.growth else min(1.0, (epoch - self.since) / self.growth))


def simulate(world: World, town: Town, metered: dict[str, list[int]]) -> tuple[list[Series], list[Series]]:
    """Give the district meters and the hydrants; `metered` is each district's use through meters (L in each hour)."""
    opening = _opening(world, town) if "hydrant_open" in world.wanted else None
    burst = _burst(world, town) if "district_leak" in world.wanted else None
    flows = {area: _flow(world, area, metered[area], opening, burst) for area in town.districts}
    districts = [_district(world, thing, flows[thing.area_id]) for thing in town.things["district_meter"]]
    return districts, [_hydrant(world, thing, flows[thing.area_id], opening) for thing in town.things["hydrant"]]


def _opening(world: World, town: Town) -> Opening:
    rng = world.rng("fault", "hydrant_open")
    thing = rng.choice(town.things["hydrant"])
    since = world.local(world.onset_day(rng, tail_days=2), rng.uniform(-1.5, 3.5))
    opening = Opening(thing, since, since + rng.randint(20, 90) * 60, round(rng.uniform(15, 40), 1))
    detail = {"flow_m3h": opening.flow, "volume_m3": round(opening.flow * (opening.until - since) / HOUR, 2)}
    world.record(
        Fault("hydrant_open", thing.thing_id, thing.device_id, thing.area_id, utc(since), utc(opening.until), detail)
    )
    return opening


def _burst(world: World, town: Town) -> Burst:
    rng = world.rng("fault", "district_leak")
    meter = rng.choice(town.things["district_meter"])
    growth = rng.choice((0, 2 * DAY))
    burst = Burst(meter.area_id, world.onset(rng, tail_days=5), growth, round(rng.uniform(1.5, 5), 2))
    detail = {"flow_m3h": burst.flow, "litres_per_hour": burst.flow * 1000, "growth_s": float(growth)}
    world.record(
        Fault("district_leak", meter.thing_id, meter.device_id, burst.area_id, utc(burst.since), detail=detail)
    )
    return burst


def _flow(world: World, area_id: str, metered: list[int], opening: Opening | None, burst: Burst | None) -> list[float]:
    """Mean inflow (m3/h) in each quarter of an hour, beginning at the quarters of the calendar."""
    rng = world.rng("inflow", area_id)
    daily = sum(metered) / 1000 / world.days
    unmetered = daily / 24 * rng.uniform(0.25, 0.45)  # houses that have no remote meter yet
    background = rng.uniform(0.25, 0.6)  # weeping joints: always there, too small to find
    found = []
    for first in range(0, len(world.quarters), 4):
        shares = [rng.uniform(0.75, 1.25) for _ in range(4)]
        scale = metered[first // 4] / 1000 * 4 / sum(shares)
        for share, moment in zip(shares, world.quarters[first : first + 4], strict=True):
            flow = share * scale + background * rng.gauss(1, 0.03)
            flow += unmetered * _UNMETERED[moment.hour] * (1.1 if moment.weekend else 1.0) * rng.uniform(0.7, 1.3)
            if burst and burst.area_id == area_id:
                flow += burst.at(moment.epoch + QUARTER // 2)
            if opening and opening.thing.area_id == area_id:
                covered = min(opening.until, moment.epoch + QUARTER) - max(opening.since, moment.epoch)
                flow += opening.flow * max(0, covered) / QUARTER
            found.append(max(0.0, flow + rng.gauss(0, 0.02)))
    return found


def _drop(flow: float) -> float:
    """Pressure lost (kPa) on the way into a district at a flow (m3/h)."""
    return 3.0 * flow + 0.05 * flow * flow


def _district(world: World, thing: Thing, flows: list[float]) -> Series:
    """At each quarter: the mean flow of the quarter before, the register, and the pressure."""
    rng = world.rng("district", thing.device_id)
    static, litres = rng.uniform(470, 540), rng.randint(10**7, 10**8)
    shown: list[Value] = []
    volumes: list[Value] = []
    pressures: list[Value] = []
    for i in range(len(flows)):
        flow = flows[max(0, i - 1)]
        litres += round(flow * 250) if i else 0
        shown.append(round(flow, 3))
        volumes.append(f"{litres / 1000:.3f}")
        pressures.append(round(static - _drop(flow) + rng.gauss(0, 1.2), 1))
    columns = {"flow_m3h": shown, "volume_total_m3": volumes, "pressure_kpa": pressures}
    return Series("district_meter", thing.device_id, [m.epoch for m in world.quarters], columns)


def _hydrant(world: World, thing: Thing, flows: list[float], opening: Opening | None) -> Series:
    rng = world.rng("hydrant", thing.device_id)
    static, offset = rng.uniform(430, 540), rng.randint(30, 3500)
    has_flow, dip = lot(rng, 0.6), rng.uniform(60, 140)
    mine = opening if opening and opening.thing is thing else None
    times = [moment.epoch + offset for moment in world.hours]
    if mine:
        times = sorted({*times, *range(mine.since, mine.until, _REPORT_WHILE_OPEN), mine.until})
    pressure: list[Value] = []
    opened: list[Value] = [bool(mine and mine.since <= epoch < mine.until) for epoch in times]
    for epoch, is_open in zip(times, opened, strict=True):
        quarter = min(len(flows) - 1, (epoch - world.start) // QUARTER)
        pressure.append(_pressure(rng, static - _drop(flows[quarter]) - (dip if is_open else 0)))
    columns: dict[str, list[Value]] = {"pressure_kpa": pressure}
    if has_flow:
        full = mine.flow if mine else 0.0
        columns["flow_m3h"] = [round(full * rng.uniform(0.95, 1.05), 2) if is_open else 0.0 for is_open in opened]
    columns["open_state"] = opened
    return Series("hydrant", thing.device_id, times, columns)


def _pressure(rng: Random, mean: float) -> float:
    return round(clamp(mean + rng.gauss(0, 2.5), 0, 2500), 1)
