"""Proves that no fault of the broker or of the way to it loses or doubles a message, and that none stays unsaid."""

import asyncio
import contextlib
import json
import os
import shutil
import signal

import pytest

from commands.demo import broker as demo_broker
from ingest import connection as wire
from ingest.session import Session
from schemas.settings import Broker
from tests.ingest.feeding import topic
from tests.ingest.mqttside import FILTERS, Heard, publish, session, until, within
from tests.ingest.town import CLIENT, Town, readings, wait_for

QUICK = "[ingest]\nflush_seconds = 0.2\n"


@pytest.fixture
def port():
    return demo_broker.free_port()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "broker"


def town_at(tmp_path, port, **how):
    return Town(tmp_path / "home", f"mqtt://127.0.0.1:{port}", more=QUICK, **how)


def test_a_broker_killed_and_started_again_with_its_persistence(tmp_path, folder, port):
    """SIGKILL while we are away, and again while we are there: what it had saved comes, what it sends twice is once."""
    town = town_at(tmp_path, port)
    with demo_broker.running(folder, port=port) as broker:
        town.subscribe()
        publish(port, readings(200))
        os.kill(broker.pid, signal.SIGUSR1)  # it saves, as it does every ten seconds
        wait_for((folder / "mosquitto.db").exists)
        wait_for(lambda: not (folder / "mosquitto.db.new").exists())
        os.kill(broker.pid, signal.SIGKILL)
    with town.serve() as service:
        with demo_broker.running(folder, port=port) as broker:
            wait_for(lambda: town.committed() == 200)
            publish(port, readings(200, first=200))
            wait_for(lambda: town.waiting() >= 400)
            os.kill(broker.pid, signal.SIGKILL)
            service.hear("trying again")
        with demo_broker.running(folder, port=port):
            service.hear("subscribed at the broker", times=2)
            publish(port, readings(100, first=400))
            wait_for(lambda: town.committed() == 500)
            assert service.end() == 0
    town.check(500)
    assert not any(line["event"] == "gap" for line in service.said), "the session was there again"


def test_a_session_that_the_broker_has_forgotten_is_said_with_its_time(tmp_path, folder, port):
    """Expired, or its files are gone: log, doctor and metrics say from when to when messages may be lost."""
    town = town_at(tmp_path, port)
    with town.serve(env={"DRAVA_METRICS__LISTEN": ""}) as service:
        with demo_broker.running(folder, port=port) as broker:
            service.hear("subscribed at the broker")
            os.kill(broker.pid, signal.SIGKILL)
            lost = service.hear("trying again")["time"]
        shutil.rmtree(folder)
        with demo_broker.running(folder, port=port):
            gap = service.hear("forgotten our session")
            assert gap["level"] == "error"
            assert gap["since"][:16].replace(" ", "T") == lost[:16]
            assert gap["since"] <= gap["until"]
            found = town.doctor()
            assert gap["since"] in found["session.gap"]
            assert gap["until"] in found["session.gap"]
            assert service.end() == 0
            assert service.said[-1]["gaps"] == 1
        shutil.rmtree(folder)
        with demo_broker.running(folder, port=port):  # the next start finds it forgotten, too
            code, said = town.run()
            assert code == 0
            assert "forgotten our session" in said
            code, said = town.run()
            assert "forgotten" not in said


def test_a_journal_that_is_gone_leaves_no_queue_behind(tmp_path, folder, port):
    """The new journal has another id; the broker's queue belongs to the old name, so the name is kept."""
    town = town_at(tmp_path, port)
    town.home.file.write_text(town.home.file.read_text().replace(f'client_id = "{CLIENT}"\n', ""))
    with demo_broker.running(folder, port=port):
        assert town.run(idle="0.05")[0] == 0
        publish(port, readings(100))
        shutil.rmtree(town.home.journal / "main")
        code, said = town.run()
        assert code == 0
        assert "may be lost" not in said, "all of it was in the lake"
        assert town.committed() == 100
        publish(port, readings(100, first=100))
        code, _ = town.run(kill_at="files_written")
        assert code != 0
        shutil.rmtree(town.home.journal / "main")
        _, said = town.run(idle="0.05")
        assert "journal of this receiver is gone" in said
        assert "session.gap" in town.doctor()


