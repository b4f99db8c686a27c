"""What `drava ingest` tells Prometheus and a supervisor is true: against a real broker and the real command."""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import paho.mqtt.client as mqtt
import pytest
from prometheus_client.parser import text_string_to_metric_families

from catalog.store import Store
from commands.demo import broker as demo_broker
from schemas.reasons import Reason
from tests.ingest.feeding import make_home, register, topic

ROOT = Path(__file__).parents[2]
SECONDS = 30.0


class Run:
    """A running `drava ingest --log-json` and what it says."""

    def __init__(self, home: Path, *options: str, env: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "drava", "--home", str(home), "ingest", "--log-json", *options]
        listening = {"DRAVA_METRICS__LISTEN": "127.0.0.1:0"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | listening | (env or {}), stderr=subprocess.PIPE, text=True
        )
        self.said: list[dict[str, Any]] = []
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put("")

    def hear(self, event: str, level: str | None = None) -> dict[str, Any]:
        """The next line about an event."""
        while line := self._lines.get(timeout=SECONDS):
            self.said.append(json.loads(line))
            if self.said[-1]["event"] == event and level in {None, self.said[-1]["level"]}:
                return self.said[-1]
        raise AssertionError(f"it ended without a word about {event}: {self.said}")

    @property
    def url(self) -> str:
        if not hasattr(self, "_url"):
            self._url = self.hear("metrics")["message"].split()[-1].removesuffix("/metrics")
        return self._url

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        with contextlib.closing(_open(Request(self.url + path, method=method))) as answer:
            return answer.status, answer.read().decode()

    def scrape(self) -> dict[str, float]:
        """Every sample by its name and labels, parsed by Prometheus' own parser."""
        samples = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
                samples[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
        return samples

    def until(self, true: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """Scrape until something is true."""
        return wait(self.scrape, true)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


def _open(request: Request) -> Any:
    try:
        return urlopen(request, timeout=SECONDS)
    except HTTPError as error:
        return error


def wait(look: Callable[[], Any], true: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not true(seen := look()):
        assert time.monotonic() < deadline, seen
    return seen


@contextlib.contextmanager
def ingesting(home: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[Run]:
    run = Run(home, *options, env=env)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGKILL)
            run.process.wait(SECONDS)


@pytest.fixture
def home(tmp_path: Path, broker: demo_broker.Broker) -> Path:
    made = make_home(tmp_path / "home", broker.url, more="[ingest]\nflush_seconds = 0.2\nmin_free_mb = 0\n")
    register(Store.at(made.catalog), ("m1", "water_meter"), ("m2", "water_meter"))
    return made.path


def publish(port: int, *messages: tuple[str, bytes]) -> None:
    """Publish with QoS 1 and wait for the broker's acknowledgements."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for sent in [client.publish(where, payload, qos=1) for where, payload in messages]:
        sent.wait_for_publish(SECONDS)
        assert sent.is_published()
    client.disconnect()
    client.loop_stop()


def reading(minute: int, volume: float) -> bytes:
    at = datetime.now(UTC).replace(minute=minute, second=0, microsecond=0)
    return json.dumps({"time": at.isoformat(), "volume_m3": volume}).encode()


def test_counters_move_by_exactly_what_was_sent(home: Path, broker: demo_broker.Broker) -> None:
    with ingesting(home) as run:
        before = run.until(lambda seen: seen.get("drava_waiting_messages") == 0 and seen["drava_broker_connected"] == 1)
        assert {name: value for name, value in before.items() if "_total" in name and value and "drava_m" in name} == {}
        first = reading(0, 1.5)
        publish(
            broker.port,
            (topic("m1"), first),
            (topic("m1"), first),
            (topic("m2"), reading(1, 2.5)),
            (topic("m2"), b"not json"),
            (topic("nobody"), first),
        )
        after = run.until(lambda seen: seen["drava_last_commit_timestamp_seconds"] > 0 if "drava_last_commit_timestamp_seconds" in seen and seen["drava_messages_acknowledged_total"] == 5 and seen["drava_waiting_messages"] == 0 else False)
        print(json.dumps(after, indent=1))
        assert run.end() == 0
