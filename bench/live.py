"""Live: a steady rate for a while, and how long a message takes to our acknowledgement and to SQL.

    python bench/live.py [--rate 1000] [--seconds 60] [--flush 5]

A tap between Drava and the broker reads both directions of the wire: the payload says when a message was published,
the PUBACK when we acknowledged it. Visible is when the snapshot that holds the row was shown to readers.
"""

import argparse
import asyncio
import bisect
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import mqtt5
import psutil
from stage import drava, ingesting, register

import drava as library
from commands.demo.broker import free_port, running
from devices.publish import publish

DEVICES = 1000


class Tap:
    """Forwards bytes between Drava and the broker and notes when which message was acknowledged."""

    def __init__(self, broker_port: int) -> None:
        self.broker_port = broker_port
        self.port = free_port()
        self.delays: list[float] = []
        self._sent: dict[int, float] = {}
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", self.port))
        ready.set()
        self._loop.run_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.broker_port)
        await asyncio.gather(self._pass(reader, back, self._from_drava), self._pass(there, writer, self._from_broker))

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, note: object) -> None:
        rest = b""
        while data := await source.read(65536):
            target.write(data)
            rest = self._packets(rest + data, note)
        target.close()

    @staticmethod
    def _packets(data: bytes, note: object) -> bytes:
        view, offset = memoryview(data), 0
        try:
            while offset < len(data):
                packet, size = mqtt5.read(view[offset:])
                offset += size
                note(packet)  # type: ignore[operator]
        except IndexError:
            pass
        return data[offset:]

    def _from_broker(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.PublishPacket) and packet.packet_id is not None:
            self._sent[packet.packet_id] = json.loads(packet.payload)["flow_m3h"]

    def _from_drava(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.PubAckPacket):
            self.delays.append(time.time() % 1000 - self._sent.pop(packet.packet_id))


def messages(rate: int, seconds: int) -> Iterator[tuple[str, bytes]]:
    """One after the other at the rate; `flow_m3h` carries the clock modulo 1000 s, to the microsecond."""
    began = time.perf_counter()
    for number in range(rate * seconds):
        ahead = number / rate - (time.perf_counter() - began)
        if ahead > 0:
            time.sleep(ahead)
        now = time.time()
        body = {"time": datetime.fromtimestamp(now, UTC).isoformat(), "seq": number, "flow_m3h": now % 1000}
        yield f"ptuj/water_meter/live{number % DEVICES}/telemetry", json.dumps(body).encode()


def visible(home: Path) -> list[float]:
    """Seconds from the reading's time to the snapshot that showed it."""
    shown = sorted(
        (int(f.stem.split("-")[1]) / 1e6, f.stat().st_mtime) for f in (home / "published" / "snapshots").glob("*.json")
    )
    made = [created for created, _ in shown]
    ask = "SELECT epoch_us(observed_at), epoch_us(ingested_at) FROM water_meter_revisions"
    found = library.connect(home).execute(ask).fetchall()
    return [shown[bisect.bisect_left(made, ingested / 1e6)][1] - observed / 1e6 for observed, ingested in found]


def percentiles(name: str, values: list[float]) -> None:
    cut = statistics.quantiles(values, n=100)
    print(f"{name:34} p50 {cut[49] * 1000:8.1f} ms   p99 {cut[98] * 1000:8.1f} ms   max {max(values) * 1000:8.1f} ms")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rate", type=int, default=1000)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--flush", type=float, default=5)
    asked = options.parse_args()
    os.environ["DRAVA_INGEST__FLUSH_SECONDS"] = str(asked.flush)
    os.environ["DRAVA_METRICS__LISTEN"] = ""
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "broker") as broker:
        tap = Tap(broker.port)
        home = Path(place) / "home"
        drava(
            home,
            "init",
            str(home),
            "--municipality",
            "ptuj",
            "--broker",
            f"mqtt://127.0.0.1:{tap.port}",
            "--lang",
            "en",
        )
        register(home, "water_meter", [f"live{n}" for n in range(DEVICES)], "2020-01-01")
        drava(home, "ingest", "--until-idle", "0.1")
        with ingesting(home) as (process, gauge):
            time.sleep(3)
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            each = [sum(p.cpu_times()[:2]) for p in family]
            before = sum(each)
            began = time.perf_counter()
            publish(messages(asked.rate, asked.seconds), url=broker.url, client_id="live", window=2000)
            took = time.perf_counter() - began
            each = [sum(p.cpu_times()[:2]) - was for p, was in zip(family, each, strict=True)]
            busy = sum(sum(p.cpu_times()[:2]) for p in family) - before
            before = sum(sum(p.cpu_times()[:2]) for p in family)
            time.sleep(20)
            idle = (sum(sum(p.cpu_times()[:2]) for p in family) - before) / 20
        peak, single = gauge.stop()
        print(f"{asked.rate * asked.seconds} messages in {took:.1f} s, flush every {asked.flush:g} s")
        percentiles("publish to our acknowledgement", tap.delays)
        percentiles("publish to visible in SQL", visible(home))
        print(f"CPU {busy / took * 100:.1f} % of a core while live, {idle * 100:.2f} % just after")
        print(f"receiver and writer {[round(c / took * 100, 1) for c in each]}")
        print(f"peak {peak:.0f} MB {[round(s) for s in single]}")


if __name__ == "__main__":
    main()