def test_another_client_with_our_id_is_named_not_fought(tmp_path, folder, port):
    town = town_at(tmp_path, port)
    with demo_broker.running(folder, port=port) as broker, town.serve() as service:
        service.hear("subscribed at the broker")

        async def other():
            taker = Session(Broker(url=broker.url), CLIENT, FILTERS, Heard(), town.home.path)
            running = asyncio.create_task(taker.run())
            await asyncio.to_thread(service.process.wait, 60)
            taker.stop()
            await asyncio.gather(running, return_exceptions=True)

        asyncio.run(other())
        assert service.process.returncode == 3, "not to be started again by itself"
        assert "client_id" in service.hear("another client uses the id")["message"]
        assert CLIENT in town.doctor()["session.ended"]


class Way:
    """A TCP way to the broker that can be made slow, or to lead nowhere."""

    def __init__(self, port):  # noqa: D107
        self.port = port
        self.came = 0
        self.broken = False  # bytes vanish, connections stay
        self.pace = None  # (bytes, seconds)
        self.tasks = set()

    @contextlib.asynccontextmanager
    async def open(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.came += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        self.tasks |= {asyncio.create_task(self._pump(reader, back)), asyncio.create_task(self._pump(there, writer))}

    async def _pump(self, reader, writer):
        size, seconds = self.pace or (65536, 0)
        while data := await reader.read(size):
            if not self.broken:
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(seconds)
        writer.close()


def test_a_half_open_connection_is_given_up_and_nothing_is_lost(broker, tmp_path, monkeypatch):
    """The other side is gone without a word, acknowledgements vanish: what was not acknowledged comes again."""
    monkeypatch.setattr(wire, "KEEP_ALIVE", 1)

    async def story():
        way = Way(broker.port)
        async with way.open() as url, session(url, tmp_path) as connected:
            await asyncio.to_thread(publish, broker.port, [(topic("m1"), n) for n in range(10)])
            await connected.heard.wait(10)
            way.broken = True
            connected.heard.acknowledge()  # into the void
            connected.heard.deliveries.clear()
            await until(lambda: any("silent" in note for note in connected.counters.notes))
            way.broken = False
            await connected.heard.wait(10)
            assert all(duplicate for *_, duplicate in connected.heard.messages)
            assert way.came == connected.counters.connects == 2

    asyncio.run(story())


def test_a_slow_broker_is_waited_for(broker, tmp_path):
    """Packets in pieces, acknowledgements late: one connection, each message once."""
    publish(broker.port, [])

    async def story():
        way = Way(broker.port)
        way.pace = (100, 0.001)
        async with way.open() as url, session(url, tmp_path) as connected:
            await asyncio.to_thread(publish, broker.port, [(topic("m1"), {"seq": n}) for n in range(300)])
            await connected.heard.wait(300)
            assert [json.loads(payload)["seq"] for _, payload, *_ in connected.heard.messages] == list(range(300))
            connected.heard.acknowledge()
            connected.stop()
            await within(connected.running)
            assert connected.counters.connects == 1
        async with session(broker.url, tmp_path) as later:
            await asyncio.to_thread(publish, broker.port, [(topic("m1"), {"seq": 300})])
            await later.heard.wait(1)
            assert [json.loads(payload)["seq"] for _, payload, *_ in later.heard.messages] == [300]

    asyncio.run(story())


def test_the_start_checks_the_brokers_queue_against_the_longest_outage(tmp_path, broker):
    conf = tmp_path / "mosquitto.conf"
    conf.write_text("max_queued_messages 1000\n")
    town = Town(tmp_path / "home", broker.url, broker=f'conf_file = "{conf}"\nsession_expiry_h = 24\n')
    _, said = town.run(idle="0.05")
    warnings = [json.loads(line)["message"] for line in said.splitlines() if '"warning"' in line]
    assert any("max_queued_messages 0" in line for line in warnings)
    assert any("persistence true" in line for line in warnings)
    assert any("session_expiry_h" in line for line in warnings)
