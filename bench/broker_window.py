"""What the broker alone holds is lost when it is killed: how much, and what it costs to hold it better.

    python bench/broker_window.py [--messages 20000]

Publishes to a persistent session that is away, kills Mosquitto (SIGKILL) right after the last acknowledgement, starts
it again and counts what comes. One line for each setting of autosave.
"""

import argparse
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import stage  # noqa: F401 - makes the rooms importable

from commands.demo.broker import free_port, mosquitto
from devices.publish import publish

BASE = """listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 1000
max_packet_size 1000000
"""
SETTINGS = {
    "every 10 s (as delivered)": "autosave_interval 10\n",
    "every 1000 changes": "autosave_interval 1000\nautosave_on_changes true\n",
    "every 100 changes": "autosave_interval 100\nautosave_on_changes true\n",
}


def start(conf: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([str(mosquitto()), "-c", str(conf)], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process
    raise SystemExit("mosquitto does not start")


def messages(count: int) -> Iterator[tuple[str, bytes]]:
    for number in range(count):
        yield "ptuj/water_meter/m1/telemetry", b'{"seq":%d,"volume_total_m3":%d}' % (number, number)


def session(port: int, count: int = 0) -> list[str]:
    words = [
        "mosquitto_sub",
        "-V",
        "5",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-q",
        "1",
        "-c",
        "-i",
        "away",
        "-x",
        "3600",
    ]
    return [*words, "-t", "ptuj/#", *(["-C", str(count), "-W", "4"] if count else ["-E"])]


def once(title: str, more: str, count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, port = Path(place), free_port()
        folder.chmod(0o777)  # mosquitto gives up root's rights
        conf = folder / "mosquitto.conf"
        conf.write_text(BASE.format(port=port, folder=folder) + more)
        broker = start(conf, port)
        subprocess.run(session(port), check=True)
        began = time.perf_counter()
        publish(messages(count), url=f"mqtt://127.0.0.1:{port}", client_id="gateway")
        seconds = time.perf_counter() - began
        broker.send_signal(signal.SIGKILL)
        broker.wait()
        broker = start(conf, port)
        found = subprocess.run(session(port, count), check=False, capture_output=True).stdout.count(b"\n")
        broker.terminate()
        broker.wait()
    print(f"{title:28} lost {count - found:>6} of {count}   queueing {count / seconds:>8,.0f} messages/s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=20_000)
    asked = options.parse_args()
    for title, more in SETTINGS.items():
        once(title, more, asked.messages)


if __name__ == "__main__":
    main()
