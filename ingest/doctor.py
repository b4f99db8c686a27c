"""`drava doctor` from beginning to end: the surroundings first, then journals, commits, lake and balance."""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from catalog import outbox, plans
from catalog.store import Store
from ingest import standing, surroundings
from ingest.health import Finding, Level, Say
from ingest.journal import Reader
from ingest.reconcile import Moment, Reckoning, moment, reckon
from ingest.standing import Standing, shown
from lake.commit import Lake
from lake.snapshot import files_of
from schemas import clock
from schemas.errors import DravaError
from schemas.settings import Home

GAPS_SHOWN = timedelta(days=7)
STUCK_SECONDS = 300  # a commit that takes so long is stuck
UNSENT_HOURS = 2  # an end is told an hour after it
ATTEMPTS = 3
RUNNING = {"sl": ("sprejem teče", "sprejem ne teče"), "en": ("its receiver runs", "no receiver runs")}


def examine(home: Home, store: Store, lake: Lake, now: datetime, conf: Path | None = None) -> Iterator[Finding]:
    """Look at everything, one finding after the other. `conf`: the configuration of the broker, if it is Mosquitto."""
    say = Say(home.settings.lang)
    yield from surroundings.settings(home, say)
    yield from surroundings.permissions(home, say)
    yield from surroundings.disk(home, say)
    yield from surroundings.versions(say)
    yield from surroundings.encryption(home, say)
    readers = list(_readers(home))
    newest = _newest(store, readers)
    yield from surroundings.clock(home, say, now, newest)
    yield from surroundings.broker(home, say, (now - newest).total_seconds() / 3600 if newest else None)
    for reader in readers:
        yield from _journal(home, say, store, reader, now)
    if not readers:
        yield say("journal.none")
    yield from _sessions(home, say, now)
    yield from _plan(home, say, store)
    yield from _messages(home, say, store, now)
    try:
        state = moment(home, store, lake)  # completes what a crash left behind
    except OSError as error:  # of a disk that cannot be written, which is named above
        yield say("lake.unwritable", what=str(error))
        return
    seen = list(_lake(home, say, store, state))
    yield from seen
    try:
        found = reckon(home, state, now)
    except (DravaError, OSError, pa.ArrowInvalid) as error:  # of damage that was named above, mostly
        if all(finding.level is Level.OK for finding in seen):
            yield say("lake.unreadable", what=str(error))
        return
    yield from _balance(say, found)
    yield from surroundings.queued(home, say, conf, found.busiest_day / 24)


def _readers(home: Home) -> Iterator[Path]:
    if home.journal.is_dir():
        yield from sorted(path for path in home.journal.iterdir() if path.is_dir() and any(path.glob("*.sqlite")))


def _newest(store: Store, journals: list[Path]) -> datetime | None:
    """When the last message was received, as far as journals and lake tell."""
    found = [row.created_at] if (row := plans.latest(store)) else []
    for folder in journals:
        try:
            last = Reader(folder).newest()
        except (DravaError, sqlite3.Error):  # said when the journal itself is looked at
            continue
        found += [last] if last is not None else []
    return clock.moment(max(found)) if found else None


def _journal(home: Home, say: Say, store: Store, folder: Path, now: datetime) -> Iterator[Finding]:
    name = folder.relative_to(home.path)
    try:
        rows, waiting, oldest = _looked_through(store, folder)
    except (DravaError, sqlite3.Error) as error:
        yield say("journal.broken", name=name, what=getattr(error, "what", str(error)))
        return
    age = (clock.micros(now) - oldest) / 1e6 if oldest is not None else 0.0
    running = _locked(folder / ".lock")
    if running and age > max(STUCK_SECONDS, 10 * home.settings.ingest.flush_seconds):
        yield say("journal.stuck", name=name, waiting=waiting, minutes=age / 60)
    elif waiting and not running:
        yield say("journal.left", name=name, waiting=waiting)
    else:
        told = RUNNING[home.settings.lang][0 if running else 1]
        yield say("journal.ok", name=name, rows=rows, waiting=waiting, running=told)


