"""Backups of a home that ingests from a real broker: each is a true state, and the last takes over the session."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from schemas.settings import Home
from tests.ingest.feeding import asked
from tests.ingest.mqttside import publish
from tests.ingest.test_faults import Town, readings

ROOT = Path(__file__).parents[2]


def drava(*words):
    """A command as an operator gives it: a process of its own, the clock of the machine."""
    command = [sys.executable, "-m", "drava", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_backups_of_a_running_ingestion_and_a_new_machine(tmp_path, broker):
    """Nothing acknowledged before the last backup is lost, nothing is twice, and what the broker keeps comes too."""
    town = Town(tmp_path / "home", broker.url, more="[ingest]\nflush_rows = 100\nflush_seconds = 0.05\n")
    town.subscribe()
    running = town.start(idle="")
    sender = threading.Thread(target=lambda: [publish(broker.port, readings(20, first=n)) for n in range(0, 1200, 20)])
    sender.start()
    made = []
    while sender.is_alive():
        done = drava("--home", town.home.path, "backup", tmp_path / "b", "--json")
        assert done.returncode == 0, done.stderr
        made.append(json.loads(done.stdout))
    sender.join()
    running.send_signal(signal.SIGKILL)
    running.communicate()
    last = json.loads(drava("--home", town.home.path, "backup", tmp_path / "b", "--json").stdout)
    assert [one["snapshot"] for one in made] == sorted(one["snapshot"] for one in made)
    assert last["snapshot"] > made[0]["snapshot"]
    shutil.rmtree(town.home.path)  # the machine is gone
    for one in {one["backup"]: one for one in (made[0], made[-1])}.values():
        restored = drava("restore", tmp_path / "b", tmp_path / one["backup"], "--backup", one["backup"], "--verify")
        assert restored.returncode == 0, restored.stdout + restored.stderr
        (counts,) = asked(tmp_path / one["backup"], "SELECT count(*), count(DISTINCT seq) FROM water_meter")
        assert len(set(counts)) == 1
    publish(broker.port, readings(200, first=1200))  # meanwhile at the broker
    restored = drava("restore", tmp_path / "b", tmp_path / "new", "--verify")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    town.home = Home(tmp_path / "new")
    code, said = town.run()
    assert code == 0, said
    town.check(1400)
