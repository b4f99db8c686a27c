"""A home fed without a broker: registry, a journal written by hand, the real writer, the real lake."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from catalog.imports import import_registrations
from catalog.store import Store
from devices.registry import Registration
from ingest.journal import MESSAGES, Journal, Reader
from ingest.writer import Writer
from lake.commit import Lake, micros
from lake.query import mentioned, open_snapshot
from schemas.settings import FOLDERS, FORMAT, Home

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
TOWN = "ptuj"
READING_SHEET = ("stored", "completed", "revised", "duplicate", "readings_quarantined", "too_old")
MESSAGE_SHEET = ("decoded", "housekeeping", "quarantined")


def make_home(path: Path, broker: str = "mqtt://127.0.0.1:1883", more: str = "") -> Home:
    """The folders and settings that `drava init` makes."""
    for name, mode in FOLDERS.items():
        (path / name).mkdir(mode=mode, parents=True)
    (path / "format").write_text(f"{FORMAT}\n")
    (path / "drava.toml").write_text(f'municipality = "{TOWN}"\nlang = "en"\n{more}\n[broker]\nurl = "{broker}"\n')
    return Home(path)


def register(store: Store, *devices: tuple[str, str], **facts: Any) -> None:
    """Put (device, family) pairs into the registry, each with a thing of its own."""
    since = micros(facts.pop("since", BEGAN))
    rows = [
        Registration(device_id=device, family=family, thing_id=f"t-{device}", valid_from=since, **facts)
        for device, family in devices
    ]
    assert not import_registrations(store, rows, now=NOW).problems


def topic(device: str, family: str = "water_meter") -> str:
    return f"{TOWN}/{family}/{device}/telemetry"


class Feed:
    """Messages go in at the journal; what the lake shows comes out as SQL sees it."""

    def __init__(self, path: Path, journal: str = "main", more: str = "") -> None:  # noqa: D107
        self.home = Home(path) if (path / "drava.toml").exists() else make_home(path, more=more)
        self.now = NOW
        self.store = Store.at(self.home.catalog)
        self.journal = Journal(self.home.journal / journal)
        self.waiting: list[tuple[Any, ...]] = []
        self.restart()

    def restart(self) -> None:
        """A new writer process, as far as memory goes."""
        self.lake = Lake(self.home, self.store, lambda: self.now)
        self.writer = Writer(self.home, self.store, self.lake, lambda: self.now)
        self.reader = Reader(self.journal.folder)

    def register(self, *devices: tuple[str, str], **facts: Any) -> None:
        register(self.store, *devices, **facts)

    def say(
        self,
        where: str,
        payload: Any,
        *,
        at: datetime | None = None,
        qos: int = 1,
        retain: bool = False,
        duplicate: bool = False,
    ) -> None:
        """A message arrives. `payload` is bytes as they came, or what JSON shall carry."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.waiting.append((micros(at or self.now), where, body, qos, retain, duplicate))

    def journalled(self) -> None:
        """Put what arrived into the journal."""
        if self.waiting:
            columns = [
                pa.array(list(c), f.type) for c, f in zip(zip(*self.waiting, strict=True), MESSAGES, strict=True)
            ]
            self.journal.append([(pa.record_batch(columns, schema=MESSAGES), self.waiting[0][0])])
            self.waiting = []

    def commit(self) -> Counter[str]:
        """Journal and commit all that waits; gives the counts."""
        self.journalled()
        total: Counter[str] = Counter()
        while counts := self.writer.commit_from(self.reader, 50_000):
            counts.pop("row")
            total.update(counts)
        return total

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the newest snapshot."""
        return asked(self.home.path, query)

    def quarantined(self) -> dict[str, int]:
        """How much is held, by reason."""
        return dict(self.sql("SELECT reason, CAST(sum(count) AS BIGINT) FROM quarantine GROUP BY reason"))

    def check(self) -> None:
        """Both sheets add up, and tables hold what the sheets say."""
        check_balance(self.home.path, self.journal.messages)


def asked(home: Path, query: str) -> list[tuple[Any, ...]]:
    """The answer of the newest snapshot, opened as `drava sql` opens it: for what the question names."""
    with open_snapshot(home, tables=mentioned(query), limited=False) as lake:
        return lake.execute(query).fetchall()


def check_balance(home: Path, messages: int) -> None:
    """Every message is in raw and on the sheet exactly once; both sheets add up; the tables hold what they say."""
    stored = [f"{name}_revisions" for name in families_stored(home)]
    with open_snapshot(home, tables=["balance", "raw_messages", "quarantine", *stored], limited=False) as lake:
        names = ("received", "readings", *MESSAGE_SHEET, *READING_SHEET)
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
        sheet = dict(zip(names, lake.execute(f"SELECT {sums} FROM balance").fetchall()[0], strict=True))
        assert sheet["received"] == messages
        assert sum(sheet[name] for name in MESSAGE_SHEET) == messages
        assert sum(sheet[name] for name in READING_SHEET) == sheet["readings"]
        raw = lake.execute("SELECT count(*), count(DISTINCT message_id) FROM raw_messages").fetchall()[0]
        assert raw == (messages, messages)
        held = lake.execute("SELECT coalesce(sum(count), 0) FROM quarantine").fetchall()[0][0]
        assert held == sheet["quarantined"] + sheet["readings_quarantined"]
        parts = " UNION ALL ".join(f"SELECT count(*) AS n FROM {name}" for name in stored)
        rows = lake.execute(f"SELECT sum(n) FROM ({parts})").fetchall()[0][0] if parts else 0
        assert rows == sheet["stored"] + sheet["completed"] + sheet["revised"]


def families_stored(home: Path) -> list[str]:
    """Families that have a table."""
    folders = (path.name for path in (home / "lake").iterdir() if path.is_dir())
    return sorted(set(folders) - {"raw_messages", "quarantine", "balance", "indicator_values"})


def view(feed: Feed, family: str, columns: Iterable[str] | None = None) -> list[tuple[Any, ...]]:
    """The readings as SQL sees them, without what arrival alone decides."""
    arrival = "received_at, ingested_at, message_id, revision"
    chosen = ", ".join(columns) if columns else f"* EXCLUDE ({arrival})"
    return feed.sql(f"SELECT {chosen} FROM {family} ORDER BY ALL")


def multiset(frame: pl.DataFrame) -> tuple[int, int]:
    """Count and order-independent hash of rows."""
    return frame.height, int(frame.hash_rows(seed=7).cast(pl.UInt64).sum() or 0) if frame.height else 0


def z(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


HOUR = timedelta(hours=1)
CENT = Decimal("0.01")
