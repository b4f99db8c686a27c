"""Consumption of one new day of 10,000 hourly water meters, with the 63 days before it in the lake: seconds and memory.

    python bench/registers.py [--meters 10000] [--days 63]

Registers fall as often as DAIAD's do. Prints the time beside that of a plain scan of the same rows, and their ratio.
"""

import argparse
import sys
import tempfile
import threading
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import psutil
from stage import ROOT

sys.path.insert(0, str(ROOT))

from tests.indicators.world import empty, put

FIRST = date(2026, 9, 20)
READINGS = """COPY (
    SELECT 'wm-' || i AS device_id,
        TIMESTAMPTZ '{day} 00:00:00Z' + to_hours(h) + to_seconds(i * 7 % 3600) AS observed_at,
        CAST(100 + i % 900 + ({n} * 24 + h) * 0.012 + hash(i, {n}, h) % 12 / 1000.0
            - CASE WHEN hash(h, i, {n}) % 4000 = 0 THEN 0.012 + hash(i) % 30 / 1000.0 ELSE 0 END AS DECIMAL(18, 6))
            AS volume_total_m3,
        CAST(1 AS TINYINT) AS quality, CAST(0 AS SMALLINT) AS revision
    FROM range({meters}) AS m (i), range(24) AS t (h) WHERE hash({n}, i) % 50 <> 0
    ORDER BY device_id, observed_at
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)"""


def build(place: Path, meters: int, days: int) -> None:
    """Hive folders of one file a UTC day, sorted as the lake's."""
    with duckdb.connect() as maker:
        for n in range(days):
            folder = place / f"day={FIRST + timedelta(n)}"
            folder.mkdir()
            maker.execute(READINGS.format(day=FIRST + timedelta(n), n=n, meters=meters, file=folder / "part.parquet"))


def opened(place: Path, meters: int) -> duckdb.DuckDBPyConnection:
    world = empty()
    world.execute("SET threads = 2; SET memory_limit = '2GB'")
    reads = f"read_parquet('{place}/*/*.parquet', hive_partitioning = true, hive_types = {{'day': DATE}})"
    world.execute(f"CREATE TEMP VIEW water_meter AS SELECT * FROM {reads}")
    world.execute("CREATE TEMP VIEW water_meter_revisions AS FROM water_meter")
    put(world, "things", f"SELECT 't-' || i AS thing_id, 'water_meter' AS family FROM range({meters}) AS m (i)")
    since = "TIMESTAMPTZ '2026-01-01 00:00:00Z' AS valid_from"
    put(
        world,
        "assignments",
        f"SELECT 'wm-' || i AS device_id, 't-' || i AS thing_id, {since} FROM range({meters}) AS m (i)",
    )
    return world


def timed(world: duckdb.DuckDBPyConnection, query: str) -> tuple[float, float, float, int]:
    """Seconds, CPU seconds, the highest memory of the process in MB, rows."""
    process, done, peak = psutil.Process(), threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun, used = time.perf_counter(), time.process_time()
    rows = len(world.execute(query).fetchall())
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    done.set()
    watcher.join()
    return seconds, cpu, peak[0] / 1e6, rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--meters", type=int, default=10_000)
    options.add_argument("--days", type=int, default=63)
    asked = options.parse_args()
    last = FIRST + timedelta(asked.days - 2)
    queries = {
        "scan of all rows": "SELECT device_id, min(observed_at), max(volume_total_m3) FROM water_meter GROUP BY ALL",
        "consumption_days, one day": f"FROM consumption_days('{last}', '{last}')",
        "consumption_reach, one day": f"FROM consumption_reach('{last}', '{last}')",
        "consumption_days, a week": f"FROM consumption_days('{last - timedelta(6)}', '{last}')",
    }
    with tempfile.TemporaryDirectory() as place:
        build(Path(place), asked.meters, asked.days)
        world = opened(Path(place), asked.meters)
        (rows,) = world.execute("SELECT count(*) FROM water_meter").fetchone()
        print(f"{rows:,} readings of {asked.meters:,} meters")
        base = None
        for name, query in queries.items():
            seconds, cpu, peak, found = timed(world, query)
            base = base or cpu
            print(
                f"{name}: {seconds:.1f} s, CPU {cpu:.1f} s ({cpu / base:.1f} x the scan), {peak:.0f} MB, {found:,} rows"
            )


if __name__ == "__main__":
    main()
