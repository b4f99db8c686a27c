"""The home of the demo, and the processes of Drava that work on it: the same commands that people type."""

import csv
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from catalog.store import Store
from commands.demo.broker import Broker
from commands.demo.show import Show
from devices.simulate import City
from schemas.errors import DravaError
from schemas.settings import Home

MUNICIPALITY = "ptuj"
REPORTED_DAYS = timedelta(days=21)
MARK = "demo"  # a file that only homes of the demo have
STOP_SECONDS = 60.0


def cleared(folder: Path) -> Path:
    """An empty place for the home. Raises DravaError where the folder holds anything but an older demo."""
    if folder.exists():
        if not (folder / MARK).is_file():
            raise DravaError(f"{folder} exists and is not a home of the demo", "Name another folder with --home")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).write_text("made by drava demo; it may remove this folder\n", "utf-8")
    return folder.resolve()


def quiet_environment() -> None:
    """Forget settings of other homes: the demo is the same wherever it runs, and takes no port from anybody."""
    for name in [name for name in os.environ if name.startswith("DRAVA_")]:
        del os.environ[name]
    os.environ["DRAVA_METRICS__LISTEN"] = "127.0.0.1:0"


def drava(home: Path, *words: str, as_of: datetime | None = None) -> str:
    """Run a command of Drava on the home and give its output. Raises DravaError with its last line where it fails."""
    clock = ["--as-of", as_of.isoformat()] if as_of else []
    command = [*base(home), *clock, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise DravaError(f"drava {' '.join(words[:2])} ended with {done.returncode}: {said[-1]}")
    return done.stdout


def base(home: Path) -> list[str]:
    """The beginning of a command line."""
    return [sys.executable, "-m", "drava", "--home", str(home)]


@dataclass
class Play:
    """One run of the demo: where it speaks, where it happens, and what it is about."""

    show: Show
    path: Path
    named: Path  # the same folder as the user named it
    broker: Broker
    city: City
    once: bool

    @property
    def as_of(self) -> datetime:
        """The clock of the report: the end of what has been published by then."""
        return min(self.city.end, self.city.start + REPORTED_DAYS)

    @cached_property
    def home(self) -> Home:
        """The home, once it is there."""
        return Home(self.path)

    @cached_property
    def store(self) -> Store:
        """The catalogue of the home."""
        return Store.at(self.home.catalog)

    def prepare(self) -> None:
        """Make the home and register the city from two CSV files, as an operator would."""
        named = ("--municipality", MUNICIPALITY, "--broker", self.broker.url, "--lang", self.show.lang)
        drava(self.path, "init", str(self.path), *named)
        for topic, rows in (("areas", self.city.areas), ("devices", self.city.registrations)):
            file = self.path / f"{topic}.csv"
            with file.open("w", encoding="utf-8", newline="") as table:
                writer = csv.DictWriter(table, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            drava(self.path, topic, "import", str(file))
        self.show.say(
            "city",
            devices=len(self.city.registrations),
            areas=len(self.city.areas),
            first=self.show.moment(self.city.start),
            last=self.show.moment(self.as_of),
        )


class Ingest:
    """`drava ingest` in a process of its own, which anybody may kill."""

    def __init__(self, home: Path) -> None:
        """Introduce ourselves to the broker: from then on it keeps every message for us, there or not."""
        self.home = home
        self.log = home / "ingest.log"
        drava(home, "ingest", "--until-idle", "0.1")
        self._process = self._launch()

    @property
    def pid(self) -> int:
        """Process id of the running ingestion."""
        return self._process.pid

    def revive(self) -> bool:
        """Start again where it has ended, as a service manager would. Says whether it had."""
        if self._process.poll() is None:
            return False
        self._process = self._launch()
        return True

    def died(self) -> str:
        """The last line of its log where it has ended, else nothing."""
        if self._process.poll() is None:
            return ""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return lines[-1] if lines else f"exit code {self._process.returncode}"

    def stop(self) -> None:
        """Let it drain and end."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _launch(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own command line
                [*base(self.home), "ingest"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which stops its parts in their order
            )
