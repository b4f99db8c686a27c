"""From the socket to the journal: group commits in a thread of their own, acknowledgements after the disk has them."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa

from ingest.connection import BREATH_MESSAGES, BREATH_SECONDS, Delivery, Message
from ingest.journal import MESSAGES, ROW_MESSAGES, Journal
from schemas.clock import micros
from schemas.errors import DravaError
from schemas.steps import reached

RETRY_SECONDS = 1.0
GATHER_SECONDS, GATHER_MESSAGES = BREATH_SECONDS, BREATH_MESSAGES
FULL = "the disk is nearly full: nothing is acknowledged until there is space (ingest.min_free_mb)"


class Receiver:
    """Takes deliveries from the session and acknowledges each one when the journal holds it.

    The next group commit starts when the last one ends: while the disk is busy more messages gather, so a slow disk
    makes the groups larger, not the queue endless (the session pauses reading above its bound).
    """

    def __init__(
        self,
        journal: Journal,
        clock: Callable[[], datetime],
        *,
        journalled: Callable[[], None],
        room: Callable[[], bool] = lambda: True,
        edge: Callable[[list[Message]], list[Message]] = list,
    ) -> None:
        """`journalled` is called (in the thread) after each group commit; `room` says whether the disk has space.

        `edge` takes out of messages what must not be kept.
        """
        self.journal = journal
        self.trouble = ""  # why nothing is acknowledged, where that is so
        self._clock = clock
        self._journalled = journalled
        self._room = room
        self._edge = edge
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, Delivery]] = []
        self._count = 0  # of messages waiting
        self._gathering = False
        self._not_before = 0.0  # the next group, where it is small
        self._wake = threading.Condition()
        self._ending = False
        self._trim_to = 0
        self.ended: asyncio.Future[None] = self._loop.create_future()  # with what ended it, where it had to
        self._thread = threading.Thread(target=self._live, name="journal", daemon=True)
        self._thread.start()

    def take(self, delivery: Delivery) -> None:
        """Accept a delivery; returns at once."""
        reached("received")
        received_at = micros(self._clock())
        with self._wake:
            self._waiting.append((received_at, delivery))
            self._count += len(delivery.messages)
            if not self._gathering or self._count >= GATHER_MESSAGES:
                self._wake.notify()

    def trim(self, position: int) -> None:
        """Let the journal forget what is published up to this row."""
        with self._wake:
            self._trim_to = position
            self._wake.notify()

    def close(self) -> None:
        """Journal what is waiting and end the thread."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        self._thread.join()

    def _live(self) -> None:
        try:
            self._run()
        except (OSError, sqlite3.Error, DravaError, pa.ArrowException) as error:  # of a segment that cannot go
            self._loop.call_soon_threadsafe(self.ended.set_exception, error)
        else:
            self._loop.call_soon_threadsafe(self.ended.set_result, None)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._trim_to or self._ending)
                if self._waiting:
                    self._gather()
                group, self._waiting, self._count = self._waiting, [], 0
                trim, self._trim_to = self._trim_to, 0
                ending = self._ending
            if group and not self._write(group):
                return
            if trim:
                self.journal.trim(trim)
                reached("trimmed")
            if ending and not self._waiting:
                return

    def _gather(self) -> None:
        """Let a trickle become a group: a sync for each message would cost more than all the rest."""
        now = time.monotonic()
        if now < self._not_before:
            self._gathering = True
            self._wake.wait_for(lambda: self._count >= GATHER_MESSAGES or self._ending, self._not_before - now)
            self._gathering = False
        self._not_before = time.monotonic() + GATHER_SECONDS

    def _write(self, group: list[tuple[int, Delivery]]) -> bool:
        """Journal a group, however long the disk refuses it. False when told to end first: nothing is acknowledged."""
        rows = _rows(group, self._edge)
        while not self._append(rows):
            with self._wake:
                if self._wake.wait_for(lambda: self._ending, RETRY_SECONDS):
                    return False
        reached("journalled")
        self._loop.call_soon_threadsafe(_acknowledge, [delivery for _, delivery in group])
        self._journalled()
        return True

    def _append(self, rows: list[tuple[pa.RecordBatch, int]]) -> bool:
        try:
            if not self._room():
                self.trouble = FULL
                return False
            self.journal.append(rows)
        except (OSError, sqlite3.Error) as error:
            self.trouble = f"the journal cannot be written: {error}"
            return False
        self.trouble = ""
        return True


def _acknowledge(deliveries: list[Delivery]) -> None:
    for delivery in deliveries:
        delivery.journalled()
    reached("acknowledged")


def _rows(
    group: list[tuple[int, Delivery]], edge: Callable[[list[Message]], list[Message]]
) -> list[tuple[pa.RecordBatch, int]]:
    """Pack deliveries into journal rows of at most ROW_MESSAGES messages."""
    messages: list[Message] = []
    times: list[int] = []
    for received_at, delivery in group:
        messages += edge(delivery.messages)
        times += [received_at] * len(delivery.messages)
    rows = []
    for start in range(0, len(messages), ROW_MESSAGES):
        part = slice(start, start + ROW_MESSAGES)
        columns = [times[part], *(list(column) for column in zip(*messages[part], strict=True))]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, MESSAGES, strict=True)]
        rows.append((pa.record_batch(arrays, schema=MESSAGES), times[start]))
    return rows
