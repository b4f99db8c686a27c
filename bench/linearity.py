"""Does the cost of a message grow with their number, or with the number of devices? And does memory?

Each row is a fresh broker and home: a backlog of QoS 1 messages waits for our session, `drava ingest` brings it into
the lake. Counted from the first message received to the last one visible in SQL; memory is the peak of each process.

    python bench/linearity.py [--messages 100000 300000 1000000 3000000] [--devices 10 1000 10000 50000] [--json]
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from backlog import drained, peer, served, timed, waiting

from commands.demo.broker import running

USUAL_MESSAGES, USUAL_DEVICES = 300_000, 2000
LIMIT_MB = 512
PROCESSES = ("receiver_mb", "writer_mb")


def once(count: int, devices: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "broker") as broker:
        home = served(Path(place), broker, devices)
        timed(peer(broker, 0))
        waiting(broker, count, devices)
        beside = timed(peer(broker, count))
        seconds, peak, each = drained(home, count)
    return {
        "messages": count,
        "devices": devices,
        "us_a_message": round(seconds / count * 1e6, 2),
        "mosquitto_sub_us": round(beside / count * 1e6, 2),
        **{name: round(size) for name, size in zip(PROCESSES, each, strict=False)},
        "peak_rss_mb": round(peak),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, nargs="*", default=[100_000, 300_000, 1_000_000, 3_000_000])
    options.add_argument("--devices", type=int, nargs="*", default=[10, 1000, 10_000, 50_000])
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    wanted = [(count, USUAL_DEVICES) for count in asked.messages] + [(USUAL_MESSAGES, n) for n in asked.devices]
    rows = []
    for count, devices in wanted:
        rows.append(once(count, devices))
        if not asked.json:
            sys.stdout.write(("" if rows[1:] else "  ".join(rows[0]) + "\n") + line(rows[-1]))
            sys.stdout.flush()
    if asked.json:
        print(json.dumps(rows))
    if any(row["peak_rss_mb"] >= LIMIT_MB for row in rows):
        raise SystemExit(f"more than {LIMIT_MB} MB")


def line(row: dict[str, Any]) -> str:
    return "  ".join(f"{value:>{len(name)}}" for name, value in row.items()) + "\n"


if __name__ == "__main__":
    main()
