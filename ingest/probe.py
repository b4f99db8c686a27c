"""What a broker allows: asked with a short connection of our own, and read from Mosquitto's configuration."""

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import mqtt5

from ingest.credentials import failure
from ingest.credentials import password as password_of
from ingest.credentials import tls as tls_of
from schemas.errors import DravaError
from schemas.settings import Broker

SECONDS = 5.0
PLAIN_PORT, TLS_PORT = 1883, 8883
HOURS = {"h": 1, "d": 24, "w": 168, "m": 720, "y": 8760}  # as Mosquitto counts


@dataclass(frozen=True)
class Limits:
    """What the broker said when we connected. None: no limit."""

    max_packet_bytes: int | None
    session_expiry_s: int
    max_qos: int
    wildcards: bool


def probe(broker: Broker, home: Path) -> Limits:
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
            answer = _answer(stream)
            stream.sendall(mqtt5.DisconnectPacket(session_expiry_interval=0).write())  # forget this session at once
    except OSError as error:
        what, hint = failure(error)
        raise DravaError(
            f"the broker {broker.url} does not answer: {what}", hint or "Start it, or correct broker.url"
        ) from None
    if answer.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
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
    )


def _answer(stream: socket.socket) -> mqtt5.ConnAckPacket:
    data = b""
    while part := stream.recv(4096):
        data += part
        try:
            packet, _ = mqtt5.read(memoryview(data))
        except IndexError:
            continue
        except ValueError as error:
            raise DravaError(f"what answers there does not speak MQTT 5: {error}", "Correct broker.url") from None
        if isinstance(packet, mqtt5.ConnAckPacket):
            return packet
        break
    raise DravaError("the broker ended the connection without an answer", "It must speak MQTT 5: Mosquitto 2.0 does")


@dataclass(frozen=True)
class Queue:
    """How much a Mosquitto keeps for a client that is away. 0: no limit; expiry None: for ever."""

    messages: int
    bytes: int
    persistent: bool
    expiry_h: float | None
    inflight: int
    upgrades_qos: bool


def queue(conf: Path) -> Queue:
    """Read Mosquitto's configuration; what it does not say has Mosquitto's defaults. Raises DravaError."""
    try:
        lines = conf.read_text("utf-8", "replace").splitlines()
        said = dict(line.split(None, 1) for line in lines if len(line.split(None, 1)) > 1 and line[0] != "#")
        expiry = said.get("persistent_client_expiration", "").strip()
        return Queue(
            int(said.get("max_queued_messages", 1000)),
            int(said.get("max_queued_bytes", 0)),
            said.get("persistence", "").strip() == "true",
            int(expiry[:-1]) * HOURS[expiry[-1]] if expiry else None,
            int(said.get("max_inflight_messages", 20)),
            said.get("upgrade_outgoing_qos", "").strip() == "true",
        )
    except OSError as error:
        raise DravaError(f"{conf} cannot be read: {error.strerror}", "Give Mosquitto's own configuration") from None
    except (ValueError, KeyError):
        raise DravaError(f"{conf} is no configuration of Mosquitto", "Give Mosquitto's own configuration") from None
