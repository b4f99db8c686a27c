"""What a broker allows: asked with a short connection of our own."""

import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import mqtt5

from ingest.connection import GRANTED
from ingest.credentials import failure
from ingest.credentials import password as password_of
from ingest.credentials import tls as tls_of
from ingest.topics import plain
from schemas.errors import DravaError
from schemas.settings import Broker

SECONDS = 5.0
PLAIN_PORT, TLS_PORT = 1883, 8883
DROPPED = "$SYS/broker/publish/messages/dropped"  # of Mosquitto: since its start, for whichever client


@dataclass(frozen=True)
class Limits:
    """What the broker said when we connected. None: no limit."""

    max_packet_bytes: int | None
    session_expiry_s: int
    max_qos: int
    wildcards: bool
    refused: list[str]  # topic filters
    dropped: int | None  # messages, where it tells


def probe(broker: Broker, home: Path, filters: Sequence[str] = ()) -> Limits:
    """Connect under a name of our own, ask for what `drava ingest` asks for, and leave. Its session is not touched.

    Raises DravaError where the broker does not answer, is no MQTT 5 broker or refuses us.
    """
    place = urlsplit(broker.url)
    context = tls_of(broker, home)
    port = place.port or (TLS_PORT if context else PLAIN_PORT)
    hello = mqtt5.ConnectPacket(
        f"drava-doctor-{secrets.token_hex(6)}",
        username=broker.username or None,
        password=password_of(broker, home),
        clean_start=True,
        keep_alive=30,
        session_expiry_interval=broker.session_expiry_h * 3600,
        max_packet_size=broker.max_packet_kb * 1024,
    )
    try:
        with socket.create_connection((place.hostname or "", port), timeout=SECONDS) as plain:
            stream = context.wrap_socket(plain, server_hostname=place.hostname) if context else plain
            stream.sendall(hello.write())
            packets = _Packets(stream)
            answer = _greeting(packets)
            refused, dropped = _subscription(stream, packets, filters) if _accepted(answer) else ([], None)
            stream.sendall(mqtt5.DisconnectPacket(session_expiry_interval=0).write())  # forget this session at once
    except OSError as error:
        what, hint = failure(error)
        raise DravaError(
            f"the broker {broker.url} does not answer: {what}", hint or "Start it, or correct broker.url"
        ) from None
    if not _accepted(answer):
        raise DravaError(
            f"the broker {broker.url} refuses us: {answer.reason_code.name.lower().replace('_', ' ')}",
            "Check broker.username, its password file and the broker's users",
        )
    expiry = answer.session_expiry_interval
    return Limits(
        answer.max_packet_size,
        broker.session_expiry_h * 3600 if expiry is None else expiry,
        int(answer.max_qos),
        answer.wildcard_subscription_available,
        refused,
        dropped,
    )


def _accepted(answer: mqtt5.ConnAckPacket) -> bool:
    return answer.reason_code == mqtt5.ConnAckReasonCode.SUCCESS


class _Packets:
    """Packets of a stream, one after the other."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._data = b""

    def next(self) -> mqtt5.Packet:
        while True:
            with suppress(IndexError):  # the rest is still on its way
                packet, size = mqtt5.read(memoryview(self._data))
                self._data = self._data[size:]
                return packet
            if not (part := self._stream.recv(65536)):
                raise _not_mqtt("the broker ended the connection without an answer")
            self._data += part


def _not_mqtt(what: str) -> DravaError:
    return DravaError(what, "It must speak MQTT 5: Mosquitto 2.0 does; or correct broker.url")


def _greeting(packets: _Packets) -> mqtt5.ConnAckPacket:
    try:
        packet = packets.next()
    except ValueError as error:
        raise _not_mqtt(f"what answers there does not speak MQTT 5: {error}") from None
    if isinstance(packet, mqtt5.ConnAckPacket):
        return packet
    raise _not_mqtt("the broker did not answer our greeting")


def _subscription(stream: socket.socket, packets: _Packets, filters: Sequence[str]) -> tuple[list[str], int | None]:
    """Which filters are refused, and how many messages Mosquitto says it has dropped."""
    wanted = [plain(pattern) for pattern in filters]  # a member of the group would take messages away
    asked = [mqtt5.TopicFilter(w, retain_handling=mqtt5.RetainHandling.SEND_NEVER) for w in wanted]
    stream.sendall(
        mqtt5.SubscribePacket(1, [*asked, mqtt5.TopicFilter(DROPPED)]).write() + mqtt5.PingReqPacket().write()
    )
    refused, dropped = [], None
    while not isinstance(packet := packets.next(), mqtt5.PingRespPacket):  # it answers in order
        if isinstance(packet, mqtt5.SubAckPacket):
            answers = zip(wanted, packet.reason_codes, strict=False)
            refused = [pattern for pattern, code in answers if code not in GRANTED]
        elif isinstance(packet, mqtt5.PublishPacket) and packet.topic == DROPPED:
            dropped = int(packet.payload)
    return refused, dropped
