"""The home of a city that has measured for a year, written straight through the lake's commit: no messages.

    python bench/indicators_year.py HOME [--scale 1] [--days 365] [--seed 5]

Scale 1: 10,000 water meters hourly, 4,200 lamps every 15 min, 300 containers every 30 min, 60 counters of 4 lanes every
5 min, district meters of 8 of 20 areas. A smaller scale has fewer devices and the same days. No raw messages and no
balance sheets; a reading in 200 never came; on one day a month some meters' readings were revised. The last day is
marked dirty, as ingestion would: it is the new day of a nightly run.
"""

import argparse
import csv
import resource
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from indicators_city import AREAS, MEASURED_AREAS, ZONE, City, Piece, decimals
from stage import drava

from catalog.marks import ALL, Mark
from catalog.store import Store
from lake.commit import Lake
from lake.maintain import checkpoint
from lake.whole import finish_all
from schemas.settings import Home

END = date(2026, 7, 1)  # of the last day, UTC
COMMIT_ROWS = 2_000_000  # bounds memory
REVISED, REVISED_DAY = 20, 15  # readings, of that day of each month
CHECKPOINT = 100


def revisions(city: City, piece: Piece) -> Piece:
    """Another value of some readings of a piece: a litre more, received an hour later."""
    rows = piece.rows.take(pa.array(np.linspace(0, piece.rows.num_rows - 1, REVISED).astype(np.int64)))
    micro = pc.cast(pc.multiply(rows["volume_total_m3"].cast(pa.float64()), 1e6), pa.int64(), safe=False).to_numpy()
    city.messages += REVISED
    fresh = {
        "volume_total_m3": decimals(micro + 1000, rows.schema.field("volume_total_m3").type),
        "received_at": pc.add(rows["received_at"], pa.scalar(timedelta(hours=1))),
        "revision": pa.repeat(pa.scalar(1, pa.int16()), REVISED),
        "message_id": pa.array(np.arange(city.messages - REVISED, city.messages)),
    }
    for name, values in fresh.items():
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), values)
    return Piece(piece.table, piece.day, rows)


def pieces(city: City, days: Iterable[int]) -> Iterator[Piece]:
    for number in days:
        again = (city.first + timedelta(number)).day == REVISED_DAY
        for piece in city.day(number):
            yield piece
            if again and piece.table == "water_meter":
                yield revisions(city, piece)
                again = False


def commits(found: Iterable[Piece]) -> Iterator[list[dict[str, dict[str, pa.Table]]]]:
    """Pieces as commits: one commit holds a table's day once, so later pieces of it go into the next."""
    waiting: list[dict[str, dict[str, pa.Table]]] = []
    rows = 0
    day = ""
    for piece in found:
        if piece.day != day and rows > COMMIT_ROWS:
            yield waiting
            waiting, rows = [], 0
        day = piece.day
        place = next((c for c in waiting if piece.day not in c.get(piece.table, {})), None)
        if place is None:
            waiting.append(place := {})
        place.setdefault(piece.table, {})[piece.day] = piece.rows
        rows += piece.rows.num_rows
    yield waiting


def civil(rows: pa.Table) -> tuple[str, str]:
    """The first and the last local day of rows."""
    ends = pc.min_max(rows["observed_at"]).as_py()
    return tuple(str(ends[name].astimezone(ZONE).date()) for name in ("min", "max"))


