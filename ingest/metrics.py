"""Metrics and health of a running ingestion over HTTP: /metrics, /healthz, /readyz. All is read when it is asked for.

Served by the receiver's event loop: where that stands still, nothing answers, which is the right answer.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from http import HTTPStatus
from itertools import accumulate
from pathlib import Path

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from drava import __version__
from ingest.journal import Reader
from ingest.progress import Durations, Progress
from schemas.clock import micros
from schemas.errors import DravaError
from schemas.reasons import Reason

REQUEST_SECONDS = 5.0
REQUEST_BYTES = 8192
REQUESTS = 32  # at once; more are dropped, for the receiver needs its file handles
ATTEMPTS = 3

OUTCOMES = ("decoded", "housekeeping", "quarantined")
STATES = ("stored", "completed", "revised", "duplicate", "too_old")
PLAIN = "text/plain; charset=utf-8"

Answer = tuple[HTTPStatus, str, bytes]


class Vitals(Collector):
    """One ingestion as metrics. `look` gives its progress as of now."""

    def __init__(self, look: Callable[[], Progress], journal: Path, clock: Callable[[], datetime]) -> None:
        """Nothing is read before `collect`."""
        self._look = look
        self._journal = journal
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering is not to read anything."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics of this moment."""
        seen = self._look()
        yield from _messages(seen)
        yield _durations("drava_commit_duration_seconds", "Decoding, judging and publishing one batch.", seen.commits)
        yield from _state(seen)
        yield _gauge("drava_journal_bytes", "Size of the journal on the disk.", _size(self._journal))
        yield from self._waiting(seen.row)

    def _waiting(self, row: int | None) -> Iterator[Metric]:
        found = _backlog(self._journal, row) if row is not None else None
        if found is None:  # not known is not none: the metrics are absent
            return
        count, size, oldest = found
        lag = 0.0 if oldest is None else max((micros(self._clock()) - oldest) / 1e6, 0.0)
        yield _gauge("drava_lag_seconds", "Age of the oldest journalled message that is not committed.", lag)
        yield _gauge("drava_waiting_messages", "Journalled and not committed.", count)
        yield _gauge("drava_waiting_bytes", "The same as stored in the journal.", size)


