"""A backlog of QoS 1 messages that waits for our session: made, and brought into the lake, measured."""

import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from ingest_load import FAMILIES, messages
from stage import drava, ingesting, subscribe_first

import drava as library
from commands.demo.broker import Broker
from devices.publish import publish

TOPIC = "ptuj/+/+/telemetry"
LONG_QUEUE = 1_000_000


def served(place: Path, broker: Broker, devices: int) -> Path:
    """A home in service with so many devices, and its session at the broker."""
    home = place / "home"
    drava(home, "init", str(home), "--municipality", "ptuj", "--broker", broker.url, "--lang", "en")
    rows = [f"bench-{n:06d},{list(FAMILIES)[n % 6]},t{n},2020-01-01" for n in range(devices)]
    (place / "d.csv").write_text("\n".join(["device_id,family,thing_id,valid_from", *rows]) + "\n")
    drava(home, "devices", "import", str(place / "d.csv"))
    subscribe_first(home)
    publish(messages(1, 1, 1), url=broker.url, client_id="bench")
    drava(home, "ingest", "--until-idle", "0.5")
    return home


def waiting(broker: Broker, count: int, devices: int, days: int = 1) -> None:
    """Publish what shall wait in the sessions there are."""
    publish(messages(count, devices, days), url=broker.url, client_id="bench")


def drained(home: Path, count: int, environment: Mapping[str, str] | None = None) -> tuple[float, float, list[float]]:
    """Seconds from the first message received to all of them visible; peak memory in MB, together and each."""
    began = time.time_ns() // 1000
    # the last, smaller batch must not wait for more to come
    more = {"DRAVA_INGEST__FLUSH_SECONDS": "0.5", **(environment or {})}
    # a broker that writes a long queue to its disk says nothing for seconds: that is no end
    idle = "2" if count <= LONG_QUEUE else "20"
    with ingesting(home, "--until-idle", idle, environment=more) as (process, gauge):
        process.wait()
    peak, single = gauge.stop()
    lake = library.connect(home)
    ask = "SELECT epoch_us(min(received_at)), count(*) FROM raw_messages WHERE received_at > make_timestamptz(?)"
    ((first, rows),) = lake.execute(ask, [began]).fetchall()
    assert rows == count, (rows, count)
    return visible(home) - first / 1e6, peak, single


def visible(home: Path) -> float:
    """When the last row could be asked for: the newest snapshot that ingestion made. Compaction makes more of them."""
    ask = "SELECT max(snapshots.id) FROM snapshots JOIN plans ON plans.id = plan_id WHERE kind = 'ingest'"
    with closing(sqlite3.connect(home / "catalog" / "catalog.sqlite")) as catalog:
        ((number,),) = catalog.execute(ask).fetchall()
    (file,) = (home / "published" / "snapshots").glob(f"{number:012d}-*.json")
    return file.stat().st_mtime_ns / 1e9


def peer(broker: Broker, count: int) -> list[str]:
    """mosquitto_sub with a session of its own; 0: only make the session."""
    words = ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-c", "-i", "peer"]
    return [*words, "-x", "3600", "-t", TOPIC, *(["-C", str(count)] if count else ["-E"])]


def timed(command: list[str]) -> float:
    """Seconds that a command takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
