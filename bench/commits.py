"""Does a commit cost the same after thousands of them? Ingestion's writer with its maintenance, a flush every 5 s.

Every commit takes a few messages of six families; the clock goes on by one flush, so that 17,280 are a day.

    python bench/commits.py [--commits 10000] [--messages 60] [--json]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
from ingest_load import FAMILIES
from stage import drava

import drava as library
from catalog.store import Store
from ingest.collect import rare_collections
from ingest.journal import MESSAGES, Journal, Reader
from ingest.writer import Writer
from lake.commit import Lake
from lake.maintain import Keeper
from schemas.clock import micros
from schemas.settings import Home

FLUSH = timedelta(seconds=5)
BEGAN = datetime(2026, 3, 2, tzinfo=UTC)


def batch(number: int, count: int, now: datetime) -> pa.RecordBatch:
    """What arrives between two flushes: each device once."""
    families = list(FAMILIES)
    topics, payloads = [], []
    for device in range(count):
        family = families[device % len(families)]
        topics.append(f"ptuj/{family}/bench-{device:06d}/telemetry")
        payloads.append(json.dumps({"time": now.isoformat(), "seq": number, FAMILIES[family]: number % 90}).encode())
    columns = [[micros(now)] * count, topics, payloads, [1] * count, [False] * count, [False] * count]
    return pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, MESSAGES, strict=True)], schema=MESSAGES)


def timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


class Run:
    """A home whose clock goes on by one flush a commit."""

    def __init__(self, place: Path, messages: int) -> None:
        self.path = place / "home"
        self.messages = messages
        self.now = BEGAN
        drava(self.path, "init", str(self.path), "--municipality", "ptuj", "--lang", "en")
        rows = [f"bench-{n:06d},{list(FAMILIES)[n % 6]},t{n},2020-01-01" for n in range(messages)]
        (place / "d.csv").write_text("\n".join(["device_id,family,thing_id,valid_from", *rows]) + "\n")
        drava(self.path, "devices", "import", str(place / "d.csv"))
        home = Home(self.path)
        store = Store.at(home.catalog)
        self.journal = Journal(home.journal / "main")
        self.reader = Reader(home.journal / "main")
        self.lake = Lake(home, store, lambda: self.now)
        self.writer = Writer(home, store, self.lake, lambda: self.now)
        self.keeper = Keeper(self.lake)

    def commits(self, count: int) -> Iterator[tuple[float, float]]:
        """Milliseconds of each commit, and of the maintenance after it."""
        for number in range(count):
            self.now += FLUSH
            self.journal.append([(batch(number, self.messages, self.now), micros(self.now))])
            spent = timed(lambda: self.writer.commit_from(self.reader, 50_000))
            kept = timed(self.keeper.after_commit)
            while self.keeper.rest():
                pass
            self.journal.trim(self.reader.last())
            yield spent, kept


def row(run: Run, done: int, spent: list[float], kept: list[float]) -> dict[str, Any]:
    """What a thousand commits cost, and what they left."""
    folder = run.path / "lake"
    opened = timed(lambda: library.connect(run.path).execute("SELECT count(*) FROM water_meter").fetchall())
    return {
        "commits": done,
        "commit_ms": round(statistics.median(spent), 1),
        "commit_p99_ms": round(sorted(spent)[len(spent) * 99 // 100], 1),
        "maintenance_ms": round(statistics.mean(kept), 1),
        "longest_ms": round(max(kept), 1),
        "rss_mb": round(psutil.Process().memory_info().rss / 2**20),
        "live_files": sum(len(f) for t in run.lake.tables.values() if t.folder.is_dir() for f in t.files().values()),
        "log_files": sum(1 for _ in folder.glob("*/_delta_log/*")),
        "catalog_mb": round((run.path / "catalog" / "catalog.sqlite").stat().st_size / 2**20, 1),
        "ask_ms": round(opened, 1),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--commits", type=int, default=10_000)
    options.add_argument("--messages", type=int, default=60)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    rare_collections()
    rows = []
    every = max(asked.commits // 10, 1)
    with tempfile.TemporaryDirectory() as place:
        run = Run(Path(place), asked.messages)
        spent, kept = [], []
        for done, (commit, maintenance) in enumerate(run.commits(asked.commits), 1):
            spent.append(commit)
            kept.append(maintenance)
            if done % every == 0:
                rows.append(row(run, done, spent, kept))
                spent, kept = [], []
                if not asked.json:
                    sys.stdout.write(("" if rows[1:] else "  ".join(rows[0]) + "\n") + table(rows[-1]))
                    sys.stdout.flush()
    if asked.json:
        print(json.dumps(rows))


def table(line: dict[str, Any]) -> str:
    return "  ".join(f"{value:>{len(name)}}" for name, value in line.items()) + "\n"


if __name__ == "__main__":
    main()
