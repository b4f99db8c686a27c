"""Streetlights: on at dusk, dimmed by their cabinet in the night, off at dawn; some stay dark, one burns by day."""

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from astral import Observer
from astral.sun import sunrise, sunset

from devices.simulate.town import LAT, LON, Thing, Town
from devices.simulate.world import HOUR, Fault, Series, Value, World, lot, utc

_DIM_FROM, _DIM_TO = 23, 28  # local hours; 28 is four in the next morning
_LAMPS_OF_A_CABINET = 10
_POWERS = (24, 36, 48, 60, 72)  # W


@dataclass
class Lamp:
    """A luminaire: its nominal power (W), its changes (epoch, dimming in percent; 0 is off) and what is broken."""

    thing: Thing
    watts: int
    changes: list[tuple[int, int]] = field(default_factory=list)
    dusks: list[int] = field(default_factory=list)
    dark_since: int | None = None
    dark_state: bool = False  # a dark lamp may still say that it is on
    day_since: int | None = None


def simulate(world: World, town: Town) -> list[Series]:
    """Give the series of all lamps."""
    lamps = [_lamp(world, thing, n) for n, thing in enumerate(town.things["streetlight"])]
    order = lamps[:]
    world.rng("fault", "lamps").shuffle(order)
    if "lamp_day" in world.wanted:
        _burn_by_day(world, order.pop())
    if "lamp_dark" in world.wanted:
        rng = world.rng("fault", "lamp_dark")
        for lamp in order[: rng.randint(1, 3)]:
            _go_dark(world, rng, lamp)
    return [_series(world, lamp) for lamp in lamps]


def _lamp(world: World, thing: Thing, n: int) -> Lamp:
    cabinet = n // _LAMPS_OF_A_CABINET
    own, rng = world.rng("lamp", thing.device_id), world.rng("cabinet", str(cabinet))
    watts, dimmed, shift = own.choice(_POWERS), rng.choice((40, 50, 60)), own.uniform(-6, 6)
    thing.attributes |= {"nominal_power_w": str(watts), "cabinet": f"cabinet-{cabinet + 1}"}
    lamp = Lamp(thing, watts)
    here = Observer(LAT, LON)
    first = world.dates[0] - timedelta(days=1)
    for day in (first, *world.dates):
        dusk = sunset(here, day).timestamp() + 60 * (10 + shift + own.gauss(0, 1.5))
        dawn = sunrise(here, day + timedelta(days=1)).timestamp() - 60 * (10 + shift + own.gauss(0, 1.5))
        lamp.dusks.append(round(dusk))
        drift = own.randint(0, 50)
        lamp.changes += [
            (round(dusk), 100),
            (world.local(day, _DIM_FROM) + drift, dimmed),
            (world.local(day, _DIM_TO) + drift, 100),
            (round(dawn), 0),
        ]
    return lamp


def _fault(world: World, kind: str, lamp: Lamp, since: int) -> None:
    thing, detail = lamp.thing, {"nominal_power_w": float(lamp.watts)}
    world.record(Fault(kind, thing.thing_id, thing.device_id, thing.area_id, utc(since), detail=detail))


def _first(world: World, times: list[int], begin: int) -> int:
    """Give the first time from `begin` on, or the last one that still lies in the period."""
    inside = [epoch for epoch in times if epoch < world.end - HOUR]
    return next((epoch for epoch in inside if epoch >= begin), inside[-1])


def _burn_by_day(world: World, lamp: Lamp) -> None:
    """The relay sticks: from one morning on the lamp never goes off."""
    begin = world.onset(world.rng("fault", "lamp_day"), tail_days=5)
    lamp.day_since = _first(world, [epoch for epoch, dim in lamp.changes if dim == 0], begin)
    lamp.changes = [(epoch, dim) for epoch, dim in lamp.changes if dim or epoch < lamp.day_since]
    _fault(world, "lamp_day", lamp, lamp.day_since)


def _go_dark(world: World, rng: Random, lamp: Lamp) -> None:
    """The driver dies: no power at night, whether the controller notices or not."""
    begin = world.onset(rng, tail_days=5)
    lamp.dark_since = _first(world, lamp.dusks, begin)
    lamp.dark_state = lot(rng, 0.5)
    _fault(world, "lamp_dark", lamp, lamp.dark_since)


def _series(world: World, lamp: Lamp) -> Series:
    """Report every hour and at every change that shows."""
    rng = world.rng("light", lamp.thing.device_id)
    offset, wh = rng.randint(30, 3500), rng.randint(50_000, 900_000) * 1.0
    dark = lamp.dark_since if lamp.dark_since is not None else world.end
    silent = dark if not lamp.dark_state else world.end
    changed = {epoch for epoch, _ in lamp.changes if world.start <= epoch < min(world.end, silent)}
    times = sorted({moment.epoch + offset for moment in world.hours} | changed)
    columns: dict[str, list[Value]] = {"lamp_state": [], "power_w": [], "dim_pct": [], "energy_total_kwh": []}
    steps, dim, power, before = list(reversed(lamp.changes)), 0, 0.0, times[0]
    for epoch in times:
        wh += power * (epoch - before) / HOUR
        before = epoch
        while steps and steps[-1][0] <= epoch:
            dim = steps.pop()[1]
        lit = dim > 0 and epoch < dark
        power = round(lamp.watts * (0.04 + 0.96 * dim / 100) * rng.gauss(1, 0.012), 1) if lit else 0.4
        shown = lit or (dim > 0 and lamp.dark_state)
        columns["lamp_state"].append(shown)
        columns["power_w"].append(power)
        columns["dim_pct"].append(float(dim) if shown else None)
        columns["energy_total_kwh"].append(f"{wh / 1000:.3f}")
    return Series("streetlight", lamp.thing.device_id, times, columns)
