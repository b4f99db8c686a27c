"""The writer's loop: one process that brings journals into the lake until its receiver is gone and all is committed."""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO

from catalog.store import Store
from ingest import space
from ingest.collect import rare_collections
from ingest.journal import GoneError, Reader
from ingest.writer import Writer
from lake.commit import Lake
from lake.maintain import Keeper, compact_all
from lake.sweep import sweep
from schemas.clock import micros
from schemas.errors import DravaError
from schemas.settings import Home

RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.2
IDLE_SECONDS = 600.0
RELIEF_KEEP = timedelta(minutes=10)  # of old versions: longer than any query may take (query.seconds)
WRONG = 2
LAST_TRIES = 30  # with nobody left to tell, a trouble that stays ends the process; the journal keeps the messages


class Drain:
    """Commits when enough messages wait or the oldest has waited long enough; everything at the end."""

    def __init__(self, home: Home, journal: Path, clock: Callable[[], datetime], report: IO[str]) -> None:
        """Look at the journal. `report` takes JSON lines, for the receiver."""
        self.home = home
        self.clock = clock
        self.report = report
        self.journal = Reader(journal)
        self.position = 0
        self._opened = False  # position, lake and writer are there
        self._recovered = False
        self._since: tuple[int, float] | None = None  # the position at which something began to wait, and when
        self._relieved = -IDLE_SECONDS

    def open(self) -> None:
        """Open catalogue and lake. Raises DravaError where they do not belong to the journal, or are newer than we."""
        store = Store.at(self.home.catalog)
        self.lake = Lake(self.home, store, self.clock)
        self.writer = Writer(self.home, store, self.lake, self.clock)
        self.keeper = Keeper(self.lake)
        position = self.writer.position(self.journal)
        if self.journal.last() < position:
            raise DravaError(
                f"the journal {self.journal.folder} ends at row {self.journal.last()}, the catalogue has row "
                f"{position} of it",
                "It is older than the lake: restore both from the same backup, or move its folder away",
            )
        self.position, self._opened = position, True

    def run(self, wake: int) -> None:
        """Go on until the file `wake` is at its end (the receiver is gone) and nothing waits.

        A byte on `wake` says that something was journalled. Where the lake cannot take it (locked, disk full), the
        journal keeps it and the loop tries again.
        """
        os.set_blocking(wake, False)
        open_end, failures = True, 0
        wait = 0.0
        while True:
            readable, _, _ = select.select([wake] if open_end else [], [], [], wait)
            if readable and not os.read(wake, 65536):
                open_end = False
            if readable and open_end:
                time.sleep(LOOK_SECONDS)  # a trickle of messages wakes often: one look serves many of them
            try:
                if not self._opened:
                    self.open()
                    self._say()
                wait = self._step(everything=not open_end)
            except Exception as error:  # the outermost loop: the journal holds everything, whatever went wrong
                failures += 1
                if isinstance(error, GoneError) and not open_end:
                    sys.exit(WRONG)  # nothing is left to be committed; the receiver says so
                hopeless = not self._opened and isinstance(error, DravaError)
                if hopeless or (not open_end and failures > LAST_TRIES):
                    raise
                self._say(trouble=f"the lake takes nothing: {type(error).__name__}: {error}")
                wait = RETRY_SECONDS
                continue
            if failures:
                self._say()
                failures = 0
            if not open_end and wait == 0.0:
                return

    def _step(self, *, everything: bool) -> float:
        """Commit what is due. Returns how long to wait at most before the next look, in seconds; 0: nothing waits."""
        settings = self.home.settings.ingest
        if not self._recovered:
            with self.lake.exclusive():  # completes and shows what a crash left, though nothing may wait
                self._recovered = True
            self.position = self.writer.position(self.journal)
        while True:
            self._relieve()
            count, oldest = self.journal.waiting(self.position)
            age = self._age(oldest)
            if not count:
                return 0.0 if everything or self.keeper.rest() else IDLE_SECONDS
            if count < settings.flush_rows and age < settings.flush_seconds and not everything:
                return max(settings.flush_seconds - age, 0.01)
            began = time.perf_counter()
            counts = self.writer.commit_from(self.journal, settings.flush_rows)
            if counts:
                self.position = counts.pop("row")
                self._say(committed=counts, seconds=time.perf_counter() - began)
            else:  # another process committed it
                self.position = self.writer.position(self.journal)
                self._say()
            self.keeper.after_commit()

    def _relieve(self) -> None:
        """Little room: what is old goes before acknowledgements have to stop. What this buries goes the next time."""
        now = time.monotonic()
        if now - self._relieved < IDLE_SECONDS or not space.little(self.home):
            return
        self._relieved = now
        before = space.free(self.home)
        sweep(self.lake, keep=RELIEF_KEEP)
        compact_all(self.lake, while_=partial(space.enough, self.home))
        self._say(freed=space.free(self.home) - before)

    def _age(self, oldest: int | None) -> float:
        """Seconds that the oldest waits: by the clock, or by our own count where the clock was set back."""
        if oldest is None:
            self._since = None
            return 0.0
        now = time.monotonic()
        if self._since is None or self._since[0] != self.position:
            self._since = self.position, now
        return max((micros(self.clock()) - oldest) / 1e6, now - self._since[1])

    def _say(self, **what: object) -> None:
        """Report where the journal stands in the lake, and what else there is to tell."""
        row = self.position if self._opened else None
        try:
            self.report.write(json.dumps({"row": row, "trouble": "", **what}) + "\n")
            self.report.flush()
        except BrokenPipeError:  # the receiver is gone; what it left is committed all the same
            self.report = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - lives as long as the process


def main(home: str, journal: str, as_of: str) -> None:
    """Entry of the writer process: standard input wakes it, standard output reports."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the receiver decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    rare_collections()
    moment = datetime.fromisoformat(as_of) if as_of else None
    clock: Callable[[], datetime] = (lambda: moment) if moment else _now
    try:
        Drain(Home(Path(home)), Path(journal), clock, sys.stdout).run(sys.stdin.fileno())
    except DravaError as error:
        sys.stderr.write(f"drava: {error}\n")
        sys.exit(WRONG)


def _now() -> datetime:
    return datetime.now(UTC)
