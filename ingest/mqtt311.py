"""A short MQTT 3.1.1 connection, to ask a foreign broker: may we in, what may we hear, at which QoS, and what comes."""

import secrets
import socket
import ssl
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from schemas.errors import DravaError

SECONDS = 5.0
LARGEST = 1_000_000
_KEEP_ALIVE = 60
_REFUSED = 0x80
_REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "it does not accept the client's name",
    3: "it is not available",
    4: "user or password is wrong",
    5: "the user has no right to connect",
}
_CONNACK, _PUBLISH, _SUBACK = 2, 3, 9


@dataclass(frozen=True)
class Answer:
    """What the broker grants for each filter (None: refused), and the messages that came while we listened."""

    granted: list[int | None]
    heard: list[tuple[str, bytes, int]] = field(default_factory=list)  # topic, payload, QoS


def ask(
    place: tuple[str, int],
    filters: Sequence[str],
    *,
    username: str = "",
    password: bytes | None = None,
    tls: ssl.SSLContext | None = None,
    listen: float = 0,
    most: int = 20,
) -> Answer:
    """Connect under a name of our own, subscribe at QoS 1, listen for so many seconds, leave. OSError, DravaError."""
    with socket.create_connection(place, timeout=SECONDS) as plain:
        stream = tls.wrap_socket(plain, server_hostname=place[0]) if tls else plain
        packets = _packets(stream)
        stream.sendall(_connect(username, password))
        kind, body = next(packets)
        if kind != _CONNACK or len(body) != 2:  # noqa: PLR2004 - flags and a code
            raise DravaError("what answers there does not speak MQTT", "Correct the address")
        if body[1]:
            what = _REFUSALS.get(body[1], f"code {body[1]}")
            raise DravaError(f"the broker refuses us: {what}", "Check user, password and the broker's users")
        stream.sendall(_packet(0x82, b"\0\1" + b"".join(_text(one.encode()) + b"\1" for one in filters)))
        heard: list[tuple[str, bytes, int]] = []
        granted: list[int | None] | None = None
        with suppress(TimeoutError):
            for kind, body in packets:
                if kind == _SUBACK:
                    granted = [None if code >= _REFUSED else code for code in body[2:]]
                    stream.settimeout(max(listen, 0.001))
                elif kind & 0xF == _PUBLISH:
                    heard.append(_message(kind, body))
                if granted is not None and (not listen or len(heard) >= most):
                    break
        if granted is None:
            raise DravaError("the broker does not answer a subscription", "Look into its log")
        stream.sendall(b"\xe0\0")
    return Answer(granted, heard)


def _connect(username: str, password: bytes | None) -> bytes:
    user = _text(username.encode()) if username else b""
    secret = _text(password) if username and password is not None else b""
    flags = 0x02 | (0x80 if user else 0) | (0x40 if secret else 0)
    name = _text(f"drava-sources-{secrets.token_hex(4)}".encode())
    return _packet(0x10, _text(b"MQTT") + bytes([4, flags]) + struct.pack(">H", _KEEP_ALIVE) + name + user + secret)


def _text(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def _packet(first: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while True:
        size, digit = size >> 7, size & 0x7F
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([first]) + length + body


def _packets(stream: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Kind (with the QoS of a PUBLISH in bits 4 and 5) and body of each packet."""
    while True:
        first, size, shift = _exactly(stream, 1)[0], 0, 0
        while True:
            digit = _exactly(stream, 1)[0]
            size |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
            if shift > 21:  # noqa: PLR2004 - four digits at most
                raise DravaError("what answers there does not speak MQTT", "Correct the address")
        if size > LARGEST:
            raise DravaError(f"a message of {size} bytes came", f"At most {LARGEST} are read here")
        yield first >> 4 | (first >> 1 & 3) << 4 if first >> 4 == _PUBLISH else first >> 4, _exactly(stream, size)


def _exactly(stream: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        part = stream.recv(count - len(parts))
        if not part:
            raise DravaError("the broker ended the connection", "Check user and rights; its log says why")
        parts += part
    return parts


def _message(kind: int, body: bytes) -> tuple[str, bytes, int]:
    qos, length = kind >> 4, int.from_bytes(body[:2], "big")
    return body[2 : 2 + length].decode("utf-8", "replace"), body[2 + length + (2 if qos else 0) :], qos
