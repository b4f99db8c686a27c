"""A whole city for a seed: what the registry knows, what arrives over MQTT, and what is truly wrong."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import pyarrow as pa

from devices.simulate import lights, network, town, traffic, waste, water
from devices.simulate.dirt import soil
from devices.simulate.town import Thing, Town
from devices.simulate.wire import Post, posts
from devices.simulate.world import HOUR, KINDS, Fault, Series, World, utc
from schemas.vocabulary import ARROW, families

_DAYS_FOR_FAULTS = 3


@dataclass(frozen=True)
class City:
    """One simulated municipality and period. The same arguments give the same bytes."""

    areas: list[dict[str, str]]
    registrations: list[dict[str, str]]
    faults: list[Fault]
    start: datetime
    end: datetime
    _world: World = field(repr=False)
    _things: dict[str, Thing] = field(repr=False)
    _series: dict[str, list[Series]] = field(repr=False)

    def messages(self) -> Iterator[tuple[str, bytes]]:
        """Give (topic, payload) of every message in the order of sending."""
        return ((post.topic, post.payload) for post in self._sent[0])

    def timed(self) -> Iterator[tuple[datetime, tuple[str, bytes]]]:
        """Give the same messages, each with the time of its sending."""
        return ((utc(post.send), (post.topic, post.payload)) for post in self._sent[0])

    @property
    def expected(self) -> dict[str, int]:
        """Counts that a lake must agree with.

        `messages` and `readings` as they arrive; `readings` = `stored` + `duplicates` + `unknown`; `undecodable`
        messages hold no reading; `untrusted` (clock in 1970) are among the stored; `stored_FAMILY` for each family.
        """
        return dict(self._sent[1])

    def readings(self, family: str) -> pa.Table:
        """Give what a family's table must hold, but for the readings without a trusted time.

        Columns: device_id, keys, observed_at (UTC), and all measures of the family (null where never sent).
        """
        description = families()[family]
        series = self._series.get(family, [])
        rows = [(one, len(one.times)) for one in series]
        columns: dict[str, pa.Array] = {
            "device_id": pa.array([one.device_id for one, n in rows for _ in range(n)], pa.string())
        }
        for key in description.keys:
            columns[key] = pa.array([one.keys[key] for one, n in rows for _ in range(n)], pa.string())
        times = pa.array([epoch for one in series for epoch in one.times], pa.int64())
        columns["observed_at"] = times.cast(pa.timestamp("s", "UTC")).cast(pa.timestamp("us", "UTC"))
        for measure in description.columns:
            values = [v for one, n in rows for v in one.columns.get(measure.name, [None] * n)]
            decimal = measure.type == "decimal"
            column = pa.array(values, pa.string() if decimal else ARROW[measure.type])
            columns[measure.name] = column.cast(ARROW["decimal"]) if decimal else column
        return pa.table(columns)

    @cached_property
    def _sent(self) -> tuple[list[Post], dict[str, int]]:
        every = (one for family in self._series.values() for one in family)
        return soil(self._world, posts(self._world, every, self._things), self._things, self._series)


def city(
    seed: int,
    municipality: str,
    start: datetime,
    days: int = 21,
    faults: Collection[str] | None = None,
    *,
    scale: float = 1.0,
) -> City:
    """Simulate `days` days from `start` (aware; the full hour counts).

    `faults` are the kinds to seed (None: all of `KINDS`); leaving one out changes no reading elsewhere, but what it
    touches (a leaking house shows in its district's inflow). `scale` multiplies the size of the fleet. Raises
    ValueError for a naive time, an unknown kind, or fewer than three days with faults. In less than two weeks there
    may be no room for a container to overflow.
    """
    wanted = frozenset(KINDS if faults is None else faults)
    if start.tzinfo is None or wanted - set(KINDS) or days < (_DAYS_FOR_FAULTS if wanted else 1):
        msg = f"the start needs a zone, faults need {_DAYS_FOR_FAULTS} days and are among {', '.join(KINDS)}"
        raise ValueError(msg)
    begin = int(start.timestamp()) // HOUR * HOUR
    world = World(seed, municipality, begin, days, wanted, scale)
    place = town.build(world)
    series = _simulated(world, place)
    things = {thing.device_id: thing for fleet in place.things.values() for thing in fleet}
    return City(
        areas=place.areas,
        registrations=[town.registration(world, thing) for thing in things.values()],
        faults=sorted(world.faults, key=lambda fault: (fault.since, fault.kind)),
        start=datetime.fromtimestamp(begin, UTC),
        end=datetime.fromtimestamp(world.end, UTC),
        _world=world,
        _things=things,
        _series=series,
    )


def _simulated(world: World, place: Town) -> dict[str, list[Series]]:
    meters, drawn = water.simulate(world, place)
    districts, hydrants = network.simulate(world, place, drawn)
    return {
        "water_meter": meters,
        "district_meter": districts,
        "waste_container": waste.simulate(world, place),
        "streetlight": lights.simulate(world, place),
        "hydrant": hydrants,
        "traffic_counter": traffic.simulate(world, place),
    }
