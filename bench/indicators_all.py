"""A year of a real city: the nightly run for one new day, what a page asks, and how both grow from a month to a year.

    python bench/indicators_all.py [--scale 0.01] [--days 365] [--place DIR] [--json]

Scale 1 is 14,568 devices and 264 million rows, and needs 11 GB in --place: the home, a month of the same city, the same
rows in DuckDB's own tables (the peer of the questions). What is there already is used again.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import indicators_ask
import pyarrow as pa
import pyarrow.compute as pc
from indicators_year import END, make
from stage import ROOT

from catalog.store import Store
from lake.commit import Lake, by_month
from lake.maintain import checkpoint
from lake.query import open_snapshot
from lake.tables import INDICATOR_VALUES
from lake.whole import finish_all
from schemas.settings import Home

MONTH = 30
NOW = datetime(END.year, END.month, END.day, 0, 30, tzinfo=UTC)  # the last local day has just ended
HISTORY_ROWS = 1_000_000  # of a commit
ALLOWED_S, ALLOWED_MB, ALLOWED_RATIO = 60, 2048, 1.5


def night(home: Path, as_of: datetime, since: datetime | None = None) -> dict[str, Any]:
    """Run the indicators in a process of its own."""
    words = [str(home), "--as-of", as_of.isoformat(), *(("--since", since.isoformat()) if since else ())]
    command = [sys.executable, str(ROOT / "bench" / "indicators_night.py"), *words]
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def history(path: Path, days: int) -> int:
    """Give the days before the newest that is computed the values of that day, as if each had been computed then."""
    rows = open_snapshot(path, tables=["indicator_values"]).sql("SELECT * FROM indicator_values").to_arrow_table()
    newest = (NOW - timedelta(days=2)).date()
    one = pc.and_(
        pc.equal(rows["period_start"], newest), pc.equal(rows["period_end"], pa.scalar(newest + timedelta(days=1)))
    )
    rows = rows.filter(one).select(INDICATOR_VALUES.names).cast(INDICATOR_VALUES)
    lake = Lake(Home(path), Store.at(Home(path).catalog), lambda: NOW - timedelta(hours=12))
    step = max(1, HISTORY_ROWS // max(rows.num_rows, 1))
    ages = range(1, days - 3)
    with lake.exclusive():
        for first in range(0, len(ages), step):
            made = pa.concat_tables([earlier(rows, age) for age in ages[first : first + step]])
            lake.commit("indicators", {"indicator_values": by_month(made)})
    finish_all(lake)
    checkpoint(lake)
    return rows.num_rows * len(ages)


def earlier(rows: pa.Table, days: int) -> pa.Table:
    """The same values, so many days ago."""
    names = ("period_start", "period_end", "computed_at")
    columns = {name: pc.subtract(rows[name], pa.scalar(timedelta(days=days))) for name in names}
    for name, values in columns.items():
        field = rows.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, values.cast(field.type))
    return rows


def city(place: Path, name: str, scale: float, days: int) -> tuple[Path, dict[str, Any]]:
    """The home of so many days with a night behind it, and the night that is measured. Made where it is not there."""
    path, told = place / name, {}
    if not path.is_dir():
        begun = time.perf_counter()
        year = make(path, scale, days)
        told = {"rows": year.rows, "written_s": round(time.perf_counter() - begun), "gb": round(year.size() / 2**30, 2)}
    work = place / f"{name}-run"
    if work.is_dir():
        shutil.rmtree(work)
    shutil.copytree(path, work, copy_function=linked)
    eve = night(work, NOW - timedelta(days=1), NOW - timedelta(days=2))
    told["values_before"] = history(work, days)
    return work, told | {"eve": eve, "night": night(work, NOW)}


def linked(source: str, target: str) -> str:
    """Files of the lake are written once: another name will do."""
    if source.endswith(".parquet"):
        Path(target).hardlink_to(source)
    else:
        shutil.copy2(source, target)
    return target


def run(place: Path, scale: float, days: int) -> dict[str, Any]:
    _, month = city(place, f"month-{scale:g}", scale, MONTH)
    path, year = city(place, f"days{days}-{scale:g}", scale, days)
    peer = place / f"days{days}-{scale:g}.duckdb"
    if not peer.exists():
        indicators_ask.copy(path, peer)
    questions = list(indicators_ask.compare(path, peer))
    before = {row["question"]: row for row in indicators_ask.alone(place / f"month-{scale:g}-run")}
    for row in questions:
        row["growth"] = round(row["again_ms"] / before[row["question"]]["again_ms"], 2)
    growth = round(year["night"]["seconds"] / month["night"]["seconds"], 2)
    return {"scale": scale, "days": days, "month": month, "year": year, "growth": growth, "questions": questions}


def tell(found: dict[str, Any]) -> None:
    year, month = found["year"], found["month"]
    if "rows" in year:
        print(f"{year['rows']:,} rows written in {year['written_s']} s, {year['gb']} GB")
    for name, one in (("month", month), (f"{found['days']} days", year)):
        done = one["night"]
        print(f"nightly run behind a {name}: {done['seconds']:.1f} s, {done['peak_mb']} MB, {done['values']:,} values")
        print("  " + ", ".join(f"{pack} {spent}" for pack, spent in list(done["packs"].items())[:6]))
        for pack, why in done["failed"].items():
            print(f"  FAILED {pack}: {why}")
    print(f"growth of the nightly run: {found['growth']}")
    columns = ("open_ms", "first_ms", "again_ms", "native_ms", "ratio", "growth")
    print(f"{'question':<42}{'rows':>7}" + "".join(f"{column:>10}" for column in columns))
    for row in found["questions"]:
        print(f"{row['question']:<42}{row['rows']:>7}" + "".join(f"{row[column]:>10}" for column in columns))
    slow = [row["question"] for row in found["questions"] if row["open_ms"] + row["first_ms"] > 1000]
    night_ok = year["night"]["seconds"] < ALLOWED_S and year["night"]["peak_mb"] < ALLOWED_MB
    print("ok  " if night_ok else "FAIL", f"nightly run under {ALLOWED_S} s and {ALLOWED_MB} MB")
    print("ok  " if not slow else "FAIL", "every question under 1 s", ", ".join(slow))
    wide = [row["question"] for row in found["questions"] if row["ratio"] > ALLOWED_RATIO]
    print("ok  " if not wide else "FAIL", f"at most {ALLOWED_RATIO} x DuckDB's own tables", ", ".join(wide))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=0.01)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--place", type=Path)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = asked.place or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        found = run(place, asked.scale, asked.days)
    if asked.json:
        print(json.dumps(found))
    else:
        tell(found)


if __name__ == "__main__":
    main()
