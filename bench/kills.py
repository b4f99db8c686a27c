"""SIGKILL of ingestion ten times at random during a run of 200,000 messages: all of them in the lake exactly once.

    python bench/kills.py [--messages 200000] [--kills 10] [--seed 1]

Kills the receiver and the writer together, as `kill -9` of the whole service does, while messages are published.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from stage import DRAVA, ROOT, drava, register, subscribe_first

import drava as library
from commands.demo.broker import running
from devices.publish import publish

DEVICES = 500
START = datetime(2026, 3, 1, tzinfo=UTC)


def messages(count: int, sent: list[int]) -> Iterator[tuple[str, bytes]]:
    for number in range(count):
        device, step = number % DEVICES, number // DEVICES
        body = {
            "time": (START + timedelta(minutes=5 * step)).isoformat(),
            "seq": step,
            "volume_total_m3": number / 1000,
        }
        sent[0] = number
        yield f"ptuj/water_meter/m{device}/telemetry", json.dumps(body).encode()


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Receiver and writer at the same moment."""
    for member in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        os.kill(member.pid, signal.SIGKILL)
    process.wait()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=200_000)
    options.add_argument("--kills", type=int, default=10)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "broker") as broker:
        home = Path(place) / "home"
        drava(home, "init", str(home), "--municipality", "ptuj", "--broker", broker.url, "--lang", "en")
        register(home, "water_meter", [f"m{n}" for n in range(DEVICES)], "2026-01-01")
        subscribe_first(home)
        sent = [0]
        publisher = threading.Thread(
            target=publish, args=(messages(asked.messages, sent),), kwargs={"url": broker.url, "client_id": "kills"}
        )
        start = [*DRAVA, "--home", str(home), "ingest"]
        process = subprocess.Popen(start, cwd=ROOT, stderr=subprocess.DEVNULL)
        publisher.start()
        killed_at = []
        for _ in range(asked.kills):
            threading.Event().wait(chance.uniform(1.0, 2.5))
            kill_all(process)
            killed_at.append(sent[0])
            process = subprocess.Popen(start, cwd=ROOT, stderr=subprocess.DEVNULL)
        publisher.join()
        process.terminate()
        process.wait()
        drava(home, "ingest", "--until-idle", "2")
        drava(home, "balance")
        lake = library.connect(home)
        one = lambda query: lake.execute(query).fetchone()  # noqa: E731
        rows, distinct, wrong = one(
            "SELECT count(*), count(DISTINCT (device_id, observed_at)), count(*) FILTER (WHERE volume_total_m3 <>"
            " CAST((seq * 500 + CAST(substr(device_id, 2) AS BIGINT)) / 1000 AS DECIMAL(18,6)))"
            " FROM water_meter_revisions"
        )
        received, stored, duplicate = one("SELECT sum(received), sum(stored), sum(duplicate) FROM balance")
    print(f"kills {asked.kills}, at message {killed_at}")
    print(
        f"published {asked.messages}, received {received} (redelivered {duplicate}), rows {rows}, distinct {distinct}"
    )
    print(f"lost {asked.messages - distinct}, doubled {rows - distinct}, wrong {wrong}")
    sys.exit(not rows == distinct == stored == asked.messages or wrong > 0)


if __name__ == "__main__":
    main()
