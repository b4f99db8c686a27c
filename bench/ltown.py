"""Files of a simulated year of L-TOWN, to tune detectors on.

python bench/ltown.py leaks|hydrants|draws FOLDER [SEED [COMMON_NOISE]]

Written: scada.parquet (what the city would measure), events.csv (what happened); the same seed gives the same files.
indicators/evaluate/made/ltown.py says how they are made.
"""

import sys
from pathlib import Path

import polars as pl

from indicators.evaluate.made.ltown import year

NETWORK = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "battledim_2019" / "L-TOWN.inp"


def write(kind: str, folder: Path, seed: int, common: float) -> None:
    """Write one year."""
    frame, events = year(kind, seed, str(NETWORK), common)
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / "scada.parquet")
    pl.DataFrame([event.row for event in events]).write_csv(folder / "events.csv")


if __name__ == "__main__":
    told = [*sys.argv[3:], *("0", "0")[len(sys.argv[3:]) :]]
    write(sys.argv[1], Path(sys.argv[2]), int(told[0]), float(told[1]))
