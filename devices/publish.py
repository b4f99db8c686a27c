"""Sends messages to a broker as a device would: QoS 1, a bounded window, and nothing left unacknowledged."""

import ssl
from collections.abc import Callable, Iterable
from typing import Literal
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from schemas.errors import DravaError

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PATIENCE = 60  # seconds without a word from the broker; also the keep-alive
_LARGEST_WINDOW = 65_535  # packet identifiers have 16 bits
_STEP = 1000  # messages between two reports of progress

Protocol = Literal["5", "3.1.1"]


def publish(
    messages: Iterable[tuple[str, bytes]],
    *,
    url: str,
    client_id: str,
    username: str = "",
    password: str = "",
    ca_file: str = "",
    protocol: Protocol = "5",
    window: int = 1000,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Publish all messages and return their number once the broker has acknowledged every one.

    `url` is mqtt://host[:port] or mqtts://host[:port] (trusted through `ca_file`, else the system's authorities). At
    most `window` messages are under way, fewer where the broker asks for it. `progress` is told how many are
    acknowledged. Raises DravaError where the broker cannot be reached, refuses, or goes away before the end.
    """
    session = _Session(url, client_id, protocol, window, progress)
    session.credentials(username, password, ca_file)
    try:
        session.open()
        for topic, payload in messages:
            session.send(topic, payload)
        session.drain()
    finally:
        session.close()
    return session.acknowledged


class _Session:
    """One connection, driven by the thread that publishes: a second one would only fight it for the interpreter."""

    def __init__(
        self, url: str, client_id: str, protocol: Protocol, window: int, progress: Callable[[int], None] | None
    ) -> None:
        self.acknowledged = 0
        self._url, self._window, self._progress = url, min(window, _LARGEST_WINDOW), progress
        self._sent, self._trouble, self._connected = 0, "", False
        version = MQTTProtocolVersion.MQTTv5 if protocol == "5" else MQTTProtocolVersion.MQTTv311
        self._client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=version)
        self._client.max_inflight_messages_set(0)  # the window here is the bound; paho's own would search its queue
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish

    def credentials(self, username: str, password: str, ca_file: str) -> None:
        if username:
            self._client.username_pw_set(username, password or None)
        if urlsplit(self._url).scheme == "mqtts":
            try:
                self._client.tls_set_context(ssl.create_default_context(cafile=ca_file or None))
            except OSError as error:  # also SSLError: not a certificate
                raise DravaError(f"cannot read the certificate {ca_file}: {error}", "Check broker.ca_file") from None

    def open(self) -> None:
        host, port = _address(self._url)
        try:
            self._client.connect(host, port, keepalive=_PATIENCE)
        except ssl.SSLError as error:
            raise DravaError(f"the broker at {self._url} cannot be trusted: {error}", "Check broker.ca_file") from None
        except OSError as error:
            raise DravaError(f"cannot reach the broker at {self._url}: {error}", _START) from None
        while not self._connected:
            self._wait()

    def send(self, topic: str, payload: bytes) -> None:
        while self._sent - self.acknowledged >= self._window:
            self._wait()
        if self._client.publish(topic, payload, qos=1).rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._gone()
        self._sent += 1

    def drain(self) -> None:
        while self.acknowledged < self._sent:
            self._wait()
        if self._progress:
            self._progress(self.acknowledged)

    def close(self) -> None:
        self._client.disconnect()

    def _wait(self) -> None:
        """Wait until the broker says something, and hear it."""
        before = self.acknowledged
        code = self._client.loop(timeout=_PATIENCE)
        if self._trouble or code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._gone()
        if self._progress and before // _STEP != self.acknowledged // _STEP:
            self._progress(self.acknowledged)

    def _gone(self) -> DravaError:
        if self._trouble.startswith("refused"):
            return DravaError(f"the broker at {self._url} {self._trouble}", _RIGHTS)
        why = self._trouble or "the connection is lost"
        return DravaError(
            f"the broker at {self._url} went away after {self.acknowledged} acknowledged messages: {why}", _START
        )

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._trouble = f"refused the connection: {reason}"
            return
        self._connected = True
        self._window = min(self._window, getattr(properties, "ReceiveMaximum", self._window))

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._trouble = self._trouble or str(reason)

    def _on_publish(
        self, _client: Client, _data: object, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._trouble = f"refused a message: {reason}"
        self.acknowledged += 1


_START = "Start the broker, or check broker.url"
_RIGHTS = "Check user, password and the broker's access list"


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise DravaError(f"{url} is not a broker's address", "Write mqtt://host:1883 or mqtts://host:8883") from None
    return parts.hostname or "localhost", port
