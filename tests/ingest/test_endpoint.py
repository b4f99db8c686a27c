"""The endpoint by itself: any request is answered or dropped, and what it shows is documented."""

import asyncio
import contextlib
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from commands.ingest import log_counters
from ingest import metrics
from ingest.journal import Journal
from ingest.progress import Durations, Progress
from schemas.errors import DravaError
from schemas.reasons import Reason
from tests.ingest.feeding import NOW, make_home

ROOT = Path(__file__).parents[2]
SECONDS = 30.0


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """An endpoint over a journal of its own, in a thread's event loop; nothing else of ingestion."""
    journal = Journal(tmp_path / "journal")
    well = Progress(connected=True, writer_alive=True, row=0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    found = metrics.Endpoint(lambda: well, journal.folder, lambda: NOW, os.getpid())
    yield asyncio.run_coroutine_threadsafe(found.open("127.0.0.1:0"), loop).result(SECONDS)
    loop.call_soon_threadsafe(found.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(SECONDS)
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    journal.close()


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 "),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 "),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"HTTP/1.1 405 "),
        (
            b"GET /metrics?name=x HTTP/1.1\r\nAccept: application/openmetrics-text; version=abc\r\n\r\n",
            b"HTTP/1.1 200 ",
        ),
        (b"\xff\xfe\x00\r\n\r\n", b"HTTP/1.1 405 "),
        (b"\r\n\r\n", b"HTTP/1.1 405 "),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", b""),
        (b"GET /met", b""),
    ],
    ids=["unknown", "outside", "post", "accept", "garbage", "empty", "endless", "half"],
)
def test_any_request_is_answered_or_dropped(endpoint: str, sent: bytes, begins: bytes) -> None:
    host, _, port = endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as client:
        answer = b""
        with contextlib.suppress(ConnectionError):
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                answer += part
    assert answer[:13] == begins


def test_head_has_no_body(endpoint: str) -> None:
    with urlopen(Request(endpoint + "/metrics", method="HEAD"), timeout=SECONDS) as answer:
        assert int(answer.headers["Content-Length"]) > 1000
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.read() == b""


def test_a_silent_client_is_dropped_and_keeps_nobody_waiting(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "REQUEST_SECONDS", 0.2)
    host, _, port = endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as silent:
        silent.sendall(b"GET /metrics HTTP/1.1\r\n")
        with urlopen(endpoint + "/readyz", timeout=SECONDS) as answer:
            assert answer.read() == b"ok\n"
        assert silent.recv(1) == b""


def test_many_clients_do_not_use_up_the_receivers_files(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "REQUESTS", 3)
    host, _, port = endpoint.removeprefix("http://").partition(":")
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection((host, int(port)), SECONDS)) for _ in range(4)]
        assert silent[3].recv(1) == b""
        silent[0].sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
        assert silent[0].recv(65536).startswith(b"HTTP/1.1 200 ")


def test_operations_explains_every_metric(endpoint: str) -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    with urlopen(endpoint + "/metrics", timeout=SECONDS) as answer:
        names = re.findall(r"^# TYPE (\w+) ", answer.read().decode(), re.MULTILINE)
    own = {name for name in names if "process_" not in name} | {"drava_last_commit_timestamp_seconds"}
    assert len(own) > 15
    assert {name for name in own if f"`{name}" not in text} == set()


def test_every_reason_is_a_label_from_the_start(endpoint: str) -> None:
    """An alert on a reason that has not yet come compares with 0, not with nothing."""
    with urlopen(endpoint + "/metrics", timeout=SECONDS) as answer:
        text = answer.read().decode()
    assert {f'drava_quarantined_total{{reason="{reason.value}"}} 0.0' for reason in Reason} <= set(text.splitlines())


def test_a_duration_is_within_its_bound() -> None:
    seen = Durations(bounds=(0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 1.0, 7.0):
        seen.add(seconds)
    assert seen.counts == [2, 2, 1]
    assert seen.total == pytest.approx(8.65)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"row": None}, "the writer is starting"),
        ({"trouble": "the lake is locked"}, "the lake is locked"),
        ({"refusing": "full", "trouble": "the lake is locked"}, "full"),
        ({"writer_alive": False}, "the writer is not running"),
        ({"connected": False, "refusing": "full"}, "not connected and subscribed to the broker"),
        ({"ending": True}, "ending: what is journalled is being committed"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_ready_says_the_first_reason(change: dict[str, Any], reason: str) -> None:
    assert Progress(**{"connected": True, "writer_alive": True, "row": 0} | change).unready == reason


def test_a_log_for_machines_has_the_counters_again_and_again() -> None:
    """Three lines of the periodic task, each with what had been counted by then."""
    progress, lines = Progress(), []

    async def three() -> None:
        enough = asyncio.Event()

        def say(line: str, *, event: str = "", level: str = "", facts: Any = None) -> None:
            lines.append(json.loads(json.dumps({"event": event, **facts}, default=str)))
            progress.received += 10
            progress.counts["stored"] = progress.received
            if len(lines) == 3:
                enough.set()

        telling = asyncio.create_task(log_counters(progress, say, 0.001))
        await asyncio.wait_for(enough.wait(), SECONDS)
        telling.cancel()

    asyncio.run(three())
    assert [(line["event"], line["received"]) for line in lines[:3]] == [("progress", n) for n in (0, 10, 20)]
    assert [line["counts"] for line in lines[:3]] == [{}, {"stored": 10}, {"stored": 20}]


@pytest.mark.parametrize("address", ["9464", "127.0.0.1:65536", "127.0.0.1:", "host name:1", "http://x:1", "::1:9464"])
def test_a_wrong_address_is_one_line(tmp_path: Path, address: str) -> None:
    with pytest.raises(DravaError, match=r"metrics\.listen.*write it like"):
        make_home(tmp_path / "home", more=f'[metrics]\nlisten = "{address}"\n')
