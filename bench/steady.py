"""A steady load from several publishers for minutes: the lag stays bounded, or it does not.

    python bench/steady.py [--rate 30000] [--publishers 4] [--minutes 10] [--devices 6000]

The lag is what was published and is not yet in the lake, sampled every second: at the broker, in the journal, under
way. Bounded: its greatest value in the second half of the run is not above that of the first by more than a flush.
"""

import argparse
import multiprocessing
import os
import re
import socket
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import mqtt5
import psutil
from ingest_load import FAMILIES
from stage import drava, ingesting, register, subscribe_first

import drava as library
from commands.demo.broker import free_port, running

TICK = 0.01
WINDOW = 900  # below mosquitto.conf's max_inflight_messages
FLUSH = 5.0
TOLD = 30  # samples to a line
NAMES = list(FAMILIES)


class Publisher:
    """One connection that sends packets of a tick at once: paho would need more of the machine than Drava."""

    def __init__(self, port: int, client_id: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(mqtt5.ConnectPacket(client_id, keep_alive=60).write())
        self.rest = b""
        self.number = self.owed = 0
        self.hear(1)
        self.owed = 0

    def send(self, topic: bytes, payload: bytes) -> bytes:
        """The packet of a message, QoS 1."""
        self.number = self.number % 65535 + 1
        size = len(topic) + len(payload) + 5
        head = bytes((0x32, size & 0x7F | 0x80, size >> 7)) if size > 127 else bytes((0x32, size))
        return b"".join((head, len(topic).to_bytes(2), topic, self.number.to_bytes(2), b"\0", payload))

    def flush(self, packets: list[bytes]) -> None:
        for start in range(0, len(packets), WINDOW // 2):
            part = packets[start : start + WINDOW // 2]
            self.hear(self.owed + len(part) - WINDOW)
            self.owed += len(part)
            self.socket.sendall(b"".join(part))

    def hear(self, least: int) -> None:
        """Read acknowledgements, at least so many."""
        while least > 0:
            data = self.rest + self.socket.recv(65536)
            offset = 0
            while offset + 1 < len(data) and offset + 2 + data[offset + 1] <= len(data):
                offset += 2 + data[offset + 1]
                self.owed -= 1
                least -= 1
            self.rest = data[offset:]


def publisher(place: int, port: int, devices: int, rate: float, seconds: float, sent) -> None:
    """At a steady rate, a tick's messages at once; each device's readings in order."""
    client = Publisher(port, f"steady-{place}")
    topics = [
        b"ptuj/%b/bench-%06d/telemetry" % (family(d).encode(), d) for d in range(place * devices, (place + 1) * devices)
    ]
    began, number = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        due = int(passed * rate)
        now = datetime.now(UTC)
        second = now.strftime("%Y-%m-%dT%H:%M:%S")
        packets = []
        for n in range(number, due):
            step, device = divmod(n, devices)
            name = family(place * devices + device)
            value = step if name in {"traffic_counter", "water_meter"} else step % 90 + 0.25
            micro = (now.microsecond + n - number) % 1_000_000
            body = (
                f'{{"time": "{second}.{micro:06d}Z", "seq": {step}, "{FAMILIES[name]}": {value}, "battery_pct": 87.5}}'
            )
            packets.append(client.send(topics[device], body.encode()))
        client.flush(packets)
        number = max(due, number)
        sent.value = number
        time.sleep(TICK)
    client.hear(client.owed)


def family(device: int) -> str:
    return NAMES[device % len(NAMES)]


def scraped(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = {name: float(value) for name, value in re.findall(r"^(drava_\w+) (\S+)$", text, re.MULTILINE)}
    committed = re.findall(r'^drava_messages_committed_total\{outcome="\w+"\} (\S+)$', text, re.MULTILINE)
    return found | {"committed": sum(map(float, committed))}


def sample(
    port: int, rate: int, sent: list, over, ours: list[psutil.Process]
) -> list[tuple[float, int, float, float, float]]:
    """Every second: time, published, received, committed, MB; until all is committed after the publishers' end."""
    print("second  published/s  most waiting  of it at the broker  in seconds      MB")
    began, rows, told = time.perf_counter(), [], 0
    while True:
        published = sum(value.value for value in sent)
        now = scraped(port)
        memory = sum(p.memory_info().rss for p in ours) / 2**20
        rows.append(
            (time.perf_counter() - began, published, now["drava_messages_received_total"], now["committed"], memory)
        )
        if len(rows) - told == TOLD:
            tell(rows[told:], rate)
            told = len(rows)
        if over() and now["committed"] >= published:
            return rows
        time.sleep(1)


def tell(rows: list[tuple[float, int, float, float, float]], rate: int) -> None:
    """One line about some samples that follow each other."""
    speed = (rows[-1][1] - rows[0][1]) / max(rows[-1][0] - rows[0][0], 1)
    lag = max(published - committed for _, published, _, committed, _ in rows)
    broker = max(published - received for _, published, received, _, _ in rows)
    memory = max(row[4] for row in rows)
    print(
        f"{rows[-1][0]:6.0f}  {speed:11,.0f}  {lag:12,.0f}  {broker:19,.0f}  {lag / rate:10.1f}  {memory:6.0f}",
        flush=True,
    )


def judge(rows: list[tuple[float, int, float, float, float]], rate: int, minutes: float) -> None:
    live = [row for row in rows if row[0] < minutes * 60]
    half = len(live) // 2
    before, after = (max(r[1] - r[3] for r in part) / rate for part in (live[:half], live[half:]))
    verdict = "bounded" if after <= before + FLUSH else "GROWING"
    print(f"greatest lag {before:.1f} s in the first half, {after:.1f} s in the second: {verdict}")
    print(f"all committed {rows[-1][0] - minutes * 60:.1f} s after the end")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rate", type=int, default=30_000)
    options.add_argument("--publishers", type=int, default=4)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--devices", type=int, default=6000)
    asked = options.parse_args()
    port, each = free_port(), asked.devices // asked.publishers
    os.environ["DRAVA_METRICS__LISTEN"] = f"127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "broker") as broker:
        home = Path(place) / "home"
        drava(home, "init", str(home), "--municipality", "ptuj", "--broker", broker.url, "--lang", "en")
        for position, name in enumerate(NAMES):
            names = [f"bench-{n:06d}" for n in range(position, each * asked.publishers, len(NAMES))]
            register(home, name, names, "2020-01-01")
        subscribe_first(home)
        with ingesting(home) as (process, gauge):
            while scraped_or_none(port) is None:
                time.sleep(0.1)
            ours = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            context = multiprocessing.get_context("spawn")
            sent = [context.Value("q", 0, lock=False) for _ in range(asked.publishers)]
            rest = (each, asked.rate / asked.publishers, asked.minutes * 60)
            senders = [
                context.Process(target=publisher, args=(n, broker.port, *rest, sent[n]))
                for n in range(asked.publishers)
            ]
            busy = sum(sum(p.cpu_times()[:2]) for p in ours)
            for sender in senders:
                sender.start()
            rows = sample(port, asked.rate, sent, lambda: not any(s.is_alive() for s in senders), ours)
            busy = sum(sum(p.cpu_times()[:2]) for p in ours) - busy
        peak, single = gauge.stop()
        judge(rows, asked.rate, asked.minutes)
        total = sum(value.value for value in sent)
        stored = library.connect(home).execute("SELECT count(*) FROM raw_messages").fetchall()[0][0]
        print(f"published {total:,}, in the lake {stored:,}; CPU {busy / rows[-1][0] * 100:.0f} % of a core")
        print(f"peak {peak:.0f} MB {[round(size) for size in single]}")


def scraped_or_none(port: int) -> dict[str, float] | None:
    try:
        found = scraped(port)
    except OSError:
        return None
    return found if found["drava_broker_connected"] and "drava_waiting_messages" in found else None


if __name__ == "__main__":
    main()
