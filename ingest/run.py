"""`drava ingest`: one receiver in this process, one writer in a child, and what they tell each other.

The receiver wakes the writer with a byte on a pipe after each group commit; the writer reports each commit with a line
of JSON, after which the journal may forget. When the receiver ends, however it ends, the pipe does too: the writer
commits what is journalled and ends as well.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.profiles import in_force
from ingest.collect import rare_collections
from ingest.edge import Edge
from ingest.journal import Journal
from ingest.progress import Progress, Say, silent
from ingest.receive import Receiver
from ingest.session import Session
from ingest.space import MB, enough
from ingest.topics import filters
from ingest.watch import Watch
from schemas.errors import DravaError
from schemas.settings import Home

if TYPE_CHECKING:
    from ingest.metrics import Endpoint

# The system's allocator gives memory back, Arrow's own keeps it; few arenas for the many threads that wait for the
# disk, and pages given back at once, do the same for polars. A second thread of polars costs a third more CPU for the
# small frames of a batch, and the broker and the receiver need that core.
WRITER_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "_RJEM_MALLOC_CONF": "narenas:2,dirty_decay_ms:500,muzzy_decay_ms:0",
    "POLARS_MAX_THREADS": "1",
}
WRITER = "from drava import rooms; rooms(); from ingest.drain import main; import sys; main(*sys.argv[1:])"
LINE_BYTES = 2**20
READY_SECONDS = 10.0


MAIN = "main"
ALONE = (
    "broker.shared_group is not set: every receiver takes every message, and each keeps a queue at the broker. "
    "Set it in drava.toml to share them, or end this one with: drava ingest --name {name} --depart"
)


class Ingestion:
    """One run of receiver and writer over one home."""

    def __init__(
        self,
        home: Home,
        clock: Callable[[], datetime],
        *,
        as_of: str = "",
        say: Say = silent,
        name: str = MAIN,
        depart: bool = False,
    ) -> None:
        """Nothing is opened before `run`. `depart`: take what the broker still keeps, then end the session for ever."""
        self.home = home
        self.clock = clock
        self.as_of = as_of
        self.say = say
        self.name = name
        self.depart = depart
        self.progress = Progress()
        self.watch = Watch(home, name, clock, say, self.progress)
        self._departed = False
        self._stop = asyncio.Event()
        self._moved = asyncio.Event()

    async def run(self, until_idle: float | None = None) -> Progress:
        """Receive and commit until `stop`, or until nothing has come for `until_idle` seconds and all is committed."""
        rare_collections()
        journal = Journal(self.home.journal / self.name)
        ended: DravaError | None = None
        try:
            return await self._run(journal, until_idle)
        except DravaError as error:
            ended = error
            raise
        finally:
            self.watch.end(journal.last_row, ended, departed=self._departed)
            journal.close()

    async def _run(self, journal: Journal, until_idle: float | None) -> Progress:
        writer = await self._start_writer(journal)
        wake = _Wake(writer)
        receiver = Receiver(
            journal,
            self.clock,
            journalled=wake.up,
            room=partial(enough, self.home),
            edge=Edge.of(self.home.settings, in_force(self.home.profiles)),
        )
        already = journal.messages
        session = self.watch.session(receiver, filters(self.home.settings))
        session.departing = self.depart
        self._check_start()

        def look() -> Progress:
            return self.watch.look(session, receiver, already, alive=writer.returncode is None)

        endpoint = await self._serve(look, journal, writer)
        reports = asyncio.create_task(self._reports(writer, receiver))
        if already:  # else there may be no session yet to queue for us: subscribe at once
            await self._ready(reports)
        running = asyncio.create_task(session.run())
        watching = asyncio.create_task(self._watch(session, receiver, look, until_idle))
        ends: set[asyncio.Future[Any]] = {running, watching, reports, receiver.ended}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.progress.ending = True
            session.hold()  # journal, acknowledge, then leave: in this order nothing has to come again
            await asyncio.to_thread(receiver.close)
            await asyncio.sleep(0)
            session.over = self.depart and watching.done() and not self._stop.is_set() and not receiver.trouble
            session.stop()
            watching.cancel()
            await asyncio.gather(running, watching, return_exceptions=True)
            wake.close()
            self._departed = session.over
            await writer.wait()
            await asyncio.gather(reports, return_exceptions=True)
            look()
            if endpoint:
                endpoint.close()
        for task in ends:  # what ended us first: without a journal the writer fails too
            if not task.cancelled():
                task.result()
        if writer.returncode:
            raise DravaError("the writer ended on its own", "See the lines above; the journal keeps what came")
        return self.progress

    def _check_start(self) -> None:
        """Say what will cost messages when we are away for long; `drava doctor` says it too."""
        from ingest import surroundings  # noqa: PLC0415 - looked at once; the receiver's memory is bounded

        for finding in surroundings.outage(self.home, self.watch.standing.per_hour):
            self.say(f"{finding.what}: {finding.todo}", event="broker", level="warning")
        if self.name != MAIN and not self.depart and not self.home.settings.broker.shared_group:
            self.say(ALONE.format(name=self.name), event="broker", level="warning")

    async def _ready(self, reports: "asyncio.Task[None]") -> None:
        """Wait a moment for the writer's first word: two processes starting at once hold each other up."""
        first: asyncio.Task[bool] = asyncio.create_task(self._moved.wait())
        either: set[asyncio.Task[Any]] = {first, reports}
        await asyncio.wait(either, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        first.cancel()

    def stop(self) -> None:
        """End soon: what is journalled is committed first, nothing is unsubscribed."""
        self._stop.set()

    async def _start_writer(self, journal: Journal) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WRITER,
            str(self.home.path.resolve()),
            str(journal.folder.resolve()),
            self.as_of,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | WRITER_ENVIRONMENT,
            limit=LINE_BYTES,
        )

    async def _serve(
        self, look: Callable[[], Progress], journal: Journal, writer: asyncio.subprocess.Process
    ) -> "Endpoint | None":
        """Answer questions about this run over HTTP. Where that cannot be, say so and go on: data comes first."""
        listen = self.home.settings.metrics.listen
        if not listen:
            return None
        from ingest.metrics import Endpoint  # noqa: PLC0415 - who does not ask for it does not pay for it

        endpoint = Endpoint(look, journal.folder, self.clock, writer.pid)
        try:
            address = await endpoint.open(listen)
        except OSError as error:
            reason = f"no metrics: {listen}: {error.strerror or error}; set metrics.listen to another port, or empty"
            self.say(reason, event="metrics", level="warning")
            return None
        self.say(f"metrics: {address}/metrics", event="metrics")
        return endpoint

    async def _reports(self, writer: asyncio.subprocess.Process, receiver: Receiver) -> None:
        assert writer.stdout is not None  # noqa: S101 - asked for with PIPE
        progress = self.progress
        while line := await writer.stdout.readline():
            report = json.loads(line)
            self.watch.troubled(report["trouble"])
            progress.row = report["row"]
            if report["row"] is not None:
                receiver.trim(report["row"])
            if "freed" in report:  # others write there too: less may be free than before
                self.say(f"room was made on the disk: {max(report['freed'], 0) // MB:,} MB", event="disk")
            if counts := report.get("committed"):
                progress.committed += counts.pop("messages")
                progress.commits.add(report["seconds"])
                progress.last_commit = self.clock()
                for name, count in counts.items():
                    progress.counts[name] = progress.counts.get(name, 0) + count
            self._moved.set()

    async def _watch(
        self, session: Session, receiver: Receiver, look: Callable[[], Progress], until_idle: float | None
    ) -> None:
        """Keep the counters and notice idleness; ends on `stop` or when idle."""
        loop = asyncio.get_running_loop()
        last, since = -1, loop.time()
        while not self._stop.is_set():
            look()
            self.watch.tick(receiver)
            if session.counters.received != last:
                last, since = session.counters.received, loop.time()
            quiet = loop.time() - since
            if until_idle is not None and session.ready.is_set() and quiet >= until_idle:
                break
            tick = 0.5 if until_idle is None else min(0.5, max(until_idle - quiet, 0.02))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), tick)


class _Wake:
    """The receiver's end of the writer's standard input, used from the journal's thread."""

    def __init__(self, writer: asyncio.subprocess.Process) -> None:
        assert writer.stdin is not None  # noqa: S101 - asked for with PIPE
        self._stdin = writer.stdin
        pipe = self._stdin.transport.get_extra_info("pipe")
        self._handle: int = pipe.fileno()

    def up(self) -> None:
        """Say that something was journalled. A full pipe says it already."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError, OSError):
            os.write(self._handle, b".")

    def close(self) -> None:
        """Let the writer finish and end."""
        self._stdin.close()


def stop_on_signals(ingestion: Ingestion) -> None:
    """SIGTERM and Ctrl-C drain and end cleanly."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ingestion.stop)


def journals(home: Path) -> list[Path]:
    """The journals of a home, one a receiver."""
    return sorted(path for path in home.iterdir() if path.is_dir() and any(path.glob("*.sqlite")))
