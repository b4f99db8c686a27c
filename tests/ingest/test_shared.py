"""Two receivers on one broker and one home, through a shared subscription: every message once, by one of them."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from catalog.store import Store
from commands.demo.broker import Broker
from devices.publish import publish
from lake.query import open_snapshot
from tests.ingest.feeding import BEGAN, make_home, register, topic

ROOT = Path(__file__).parents[2]
MESSAGES = 4000


def receiver(home: Path, name: str, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "drava", "--home", str(home), "ingest", "--name", name, *options]
    return subprocess.Popen(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin", "DRAVA_METRICS__LISTEN": ""})


def test_a_shared_subscription_feeds_two_journals_and_one_lake_exactly_once(tmp_path: Path, broker: Broker) -> None:
    home = make_home(tmp_path / "home", broker.url)
    toml = home.file.read_text()
    home.file.write_text(toml + 'shared_group = "ingest"\n')
    store = Store.at(home.catalog)
    register(store, *((f"m{n}", "water_meter") for n in range(10)))
    for name in ("one", "two"):  # both sessions stand at the broker before anything is published
        assert receiver(home.path, name, "--until-idle", "0.1").wait(60) == 0

    def messages():
        for n in range(MESSAGES):
            body = {"time": (BEGAN + timedelta(minutes=n)).isoformat(), "seq": n, "volume_total_m3": n / 10}
            yield topic(f"m{n % 10}"), json.dumps(body).encode()

    publish(messages(), url=broker.url, client_id="gateway")
    both = [receiver(home.path, name, "--until-idle", "1") for name in ("one", "two")]
    assert [process.wait(120) for process in both] == [0, 0]
    lake = open_snapshot(home.path)
    assert lake.execute("SELECT count(*), count(DISTINCT seq) FROM water_meter_revisions").fetchall() == [
        (MESSAGES, MESSAGES)
    ]
    shares = lake.execute("SELECT message_id >> 44 AS journal, count(*) FROM raw_messages GROUP BY 1").fetchall()
    assert len(shares) == 2
    assert sum(count for _, count in shares) == MESSAGES
    assert lake.execute("SELECT sum(received), sum(duplicate) FROM balance").fetchall() == [(MESSAGES, 0)]
