"""`drava ingest`: one receiver in this process, one writer in a child, and what they tell each other.

The receiver wakes the writer with a byte on a pipe after each group commit; the writer reports each commit with a line
of JSON, after which the journal may forget. When the receiver ends, however it ends, the pipe does too: the writer
commits what is journalled and ends as well.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ingest.journal import Journal
from ingest.receive import Receiver
from ingest.session import Session
from ingest.topics import filters
from schemas.errors import DravaError
from schemas.settings import Home

WRITER = "from drava import rooms; rooms(); from ingest.drain import main; import sys; main(*sys.argv[1:])"
LINE_BYTES = 2**20


@dataclass
class Progress:
    """Counters of a run, for people, logs and metrics."""

    received: int = 0
    acknowledged: int = 0
    committed: int = 0
    waiting: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    trouble: str = ""
    connected: bool = False


class Ingestion:
    """One run of receiver and writer over one home."""

    def __init__(
        self,
        home: Home,
        clock: Callable[[], datetime],
        *,
        as_of: str = "",
        say: Callable[[str], None] = lambda _: None,
        name: str = "main",
    ) -> None:
        """Nothing is opened before `run`."""
        self.home = home
        self.clock = clock
        self.as_of = as_of
        self.say = say
        self.name = name
        self.progress = Progress()
        self._stop = asyncio.Event()
        self._moved = asyncio.Event()

    async def run(self, until_idle: float | None = None) -> Progress:
        """Receive and commit until `stop`, or until nothing has come for `until_idle` seconds and all is committed."""
        journal = Journal(self.home.journal / self.name)
        writer = await self._start_writer(journal)
        wake = _Wake(writer)
        receiver = Receiver(journal, self.clock, journalled=wake.up, room=self._room)
        settings = self.home.settings
        client_id = settings.broker.client_id or f"drava-{settings.municipality}-{journal.uuid[:12]}"
        session = Session(settings.broker, client_id, filters(settings), receiver.take, self.home.path)
        session.note = self.say
        reports = asyncio.create_task(self._reports(writer, receiver))
        running = asyncio.create_task(session.run())
        watching = asyncio.create_task(self._watch(session, receiver, journal, until_idle))
        try:
            await asyncio.wait({running, watching, reports}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            session.stop()
            await asyncio.gather(running, return_exceptions=True)
            await asyncio.to_thread(receiver.close)
            watching.cancel()
            wake.close()
            await writer.wait()
            await asyncio.gather(reports, return_exceptions=True)
            self._count(session)
            journal.close()
        if writer.returncode:
            raise DravaError("the writer ended on its own", "See the lines above; the journal keeps what came")
        running.result()
        return self.progress

    def stop(self) -> None:
        """End soon: what is journalled is committed first, nothing is unsubscribed."""
        self._stop.set()

    async def _start_writer(self, journal: Journal) -> asyncio.subprocess.Process:
        # the system's allocator gives memory back; Arrow's own keeps it
        environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system", "POLARS_MAX_THREADS": "2"}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WRITER,
            str(self.home.path.resolve()),
            str(journal.folder.resolve()),
            self.as_of,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=LINE_BYTES,
        )

    async def _reports(self, writer: asyncio.subprocess.Process, receiver: Receiver) -> None:
        assert writer.stdout is not None  # noqa: S101 - asked for with PIPE
        while line := await writer.stdout.readline():
            report = json.loads(line)
            self.progress.trouble = report.get("trouble", "")
            if self.progress.trouble:
                self.say(self.progress.trouble)
            if counts := report.get("committed"):
                self.progress.committed += counts.pop("messages")
                receiver.trim(counts.pop("row"))
                for name, count in counts.items():
                    self.progress.counts[name] = self.progress.counts.get(name, 0) + count
            self._moved.set()

    async def _watch(self, session: Session, receiver: Receiver, journal: Journal, until_idle: float | None) -> None:
        """Keep the counters and notice idleness; ends on `stop` or when idle."""
        already = journal.messages
        told = ""
        loop = asyncio.get_running_loop()
        last, since = -1, loop.time()
        while not self._stop.is_set():
            self._count(session)
            if receiver.trouble != told:
                told = receiver.trouble
                self.say(told or "the journal can be written again")
            if session.counters.received != last:
                last, since = session.counters.received, loop.time()
            self.progress.waiting = journal.messages - already - self.progress.committed
            quiet = loop.time() - since
            if until_idle is not None and session.ready.is_set() and quiet >= until_idle:
                break
            tick = 0.5 if until_idle is None else min(0.5, max(until_idle - quiet, 0.02))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), tick)

    def _count(self, session: Session) -> None:
        self.progress.received = session.counters.received
        self.progress.acknowledged = session.counters.acknowledged
        self.progress.connected = session.ready.is_set()

    def _room(self) -> bool:
        return shutil.disk_usage(self.home.path).free >= self.home.settings.ingest.min_free_mb * 2**20


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
