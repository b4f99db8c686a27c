"""Proves the promise on the whole path: broker, receiver and writer as processes, killed, and every message once."""

import contextlib
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psutil
import pytest

from commands.demo import broker as demo_broker
from schemas.steps import COMMIT, RECEIVE
from tests.ingest.feeding import NOW, topic, z
from tests.ingest.mqttside import publish
from tests.ingest.town import IDLE, Town, readings, wait_for


@pytest.fixture
def town(tmp_path, broker):
    return Town(tmp_path / "home", broker.url, more="[ingest]\nflush_rows = 100\nflush_seconds = 0.2\n")


def test_killed_at_every_step_in_turn_nothing_is_lost_nothing_is_twice(town, broker):
    """Between fsync and acknowledgement the broker sends again; between plan and snapshot the plan goes on."""
    town.subscribe()
    for number, step in enumerate([*RECEIVE, *COMMIT]):
        publish(broker.port, readings(100, first=100 * number))
        code, _ = town.run(kill_at=step, idle="3" if step == "trimmed" else IDLE)
        assert code != 0, step
    code, said = town.run()
    assert code == 0, said
    town.check(1000)


def test_readings_without_a_time_killed_between_fsync_and_acknowledgement(town, broker):
    town.subscribe()
    publish(broker.port, ((topic(f"m{n}"), {"volume_total_m3": 10 + n}) for n in range(20)))
    code, _ = town.run(kill_at="journalled")
    assert code == -signal.SIGKILL
    journalled = town.waiting()
    assert journalled
    code, said = town.run()
    assert code == 0, said
    assert town.sql("SELECT count(*), count(DISTINCT device_id) FROM water_meter_revisions") == [(20, 20)]
    assert town.sql("SELECT sum(duplicate) FROM balance") == [(journalled,)]


def test_sigterm_drains_and_ends_cleanly(town, broker):
    town.subscribe()
    process = town.start(idle="")
    publish(broker.port, readings(500))
    wait_for(lambda: town.waiting() >= 500)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    town.check(500)
    _, said = town.run()
    assert "received 0" in said, "what was acknowledged does not come again"


def test_a_writer_that_dies_ends_ingestion_and_loses_nothing(town, broker):
    town.subscribe()
    process = town.start(idle="")
    wait_for(lambda: psutil.Process(process.pid).children())
    publish(broker.port, readings(200))
    psutil.Process(process.pid).children()[0].kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "writer ended" in said
    code, said = town.run()
    assert code == 0, said
    town.check(200)


def test_a_receiver_that_dies_leaves_a_writer_that_finishes(town, broker):
    town.subscribe()
    process = town.start(idle="")
    wait_for(lambda: psutil.Process(process.pid).children())
    [writer] = psutil.Process(process.pid).children()
    publish(broker.port, readings(200))
    wait_for(lambda: town.waiting() >= 200)
    process.kill()
    process.communicate(timeout=60)
    writer.wait(60)
    assert town.sql("SELECT count(*) FROM water_meter") == [(200,)]
    town.check(200)


def test_a_second_ingestion_of_one_journal_is_refused(town):
    town.subscribe()
    first = town.start(idle="")
    wait_for(lambda: psutil.Process(first.pid).children())
    code, said = town.run()
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    assert code == 2
    assert "another receiver" in said
    assert "Traceback" not in said


def test_a_full_disk_stops_acknowledgements_and_goes_on_by_itself(town, broker, tmp_path):
    """thingsboard#11751, arc#224: the broker keeps what we cannot; nothing is dropped, the reason is told."""
    town.subscribe()
    publish(broker.port, readings(300))
    settings = town.home.file.read_text()
    town.home.file.write_text(settings.replace("[ingest]", f"[ingest]\nmin_free_mb = {10**9}"))
    code, said = town.run()
    assert code == 0
    assert "disk is nearly full" in said
    assert "acknowledged 0" in said
    town.home.file.write_text(settings)
    code, said = town.run()
    assert code == 0, said
    town.check(300)


