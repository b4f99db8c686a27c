"""Values that people enter by hand: each with its date, author and source; a later entry corrects, none is lost."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from catalog.store import Store, audit, entered_values, meta
from schemas.clock import micros, moment

VERSION = "entered_version"  # readers publish the small tables anew when it grows


@dataclass(frozen=True)
class Entry:
    """One value of a KPI as it was on a day; None takes back what was entered for that day."""

    kpi: str
    local_date: date
    value: float | None
    author: str
    reference: str  # where the value comes from
    note: str
    entered_at: datetime


def enter(store: Store, entry: Entry) -> Entry | None:
    """Keep an entry, in one transaction with its line of the audit. Gives the one that held for that day before."""
    with store.begin() as db:
        _count(db)
        before = _last(db, entry.kpi, entry.local_date)
        if before and _same(before, entry):
            return before
        row = asdict(entry) | {"entered_at": micros(entry.entered_at)}
        db.execute(entered_values.insert().values(**row))
        detail = {"kpi": entry.kpi, "local_date": entry.local_date.isoformat(), "value": entry.value}
        db.execute(audit.insert().values(at=row["entered_at"], who=entry.author, action="enter", detail=detail))
        return before


def history(store: Store, kpi: str) -> list[Entry]:
    """Everything that was ever entered for a KPI, by day and then by time of entry."""
    query = select(entered_values).where(entered_values.c.kpi == kpi)
    with store.begin() as db:
        rows = db.execute(query.order_by(entered_values.c.local_date, entered_values.c.id)).mappings()
        return [_entry(row) for row in rows]


def _last(db: Connection, kpi: str, day: date) -> Entry | None:
    query = select(entered_values).where(entered_values.c.kpi == kpi, entered_values.c.local_date == day)
    row = db.execute(query.order_by(entered_values.c.id.desc()).limit(1)).mappings().first()
    return _entry(row) if row else None


def _entry(row: Any) -> Entry:
    return Entry(**{name: row[name] for name in row if name not in ("id", "entered_at")} | _when(row))


def _when(row: Any) -> dict[str, datetime]:
    return {"entered_at": moment(row["entered_at"])}


def _same(one: Entry, other: Entry) -> bool:
    """Whether nothing but the time of entry differs."""
    return asdict(one) | {"entered_at": None} == asdict(other) | {"entered_at": None}


def _count(db: Connection) -> None:
    """Readers see that there is something new; two entries at once take turns."""
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    start = insert(meta).values(key=VERSION, value="0")
    db.execute(start.on_conflict_do_update(index_elements=["key"], set_={"value": meta.c.value}))
    version = int(db.execute(select(meta.c.value).where(meta.c.key == VERSION)).scalar_one())
    db.execute(meta.update().where(meta.c.key == VERSION).values(value=str(version + 1)))
