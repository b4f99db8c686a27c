"""The household detectors over a town of meters in a home on the disk: wall, processor time and peak; prints JSON.

    python bench/household_night.py HOME [--scale 1] [--days 130]

Scale 1: 10,000 water meters, hourly. A HOME that is there is read as it is. The detectors run as `drava detectors run`
would on the night after the last day, in a process of their own, whose peak memory is theirs.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from indicators_city import City, Piece
from indicators_year import END, Year

import drava
from indicators.detect import run_detectors
from lake.maintain import checkpoint
from lake.whole import finish_all
from schemas.settings import Home

PACKS = ("backflow", "bypass", "household_leak", "stopped_meter", "under_registration")


class Meters(City):
    """A city of which the water meters alone report."""

    def day(self, number: int) -> Iterator[Piece]:
        """The readings of a day, and no more of the day than that is drawn."""
        for piece in super().day(number):
            if piece.table != "water_meter":
                return
            yield piece


def make(path: Path, scale: float, days: int) -> None:
    """A home with so many days of meters."""
    year = Year(path, Meters(scale, END - timedelta(days), days))
    year.write(range(days))
    year.register()
    finish_all(year.lake)
    checkpoint(year.lake)


def night(path: Path) -> dict[str, object]:
    """Run the detectors: conditions of each, seconds, processor time, and the peak."""
    as_of = datetime(END.year, END.month, END.day, tzinfo=UTC)
    begun, used = time.perf_counter(), time.process_time()
    with drava.connect(path) as connection:
        ids = [f"water.{name}" for name in PACKS]
        found = run_detectors(connection, as_of=as_of, settings=Home(path).settings, ids=ids)["kind"].to_pylist()
    return {
        "conditions": {name: found.count(name) for name in PACKS},
        "seconds": round(time.perf_counter() - begun, 2),
        "cpu_seconds": round(time.process_time() - used, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("home", type=Path)
    options.add_argument("--scale", type=float, default=1.0)
    options.add_argument("--days", type=int, default=130)
    options.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.alone:
        print(json.dumps(night(asked.home)))
        return
    if not asked.home.exists():
        make(asked.home, asked.scale, asked.days)
    subprocess.run([sys.executable, __file__, str(asked.home), "--alone"], check=True)


if __name__ == "__main__":
    main()
