"""One MQTT 5 session with a broker, over as many connections as it takes.

The client id is fixed and the session persistent; nothing is ever unsubscribed, so the broker queues while we are
away.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ingest import connection as wire
from ingest.connection import Connection, Delivery, TakenOverError
from ingest.credentials import failure, password, tls
from schemas.settings import Broker

if TYPE_CHECKING:
    from schemas.errors import DravaError

TAKEOVERS = 3  # this many bare ends of stream within TAKEOVER_SECONDS mean another client with our id
TAKEOVER_SECONDS = 20.0
CONNECT_SECONDS = 10.0
BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass
class Counters:
    """What happened on the wire since the start."""

    received: int = 0
    acknowledged: int = 0
    connects: int = 0
    notes: list[str] = field(default_factory=list)


class Session:
    """Stays connected until told to stop; hands every delivery to `sink`."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        filters: Sequence[str],
        sink: Callable[[Delivery], None],
        home: Path,
        *,
        known: bool = False,
    ) -> None:
        """Nothing is opened before `run`. `known`: the broker should remember us from an earlier run."""
        self.broker = broker
        self.client_id = client_id
        self.filters = list(filters)
        self.sink = sink
        self.counters = Counters()
        self.ready = asyncio.Event()  # once subscribed
        self.subscribed = False  # now
        self.departing = False  # unsubscribe, and take what is still queued
        self.over = False  # the good-bye ends the session for ever
        self.fatal: DravaError | None = None  # why trying again is in vain
        self.note: Callable[[str], None] = self.counters.notes.append
        self.forgotten: Callable[[], None] = lambda: self.note("the broker has forgotten our session")
        self.arrived: Callable[[], None] = lambda: None  # subscribed, on each connection
        self.password = password(broker, home)
        self._tls = tls(broker, home)
        self._stop = asyncio.Event()
        self._connection: Connection | None = None
        self._was_present = known
        self._told = ""

    async def run(self) -> None:
        """Connect, and connect again when the connection ends, until `stop`. Raises DravaError if that is in vain."""
        failures = 0
        sudden: list[float] = []
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            reason, lived = await self._once()
            if self._stop.is_set():
                break
            if self.fatal:
                raise self.fatal
            if not lived:
                sudden = []  # nobody was there: it is the broker that comes and goes
            elif not reason:
                now = loop.time()
                sudden = [t for t in sudden if now - t < TAKEOVER_SECONDS] + [now]
                if len(sudden) >= TAKEOVERS:
                    raise TakenOverError(self.client_id, f"the connection ended {TAKEOVERS} times without a reason")
            failures = 0 if lived else failures + 1
            self._tell(reason)
            await self._pause(BACKOFF[min(failures, len(BACKOFF) - 1)])

    def _tell(self, reason: str) -> None:
        """Say why there is no connection; the same reason once, however long it lasts."""
        line = f"no connection to the broker{': ' + reason if reason else ''}; trying again"
        if line != self._told:
            self.note(line)
        self._told = line

    async def _once(self) -> tuple[str, bool]:
        """One connection from beginning to end: why it ended, and whether it ever stood."""
        loop = asyncio.get_running_loop()
        place = urlsplit(self.broker.url)
        port = place.port or (8883 if self._tls else 1883)
        before = self.counters.connects
        connecting = loop.create_connection(
            lambda: Connection(self), place.hostname or "127.0.0.1", port, ssl=self._tls
        )
        try:
            _, connection = await asyncio.wait_for(connecting, CONNECT_SECONDS)
        except OSError as error:
            return "; ".join(filter(None, failure(error))) or "it does not answer", False
        self._connection = connection
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self._stop.wait())
        try:
            while not connection.ended.done() and not self._stop.is_set():
                either: set[asyncio.Future[Any]] = {stopping, connection.ended}
                done, _ = await asyncio.wait(either, timeout=wire.KEEP_ALIVE / 2, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    connection.ping()
        finally:
            stopping.cancel()
            await connection.leave()
            self._connection = None
            self.subscribed = False
        reason = connection.ended.result() if connection.ended.done() else ""
        return reason, self.counters.connects > before

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def resumed(self, *, present: bool) -> None:
        """The broker took us: say where it does not know us any more, for that may have lost messages."""
        if self._was_present and not present:
            self.forgotten()
        self._was_present = True

    def connected(self) -> None:
        """Subscribed: from now on messages come."""
        self._told = ""
        self.subscribed = True
        self.ready.set()
        self.arrived()

    def hold(self) -> None:
        """Take nothing more, so that all that was taken can be acknowledged before `stop`."""
        if self._connection is not None:
            self._connection.hold()

    def stop(self) -> None:
        """End `run` soon, without unsubscribing."""
        self._stop.set()
