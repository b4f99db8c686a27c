"""`drava alarms watch`: urgent detectors after each commit, and letters; a process of its own beside ingestion."""

import json
import signal
import sys
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from catalog import outbox
from catalog.outbox import Letter
from catalog.store import UNUSABLE, Store
from commands.context import Context, context
from commands.looking import look
from commands.posting import Post
from indicators.places import TABLES
from indicators.thresholds import detectors
from lake.commit import refresh
from lake.query import needed
from lake.snapshot import Snapshot, find
from schemas.errors import DravaError
from schemas.settings import Home

LOOK_SECONDS = 0.5  # between two looks at one small file
REST = 4  # a look is followed by a rest so many times as long, so that it never takes more than a fifth of a core
LONGEST_REST = 20.0  # seconds
FAULT_REST = 5.0  # after a look that failed
SEND_SECONDS = 30.0  # what another process put into the outbox is seen so soon at the latest


def watch(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Look once, send what is due, and end.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log lines as JSON.")] = False,
) -> None:
    """Look for what is urgent after each commit, and send what is to be told, until SIGTERM."""
    run = context(ctx)
    watcher = Watch(run, run.home, run.store, log_json=log_json)
    if once:
        watcher.step()
        watcher.send()
        return
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: watcher.stop.set())
    watcher.run()


@dataclass
class Watch:
    """The loop: what was seen last, and the sender beside it."""

    shared: Context
    home: Home
    store: Store
    log_json: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    _letters: threading.Event = field(default_factory=threading.Event)
    _seen: Hashable = None
    _files: Hashable = None

    def run(self) -> None:
        """Look and send until told to stop."""
        self.say("watching", f"urgent detectors: {', '.join(self._urgent()) or 'none'}")
        sender = threading.Thread(target=self._sending, name="sender")
        sender.start()
        try:
            while not self.stop.is_set():
                self.stop.wait(self._looked())
        finally:
            self.stop.set()
            self._letters.set()
            sender.join()

    def step(self) -> None:
        """Look at the newest snapshot, where it holds something that urgent detectors have not seen."""
        snapshot = find(self.home.path)
        urgent = self._urgent()
        state = _state(snapshot, self.home, urgent)
        if state == self._seen or not urgent:
            return
        seen = look(self.home, self.store, snapshot, self.shared.now(), urgent)
        self._seen = state
        if seen.changed:
            self._letters.set()
            refresh(self.home, self.store, self.shared.clock)
        for alarm in seen.news:
            self.say("alarm", f"{alarm.state} {alarm.detector} {alarm.subject}", alarm_id=alarm.alarm_id)
        for name, why in seen.failed.items():
            self.say("fault", f"{name} could not look: {why}")

    def send(self) -> int:
        """Send what is due; gives how many letters were delivered."""
        return Post(self.home, self.store, self.shared.clock, self._posted).send_due()

    def say(self, event: str, line: str, **facts: str) -> None:
        """One line to the log."""
        moment = self.shared.now().isoformat(timespec="milliseconds")
        if self.log_json:
            line = json.dumps({"time": moment, "event": event, "message": line, **facts}, ensure_ascii=False)
        else:
            line = f"{moment} {event}: {line}{''.join(f' {value}' for value in facts.values())}"
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def _posted(self, state: str, letter: Letter, why: str) -> None:
        self.say(
            state, f"{letter.event} to {letter.recipient}{f': {why}' if why else ''}", message_id=letter.message_id
        )

    def _looked(self) -> float:
        """Look where there is something new; gives for how long to rest."""
        files = _stamps(self.home.published / "current.json", self.home.file)
        if files == self._files:
            return LOOK_SECONDS
        begun = time.monotonic()
        try:
            self._reload(files)
            self.step()
            self._files = files
        except (DravaError, OSError, UNUSABLE) as error:
            self.say("fault", str(getattr(error, "orig", error)))
            return FAULT_REST
        self._letters.set()  # another process may have written some
        return min(max(LOOK_SECONDS, REST * (time.monotonic() - begun)), LONGEST_REST)

    def _reload(self, files: tuple[object, ...]) -> None:
        """Take changed settings as they are now: thresholds, recipients, servers."""
        if isinstance(self._files, tuple) and self._files[1] != files[1]:
            self.home = Home(self.home.path)
            self._seen = None

    def _urgent(self) -> list[str]:
        return [pack.id for pack in detectors(self.home.settings) if pack.cadence == "commit"]

    def _sending(self) -> None:
        while not self.stop.is_set():
            self._letters.wait(self._until_due())
            self._letters.clear()
            try:
                self.send()
            except (DravaError, OSError, UNUSABLE) as error:
                self.say("fault", str(getattr(error, "orig", error)))
                self.stop.wait(LOOK_SECONDS)

    def _until_due(self) -> float:
        try:
            due = outbox.next_due(self.store)
        except UNUSABLE:
            return SEND_SECONDS
        wait = SEND_SECONDS if due is None else (due - self.shared.now()).total_seconds()
        return min(max(wait, 0.05), SEND_SECONDS)


def _stamps(*files: Path) -> tuple[object, ...]:
    """What tells a file from what replaced it."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _state(snapshot: Snapshot, home: Home, urgent: list[str]) -> Hashable:
    """The versions of what the urgent detectors read: a commit of other families is no news to them."""
    packs = [pack for pack in detectors(home.settings) if pack.id in urgent]
    names = needed({name for pack in packs for name in pack.reads}) | set(TABLES)
    tables = {name: version for name, version in snapshot.tables.items() if name in names}
    small = {name: file for name, file in snapshot.small.items() if name in names}
    return (tuple(sorted(tables.items())), tuple(sorted(small.items())))
