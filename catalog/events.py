"""What was noticed of the shape of arriving data, once each: an integer for a number, a text for a number, a unit."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from catalog.store import Store, schema_events

Event = tuple[str, str, str]
"""Family, kind of event, detail."""


def known(store: Store) -> set[Event]:
    """Every event that is written down."""
    columns = (schema_events.c.family, schema_events.c.event, schema_events.c.detail)
    with store.begin() as db:
        return {(row[0], row[1], row[2]) for row in db.execute(select(*columns))}


def add(store: Store, events: Iterable[Event], at: int) -> None:
    """Write events down; `at` in µs since 1970."""
    rows = [{"at": at, "family": f, "event": e, "detail": d} for f, e, d in sorted(events)]
    if rows:
        with store.begin() as db:
            db.execute(schema_events.insert(), rows)


def listed(store: Store) -> list[dict[str, Any]]:
    """Events in the order in which they were noticed."""
    columns = [schema_events.c[name] for name in ("at", "family", "event", "detail")]
    with store.begin() as db:
        return [dict(row) for row in db.execute(select(*columns).order_by(schema_events.c.id)).mappings()]
