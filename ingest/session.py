"""One MQTT 5 session: packets in, messages to the journal, acknowledgements out only after they are on the disk.

The client id is fixed and the session persistent; nothing is ever unsubscribed, so the broker queues while we are
away. Acknowledgements belong to the connection they came on and die with it. Reading pauses above a bound of bytes
that are not journalled yet: nothing in memory grows without end.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mqtt5

from ingest.credentials import failure, password, tls
from schemas.errors import DravaError
from schemas.settings import Broker

KEEP_ALIVE = 30
UNJOURNALLED_BYTES = 4 * 2**20
TAKEOVERS = 3  # this many bare ends of stream within TAKEOVER_SECONDS mean another client with our id
TAKEOVER_SECONDS = 20.0
LEAVE_SECONDS = 2.0
BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)

_GRANTED = (
    mqtt5.SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE,
    mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE,
    mqtt5.SubAckReasonCode.GRANTED_QOS_EXACTLY_ONCE,
)
_PASSING = (  # refusals that time mends
    mqtt5.ConnAckReasonCode.SERVER_UNAVAILABLE,
    mqtt5.ConnAckReasonCode.SERVER_BUSY,
    mqtt5.ConnAckReasonCode.USE_ANOTHER_SERVER,
    mqtt5.ConnAckReasonCode.QUOTA_EXCEEDED,
    mqtt5.ConnAckReasonCode.CONNECTION_RATE_EXCEEDED,
)
_PUBACK = [b"\x40\x02" + number.to_bytes(2, "big") for number in range(65536)]


# What the broker delivered, undecoded: topic, payload, qos, retain, duplicate. A plain tuple: made per message.
Message = tuple[str, bytes, int, bool, bool]


@dataclass
class Delivery:
    """Messages of one read from the socket and the acknowledgements they will need."""

    messages: list[Message]
    packet_ids: list[int]
    size: int
    connection: "Connection"

    def journalled(self) -> None:
        """Acknowledge: the messages are on the disk. Call on the event loop."""
        self.connection.acknowledge(self)


@dataclass
class Counters:
    """What happened on the wire since the start."""

    received: int = 0
    acknowledged: int = 0
    connects: int = 0
    refused: str = ""
    notes: list[str] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One connection to the broker, from CONNECT to its end."""

    def __init__(
        self, broker: Broker, client_id: str, password: bytes | None, filters: Sequence[str], session: "Session"
    ) -> None:
        """Nothing is sent before the socket is there."""
        self.session = session
        self.filters = filters
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._connect = mqtt5.ConnectPacket(
            client_id,
            username=broker.username or None,
            password=password,
            clean_start=False,
            keep_alive=KEEP_ALIVE,
            session_expiry_interval=broker.session_expiry_h * 3600,
            max_packet_size=broker.max_packet_kb * 1024,
        )
        self._max_packet = broker.max_packet_kb * 1024
        self._buffer = bytearray()
        self._unjournalled = 0
        self._paused = False
        self._reason = ""
        self._open = False
        self._leaving = False
        self._heard = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP or TLS stream, said for the type checker
        self.transport = transport
        self._open = True
        transport.write(self._connect.write())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the session; acknowledgements still owed are void, the broker will send those messages again."""
        self._open = False
        if not self.ended.done():
            self.ended.set_result(self._reason or (str(exc) if exc else ""))

    def data_received(self, data: bytes) -> None:
        """Parse whole packets; keep the rest for the next read."""
        self._heard = True
        if self._leaving:
            return
        buffer = self._buffer + data if self._buffer else data
        view = memoryview(buffer)
        offset, end = 0, len(buffer)
        messages: list[Message] = []
        ids: list[int] = []
        read, publish = mqtt5.read, mqtt5.PublishPacket
        try:
            while offset < end:
                packet, size = read(view[offset:])
                offset += size
                if type(packet) is publish:
                    number = packet.packet_id
                    if number is None:
                        messages.append((packet.topic, packet.payload, 0, packet.retain, False))
                    else:  # we subscribe with QoS 1: there is no 2
                        messages.append((packet.topic, packet.payload, 1, packet.retain, packet.duplicate))
                        ids.append(number)
                else:
                    self._control(packet)
        except IndexError:  # the rest of a packet is still on its way
            pass
        except ValueError as error:
            self.abandon(f"the broker sent a malformed packet: {error}")
        self._buffer = bytearray(view[offset:])
        if messages:
            self._deliver(Delivery(messages, ids, offset, self))

    def _deliver(self, delivery: Delivery) -> None:
        self._unjournalled += delivery.size
        if self._unjournalled > UNJOURNALLED_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self.session.counters.received += len(delivery.messages)
        self.session.sink(delivery)

    def acknowledge(self, delivery: Delivery) -> None:
        """Write the acknowledgements of a journalled delivery, if the connection still stands."""
        self._unjournalled -= delivery.size
        if not self._open or self.transport.is_closing():
            return
        self.transport.write(b"".join(map(_PUBACK.__getitem__, delivery.packet_ids)))
        self.session.counters.acknowledged += len(delivery.packet_ids)
        if self._paused and self._unjournalled < UNJOURNALLED_BYTES // 2:
            self._paused = False
            self.transport.resume_reading()

    def _control(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.ConnAckPacket):
            self._connected(packet)
        elif isinstance(packet, mqtt5.SubAckPacket):
            answers = zip(self.filters, packet.reason_codes, strict=False)
            refused = [pattern for pattern, code in answers if code not in _GRANTED]
            if refused:
                self.session.counters.refused = f"the broker refuses the subscription to {', '.join(refused)}"
                self.abandon(self.session.counters.refused)
            else:
                self.session.ready.set()
                self.session.subscribed = True
        elif isinstance(packet, mqtt5.DisconnectPacket):
            self._reason = f"the broker ended the connection: {packet.reason_code.name.lower()}"

    def _connected(self, packet: mqtt5.ConnAckPacket) -> None:
        if packet.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            reason = f"the broker refuses us: {packet.reason_code.name.lower()}"
            if packet.reason_code not in _PASSING:
                self.session.counters.refused = reason
            self.abandon(reason)
            return
        self.session.counters.connects += 1
        self.session.resumed(packet.session_present)
        if packet.max_packet_size is None or packet.max_packet_size > self._max_packet:
            limit = "none" if packet.max_packet_size is None else f"{packet.max_packet_size} bytes"
            self.session.note(
                f"the broker's max_packet_size ({limit}) is above ours ({self._max_packet} bytes): it would drop "
                "larger messages without a word; set max_packet_size in mosquitto.conf or broker.max_packet_kb"
            )
        # Asked for each time: a broker that lost the session answers "not present", one that kept it does no harm.
        # Retained messages come only with a new subscription, and are marked as such (retain_as_published off).
        self.transport.write(
            mqtt5.SubscribePacket(
                1,
                [
                    mqtt5.TopicFilter(
                        pattern,
                        max_qos=mqtt5.QoS.AT_LEAST_ONCE,
                        retain_as_published=False,
                        retain_handling=mqtt5.RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS,
                    )
                    for pattern in self.filters
                ],
            ).write()
        )

    def ping(self) -> None:
        """Keep the connection alive; one that stays silent for a whole period is given up (half open)."""
        if not self._heard and not self._paused:
            self.abandon("the broker has been silent for too long")
            return
        self._heard = False
        self.transport.write(mqtt5.PingReqPacket().write())

    def abandon(self, reason: str) -> None:
        """Close at once, saying why."""
        self._reason = reason
        self.transport.abort()

    def hold(self) -> None:
        """Take nothing more; what was taken may still be acknowledged."""
        self._paused = False
        if self._open:
            self.transport.pause_reading()

    async def leave(self) -> None:
        """Say good-bye; the session stays at the broker, which queues meanwhile.

        The broker closes: closing with messages still unread here would reset the connection, and the
        acknowledgements that it has not read yet would be lost.
        """
        if self._open:
            self._leaving = True
            self.transport.write(mqtt5.DisconnectPacket().write())
            self.transport.resume_reading()
            await asyncio.wait({self.ended}, timeout=LEAVE_SECONDS)
            self.transport.abort()


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
        self.note: Callable[[str], None] = self.counters.notes.append
        self._password = password(broker, home)
        self._tls = tls(broker, home)
        self._stop = asyncio.Event()
        self._connection: Connection | None = None
        self._was_present = known

    async def run(self) -> None:
        """Connect, and connect again when the connection ends, until `stop`. Raises DravaError if that is in vain."""
        failures = 0
        sudden: list[float] = []
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            reason, lived = await self._once()
            if self._stop.is_set():
                break
            if self.counters.refused:
                raise DravaError(self.counters.refused, "Check broker.username, its password file and the broker's ACL")
            now = loop.time()
            if lived and not reason:
                sudden = [t for t in sudden if now - t < TAKEOVER_SECONDS] + [now]
                if len(sudden) >= TAKEOVERS:
                    raise DravaError(
                        f"the connection ended {TAKEOVERS} times without a reason: another client uses the id "
                        f"{self.client_id!r}",
                        "Stop the other one, or give each its own broker.client_id",
                    )
            failures = 0 if lived else failures + 1
            self.note(f"no connection to the broker{': ' + reason if reason else ''}; trying again")
            await self._pause(BACKOFF[min(failures, len(BACKOFF) - 1)])

    async def _once(self) -> tuple[str, bool]:
        """One connection from beginning to end: why it ended, and whether it ever stood."""
        loop = asyncio.get_running_loop()
        place = urlsplit(self.broker.url)
        port = place.port or (8883 if self._tls else 1883)
        before = self.counters.connects

        def make() -> Connection:
            return Connection(self.broker, self.client_id, self._password, self.filters, self)

        try:
            _, connection = await loop.create_connection(make, place.hostname or "127.0.0.1", port, ssl=self._tls)
        except OSError as error:
            return "; ".join(filter(None, failure(error))), False
        self._connection = connection
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self._stop.wait())
        try:
            while not connection.ended.done() and not self._stop.is_set():
                either: set[asyncio.Future[Any]] = {stopping, connection.ended}
                done, _ = await asyncio.wait(either, timeout=KEEP_ALIVE / 2, return_when=asyncio.FIRST_COMPLETED)
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

    def resumed(self, present: bool) -> None:
        """Note whether the broker still knew us: a session that is gone may have lost messages."""
        if self._was_present and not present:
            self.note("the broker has forgotten our session: what was published since the last connection may be lost")
        self._was_present = True

    def hold(self) -> None:
        """Take nothing more, so that all that was taken can be acknowledged before `stop`."""
        if self._connection is not None:
            self._connection.hold()

    def stop(self) -> None:
        """End `run` soon, without unsubscribing."""
        self._stop.set()
