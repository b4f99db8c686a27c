"""From a hydrant's message at the broker to the mail at a mail server; and what watching costs while nothing happens.

    python bench/alarm_latency.py [--alarms 25] [--idle 60]

Everything is real: Mosquitto with this repository's configuration, `drava ingest` at its default flush, `drava alarms
watch`, and aiosmtpd. Hydrants are opened one after another at uneven intervals. Printed: from publishing to the mail,
from the commit (the snapshot's time) to the mail, and the processor time of the watcher while other families commit
and while nothing comes at all.
"""

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
from aiosmtpd.controller import Controller
from stage import DRAVA, ROOT, drava, ingesting, register

from commands.demo.broker import free_port, running

HISTORY_H = 72
PATIENCE = 120.0


class Inbox:
    """When each alarm's mail came."""

    def __init__(self) -> None:
        self.came: dict[str, float] = {}
        self.new = threading.Condition()

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        message = message_from_bytes(envelope.content)
        with self.new:
            self.came.setdefault(str(message["X-Drava-Alarm"]), time.time())
            self.new.notify_all()
        return "250 OK"

    def wait(self, count: int) -> None:
        with self.new:
            if not self.new.wait_for(lambda: len(self.came) >= count, PATIENCE):
                raise SystemExit(f"only {len(self.came)} of {count} mails came")


class Sender:
    """A gateway: publishes with QoS 1 and waits for the broker."""

    def __init__(self, port: int) -> None:
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def send(self, device: str, family: str, **measures: object) -> None:
        moment = measures.pop("at", datetime.now(UTC))
        body = json.dumps({"time": moment.isoformat(), **measures})
        self.client.publish(f"ptuj/{family}/{device}/telemetry", body, qos=1).wait_for_publish(30)


def cost(process: psutil.Process, seconds: float, during=lambda: None) -> float:
    """Processor time of a process in percent of a core."""
    before, begun = process.cpu_times(), time.monotonic()
    while time.monotonic() - begun < seconds:
        during()
        time.sleep(1)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return 100 * used / (time.monotonic() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alarms", type=int, default=25)
    parser.add_argument("--idle", type=float, default=60)
    told = parser.parse_args()
    hydrants = [f"hy-{n:03}" for n in range(told.alarms)]
    meters = [f"wm-{n:03}" for n in range(50)]
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as broker:
        inbox, home = Inbox(), Path(folder) / "home"
        server = Controller(inbox, hostname="127.0.0.1", port=free_port())
        server.start()
        since = (datetime.now(UTC) - timedelta(days=30)).date().isoformat()
        drava(home, "init", str(home), "--municipality", "ptuj", "--broker", broker.url)
        with (home / "drava.toml").open("a") as file:
            file.write(f'[mail]\nurl = "smtp://127.0.0.1:{server.port}"\nsender = "drava@ptuj.example"\n')
            file.write('[[recipient]]\nname = "water"\nmail = "on-duty@water.example"\n')
        register(home, "hydrant", hydrants, since)
        register(home, "water_meter", meters, since)
        sent: dict[str, float] = {}
        with ingesting(home):
            sender, now = Sender(broker.port), datetime.now(UTC)
            for hour in range(HISTORY_H, 0, -1):
                for device in hydrants:
                    sender.send(device, "hydrant", at=now - timedelta(hours=hour), open_state=False, pressure_kpa=480)
            watcher = subprocess.Popen([*DRAVA, "--home", str(home), "alarms", "watch"], cwd=ROOT)
            process = psutil.Process(watcher.pid)
            try:
                time.sleep(15)
                pause = random.Random(6)
                for device in hydrants:
                    sender.send(device, "hydrant", open_state=True, pressure_kpa=350)
                    sent[f"at-{device}"] = time.time()
                    time.sleep(pause.uniform(2, 9))
                inbox.wait(told.alarms)

                def meter() -> None:
                    sender.send(random.choice(meters), "water_meter", volume_total_m3=time.time() / 1e6)

                time.sleep(10)
                other = cost(process, told.idle, meter)
                idle = cost(process, told.idle)
                memory = process.memory_info().rss / 2**20
            finally:
                watcher.terminate()
                watcher.wait()
        server.stop()
        report(home, sent, inbox.came)
        print(f"watcher: {other:.2f} % of a core while other families commit, {idle:.2f} % idle, {memory:.0f} MB")


def report(home: Path, sent: dict[str, float], came: dict[str, float]) -> None:
    with sqlite3.connect(home / "catalog" / "catalog.sqlite") as db:
        newest = "SELECT max(created_at) FROM snapshots WHERE created_at <= found_at"  # what the look has seen
        alarms = db.execute(f"SELECT alarm_id, thing_id, ({newest}) / 1e6 FROM alarms").fetchall()
    whole = sorted(came[alarm] - sent[thing] for alarm, thing, _ in alarms)
    after = sorted(came[alarm] - commit for alarm, _, commit in alarms)
    for name, values in (("publish to mail", whole), ("commit to mail", after)):
        p99 = statistics.quantiles(values, n=100, method="inclusive")[98]
        p50, most = statistics.median(values), values[-1]
        print(f"{name}: {len(values)} alarms, p50 {p50:.1f} s, p99 {p99:.1f} s, most {most:.1f} s")


if __name__ == "__main__":
    main()
