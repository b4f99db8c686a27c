"""The other side of the broker: publishers that are not ours, and sessions driven from a test."""

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest.connection import Delivery
from ingest.session import Session
from schemas.settings import Broker

PATIENCE = 30.0
FILTERS = ["ptuj/+/+/telemetry"]


def publish(port: int, messages: Iterable[tuple[str, Any]], *, version: int = mqtt.MQTTv5, **how: Any) -> None:
    """Publish with paho and wait for every acknowledgement of the broker."""
    properties = how.pop("properties", None)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=version)
    client.max_inflight_messages_set(1000)
    ready = threading.Event()
    client.on_connect = lambda *_: ready.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(PATIENCE)
    waiting: deque[mqtt.MQTTMessageInfo] = deque()

    def settle(most: int) -> None:  # paho numbers what it holds with 16 bits
        while len(waiting) > most:
            sent = waiting.popleft()
            sent.wait_for_publish(PATIENCE)
            assert sent.is_published()

    for where, payload in messages:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        more = {"properties": properties} if properties else {}
        waiting.append(client.publish(where, body, qos=how.get("qos", 1), retain=how.get("retain", False), **more))
        settle(5000)
    settle(0)
    client.disconnect()
    client.loop_stop()


class Heard:
    """A sink that keeps what was delivered, and acknowledges only when told to."""

    def __init__(self) -> None:  # noqa: D107
        self.deliveries: list[Delivery] = []
        self.moved = asyncio.Event()

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        self.moved.set()

    @property
    def messages(self) -> list[tuple[str, bytes, int, bool, bool]]:
        return [message for delivery in self.deliveries for message in delivery.messages]

    async def wait(self, count: int) -> list[tuple[str, bytes, int, bool, bool]]:
        """Until so many messages are there."""
        async with asyncio.timeout(PATIENCE):
            while len(self.messages) < count:
                self.moved.clear()
                await self.moved.wait()
        return self.messages

    def acknowledge(self) -> None:
        for delivery in self.deliveries:
            delivery.journalled()


@contextlib.asynccontextmanager
async def session(url: str, home: Path, client_id: str = "drava-test", **broker: Any) -> AsyncIterator[Any]:
    """A running session with a `Heard` as its sink, subscribed; ends without unsubscribing."""
    heard = Heard()
    found = Session(Broker(url=url, **broker), client_id, FILTERS, heard, home)
    running = asyncio.create_task(found.run())
    try:
        await within(asyncio.wait({running, asyncio.create_task(found.ready.wait())}, return_when="FIRST_COMPLETED"))
        found.heard, found.running = heard, running
        yield found
    finally:
        found.stop()
        await within(asyncio.gather(running, return_exceptions=True))


async def within(what: Any, seconds: float = PATIENCE) -> Any:
    async with asyncio.timeout(seconds):
        return await what


async def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Look often whether something outside has come true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event: it happens in another program
            await asyncio.sleep(0.01)
