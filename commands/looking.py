"""One look of detectors at a snapshot: conditions, alarms, and the letters about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from polars.exceptions import PolarsError

from catalog.alarms import Alarm, Past, revise
from catalog.mutes import windows
from catalog.store import Store
from indicators.alarms import KEPT, Look, settle
from indicators.detect import FINDINGS, run_detectors
from indicators.header import Pack
from indicators.notify import Herald
from indicators.places import TABLES, Places
from indicators.thresholds import detectors, strangers
from lake.query import clear_errors, needed, open_found
from lake.snapshot import Snapshot
from schemas.errors import DravaError
from schemas.settings import Home
from schemas.vocabulary import families

# What a fault of one detector, in SQL or in its method, may raise: the others are to look all the same.
FAULTS = (DravaError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, PolarsError)


@dataclass(frozen=True)
class Seen:
    """What a look has found and changed; `news` are new or in another state, `failed` could not look, and why."""

    found: int
    changed: Sequence[Alarm]
    news: Sequence[Alarm]
    failed: dict[str, str]
    strange: Sequence[str] = ()  # places in rules that nobody knows


def look(home: Home, store: Store, snapshot: Snapshot, as_of: datetime, ids: list[str]) -> Seen:
    """Run these detectors over a snapshot; write the alarms that are new or changed, and what is to be told of them."""
    findings, places, failed = _findings(home, snapshot, as_of, ids)
    packs = {pack.id: pack for pack in detectors(home.settings)}
    seen = Look(as_of, snapshot.id, frozenset(ids) - set(failed), packs, places, windows(store))
    herald = Herald(home.settings, packs, as_of, places)
    changed: list[Alarm] = []
    news: list[Alarm] = []

    def decide(known: Sequence[Alarm]) -> list[Alarm]:
        before = {alarm.alarm_id: alarm.state for alarm in known}
        changed[:] = settle(known, findings, seen)
        news[:] = [alarm for alarm in changed if before.get(alarm.alarm_id) != alarm.state]
        return changed

    events = [name for name, pack in packs.items() if pack.event]
    revise(store, decide, herald.announce, Past(events, as_of - KEPT))
    return Seen(findings.num_rows, changed, news, failed, strangers(home.settings, places))


def _findings(
    home: Home, snapshot: Snapshot, as_of: datetime, ids: list[str]
) -> tuple[pa.Table, Places, dict[str, str]]:
    """What the detectors find. One that cannot look keeps no other from looking."""
    packs = detectors(home.settings, ids) if ids else []
    with open_found(home.path, snapshot, settings=home.settings, tables=_read(packs), limited=False) as connection:
        places = Places.read(connection)

        def found(wanted: list[str]) -> pa.Table:
            with clear_errors():
                return run_detectors(connection, as_of=as_of, settings=home.settings, ids=wanted, cache=home.cache)

        try:
            return (found(ids) if ids else FINDINGS.empty_table()), places, {}
        except FAULTS as error:
            if len(ids) == 1:
                return FINDINGS.empty_table(), places, {ids[0]: f"{type(error).__name__}: {error}"}
        tables, failed = [FINDINGS.empty_table()], {}
        for one in ids:
            try:
                tables.append(found([one]))
            except FAULTS as error:
                failed[one] = f"{type(error).__name__}: {error}"
        return pa.concat_tables(tables), places, failed


def _read(packs: Sequence[Pack]) -> set[str]:
    """The tables of the snapshot that these detectors read: others are not even opened."""
    named = {name for pack in packs for name in pack.reads}
    return named | set(TABLES) | (set(families()) if "heard" in needed(named) else set())