class Endpoint:
    """Answers HTTP requests about one ingestion between `open` and `close`."""

    def __init__(self, look: Callable[[], Progress], journal: Path, clock: Callable[[], datetime], writer: int) -> None:
        """`writer` is the process id of the writer."""
        self._look = look
        self._journal = journal
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Vitals(look, journal, clock))
        ProcessCollector(registry=self._registry)
        ProcessCollector("drava_writer", lambda: writer, registry=self._registry)
        self._server: asyncio.Server | None = None
        self._requests = 0

    async def open(self, listen: str) -> str:
        """Listen on host:port (port 0: any that is free). Gives the address; raises OSError where it cannot."""
        host, _, port = listen.rpartition(":")
        self._server = await asyncio.start_server(self._serve, host.strip("[]"), int(port), limit=REQUEST_BYTES)
        return f"http://{host}:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, within a time, a size and a number: slow or endless clients cost nothing."""
        self._requests += 1
        try:
            if self._requests <= REQUESTS:
                async with asyncio.timeout(REQUEST_SECONDS):
                    await self._exchange(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()  # whatever it has not read is not kept for it
        finally:
            self._requests -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, _, target = request.partition("\r\n")[0].partition(" ")
        status, kind, body = await self._answer(method, target.partition(" ")[0].partition("?")[0])
        writer.write(_head(status, kind, len(body)) + (b"" if method == "HEAD" else body))
        await writer.drain()

    async def _answer(self, method: str, path: str) -> Answer:
        if method not in {"GET", "HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, PLAIN, b"GET or HEAD\n"
        if path == "/metrics":
            # one format, whatever is asked for: every Prometheus reads it
            try:
                text = await asyncio.to_thread(generate_latest, self._registry)
            except OSError as error:  # the journal's folder cannot be read
                return HTTPStatus.INTERNAL_SERVER_ERROR, PLAIN, f"{error}\n".encode()
            return HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, text
        if path == "/healthz":
            return _verdict(self._look().refusing or _unwritable(self._journal))
        if path == "/readyz":
            return _verdict(self._look().unready)
        return HTTPStatus.NOT_FOUND, PLAIN, b"/metrics, /healthz, /readyz\n"


def _verdict(reason: str) -> Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
    return status, PLAIN, f"{reason or 'ok'}\n".encode()


def _head(status: HTTPStatus, kind: str, size: int) -> bytes:
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {size}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _unwritable(journal: Path) -> str:
    return "" if os.access(journal, os.W_OK) else f"the journal {journal} is not writable"


def _size(folder: Path) -> int:
    total = 0
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):  # a segment may go while we look
            total += entry.stat().st_size
    return total


def _backlog(journal: Path, row: int) -> tuple[int, int, int | None] | None:
    """Messages, bytes and the oldest time (µs) after a row; None where the journal cannot be read."""
    for _ in range(ATTEMPTS):  # a segment may be deleted between finding and opening it
        with contextlib.suppress(sqlite3.Error, OSError, DravaError):
            reader = Reader(journal)
            count, oldest = reader.waiting(row)
            return count, reader.waiting_bytes(row), oldest
    return None


def _messages(seen: Progress) -> Iterator[Metric]:
    yield _counts(
        "drava_messages_committed", "Messages in the lake, by what became of them.", "outcome", OUTCOMES, seen.counts
    )
    yield _counter("drava_messages_acknowledged", "Messages acknowledged to the broker (QoS 1).", seen.acknowledged)
    yield _counter("drava_messages_journalled", "Messages on the disk.", seen.journalled)
    yield _counter("drava_messages_received", "Messages read from the broker.", seen.received)
    readings = seen.counts | {"quarantined": seen.counts.get("readings_quarantined", 0)}
    yield _counts("drava_readings", "Readings, by what became of them.", "state", (*STATES, "quarantined"), readings)
    reasons = tuple(reason.value for reason in Reason)
    yield _counts("drava_quarantined", "Messages and readings held, by reason.", "reason", reasons, seen.counts)


def _state(seen: Progress) -> Iterator[Metric]:
    yield InfoMetricFamily("drava_build", "The running program.", value={"version": __version__})
    yield _counter("drava_broker_reconnects", "Connections after the first.", max(seen.connects - 1, 0))
    yield _counter("drava_gaps", "Times that messages may have been lost: session or journal gone.", seen.gaps)
    yield _counter("drava_gap_seconds", "How long these times were, as far as known.", seen.gap_seconds)
    yield _gauge("drava_broker_connected", "1: connected and subscribed.", seen.connected)
    yield _gauge("drava_writer_up", "1: the writer's process is alive.", seen.writer_alive)
    trouble = GaugeMetricFamily("drava_trouble", "1: this part takes nothing now.", labels=["part"])
    trouble.add_metric(["receiver"], bool(seen.refusing))
    trouble.add_metric(["writer"], bool(seen.trouble))
    yield trouble
    if seen.last_commit is not None:
        moment = micros(seen.last_commit) / 1e6
        yield _gauge("drava_last_commit_timestamp_seconds", "When the last commit was published.", moment)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _counts(name: str, text: str, label: str, values: tuple[str, ...], counts: dict[str, int]) -> Metric:
    """A counter with one closed list of labels; all of them are there from the start."""
    family = CounterMetricFamily(name, text, labels=[label])
    for value in values:
        family.add_metric([value], counts.get(value, 0))
    return family


def _durations(name: str, text: str, seen: Durations) -> Metric:
    sums = accumulate(seen.counts)
    bounds = (*map(str, seen.bounds), "+Inf")
    return HistogramMetricFamily(name, text, buckets=list(zip(bounds, sums, strict=True)), sum_value=seen.total)
