"""A home in which things go on changing: readings come late, are revised and erased, the registry is corrected."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pyarrow as pa

from catalog import imports
from catalog.imports import Author
from catalog.marks import ERASED, Mark
from devices.assets import AssetRow
from devices.exchange import Exchange, exchanged
from devices.kinds import kinds
from devices.registry import Registration
from indicators.compute import bring_up_to_date
from indicators.runner import run_indicators
from indicators.values import GONE, KEY, NUMBERS
from lake.query import open_found
from lake.snapshot import find
from lake.tables import tables
from schemas.clock import micros
from tests.ingest.feeding import Feed, topic

START = datetime(2026, 3, 22, 23, tzinfo=UTC)  # a local midnight; a week before a day of 23 hours
HOUR = timedelta(hours=1)
DAYS = 9
PLACES = {  # device -> family, area, what it says n hours after the beginning
    "m1": ("water_meter", "east", lambda n: {"volume_total_m3": round(10 + n * 0.012, 6)}),
    "m2": ("water_meter", "east", lambda n: {"volume_total_m3": round(700 + n * 0.031, 6)}),
    "m3": ("water_meter", "west", lambda n: {"volume_total_m3": round(5 + n * 0.007, 6)} if n % 30 < 20 else None),
    "d1": ("district_meter", "east", lambda n: {"flow_m3h": 2.0 + n % 24 / 10, "pressure_kpa": 410.0}),
    "d2": ("district_meter", "west", lambda n: {"volume_total_m3": round(90 + n * 0.4, 6), "pressure_kpa": 380.0}),
    "b1": ("waste_container", "east", lambda n: {"fill_pct": (n * 3) % 100}),
    "b2": ("waste_container", "west", lambda n: {"fill_pct": (n * 2) % 97}),
    "l1": (
        "streetlight",
        "east",
        lambda n: {"power_w": 40.0 if n % 24 < 8 else 0.4, "energy_total_kwh": round(n / 50, 6)},
    ),
    "l2": ("streetlight", "west", lambda n: {"power_w": 39.0, "energy_total_kwh": round(3 + n / 30, 6)}),
    "h1": ("hydrant", "east", lambda n: {"pressure_kpa": 300.0 if n % 40 else 120.0} if n % 6 == 0 else None),
    "c1": ("traffic_counter", "east", lambda n: {"count": n % 50, "lane": "1", "interval_s": 3600}),
    "e1": ("building_energy", "west", lambda n: {"electricity_total_kwh": round(2000 + n * 1.3, 6)}),
    "t1": ("heat_meter", "west", lambda n: {"heat_total_kwh": round(500 + n * 0.9, 6)}),
    "a1": (
        "air_quality",
        "east",
        lambda n: {"pm10_ugm3": 20.0 + n % 41, "no2_ugm3": 15.0 + n % 24, "o3_ugm3": 70.0 + n % 60},
    ),
    "w1": ("weather", "west", lambda n: {"air_temp_cel": 4.0 + n % 24 / 3, "precip_mm": n % 5 / 10, "gust_ms": n % 13}),
    "n1": ("noise", "east", lambda n: {"noise_laeq_db": 45.0 + n % 24}),
    "r1": ("river_level", "west", lambda n: {"level_m": 1.0 + n % 50 / 100, "discharge_m3s": 3.0 + n % 50 / 10}),
    "p1": ("parking", "east", lambda n: {"spots_free": n * 7 % 10, "spots_total": 10}),
    "i1": ("indoor_climate", "west", lambda n: {"co2_ppm": 500 + n % 24 * 40, "temp_cel": 19.0 + n % 12}),
}  # fmt: skip
QUARTERLY = ("a1", "w1", "n1", "r1", "p1", "i1")  # they say it every quarter of an hour
ASSETS = {"hydrant": ("t-h1", "h-without"), "bin": ("t-b1", "t-b2"), "luminaire": ("t-l1", "t-l2")}
METERS = ("m1", "m2", "m3")


class Home:
    """Everything that can happen to a home, with days counted from the beginning."""

    def __init__(self, path):  # noqa: D107 - a test's own
        self.feed = Feed(path)
        self.feed.now = START + timedelta(days=DAYS, hours=7)
        self.imported = 0

    def begin(self):
        """Register all and say what they said in the first days."""
        for device, (family, area, _) in PLACES.items():
            self.register(device, family, area=area)
        for kind, names in ASSETS.items():
            for name in names:
                self.survey(kind, name, None)
        for hour in range(DAYS * 24):
            for device, (_, _, says) in PLACES.items():
                if (values := says(hour)) is not None:
                    self.say(device, hour, values)
        self.feed.commit()

    def say(self, device, hour, values, *, now=False):
        """A reading; `now` it comes, else it came when it was taken."""
        at = START + hour * HOUR
        quarters = range(4) if device[:2] in QUARTERLY else range(1)
        come = self.feed.now if now else at + timedelta(minutes=15 * quarters[-1] + 1)
        said = [{"time": (at + n * HOUR / 4).isoformat(), **values} for n in quarters]
        self.feed.say(topic(device, PLACES[device[:2]][0]), said, at=come)

    def register(self, device, family, *, since=START - timedelta(days=30), **more):
        """Say of a device where it hangs."""
        row = Registration(
            device_id=device, family=family, thing_id=more.pop("thing", f"t-{device}"), valid_from=micros(since), **more
        )
        self.change(lambda: imports.import_registrations(self.feed.store, [row], now=self.feed.now))

    def change(self, act):
        """Change the registry; what it refuses is not changed."""
        found = act()
        self.imported = found.number or self.imported

    # What may happen.
    def late(self, device, hour, hours, step):
        """A week-old upload: every `step` hours, half an hour later than the others."""
        for one in range(hour, hour + hours, step):
            values = PLACES[device][2](one)
            if values is not None:
                self.say(device, one + 0.5, values, now=True)
        self.feed.commit()

    def revise(self, device, hour, factor):
        """The same instant says something else: up, down, or nothing at all."""
        values = PLACES[device][2](hour) or {}
        other = {
            name: round(value * factor, 6) if isinstance(value, float) else value for name, value in values.items()
        }
        if values:
            self.say(device, hour, other, now=True)
            self.feed.commit()

    def move(self, device, area):
        """The thing turns out to be in another area."""
        family = PLACES[device][0]
        self.register(device, family, area=area)

    def describe(self, device, persons, power):
        """Attributes are corrected."""
        family = PLACES[device][0]
        about = {
            "persons": persons,
            "nominal_power_w": power,
            "heated_area_m2": 100 * power,
            "co2_limit_ppm": 500 + power,
        }
        self.register(device, family, attributes=about)

    def hang(self, device, day):
        """Another device of the same kind is registered, from a day in the past on."""
        family, area, _ = PLACES[device]
        self.register(f"{device}x{day}", family, since=START + timedelta(days=day), area=area)

    def exchange(self, device, day, end, start):
        """The meter was exchanged, or the protocol of it is corrected."""
        other = f"{device}n"
        at = START + timedelta(days=day, hours=10)
        registers = [None if r is None else Decimal(r) for r in (end, start)]
        what = Exchange(device, other, micros(at), registers[0], registers[1])
        author = Author(self.feed.now)
        self.change(lambda: imports.change(self.feed.store, "devices replace", lambda b: exchanged(b, what), author))
        for hour in range(day * 24 + 12, day * 24 + 60, 3):
            self.say(other, hour, {"volume_total_m3": round(hour * 0.01, 6)}, now=True)
        self.feed.commit()

    def survey(self, kind, name, day):
        """An object is found to be in service: always, or from a day on."""
        since = None if day is None else micros(START + timedelta(days=day))
        row = AssetRow(2, name, since, None, {"title": f"{name} {day}"}, withdrawn=False)
        self.change(lambda: imports.import_assets(self.feed.store, kinds()[kind], [row], now=self.feed.now))

    def undo(self):
        """The last import is taken back."""
        if self.imported:
            self.change(lambda: imports.undo(self.feed.store, self.imported, Author(self.feed.now)))

    def erase(self, device, day, days):
        """A device's readings of some days are erased."""
        family = PLACES[device][0]
        lake = self.feed.lake
        with lake.exclusive():
            first = START + timedelta(days=day)
            gone = pl.col("device_id").eq(device) & pl.col("observed_at").is_between(
                first, first + timedelta(days=days)
            )
            rows, removes = {}, []
            for name, files in lake.tables[family].files().items():
                old = pl.concat(
                    [pl.read_parquet(p, hive_partitioning=False) for p in lake.tables[family].paths([name])]
                )
                kept = old.filter(~gone)
                if kept.height < old.height:
                    rows[name] = kept.to_arrow().cast(tables()[family])
                    removes += files
            local = [(START + timedelta(days=day + n, hours=3)).date() for n in range(days + 2)]
            marks = [Mark(family + ERASED, device, str(d), str(d)) for d in local]
            if removes:
                lake.rewrite("erase", {family: rows}, {family: removes}, dirty=marks)

    def wait(self, hours):
        """Time passes, and the devices go on."""
        last = int((self.feed.now - START) / HOUR)
        self.feed.now += timedelta(hours=hours)
        for hour in range(last, last + hours):
            for device, (_, _, says) in PLACES.items():
                if (values := says(hour)) is not None:
                    self.say(device, hour, values)
        self.feed.commit()

    def run(self, **options):
        """Compute what changed."""
        return bring_up_to_date(self.feed.lake, **options)

    def stored(self):
        """The values that are stored, without rows that say that there is none any more."""
        with open_found(self.feed.home.path, find(self.feed.home.path), tables=["indicator_values"]) as lake:
            names = ", ".join([*KEY, *NUMBERS, "devices"])
            return lake.sql(f"SELECT {names} FROM indicator_values WHERE NOT ({GONE})").to_arrow_table()

    def afresh(self, ids=None):
        """The values that a computation over all history gives, of all indicators or of these."""
        home = self.feed.home
        with open_found(home.path, find(home.path), limited=False) as lake:
            return run_indicators(lake, as_of=self.feed.now, settings=home.settings, ids=ids)


def differences(one: pa.Table, other: pa.Table) -> list[dict]:
    """Values that are in one of them alone, or are not the same in both."""
    left, right = (pl.DataFrame(t).select([*KEY, *NUMBERS, "devices"]) for t in (one, other))
    both = left.join(right, on=KEY, how="full", suffix="_other", coalesce=True, nulls_equal=True)
    same = pl.col("devices").eq_missing(pl.col("devices_other"))
    for name in NUMBERS:
        a, b = pl.col(name), pl.col(f"{name}_other")
        same &= a.eq_missing(b) | ((a - b).abs() <= 1e-7 * pl.max_horizontal(a.abs(), b.abs(), 1.0)).fill_null(
            value=False
        )
    return both.filter(~same).sort(KEY).to_dicts()
