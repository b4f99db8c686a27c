"""A broker, a home and a memory gauge for the measurements of this folder. Nothing here is part of the product."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

DRAVA = [sys.executable, "-m", "drava"]


def drava(home: Path, *words: str, check: bool = True) -> str:
    """Run one command of Drava as a user would; gives what it printed."""
    done = subprocess.run([*DRAVA, "--home", str(home), *words], check=False, cwd=ROOT, text=True, capture_output=True)
    if check and done.returncode:
        raise SystemExit(f"drava {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Gauge:
    """Peak resident memory of a process and its children together, and of each alone."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.peak = 0.0
        self.single: dict[int, float] = {}
        self._process = psutil.Process(process.pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            try:
                family = [self._process, *self._process.children(recursive=True)]
                sizes = {p.pid: p.memory_info().rss / 2**20 for p in family}
            except psutil.NoSuchProcess:
                continue
            self.peak = max(self.peak, sum(sizes.values()))
            for pid, size in sizes.items():
                self.single[pid] = max(self.single.get(pid, 0), size)

    def stop(self) -> tuple[float, list[float]]:
        self._over.set()
        self._thread.join()
        return self.peak, [self.single[pid] for pid in sorted(self.single)]


@contextmanager
def ingesting(
    home: Path, *words: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], Gauge]]:
    """Ingestion as a process of its own, measured; `environment` is put on top of ours."""
    variables = os.environ | dict(environment or {})
    process = subprocess.Popen([*DRAVA, "--home", str(home), "ingest", *words], cwd=ROOT, text=True, env=variables)
    gauge = Gauge(process)
    try:
        yield process, gauge
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def subscribe_first(home: Path) -> None:
    """Make the session at the broker, so that what is published from now on waits for us."""
    drava(home, "ingest", "--until-idle", "0.1")


def register(home: Path, family: str, devices: Sequence[str], since: str) -> None:
    """Put devices into the registry, each at a thing of its own."""
    rows = ["device_id,family,thing_id,valid_from", *(f"{d},{family},at-{d},{since}" for d in devices)]
    file = home.parent / f"{family}.csv"
    file.write_text("\n".join(rows) + "\n")
    drava(home, "devices", "import", str(file))
