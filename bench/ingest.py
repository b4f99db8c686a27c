"""The receiving path against its peers, in one run on one broker: ratios, not absolute rates.

A backlog of QoS 1 messages waits in three persistent sessions: ours, mosquitto_sub > /dev/null, and the usual Python
stack. Ours counts from the first message received to the last one visible in SQL, everything on.

    python bench/ingest.py [--messages 500000] [--days 1] [--devices 2000] [--runs 3] [--slow-disk-ms 5] [--json]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from backlog import TOPIC, drained, peer, served, timed, waiting
from slow_disk import slower
from stage import ROOT
from stages import costs

from commands.demo.broker import Broker, running

USUAL = 50_000  # messages for the usual stack: enough for its rate, which does not depend on the backlog


def fsync_ms(folder: Path) -> float:
    """Median time of an fsync after a small write."""
    times = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def usual(broker: Broker, count: int, folder: Path) -> list[str]:
    script = str(ROOT / "bench" / "usual_stack.py")
    return [sys.executable, script, "127.0.0.1", str(broker.port), "usual", TOPIC, str(count), str(folder)]


def once(asked: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "broker") as broker:
        home, files = served(Path(place), broker, asked.devices), Path(place) / "usual"
        files.mkdir()
        timed(peer(broker, 0))
        timed(usual(broker, 0, files))
        waiting(broker, asked.messages, asked.devices, asked.days)
        sub = timed(peer(broker, asked.messages))
        mine, peak, single = drained(home, asked.messages, slower(Path(place), asked.slow_disk_ms))
        few = min(USUAL, asked.messages)
        slow = timed(usual(broker, few, files))
        rate = asked.messages / mine
        return {
            "rate": rate,
            "ratios": {"mosquitto_sub": rate / (asked.messages / sub), "usual_stack": rate / (few / slow)},
            "peak_rss_mb": peak,
            "processes_mb": dict(zip(("receiver", "writer"), single, strict=False)),
            "fsync_ms": fsync_ms(Path(place)),
        }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=500_000)
    options.add_argument("--days", type=int, default=1)
    options.add_argument("--devices", type=int, default=2000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--slow-disk-ms", type=int, default=0, help="how much longer each fsync of ours takes")
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    runs = []
    for number in range(asked.runs):
        runs.append(once(asked))
        if not asked.json:
            print(f"run {number + 1}: {json.dumps(runs[-1])}", flush=True)
    middle = {
        "messages": asked.messages,
        "days": asked.days,
        "slow_disk_ms": asked.slow_disk_ms,
        "runs": asked.runs,
        "rate": statistics.median(r["rate"] for r in runs),
        "ratios": {k: statistics.median(r["ratios"][k] for r in runs) for k in ("mosquitto_sub", "usual_stack")},
        "peak_rss_mb": max(r["peak_rss_mb"] for r in runs),
        "fsync_ms": statistics.median(r["fsync_ms"] for r in runs),
        "stages_us": costs(min(asked.messages, 300_000), asked.devices, asked.days, 50_000),
    }
    print(json.dumps(middle, indent=None if asked.json else 2))


if __name__ == "__main__":
    main()
