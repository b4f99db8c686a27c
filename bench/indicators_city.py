"""A city's readings by columns, a day at a time: what its meters, lamps, containers and counters would have sent.

Everything follows from the seed. Times are epoch µs; a matrix has a row a device and a column a slot of the day.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from astral import Observer
from astral.sun import sunrise, sunset
from stage import ROOT  # noqa: F401 - makes the rooms importable

from lake.tables import family_schema
from schemas.vocabulary import families

DAY_US, SECOND_US = 86_400_000_000, 1_000_000
FILE_ROWS = 75_000  # compaction leaves files of 50,000 to 100,000 rows, each a few hours of all devices
FIRST_MESSAGE = 1 << 44
ZONE = ZoneInfo("Europe/Ljubljana")
PLACE = Observer(46.42, 15.87)
AREAS, MEASURED_AREAS = 20, 8
LANES = (("1", "in"), ("2", "in"), ("1", "out"), ("2", "out"))
FULL = {"water_meter": 10_000, "streetlight": 4_200, "waste_container": 300, "traffic_counter": 60}
SLOTS = {"water_meter": 24, "streetlight": 96, "waste_container": 48, "traffic_counter": 288, "district_meter": 96}
PREFIX = dict(zip(SLOTS, ("wm", "sl", "wc", "tc", "dm"), strict=True))
_HOUSE = np.array([2, 1, 1, 1, 2, 5, 12, 15, 11, 8, 7, 7, 8, 8, 6, 6, 7, 9, 12, 13, 11, 8, 5, 3], dtype=float)
_ROAD = np.array([1, 1, 1, 1, 2, 6, 14, 18, 13, 10, 9, 10, 11, 11, 13, 16, 17, 14, 10, 7, 5, 4, 3, 2], dtype=float)


@dataclass(frozen=True)
class Piece:
    """Rows of one table and day that came one after the other, in the order of a compacted file."""

    table: str
    day: str
    rows: pa.Table


@dataclass
class City:
    """The fleet and what its registers show; days are asked for one after the other."""

    scale: float
    first: date
    days: int
    seed: int = 5
    messages: int = FIRST_MESSAGE
    exchanged: list[tuple[int, date, int]] = field(default_factory=list)  # meter, day, litres that it ended with

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.counts = {name: max(2, round(n * self.scale)) for name, n in FULL.items()}
        self.counts["district_meter"] = MEASURED_AREAS
        meters, lamps, bins, counters = (self.counts[name] for name in FULL)
        self.offsets = {name: rng.integers(0, DAY_US // n // SECOND_US, self.counts[name]) for name, n in SLOTS.items()}
        self.litres = rng.integers(1_000, 2_000_000, meters)
        self.thirst = rng.gamma(4, 2.0, meters) / _HOUSE.sum()
        self.wh = rng.integers(50_000, 900_000, lamps) * 1000  # in mWh
        self.watts = rng.choice([24.0, 36.0, 48.0, 70.0], lamps)
        self.fill, self.filling = rng.uniform(0, 60, bins), rng.uniform(10, 30, bins)
        self.traffic = rng.uniform(2, 16, (counters, len(LANES)))
        self.ids = {name: [f"{PREFIX[name]}-{n:06d}" for n in range(count)] for name, count in self.counts.items()}
        share = rng.permutation(meters)[: max(1, meters // 100)]  # a hundredth is exchanged within the period
        when = rng.integers(1, self.days, len(share))
        self.exchanges = {int(m): self.first + timedelta(int(d)) for m, d in zip(share, when, strict=True)}

    def area(self, name: str, number: int) -> str:
        return f"district-{number % (MEASURED_AREAS if name == 'district_meter' else AREAS) + 1:02d}"

    def day(self, number: int) -> Iterator[Piece]:
        """All readings of a day (UTC), the days one after the other."""
        day = self.first + timedelta(number)
        shift = round(datetime(day.year, day.month, day.day, 12, tzinfo=ZONE).utcoffset().total_seconds() / 3600)
        rng = np.random.default_rng([self.seed, number])
        drawn = self._water(rng, day, shift)
        yield from self._pieces(
            rng, "water_meter", day, {"volume_total_m3": drawn * 1000, "battery_pct": 97.0 - number / 40}
        )
        yield from self._pieces(rng, "district_meter", day, self._inflow(rng, drawn))
        yield from self._pieces(rng, "streetlight", day, self._lamps(rng, day))
        yield from self._pieces(rng, "waste_container", day, self._bins(rng, day))
        yield from self._pieces(rng, "traffic_counter", day, self._roads(rng, day, shift))

    def _water(self, rng: np.random.Generator, day: date, shift: int) -> np.ndarray:
        """Registers in litres; a few meters show 0 for half a day, as real ones do."""
        for meter in [m for m, when in self.exchanges.items() if when == day]:
            self.exchanged.append((meter, day, int(self.litres[meter])))
            self.ids["water_meter"][meter] += "-b"
            self.litres[meter] = 0
        hours = np.roll(_HOUSE, -shift) * (1.25 if day.weekday() >= 5 else 1.0)
        used = rng.poisson(np.outer(self.thirst * 40, hours))
        registers = self.litres[:, None] + np.cumsum(used, axis=1)
        self.litres = registers[:, -1].copy()
        if day.day == 7:
            registers[rng.integers(0, len(registers), max(1, len(registers) // 5000)), 6:18] = 0
        return registers

    def _inflow(self, rng: np.random.Generator, registers: np.ndarray) -> Mapping[str, object]:
        """What the metered connections of an area drew, a tenth more, and a leak."""
        hourly = np.maximum(np.diff(registers, axis=1, prepend=registers[:, :1]), 0)
        flow = np.stack([hourly[area::AREAS].sum(axis=0) for area in range(MEASURED_AREAS)]) / 1000
        quarters = np.repeat(flow, 4, axis=1)
        noise = rng.normal(1, 0.03, quarters.shape)
        return {
            "flow_m3h": (quarters * 1.1 * noise + 2 + 0.2 * self.scale).round(2),
            "pressure_kpa": (noise * 420).round(0),
        }

    def _lamps(self, rng: np.random.Generator, day: date) -> Mapping[str, object]:
        """Between sunset and sunrise, half of it after midnight; a few are dark for two weeks."""
        times = np.arange(96) * 900
        rise, down = (f(PLACE, day) for f in (sunrise, sunset))
        rise, down = (t.hour * 3600 + t.minute * 60 for t in (rise, down))
        dim = np.where((times < rise) | (times > down), np.where((times > 79_200) | (times < 10_800), 50.0, 100.0), 0.0)
        alive = (np.arange(len(self.watts)) * 7919 + day.toordinal() // 14 * 104_729) % 331 > 0
        lit = np.outer(alive, dim)
        power = np.where(
            lit > 0, self.watts[:, None] * (0.04 + 0.0096 * lit) * rng.normal(1, 0.012, lit.shape), 0.4
        ).round(1)
        energy = self.wh[:, None] + np.cumsum((power * 250).astype(np.int64), axis=1)
        self.wh = energy[:, -1].copy()
        voltage = np.repeat(rng.normal(231, 2, (1, 96)).round(1), len(lit), axis=0)
        return {
            "lamp_state": lit > 0,
            "dim_pct": lit,
            "power_w": power,
            "energy_total_kwh": energy,
            "voltage_v": voltage,
        }

    def _bins(self, rng: np.random.Generator, day: date) -> Mapping[str, object]:
        """Emptied on Mondays and Thursdays at six; a few wait until the next time."""
        steps = rng.gamma(1, 1, (len(self.fill), 48)) * self.filling[:, None] / 48
        level = self.fill[:, None] + np.cumsum(steps, axis=1)
        if day.weekday() in (0, 3):
            came = rng.random(len(level)) > 0.05
            level[:, 12:] -= np.where(came, level[:, 11], 0)[:, None]
        self.fill = level[:, -1].copy()
        warm = 12 - 10 * math.cos(day.timetuple().tm_yday / 58) + 4 * np.sin(np.arange(48) / 7.6)
        temperature = np.repeat(warm[None, :].round(1), len(level), axis=0)
        return {"fill_pct": np.clip(level, 0, 100).round(0), "temp_cel": temperature, "battery_pct": 90.0}

    def _roads(self, rng: np.random.Generator, day: date, shift: int) -> Mapping[str, object]:
        curve = np.repeat(np.roll(_ROAD, -shift), 12) / 10 * (0.6 if day.weekday() >= 5 else 1.0)
        count = rng.poisson(self.traffic.reshape(-1, 1) * curve[None, :])
        speed = rng.normal(46, 5, count.shape).round(1)
        return {"interval_s": 300, "count": count, "speed_mean_kmh": speed, "occupancy_pct": (count * 0.6).round(1)}

    def _pieces(
        self, rng: np.random.Generator, name: str, day: date, measures: Mapping[str, object]
    ) -> Iterator[Piece]:
        """Cut a day into files by time; in a file the rows go by device and time. One row in 200 never came."""
        slots, channels = SLOTS[name], len(LANES) if name == "traffic_counter" else 1
        devices = self.counts[name]
        parts = max(1, math.ceil(devices * channels * slots / FILE_ROWS))
        edges = [slots * n // parts for n in range(parts + 1)]
        for begin, end in pairwise(edges):
            yield Piece(name, day.isoformat(), self._rows(rng, name, day, measures, (begin, end)))

    def _rows(
        self, rng: np.random.Generator, name: str, day: date, measures: Mapping[str, object], cut: tuple[int, int]
    ) -> pa.Table:
        begin, end = cut
        slots, devices = SLOTS[name], self.counts[name]
        channels = LANES if name == "traffic_counter" else (("", ""),)
        height, step = devices * len(channels), DAY_US // slots
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND_US
        offset = np.zeros(devices, np.int64) if name in ("traffic_counter", "district_meter") else self.offsets[name]
        ranks = np.repeat(np.arange(devices, dtype=np.int32), len(channels))
        observed = midnight + np.arange(begin, end)[None, :] * step + offset[ranks][:, None] * SECOND_US
        delay = (1 + ranks % 7)[:, None] * SECOND_US + rng.integers(0, SECOND_US, observed.shape)
        received = observed + delay + (step if name == "traffic_counter" else 0)
        order = np.arange(height)[:, None] + np.arange(end - begin)[None, :] * height
        here = (rng.random(observed.size) >= 0.005).nonzero()[0]
        flat = lambda values: np.ascontiguousarray(np.broadcast_to(values, observed.shape)).ravel()[here]  # noqa: E731
        spread = lambda values: pa.array(np.repeat(values, end - begin)[here])  # noqa: E731
        number = (day - self.first).days
        found: dict[str, pa.Array] = {
            "device_id": pa.DictionaryArray.from_arrays(spread(ranks), self.ids[name]).cast(pa.string()),
            "observed_at": flat(observed),
            "received_at": flat(received),
            "ingested_at": flat(received // (5 * SECOND_US) * 5 * SECOND_US + 6 * SECOND_US),
            "seq": flat(number * slots + np.arange(begin, end)[None, :]),
            "message_id": flat(self.messages + order),
        }
        self.messages += order.size
        if name == "traffic_counter":
            found["observed_until"] = flat(observed + step)
            for key, column in (("lane", 0), ("direction", 1)):
                lane = np.tile(np.arange(len(LANES), dtype=np.int32), devices)
                found[key] = pa.DictionaryArray.from_arrays(spread(lane), [c[column] for c in LANES]).cast(pa.string())
        for measure, values in measures.items():
            whole = isinstance(values, np.ndarray)
            found[measure] = flat(values[:, begin:end] if whole else np.array(values))
        return _table(name, found, len(here))


_CONSTANT = {
    "vehicle_class": "all",
    "quality": 1,
    "quality_tests": 0,
    "time_source": "device",
    "profile": "drava",
    "revision": 0,
}


def _table(name: str, found: Mapping[str, object], height: int) -> pa.Table:
    columns = []
    for column in family_schema(families()[name]):
        values = found.get(column.name)
        if values is None:
            columns.append(pa.repeat(pa.scalar(_CONSTANT.get(column.name), column.type), height))
        elif pa.types.is_decimal(column.type):
            columns.append(decimals(values, column.type))
        else:
            columns.append(values if isinstance(values, pa.Array) else pa.array(values).cast(column.type))
    return pa.table(columns, schema=family_schema(families()[name]))


def decimals(micro: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Millionths as decimals: numbers of 128 bits, low half first."""
    wide = np.zeros((len(micro), 2), np.int64)
    wide[:, 0] = micro
    wide[:, 1] = np.where(micro < 0, -1, 0)
    return pa.Array.from_buffers(kind, len(micro), [None, pa.py_buffer(wide)])
