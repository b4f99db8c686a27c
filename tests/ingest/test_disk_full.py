"""The disk is full while journalling and committing: nothing is acknowledged in vain, and it goes on by itself."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from catalog.store import Store
from commands.demo.broker import Broker
from devices.publish import publish
from lake.query import open_snapshot
from tests.ingest.feeding import BEGAN, make_home, register, topic

ROOT = Path(__file__).parents[2]
MESSAGES = 3000
PADDING = 2000  # bytes a message that do not compress: they fill the disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("no right to mount a small file system here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def messages() -> Iterator[tuple[str, bytes]]:
    for n in range(MESSAGES):
        body = {
            "time": (BEGAN + timedelta(minutes=n)).isoformat(),
            "seq": n,
            "volume_total_m3": n / 10,
            "note": os.urandom(PADDING // 2).hex(),
        }
        yield topic("m1"), json.dumps(body).encode()


def test_a_full_disk_stops_acknowledging_and_space_lets_it_go_on(small_disk: Path, broker: Broker) -> None:
    home = make_home(small_disk / "home", broker.url)
    store = Store.at(home.catalog)
    register(store, ("m1", "water_meter"))
    command = [sys.executable, "-m", "drava", "--home", str(home.path), "ingest", "--log-json"]
    settings = {"DRAVA_INGEST__MIN_FREE_MB": "0", "DRAVA_INGEST__FLUSH_SECONDS": "0.2", "DRAVA_METRICS__LISTEN": ""}
    env = os.environ | settings
    assert (
        subprocess.run(
            [*command, "--until-idle", "0.1"], cwd=ROOT, env=env, check=False, capture_output=True
        ).returncode
        == 0
    )

    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk)
    ballast.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - 2 * 2**20))
    process = subprocess.Popen([*command, "--until-idle", "4"], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    publisher = threading.Thread(target=publish, args=(messages(),), kwargs={"url": broker.url, "client_id": "gateway"})
    publisher.start()
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "cannot be written" in line or "takes nothing" in line:
            break
    else:
        pytest.fail(f"the disk was never full: {said}")
    publisher.join()
    ballast.unlink()  # now there is space: nobody restarts anything
    _, rest = process.communicate(timeout=150)
    assert process.returncode == 0, rest
    lake = open_snapshot(home.path)
    assert lake.execute("SELECT count(*), count(DISTINCT seq) FROM water_meter_revisions").fetchall() == [
        (MESSAGES, MESSAGES)
    ]
    sheet = lake.execute("SELECT sum(received), sum(stored) + sum(duplicate) FROM balance").fetchall()[0]
    assert sheet[0] == sheet[1] >= MESSAGES
