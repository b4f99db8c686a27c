"""The receiving path against its peers, in one run on one broker: ratios, not absolute rates.

A backlog of QoS 1 messages waits in three persistent sessions: ours, mosquitto_sub > /dev/null, and the usual Python
stack. Ours counts from the first message received to the last one visible in SQL, everything on.

    python bench/ingest.py [--messages 500000] [--days 1] [--devices 2000] [--runs 3] [--json]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ingest_load import FAMILIES, messages
from stage import ROOT, drava, ingesting, subscribe_first
from stages import costs

import drava as library
from commands.demo.broker import Broker, running
from devices.publish import publish

TOPIC = "ptuj/+/+/telemetry"
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


def peer(broker: Broker, count: int) -> list[str]:
    words = ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-c", "-i", "peer"]
    return [*words, "-x", "3600", "-t", TOPIC, *(["-C", str(count)] if count else ["-E"])]


def usual(broker: Broker, count: int, folder: Path) -> list[str]:
    script = str(ROOT / "bench" / "usual_stack.py")
    return [sys.executable, script, "127.0.0.1", str(broker.port), "usual", TOPIC, str(count), str(folder)]


def timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def ours(home: Path, count: int) -> tuple[float, float, list[float]]:
    """Seconds from the first message received to all of them visible; peak memory in MB, together and each."""
    began = time.time_ns() // 1000
    os.environ["DRAVA_INGEST__FLUSH_SECONDS"] = "0.5"  # the last, smaller batch must not wait for more to come
    with ingesting(home, "--until-idle", "2") as (process, gauge):
        process.wait()
    peak, single = gauge.stop()
    lake = library.connect(home)
    ask = "SELECT epoch_us(min(received_at)), count(*) FROM raw_messages WHERE received_at > make_timestamptz(?)"
    ((first, rows),) = lake.execute(ask, [began]).fetchall()
    assert rows == count, (rows, count)
    return (home / "published" / "current.json").stat().st_mtime_ns / 1e9 - first / 1e6, peak, single


def once(asked: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "broker") as broker:
        home, files = Path(place) / "home", Path(place) / "usual"
        files.mkdir()
        drava(home, "init", str(home), "--municipality", "ptuj", "--broker", broker.url, "--lang", "en")
        rows = [f"bench-{n:06d},{list(FAMILIES)[n % 6]},t{n},2020-01-01" for n in range(asked.devices)]
        (Path(place) / "d.csv").write_text("\n".join(["device_id,family,thing_id,valid_from", *rows]) + "\n")
        drava(home, "devices", "import", str(Path(place) / "d.csv"))
        subscribe_first(home)
        publish(messages(1, 1, 1), url=broker.url, client_id="bench")
        drava(home, "ingest", "--until-idle", "0.5")  # a home in service, and its session at the broker
        timed(peer(broker, 0))
        timed(usual(broker, 0, files))
        publish(messages(asked.messages, asked.devices, asked.days), url=broker.url, client_id="bench")
        sub = timed(peer(broker, asked.messages))
        mine, peak, single = ours(home, asked.messages)
        few = min(USUAL, asked.messages)
        slow = timed(usual(broker, few, files))
        rate = asked.messages / mine
        return {
            "rate": rate,
            "ratios": {"mosquitto_sub": rate / (asked.messages / sub), "usual_stack": rate / (few / slow)},
            "peak_rss_mb": peak,
            "processes_mb": single,
            "fsync_ms": fsync_ms(Path(place)),
        }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=500_000)
    options.add_argument("--days", type=int, default=1)
    options.add_argument("--devices", type=int, default=2000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    runs = [once(asked) for _ in range(asked.runs)]
    middle = {
        "messages": asked.messages,
        "days": asked.days,
        "runs": asked.runs,
        "rate": statistics.median(r["rate"] for r in runs),
        "ratios": {k: statistics.median(r["ratios"][k] for r in runs) for k in ("mosquitto_sub", "usual_stack")},
        "peak_rss_mb": max(r["peak_rss_mb"] for r in runs),
        "fsync_ms": statistics.median(r["fsync_ms"] for r in runs),
        "stages_us": costs(min(asked.messages, 300_000), asked.devices, asked.days, 50_000),
    }
    print(json.dumps(middle if asked.json else runs, indent=None if asked.json else 2))


if __name__ == "__main__":
    main()