def test_an_upload_of_48_hours_killed_in_the_middle_of_its_commit(town, broker):
    """arc#228: many partitions at once, and a crash between the first table and the others."""
    town.subscribe()
    start = NOW - timedelta(hours=50)
    for first in (0, 96):
        upload = [
            {"time": z(start + timedelta(minutes=15 * n)), "seq": n, "volume_total_m3": n}
            for n in range(first, first + 96)
        ]
        publish(broker.port, [(topic("m1"), upload)])
    code, _ = town.run(kill_at="delta_first")
    assert code != 0
    assert town.run()[0] == 0
    town.check(192)


def hunt(town, broker, kills, rounds, pace):
    """Kill whatever runs at random moments while `pace` messages a second are published; gives kills and messages."""
    town.subscribe()
    dice = random.Random(20260302)
    done, sent = threading.Event(), 0

    def load():
        nonlocal sent
        for sent, message in enumerate(readings(10**9), 1):
            yield message
            if sent % (pace // 10) == 0 and done.wait(0.1):
                return

    pool = ThreadPoolExecutor(1)
    publishing = pool.submit(publish, broker.port, load())
    killed = dict.fromkeys(("receiver", "writer", "both"), 0)
    try:
        for number in range(kills):
            with town.serve() as service:
                writer = service.writer()
                time.sleep(dice.uniform(0.1, rounds))  # the moment is the experiment
                victim = tuple(killed)[number % 3]
                with contextlib.suppress(psutil.NoSuchProcess):
                    if victim != "receiver":
                        writer.kill()
                    if victim != "writer":
                        service.process.kill()
                service.process.wait(60)
                killed[victim] += 1
    finally:
        done.set()
    publishing.result(120)
    pool.shutdown()
    code, said = town.run(idle="2")
    assert code == 0, said
    return killed, sent


def summary(town, killed, sent):
    """One line: what was done, what was lost and what doubled."""
    query = "SELECT count(*), count(DISTINCT seq), (SELECT sum(duplicate) FROM balance) FROM water_meter_revisions"
    [(rows, distinct, again)] = town.sql(query)
    kills = ", ".join(f"{name} {times}" for name, times in killed.items())
    return (
        f"kills {sum(killed.values())} ({kills}), messages {sent:,}, sent again by the broker {again:,}, "
        f"lost {sent - distinct}, doubled {rows - distinct}"
    )


def test_killed_at_random_moments(tmp_path, broker):
    town = Town(tmp_path / "home", broker.url, more="[ingest]\nflush_rows = 2000\nflush_seconds = 0.2\n")
    _, sent = hunt(town, broker, 4, rounds=1.0, pace=4000)
    town.check(sent)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_killed_a_hundred_times_under_load(tmp_path, broker, capsys):
    town = Town(tmp_path / "home", broker.url, more="[ingest]\nflush_rows = 2000\nflush_seconds = 0.2\n")
    killed, sent = hunt(town, broker, 100, rounds=2.5, pace=2000)
    with capsys.disabled():
        sys.stdout.write(f"\n{summary(town, killed, sent)}\n")
    assert sum(killed.values()) == 100
    town.check(sent)


@pytest.mark.soak
def test_the_broker_is_restarted_under_load(tmp_path):
    """A clean restart with its persistence: the session is found again by itself, everything arrives once."""
    port = demo_broker.free_port()
    town = Town(tmp_path / "home", f"mqtt://127.0.0.1:{port}", more="[ingest]\nflush_seconds = 0.2\n")
    with demo_broker.running(tmp_path / "broker", port=port):
        town.subscribe()
    process, sent = town.start(idle=""), 0
    for _ in range(3):
        with demo_broker.running(tmp_path / "broker", port=port):
            publish(port, readings(5000, first=sent))
            sent += 5000
    with demo_broker.running(tmp_path / "broker", port=port):
        wait_for(lambda: process.poll() is None)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert town.run(idle="2")[0] == 0
    town.check(sent)
