"""One connection to the broker, from CONNECT to its end: packets in, acknowledgements out, both for it alone.

Acknowledgements belong to the connection they came on and die with it. Reading pauses above a bound of bytes that are
not journalled yet: nothing in memory grows without end.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mqtt5

from schemas.errors import DravaError

if TYPE_CHECKING:
    from ingest.session import Session

KEEP_ALIVE = 30
UNJOURNALLED_BYTES = 4 * 2**20
LEAVE_SECONDS = 2.0
BREATH_SECONDS, BREATH_MESSAGES = 0.04, 256

GRANTED = (
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
_RIGHTS = "Check broker.username, its password file and the broker's ACL"


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


class TakenOverError(DravaError):
    """Two clients with one id throw each other out, and each gets a part of the messages: not to be fought about."""

    def __init__(self, client_id: str, seen: str) -> None:
        """`seen` is how it showed."""
        super().__init__(
            f"{seen}: another client uses the id {client_id!r}",
            "Stop the other one, or give each its own broker.client_id",
        )


class Connection(asyncio.Protocol):
    """One connection to the broker, from CONNECT to its end."""

    def __init__(self, session: "Session") -> None:
        """Nothing is sent before the socket is there."""
        broker = session.broker
        self.session = session
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._connect = mqtt5.ConnectPacket(
            session.client_id,
            username=broker.username or None,
            password=session.password,
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
        self._greeted = False
        self._leaving = False
        self._heard = True
        self._held = False
        self._loop = asyncio.get_running_loop()
        self._breath, self._breath_ends, self._busy = 0, 0.0, False

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
        self._breathe(len(delivery.messages))
        self.session.sink(delivery)

    def _breathe(self, count: int) -> None:
        """Read a trickle in breaths: to wake up for each message would cost more than all the rest.

        While a breath before brought many messages, nothing is held up.
        """
        now = self._loop.time()
        if now >= self._breath_ends:
            self._busy = self._breath >= BREATH_MESSAGES
            self._breath, self._breath_ends = 0, now + BREATH_SECONDS
        self._breath += count
        if not self._busy and self._breath < BREATH_MESSAGES and self.transport.is_reading():
            self.transport.pause_reading()
            self._loop.call_at(self._breath_ends, self._inhale)

    def _inhale(self) -> None:
        if self._open and not self._paused and not self._held:
            self.transport.resume_reading()

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
            self._subscribed(packet)
        elif isinstance(packet, mqtt5.UnsubAckPacket):
            self.session.connected()
        elif isinstance(packet, mqtt5.DisconnectPacket):
            self._reason = f"the broker ended the connection: {packet.reason_code.name.lower()}"
            if packet.reason_code == mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER:
                self.session.fatal = TakenOverError(self.session.client_id, "our session was taken over")

    def _subscribed(self, packet: mqtt5.SubAckPacket) -> None:
        answers = zip(self.session.filters, packet.reason_codes, strict=False)
        refused = [pattern for pattern, code in answers if code not in GRANTED]
        if refused:
            reason = f"the broker refuses the subscription to {', '.join(refused)}"
            self.session.fatal = DravaError(reason, _RIGHTS)
            self.abandon(reason)
        else:
            self.session.connected()

    def _connected(self, packet: mqtt5.ConnAckPacket) -> None:
        if packet.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            reason = f"the broker refuses us: {packet.reason_code.name.lower()}"
            if packet.reason_code not in _PASSING:
                self.session.fatal = DravaError(reason, _RIGHTS)
            self.abandon(reason)
            return
        self._greeted = True
        self.session.counters.connects += 1
        self.session.resumed(present=packet.session_present)
        self._check_limits(packet)
        if self.session.departing:  # nothing more is put into our queue; what is there still comes
            self.transport.write(mqtt5.UnsubscribePacket(1, self.session.filters).write())
            return
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
                    for pattern in self.session.filters
                ],
            ).write()
        )

    def _check_limits(self, packet: mqtt5.ConnAckPacket) -> None:
        """Say what the broker allows that will cost messages one day."""
        if packet.max_packet_size is None or packet.max_packet_size > self._max_packet:
            limit = "none" if packet.max_packet_size is None else f"{packet.max_packet_size} bytes"
            self.session.note(
                f"the broker's max_packet_size ({limit}) is above ours ({self._max_packet} bytes): it would drop "
                "larger messages without a word; set max_packet_size in mosquitto.conf or broker.max_packet_kb"
            )
        outage = self.session.broker.longest_outage_h
        granted = packet.session_expiry_interval
        if granted is not None and granted < outage * 3600:
            self.session.note(
                f"the broker keeps our session for {granted // 3600} h, but an outage may last {outage} h "
                "(broker.longest_outage_h): raise the broker's limit"
            )

    def ping(self) -> None:
        """Keep the connection alive; one that stays silent for a whole period is given up (half open)."""
        if not self._greeted or (not self._heard and not self._paused):
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
        self._paused, self._held = False, True
        if self._open:
            self.transport.pause_reading()

    async def leave(self) -> None:
        """Say good-bye; the session stays at the broker, which queues meanwhile.

        The broker closes: closing with messages still unread here would reset the connection, and the
        acknowledgements that it has not read yet would be lost.
        """
        if self._open:
            self._leaving = True
            expiry = 0 if self.session.over else None  # None: as asked for at the beginning
            self.transport.write(mqtt5.DisconnectPacket(session_expiry_interval=expiry).write())
            self.transport.resume_reading()
            await asyncio.wait({self.ended}, timeout=LEAVE_SECONDS)
            self.transport.abort()
