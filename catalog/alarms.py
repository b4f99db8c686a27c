"""Alarms as the catalogue keeps them: one row per condition, revised in one transaction, marked by people."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from catalog.outbox import Letter, post, told
from catalog.store import Store, alarms, audit, meta
from schemas.clock import micros, moment
from schemas.errors import DravaError

_VERSION = "alarms_version"  # readers publish the small tables anew when it grows
_TIMES = ("since", "until", "computed_at", "found_at", "unconfirmed_at")
STATES = ("open", "acknowledged", "closed", "retracted")
HOLDING = ("open", "acknowledged")


@dataclass(frozen=True)
class Alarm:
    """One condition at one place: where, since when, how much, and the numbers that show it."""

    alarm_id: str
    detector: str
    kind: str
    thing_id: str | None
    device_id: str | None
    area_id: str | None
    severity: str
    state: str
    since: datetime
    until: datetime | None
    litres_per_hour: float | None
    volume_m3: float | None
    eur: float | None
    evidence: dict[str, Any]
    snapshot_id: int
    computed_at: datetime
    found_at: datetime | None = None  # when a run first saw it
    cause: str | None = None  # the alarm that explains it
    muted: str | None = None  # why it is kept and not sent
    unconfirmed_at: datetime | None = None  # since when its detector does not look back so far any more

    @property
    def holds(self) -> bool:
        """Whether it goes on, as far as is known."""
        return self.state in HOLDING

    @property
    def subject(self) -> str:
        """What the alarm is about: a thing, a device, or an area."""
        return self.thing_id or self.device_id or self.area_id or ""


Decide = Callable[[Sequence[Alarm]], Sequence[Alarm]]
Announce = Callable[[Sequence[Alarm], Sequence[Alarm], Collection[Letter]], Sequence[Letter]]


@dataclass(frozen=True)
class Past:
    """Events of these detectors that were before a moment: nobody asks for them here any more."""

    detectors: Collection[str]
    before: datetime


def revise(store: Store, decide: Decide, announce: Announce | None = None, past: Past | None = None) -> int:
    """Show `decide` every alarm and write those it gives back (new or changed), all in one transaction.

    Events that are `past` are dropped before.

    What `announce` makes of (known, changed, letters about the changed ones) goes into the outbox in the same
    transaction: an alarm is never written without what is to be told of it. Gives how many alarms were written.
    """
    with store.begin() as db:
        version = _held(db)
        if past:
            over = alarms.c.detector.in_(past.detectors) & (alarms.c.until < micros(past.before))
            db.execute(delete(alarms).where(over))
        known = _all(db)
        changed = decide(known)
        if changed:
            _write(db, changed, version)
            if announce:
                post(db, announce(known, changed, told(db, [alarm.alarm_id for alarm in changed])))
        return len(changed)


def mark(
    store: Store,
    alarm_id: str,
    state: Literal["acknowledged", "closed"],
    *,
    now: datetime,
    who: str,
    announce: Announce | None = None,
) -> Alarm:
    """Write down that a person has seen an alarm, or that it is over. Raises DravaError where it is over already."""
    with store.begin() as db:
        version = _held(db)
        found = next((alarm for alarm in _all(db) if alarm.alarm_id == alarm_id), None)
        if found is None or not found.holds:
            raise DravaError(f"alarm {alarm_id} is not open", "drava alarms list --state open names those that are")
        marked = replace(found, state=state, until=now if state == "closed" else found.until)
        _write(db, [marked], version)
        if announce:
            post(db, announce([found], [marked], told(db, [alarm_id])))
        detail = {"alarm_id": alarm_id, "state": state}
        db.execute(audit.insert().values(at=micros(now), who=who, action="alarm", detail=detail))
        return marked


def _write(db: Connection, changed: Sequence[Alarm], version: int) -> None:
    ids = [alarm.alarm_id for alarm in changed]
    db.execute(delete(alarms).where(alarms.c.alarm_id.in_(ids)))
    db.execute(alarms.insert(), [_row(alarm) for alarm in changed])
    db.execute(meta.update().where(meta.c.key == _VERSION).values(value=str(version + 1)))


def _held(db: Connection) -> int:
    """The version of the alarms. Written first, so that two runs at once take turns."""
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    start = insert(meta).values(key=_VERSION, value="0")
    db.execute(start.on_conflict_do_update(index_elements=["key"], set_={"value": meta.c.value}))
    return int(db.execute(select(meta.c.value).where(meta.c.key == _VERSION)).scalar_one())


def _all(db: Connection) -> list[Alarm]:
    rows = db.execute(select(alarms).order_by(alarms.c.since, alarms.c.alarm_id)).mappings()
    return [Alarm(**{name: _read(name, value) for name, value in row.items()}) for row in rows]


def _read(name: str, value: Any) -> Any:
    return moment(value) if name in _TIMES and value is not None else value


def _row(alarm: Alarm) -> dict[str, Any]:
    return {name: _written(value) for name, value in asdict(alarm).items()}


def _written(value: Any) -> Any:
    return micros(value) if isinstance(value, datetime) else value