class Year:
    """A home on the disk, and the lake through which its days are written."""

    def __init__(self, path: Path, city: City) -> None:
        self.path, self.city = path, city
        drava(path, "init", str(path), "--municipality", "ptuj", "--lang", "en")
        self.home = Home(path)
        self.store = Store.at(self.home.catalog)
        self.now = datetime(city.first.year, city.first.month, city.first.day, tzinfo=UTC)
        self.lake = Lake(self.home, self.store, lambda: self.now)
        self.rows = 0

    def write(self, days: range, *, dirty: bool = False) -> None:
        """Write days (numbers since the first); `dirty` marks them as ingestion would."""
        for number, batch in enumerate(commits(pieces(self.city, days)), 1):
            with self.lake.exclusive():
                for tables in batch:
                    self._commit(tables, dirty=dirty)
            if number % CHECKPOINT == 0:
                checkpoint(self.lake)

    def _commit(self, tables: dict[str, dict[str, pa.Table]], *, dirty: bool) -> None:
        last = max(day for days in tables.values() for day in days)
        self.now = max(
            self.now + timedelta(seconds=1), datetime.fromisoformat(last).replace(tzinfo=UTC) + timedelta(days=1)
        )
        self.rows += sum(rows.num_rows for days in tables.values() for rows in days.values())
        again = [
            (name, day)
            for name, days in tables.items()
            for day, rows in days.items()
            if pc.any(pc.greater(rows["revision"], 0)).as_py()
        ]
        marks = [Mark(name, ALL, *civil(rows)) for name, days in tables.items() for rows in days.values()]
        self.lake.commit("ingest", tables, revised=again, dirty=marks if dirty else ())

    def register(self) -> None:
        """Put areas, things and devices into the registry, with the exchanges that have happened by now."""
        people = str(round(1250 * self.city.scale))
        said = {"kind": "district", "population": people, "network_km": "14.2"}
        areas = [{"area_id": f"district-{n + 1:02d}", "title": f"District {n + 1}"} | said for n in range(AREAS)]
        for topic, rows in (("areas", areas), ("devices", list(self._devices()))):
            file = self.path / f"{topic}.csv"
            with file.open("w", encoding="utf-8", newline="") as table:
                writer = csv.DictWriter(table, list(dict.fromkeys(k for row in rows for k in row)), restval="")
                writer.writeheader()
                writer.writerows(rows)
            drava(self.path, topic, "import", str(file))

    def _devices(self) -> Iterator[dict[str, str]]:
        city, since = self.city, (END - timedelta(days=500)).isoformat()
        ended = {meter: (day, litres) for meter, day, litres in city.exchanged}
        for name, ids in city.ids.items():
            for n, device in enumerate(ids):
                thing = f"at-{device.removesuffix('-b')}"
                row = {"family": name, "thing_id": thing, "area": city.area(name, n)}
                row |= {"nominal_power_w": str(city.watts[n])} if name == "streetlight" else {}
                row |= {"persons": "2"} if name == "water_meter" else {}
                if name == "water_meter" and n in ended:
                    day, litres = str(ended[n][0]), str(ended[n][1] / 1000)
                    first = device.removesuffix("-b")
                    yield row | {"device_id": first, "valid_from": since, "valid_to": day, "end_register": litres}
                    yield row | {"device_id": device, "valid_from": day, "start_register": "0"}
                else:
                    yield row | {"device_id": device, "valid_from": since}

    def size(self) -> int:
        return sum(file.stat().st_size for file in (self.path / "lake").rglob("*.parquet"))


def make(path: Path, scale: float, days: int, seed: int = 5) -> Year:
    """A home with so many days, registered, whose days that are over are one file, as ingestion leaves them."""
    year = Year(path, City(scale, END - timedelta(days), days, seed))
    year.write(range(days - 1))
    year.write(range(days - 1, days), dirty=True)
    year.register()
    finish_all(year.lake)
    checkpoint(year.lake)
    return year


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("home", type=Path)
    options.add_argument("--scale", type=float, default=1.0)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--seed", type=int, default=5)
    asked = options.parse_args()
    began = time.perf_counter()
    year = make(asked.home, asked.scale, asked.days, asked.seed)
    seconds = time.perf_counter() - began
    devices = sum(year.city.counts.values())
    print(f"{devices:,} devices, {asked.days} days, {year.rows:,} rows, areas with a district meter: {MEASURED_AREAS}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.0f} s, {year.rows / seconds:,.0f} rows/s, {year.size() / 2**30:.2f} GB, {peak:.0f} MB at most")


if __name__ == "__main__":
    main()