def _sessions(home: Home, say: Say, now: datetime) -> Iterator[Finding]:
    """How each receiver stands with the broker, by its own words: what ails it, and what may be lost."""
    receivers = standing.every(home)
    if not receivers:
        yield say("session.none")
    for name, found in receivers.items():
        ails = list(_ails(say, name, found, running=_locked(home.journal / name / ".lock")))
        since = clock.micros(now - GAPS_SHOWN)
        for gap in (gap for gap in found.gaps if gap.until >= since):
            span = {"since": shown(gap.since), "until": shown(gap.until), "days": GAPS_SHOWN.days}
            ails.append(say("session.gap", name=name, what=gap.text[home.settings.lang], **span))
        yield from ails or [say("session.ok", name=name, client=found.client_id, seen=shown(found.seen))]


def _ails(say: Say, name: str, found: Standing, *, running: bool) -> Iterator[Finding]:
    if not running:
        if found.ended:
            yield say("session.ended", name=name, what=found.ended)
        return
    if found.refusing:
        yield say("session.refusing", name=name, what=found.refusing)
    if found.trouble:
        yield say("session.trouble", name=name, what=found.trouble)


def _looked_through(store: Store, folder: Path) -> tuple[int, int, int | None]:
    """Rows verified, messages waiting, the oldest of them (µs)."""
    for _ in range(ATTEMPTS):
        reader = Reader(folder)
        with suppress(sqlite3.OperationalError):  # a published segment may be deleted while we read it
            rows = reader.verify()
            return rows, *reader.waiting(plans.position(store, reader.uuid).row)
    raise DravaError(f"{folder} cannot be opened", "Check its permissions")


def _locked(path: Path) -> bool:
    """Whether a process holds this lock."""
    if not path.exists():
        return False
    handle = os.open(path, os.O_RDONLY)  # also of a disk that is read-only
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _plan(home: Home, say: Say, store: Store) -> Iterator[Finding]:
    plan = plans.pending(store)
    if plan is None:
        yield say("plan.ok")
    elif _locked(home.lake / ".lock"):
        yield say("plan.running")
    else:
        yield say("plan.unfinished", number=plan.id, kind=plan.kind)


def _messages(home: Home, say: Say, store: Store, now: datetime) -> Iterator[Finding]:
    counted = outbox.counted(store)
    waiting, oldest = counted.get("waiting", (0, now))
    failed, _ = counted.get("failed", (0, now))
    hours = (now - oldest).total_seconds() / 3600
    if failed:
        yield say("messages.failed", failed=failed)
    if waiting and hours > UNSENT_HOURS:
        yield say("messages.stuck", waiting=waiting, hours=hours)
    elif not failed:
        sent, _ = counted.get("sent", (0, now))
        yield say("messages.ok", sent=sent, waiting=waiting) if home.settings.recipient else say("messages.none")


def _lake(home: Home, say: Say, store: Store, state: Moment) -> Iterator[Finding]:
    """The Delta logs of the snapshot can be read, and their files are there with the size they had."""
    newest = plans.latest(store)
    if newest is not None and newest.id > state.snapshot.id + 1:  # one may have come since
        yield say("lake.snapshot", shown=state.snapshot.id, newest=newest.id)
    count = size = 0
    found = []
    for table, version in state.snapshot.tables.items():
        log = home.lake / table / "_delta_log" / f"{version:020d}.json"
        if not _parses(log):
            found.append(say("lake.log", log=log))
            continue
        try:
            files = files_of(home.path, state.snapshot, table)
        except DravaError as error:
            found.append(say("lake.unreadable", what=error.what))
            continue
        count, size = count + len(files), size + sum(file.size for file in files)
        bad = [file.path for file in files if not _there(Path(file.path), file.size)]
        if bad:
            found.append(say("lake.files", table=table, count=len(bad), first=bad[0]))
    whole = {"tables": len(state.snapshot.tables), "snapshot": state.snapshot.id, "files": count, "bytes": size}
    yield from found or [say("lake.ok", **whole)]


def _parses(log: Path) -> bool:
    """Whether an entry of a Delta log says something; an old one may be in a checkpoint only."""
    try:
        return all(isinstance(json.loads(line), dict) for line in log.read_bytes().splitlines() or [b""])
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False


def _there(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _balance(say: Say, found: Reckoning) -> Iterator[Finding]:
    if found.wrong:
        yield say("balance.rows", count=len(found.wrong))
    for check in found.checks:
        if not check.agrees:
            yield say("balance.difference", what=check.what.to(say.lang), left=check.left, right=check.right)
    if found.adds_up:
        yield say("balance.ok", received=found.total["received"], readings=found.total["readings"])
