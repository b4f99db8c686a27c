"""Sends the simulated city's messages in the order of their times: half of the devices over MQTT 5, half over 3.1.1."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from threading import Event
from zlib import crc32

from commands.demo.broker import LOOPBACK, Broker
from devices.publish import Protocol, publish
from schemas.errors import DravaError

Message = tuple[str, bytes]  # topic, payload
Timed = tuple[datetime, Message]  # when it is sent, and what
SLICE = 10_000  # messages between two changes of the protocol
ATTEMPTS = 5
REST_SECONDS = 0.1


class Feed:
    """Publishes to one broker, and counts what it has acknowledged."""

    def __init__(self, broker: Broker, told: Callable[[int], None]) -> None:
        """`told` hears the number of acknowledged messages so far."""
        self.sent = 0
        self._ports: dict[Protocol, int] = {"5": broker.port, "3.1.1": broker.port_311}
        self._told = told
        self._pause = Event()

    def send(self, messages: Iterable[Message]) -> None:
        """Publish all messages; returns when the broker has acknowledged every one."""
        rest = iter(messages)
        while part := list(islice(rest, SLICE)):
            for protocol, port in self._ports.items():
                own = [message for message in part if protocol_of(message[0]) == protocol]
                self._publish(own, protocol, port)

    def _publish(self, messages: list[Message], protocol: Protocol, port: int) -> None:
        """Publish, and again from the start where the connection breaks: as a gateway does that heard no answer."""
        if not messages:
            return
        before = self.sent
        for left in reversed(range(ATTEMPTS)):
            try:
                self.sent += publish(
                    messages,
                    url=f"mqtt://{LOOPBACK}:{port}",
                    client_id=f"demo-city-{protocol}",
                    protocol=protocol,
                    progress=lambda acknowledged: self._told(before + acknowledged),
                )
            except DravaError:
                if not left:
                    raise
            else:
                return
            finally:
                # rumqttd tidies up a little later, and may then end whoever connected right behind us
                self._pause.wait(REST_SECONDS)


def protocol_of(topic: str) -> Protocol:
    """The version of MQTT that a device speaks: always the same one."""
    return "5" if crc32(topic.encode()) % 2 else "3.1.1"
