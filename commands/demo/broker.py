"""A broker of our own for one run: Mosquitto with this repository's configuration, or an embedded one from PyPI."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from schemas.errors import DravaError

CONF = Path(__file__).parents[2] / "mosquitto.conf"
LOOPBACK = "127.0.0.1"
READY_SECONDS = 10.0
STOP_SECONDS = 10.0

# Lines of mosquitto.conf that name a place or a person of the machine: replaced by those of this run.
_LOCAL = ("listener", "persistence_location", "user", "pid_file", "log_dest")

# rumqttd keeps the log of every filter in segments and forgets the oldest: room for more than a demo ever sends.
# It has one listener a protocol version, and refuses a client that asks for keep-alive 0.
_EMBEDDED = """\
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 20
"""
_EMBEDDED_LISTENER = """
[{version}.1]
name = "{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1000000
max_inflight_count = 1000
dynamic_filters = true
"""


@dataclass(frozen=True)
class Broker:
    """A running broker on loopback. MQTT 5 and 3.1.1 share a port where the broker can do that."""

    title: str
    port: int
    port_311: int
    pid: int

    @property
    def url(self) -> str:
        """The address for `broker.url`."""
        return f"mqtt://{LOOPBACK}:{self.port}"


@contextmanager
def running(folder: Path, *, embedded: bool = False, port: int | None = None) -> Iterator[Broker]:
    """Start a broker that keeps everything in `folder`, and stop it at the end, by its own process id.

    Mosquitto where it is installed, unless `embedded`. A second start of Mosquitto in a folder finds the sessions of
    the first again. Raises DravaError where there is no broker at all, or it does not get ready.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = None if embedded else mosquitto()
    ports = (port or free_port(),) if found else (port or free_port(), free_port())
    title, command = _mosquitto(folder, found, ports[0]) if found else _embedded(folder, *ports)
    process = _launch(command, folder / "broker.log", ports)
    try:
        yield Broker(title=title, port=ports[0], port_311=ports[-1], pid=process.pid)
    finally:
        _stop(process)


def mosquitto() -> str | None:
    """Path of the installed Mosquitto; Debian keeps it where not everybody's PATH looks."""
    return shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def available(*, embedded: bool = False) -> None:
    """Raise DravaError where there is no broker to start."""
    if embedded or mosquitto() is None:
        _embedded_version()


def _embedded_version() -> str:
    try:
        return version("iotcore")
    except PackageNotFoundError:
        raise DravaError(
            "there is no MQTT broker on this machine",
            "Run: sudo apt-get install -y mosquitto (or, into the same environment: pip install iotcore)",
        ) from None


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def adapted(conf: str, port: int, folder: Path, user: str) -> str:
    """The repository's configuration with the port, folder and user of this run."""
    kept = [line for line in conf.splitlines() if not line.startswith(tuple(f"{word} " for word in _LOCAL))]
    own = [f"listener {port} {LOOPBACK}", f"persistence_location {folder}/", f"user {user}", "log_dest stderr"]
    return "\n".join([*kept, *own, ""])


def _mosquitto(folder: Path, program: str, port: int) -> tuple[str, list[str]]:
    conf = folder / "mosquitto.conf"
    conf.write_text(adapted(CONF.read_text("utf-8"), port, folder.resolve(), getpass.getuser()), "utf-8")
    shown = subprocess.run([program, "-h"], capture_output=True, text=True, check=False)  # noqa: S603 - found by us
    return shown.stdout.partition("\n")[0].replace(" version", ""), [program, "-c", str(conf)]


def _embedded(folder: Path, port: int, port_311: int) -> tuple[str, list[str]]:
    found = _embedded_version()
    listeners = [
        _EMBEDDED_LISTENER.format(version=name, host=LOOPBACK, port=number)
        for name, number in (("v5", port), ("v4", port_311))
    ]
    conf = folder / "rumqttd.toml"
    conf.write_text(_EMBEDDED + "".join(listeners), "utf-8")
    # Its log has a line of level ERROR for every packet: CRITICAL alone says something.
    command = [sys.executable, "-m", "iotcore", "--config", str(conf), "--log-level", "CRITICAL"]
    return f"iotcore {found} (rumqttd, embedded)", command


def _launch(command: Sequence[str], log: Path, ports: Sequence[int]) -> "subprocess.Popen[bytes]":
    with log.open("ab") as file:
        # A session of its own: Ctrl-C in the terminal is for us, and we stop the broker last.
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    deadline = time.monotonic() + READY_SECONDS
    while not all(_accepts(port) for port in ports):
        if process.poll() is not None or time.monotonic() > deadline:
            _stop(process)
            raise DravaError(f"the broker did not start: {_last_line(log)}", f"Its log is {log}")
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    return process


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    return lines[-1] if lines else "it said nothing"


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
