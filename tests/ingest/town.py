"""A home and its ingestion as an operator runs it: processes, a real broker, and the balance at the end."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from datetime import timedelta
from pathlib import Path

import psutil
from typer.testing import CliRunner

from catalog.store import Store
from cli import app
from ingest import standing
from ingest.journal import Journal, Reader
from schemas.errors import DravaError
from tests.ingest.feeding import HOUR, NOW, asked, check_balance, make_home, register, topic, z
from tests.ingest.mqttside import session

ROOT = Path(__file__).parents[2]
IDLE = "0.4"
CLIENT = "drava-town"
NEITHER = {"DRAVA_METRICS__LISTEN": ""}


class Town:
    """A home and its ingestion."""

    def __init__(self, path, url, more="", broker=""):  # noqa: D107
        self.url = url
        self.home = make_home(path, broker=url, more=more)
        self.home.file.write_text(f'{self.home.file.read_text()}client_id = "{CLIENT}"\n{broker}')
        store = Store.at(self.home.catalog)
        register(store, *[(f"m{n}", "water_meter") for n in range(20)], ("c1", "waste_container"))
        store.close()

    def command(self, *words, as_of=""):
        before = ["--as-of", as_of] if as_of else []
        return [sys.executable, "-m", "drava", "--home", str(self.home.path), *before, *words]

    def start(self, *, kill_at="", idle=IDLE, as_of="", name="main", depart=False, env=NEITHER):
        words = ["ingest", "--log-json", "--name", name, *(["--until-idle", idle] if idle else [])]
        words += ["--depart"] if depart else []
        more = {"DRAVA_TEST_KILL_AT": kill_at} if kill_at else {}
        return subprocess.Popen(
            self.command(*words, as_of=as_of), cwd=ROOT, env=os.environ | env | more, stderr=subprocess.PIPE, text=True
        )

    def run(self, **how):
        """To its end; gives exit code and what was said."""
        process = self.start(**how)
        _, said = process.communicate(timeout=120)
        return process.returncode, said

    def serve(self, **how):
        """Until told to end; what it says can be waited for."""
        return Service(self.start(idle="", **how), how.get("name", "main"))

    def doctor(self, *words, as_of=""):
        """Findings that are not ok, by check.case."""
        done = CliRunner().invoke(app, self.command("doctor", "--json", *words, as_of=as_of)[3:])
        found = json.loads(done.stdout)
        return {f"{f['check']}.{f['case']}": f["what"] for f in found if f["level"] != "ok"}

    def subscribe(self, name=CLIENT):
        """From now on the broker queues for us: as the first start does, without its processes."""

        async def once():
            async with session(self.url, self.home.path, name):
                pass

        asyncio.run(once())

    def sql(self, query):
        return asked(self.home.path, query)

    def check(self, readings):
        """Each reading once, both sheets add up, nothing held."""
        assert self.sql("SELECT count(*), count(DISTINCT seq), max(seq) FROM water_meter_revisions") == [
            (readings, readings, readings - 1)
        ]
        self.check_balance()
        assert self.sql("SELECT count(*) FROM quarantine") == [(0,)]
        Reader(self.home.journal / "main").verify()

    def check_balance(self, *names):
        messages = 0
        for name in names or ("main",):
            with contextlib.closing(Journal(self.home.journal / name)) as journal:
                messages += journal.messages
        check_balance(self.home.path, messages)

    def committed(self):
        """Readings that SQL sees now."""
        with contextlib.suppress(Exception):  # before the first commit there is no such table
            return self.sql("SELECT count(*) FROM water_meter")[0][0]
        return 0

    def waiting(self):
        """Messages in the journal."""
        with contextlib.suppress(DravaError):  # none before the first start
            return Reader(self.home.journal / "main").waiting(0)[0]
        return 0


class Service:
    """A running `drava ingest --log-json`."""

    def __init__(self, process, name):  # noqa: D107
        self.process = process
        self.name = name
        self.said = deque()
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._more:
                self.said.append(json.loads(line))
                self._more.notify_all()

    def hear(self, word, times=1, seconds=60):
        """Wait until something was said with this word in it, so many times; gives the line."""
        found = []

        def there():
            found[:] = [line for line in self.said if word in line["message"]]
            return len(found) >= times or self.process.poll() is not None

        with self._more:
            self._more.wait_for(there, seconds)
        assert len(found) >= times, list(self.said)
        return found[-1]

    def writer(self):
        """The process id of the writer."""
        wait_for(lambda: psutil.Process(self.process.pid).children())
        return psutil.Process(self.process.pid).children()[0]

    def standing(self, town):
        """What it has written down about itself."""
        return standing.read(town.home, self.name)

    def end(self):
        """Ends in order; gives the exit code."""
        self.process.terminate()
        code = self.process.wait(60)
        self._reader.join()
        return code

    def __enter__(self):  # noqa: D105
        return self

    def __exit__(self, *_):  # noqa: D105
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def readings(count, first=0):
    """Messages of 20 meters, each with its number as seq."""
    start = NOW - 20 * HOUR
    for n in range(first, first + count):
        body = {"time": z(start + timedelta(milliseconds=n)), "seq": n, "volume_total_m3": n / 100}
        yield topic(f"m{n % 20}"), body


def wait_for(condition, seconds=60.0):
    """Until something in another process has come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
