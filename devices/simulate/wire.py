"""From readings to payloads: each device in its own dialect of times, units and batches."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from devices.simulate.town import Thing
from devices.simulate.world import DAY, HOUR, Series, Value, World, utc

TimeStyle = Callable[[int], str]


class Post(NamedTuple):
    """A message on its way: when it is sent (epoch s), where to, what, and how many readings it holds."""

    send: float
    topic: str
    payload: bytes
    readings: int = 1


def _rfc3339(epoch: int) -> str:
    return f'"{utc(epoch):%Y-%m-%dT%H:%M:%S}Z"'


def _with_offset(epoch: int) -> str:
    return f'"{datetime.fromtimestamp(epoch, timezone(timedelta(hours=1))).isoformat()}"'


def _milliseconds(epoch: int) -> str:
    return f"{epoch}000"


_STYLES: tuple[TimeStyle, ...] = (_rfc3339, str, _milliseconds, _with_offset)
_WEIGHTS = (60, 20, 12, 8)


def topic(world: World, family: str, device_id: str) -> str:
    """Where a device speaks for itself."""
    return f"{world.municipality}/{family}/{device_id}/telemetry"


def posts(world: World, series: Iterable[Series], things: dict[str, Thing]) -> list[Post]:
    """Give every message of the period, unsorted and without any dirt."""
    found: list[Post] = []
    gateways: dict[str, list[tuple[int, str]]] = defaultdict(list)
    daily = _daily(world, things)
    by_device = groupby(series, key=lambda one: one.device_id)
    for device_id, group in by_device:
        thing, own = things[device_id], list(group)
        if thing.gateway:
            told = [(t, f'{{"device":"{device_id}",{body}}}') for t, body in _bodies(world, own)]
            gateways[thing.gateway] += told
        elif device_id in daily:
            found += _batches(
                topic(world, thing.family, device_id), DAY, [(t, f"{{{b}}}") for t, b in _bodies(world, own)]
            )
        else:
            place = topic(world, thing.family, device_id)
            found += [Post(t, place, f"{{{body}}}".encode()) for t, body in _bodies(world, own)]
    for gateway, told in gateways.items():
        found += _batches(f"{world.municipality}/gateway/{gateway}/telemetry", HOUR, sorted(told, key=itemgetter(0)))
    return found


def _daily(world: World, things: dict[str, Thing]) -> set[str]:
    """Draw two meters that save their battery and upload a whole day at once."""
    meters = sorted(d for d, thing in things.items() if thing.family == "water_meter")
    return set(world.rng("daily").sample(meters, min(2, len(meters))))


def _batches(place: str, span: int, told: list[tuple[int, str]]) -> list[Post]:
    """One array for each `span` seconds, sent with its last reading."""
    found = []
    for _, group in groupby(told, key=lambda one: one[0] // span):
        batch = list(group)
        found.append(Post(batch[-1][0], place, f"[{','.join(text for _, text in batch)}]".encode(), len(batch)))
    return found


def _bodies(world: World, own: list[Series]) -> list[tuple[int, str]]:
    """Time and inner JSON of each reading of one device; `seq` counts over all its series."""
    rng = world.rng("dialect", own[0].device_id)
    style, foreign = rng.choices(_STYLES, _WEIGHTS)[0], rng.random() < 0.1  # noqa: PLR2004 - one device in ten
    found = []
    for n, series in enumerate(own):
        keys = "".join(f',"{name}":"{value}"' for name, value in series.keys.items())
        cells = [_cells(name, values, foreign=foreign) for name, values in series.columns.items()]
        rows = map("".join, zip(*cells, strict=True))
        found += [
            (epoch, f'"time":{style(epoch)},"seq":{i}{keys}{row}')
            for epoch, i, row in zip(
                series.times, range(n, n + len(own) * len(series.times), len(own)), rows, strict=True
            )
        ]
    return found


def _cells(name: str, values: list[Value], *, foreign: bool) -> list[str]:
    """One measure as JSON members, each with its comma before; nothing where there is no value."""
    if foreign and name == "volume_total_m3":
        return [f',"{name}":{{"value":{round(Decimal(str(v)) * 1000)},"unit":"L"}}' for v in values]
    if foreign and name == "pressure_kpa":
        return [f',"{name}":{{"value":{Decimal(str(v)) / 100},"unit":"bar"}}' for v in values]
    if isinstance(values[0], bool):
        return [f',"{name}":{"true" if v else "false"}' for v in values]
    return ["" if v is None else f',"{name}":{v}' for v in values]
