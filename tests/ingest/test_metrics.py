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
from ingest.journal import Journal
from tests.ingest.feeding import make_home, register, topic

ROOT = Path(__file__).parents[2]
SECONDS = 30.0


class Run:
    """A running `drava ingest --log-json` and what it says."""

    def __init__(self, home: Path, *options: str, env: dict[str, str] | None = None) -> None:  # noqa: D107
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

    def rest(self) -> list[dict[str, Any]]:
        """All lines that were not heard yet, until it ends."""
        return [json.loads(line) for line in iter(lambda: self._lines.get(timeout=SECONDS), "")]

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
    return json.dumps({"time": at.isoformat(), "volume_total_m3": volume}).encode()


def settled(committed: int) -> Callable[[dict[str, float]], bool]:
    """Whether so many messages are in the lake and everything is acknowledged."""

    def look(seen: dict[str, float]) -> bool:
        found = sum(value for name, value in seen.items() if name.startswith("drava_messages_committed_total"))
        return found == committed and seen.get("drava_waiting_messages") == 0

    return look


def moved(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Which counters of ours changed between two scrapes, by how much and without the prefix."""
    names = [name for name in after if name.startswith("drava_") and "_total" in name and "process" not in name]
    return {
        name.removeprefix("drava_").replace("_total", ""): after[name] - before[name]
        for name in names
        if after[name] != before[name]
    }


def test_counters_move_by_exactly_what_was_sent(home: Path, broker: demo_broker.Broker) -> None:
    good, twice, worse = reading(0, 1.5), reading(1, 2.5), reading(1, 2.75)
    publish(broker.port, (topic("m1"), b"before us: nobody has subscribed"))
    with ingesting(home) as run:
        before = run.until(lambda seen: settled(0)(seen) and seen["drava_broker_connected"] == 1)
        publish(broker.port, (topic("m1"), good), (topic("m1"), good), (topic("m2"), twice), (topic("m2"), worse))
        middle = run.until(settled(4))
        publish(broker.port, (topic("m2"), b"not json"), (topic("nobody"), good), (topic("m1"), b"[1, " + good + b"]"))
        after = run.until(settled(7))
    assert moved(before, middle) == {
        "messages_received": 4,
        "messages_journalled": 4,
        "messages_acknowledged": 4,
        "messages_committed{outcome=decoded}": 4,
        "readings{state=stored}": 2,
        "readings{state=duplicate}": 1,
        "readings{state=revised}": 1,
    }
    assert moved(middle, after) == {
        "messages_received": 3,
        "messages_journalled": 3,
        "messages_acknowledged": 3,
        "messages_committed{outcome=decoded}": 1,
        "messages_committed{outcome=quarantined}": 2,
        "readings{state=duplicate}": 1,
        "readings{state=quarantined}": 1,
        "quarantined{reason=not_json}": 1,
        "quarantined{reason=unknown_device}": 1,
        "quarantined{reason=wrong_shape}": 1,
    }


def test_state_of_a_run_is_shown(home: Path, broker: demo_broker.Broker) -> None:
    """Commit durations, the last commit, the journal's size, both processes; nothing by device."""
    with ingesting(home) as run:
        began = datetime.now(UTC).timestamp()
        run.until(lambda seen: seen["drava_broker_connected"] == 1)
        publish(broker.port, (topic("m1"), reading(0, 1.5)))
        seen = run.until(settled(1))
        pids = {run.process.pid, int(subprocess.check_output(["pgrep", "-P", str(run.process.pid)]))}
        resident = {
            seen["process_resident_memory_bytes"],
            seen["drava_writer_process_resident_memory_bytes"],
        }
        text = run.get("/metrics")[1]
    assert len(pids) == len(resident) == 2
    assert seen["drava_commit_duration_seconds_count"] == seen["drava_commit_duration_seconds_bucket{le=+Inf}"] == 1
    assert seen["drava_commit_duration_seconds_bucket{le=60.0}"] == 1
    assert 0 < seen["drava_commit_duration_seconds_sum"] < 60
    assert began - 1 < seen["drava_last_commit_timestamp_seconds"] < datetime.now(UTC).timestamp() + 1
    assert seen["drava_journal_bytes"] > 4096
    assert seen["drava_lag_seconds"] == seen["drava_waiting_bytes"] == seen["drava_broker_reconnects_total"] == 0
    assert "m1" not in text
    assert "drava_build_info{version=" in "".join(seen)


def test_what_waits_is_shown_with_its_age(tmp_path: Path, broker: demo_broker.Broker) -> None:
    made = make_home(tmp_path / "home", broker.url, more="[ingest]\nflush_seconds = 3600\nmin_free_mb = 0\n")
    with ingesting(made.path) as run:
        # what waits is known once the writer has said how far it is
        run.until(lambda seen: seen["drava_broker_connected"] == 1 and "drava_lag_seconds" in seen)
        publish(broker.port, *[(topic("m1"), b"x" * 500)] * 3)
        seen = run.until(lambda seen: seen["drava_messages_acknowledged_total"] == 3)
        later = run.until(lambda now: now["drava_lag_seconds"] > seen["drava_lag_seconds"])
        assert run.end() == 0
        last = [line for line in run.rest() if line["event"] == "progress"][-1]
    assert seen["drava_waiting_messages"] == later["drava_waiting_messages"] == 3
    assert 0 < seen["drava_waiting_bytes"] < seen["drava_journal_bytes"]
    assert 0 <= seen["drava_lag_seconds"] < SECONDS
    assert (last["received"], last["acknowledged"], last["committed"]) == (3, 3, 3)  # SIGTERM commits what waits


def test_ready_only_while_connected(tmp_path: Path) -> None:
    """No broker, a broker, no broker, a broker: /readyz follows, /healthz stays well."""
    if demo_broker.mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    port = demo_broker.free_port()
    made = make_home(tmp_path / "home", f"mqtt://127.0.0.1:{port}", more="[ingest]\nmin_free_mb = 0\n")
    away = (503, "not connected and subscribed to the broker\n")
    with ingesting(made.path) as run:
        assert run.get("/readyz") == away
        for connections in range(2):
            with demo_broker.running(tmp_path / "broker", port=port):
                assert wait(lambda: run.get("/readyz"), lambda answer: answer[0] == 200) == (200, "ok\n")
                assert run.get("/healthz") == (200, "ok\n")
                assert run.scrape()["drava_broker_reconnects_total"] == connections
            wait(lambda: run.get("/readyz"), lambda answer: answer[0] == 503)
            assert run.get("/readyz") == away
            assert run.get("/healthz") == (200, "ok\n")
            assert run.scrape()["drava_broker_connected"] == 0


def test_a_lake_in_trouble_is_not_ready_and_no_count_is_lost(home: Path, broker: demo_broker.Broker) -> None:
    """The folder of the published snapshot cannot be written: after the plan, before readers see it."""
    published, aside = home / "published", home / "aside"
    with ingesting(home) as run:
        wait(lambda: run.get("/readyz"), lambda answer: answer[0] == 200)
        publish(broker.port, (topic("m1"), reading(0, 1.5)))
        run.until(settled(1))
        published.rename(aside)
        published.touch()
        publish(broker.port, (topic("m1"), reading(1, 2.5)))
        _, reason = wait(lambda: run.get("/readyz"), lambda answer: answer[0] == 503)
        assert reason.startswith("the lake takes nothing: ")
        assert run.scrape()["drava_trouble{part=writer}"] == 1
        assert run.get("/healthz")[0] == 200  # messages are journalled and acknowledged all the same
        published.unlink()
        aside.rename(published)
        seen = run.until(settled(2))
        assert seen["drava_readings_total{state=stored}"] == 2
        assert seen["drava_trouble{part=writer}"] == 0
        assert run.get("/readyz") == (200, "ok\n")
        assert run.end() == 0
        said = [line["message"] for line in [*run.said, *run.rest()] if line["event"] == "lake"]
    assert len(said) == 2  # it began and it ended, however often it was tried
    assert said[1] == "the lake takes messages again"


def test_a_full_disk_is_unwell(tmp_path: Path, broker: demo_broker.Broker) -> None:
    made = make_home(tmp_path / "home", broker.url, more=f"[ingest]\nmin_free_mb = {2**40}\n")
    with ingesting(made.path) as run:
        status, reason = run.get("/healthz")
        assert (status, reason.split(":")[0]) == (503, "the disk is nearly full")
        run.until(lambda seen: seen["drava_broker_connected"] == 1)
        publish(broker.port, (topic("m1"), reading(0, 1.5)))
        seen = run.until(lambda seen: seen["drava_messages_received_total"] == 1)
        assert run.get("/readyz") == (503, reason)
    assert seen["drava_trouble{part=receiver}"] == 1
    assert seen["drava_messages_journalled_total"] == seen["drava_messages_acknowledged_total"] == 0


def test_a_port_in_use_is_a_warning_and_ingestion_goes_on(home: Path, broker: demo_broker.Broker) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with ingesting(home, "--until-idle", "0.5", env={"DRAVA_METRICS__LISTEN": listen}) as run:
            warning = run.hear("metrics")
            assert run.process.wait(SECONDS) == 0
        publish(broker.port, (topic("m1"), reading(0, 1.5)))  # the session of that run stands at the broker
        with ingesting(home, "--until-idle", "0.5", env={"DRAVA_METRICS__LISTEN": listen}) as run:
            assert run.process.wait(SECONDS) == 0
            last = [line for line in run.rest() if line["event"] == "progress"][-1]
    assert warning["level"] == "warning"
    assert listen in warning["message"]
    assert "metrics.listen" in warning["message"]
    assert last["committed"] == last["counts"]["stored"] == 1


def test_nothing_listens_where_none_is_asked_for(home: Path) -> None:
    with ingesting(home, "--until-idle", "0.2", env={"DRAVA_METRICS__LISTEN": ""}) as run:
        assert run.process.wait(SECONDS) == 0
        lines = run.rest()
    assert {line["event"] for line in lines} <= {"broker", "progress"}


def test_the_receiver_stays_small(home: Path) -> None:
    """What the lake needs is loaded by the writer alone, with metrics on."""
    with ingesting(home) as run:
        run.scrape()
        mapped = Path(f"/proc/{run.process.pid}/maps").read_text()
    assert "pyarrow" in mapped
    assert [name for name in ("polars", "duckdb", "deltalake") if name in mapped] == []


def test_the_end_in_error_is_json_too(tmp_path: Path) -> None:
    made = make_home(tmp_path / "home", more="[ingest]\nmin_free_mb = 0\n")
    held = Journal(made.journal / "main")
    with ingesting(made.path) as run:
        assert run.process.wait(SECONDS) == 2
        last = run.rest()[-1]
    held.close()
    assert (last["level"], last["event"]) == ("error", "failed")
    assert "another receiver writes the journal" in last["message"]


def test_listens_on_ipv6(tmp_path: Path) -> None:
    if not socket.has_ipv6 or not _loopback_6():
        pytest.skip("this machine has no IPv6 loopback")
    made = make_home(tmp_path / "home", more="[ingest]\nmin_free_mb = 0\n")
    with ingesting(made.path, env={"DRAVA_METRICS__LISTEN": "[::1]:0"}) as run:
        assert run.url.startswith("http://[::1]:")
        assert run.get("/healthz") == (200, "ok\n")


def _loopback_6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
