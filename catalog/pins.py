"""Snapshots that stay however old they become, because something that was given away was computed from them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from catalog.store import Store, audit, held, pins, snapshots
from schemas.clock import micros, moment
from schemas.errors import DravaError


@dataclass(frozen=True)
class Pin:
    """Why a snapshot stays."""

    pin: int
    snapshot_id: int
    snapshot_at: datetime | None  # None: it is not there any more, as after a restore
    why: str
    who: str
    at: datetime


def pin(store: Store, snapshot_id: int, why: str, *, who: str, now: datetime) -> int:
    """Keep a snapshot and give the pin's number. Raises DravaError where the snapshot is not kept any more."""
    row = {"snapshot_id": snapshot_id, "why": why, "who": who, "at": micros(now)}
    with store.begin() as db:
        made = db.execute(pins.insert().values(**row))
        if db.execute(select(snapshots.c.id).where(snapshots.c.id == snapshot_id)).first() is None:
            raise DravaError(f"there is no snapshot {snapshot_id}", "drava lake info shows the newest")
        db.execute(audit.insert().values(at=micros(now), who=who, action="pin", detail=row))
        key = made.inserted_primary_key
        return int(key[0]) if key else 0


def unpin(store: Store, number: int, *, who: str, now: datetime) -> None:
    """Let a pin go; the snapshot goes with the next sweep, if it is old and nothing else pins it. Raises DravaError."""
    with store.begin() as db:
        if not db.execute(delete(pins).where(pins.c.id == number)).rowcount:
            raise DravaError(f"there is no pin {number}", "drava lake pins lists them")
        db.execute(audit.insert().values(at=micros(now), who=who, action="unpin", detail={"pin": number}))


def listed(store: Store) -> list[Pin]:
    """Every pin, in their order."""
    query = select(pins, snapshots.c.created_at).outerjoin(snapshots, snapshots.c.id == pins.c.snapshot_id)
    with store.begin() as db:
        return [
            Pin(
                row.id,
                row.snapshot_id,
                None if row.created_at is None else moment(row.created_at),
                row.why,
                row.who,
                moment(row.at),
            )
            for row in db.execute(query.order_by(pins.c.id))
        ]


def pinned(store: Store) -> frozenset[int]:
    """The snapshots that stay."""
    with store.begin() as db:
        return frozenset(db.execute(select(pins.c.snapshot_id)).scalars())


def hold(store: Store, snapshot_id: int, body: Mapping[str, Any]) -> None:
    """Write down what a pinned snapshot consists of, files and all: the logs of its tables may go now."""
    with store.begin() as db:
        db.execute(delete(held).where(held.c.snapshot_id == snapshot_id))
        db.execute(held.insert().values(snapshot_id=snapshot_id, body=json.dumps(body)))


def holding(store: Store) -> dict[int, dict[str, Any]]:
    """What is written down of pinned snapshots; of those that nothing pins any more it is struck out."""
    with store.begin() as db:
        db.execute(delete(held).where(held.c.snapshot_id.not_in(select(pins.c.snapshot_id))))
        return {row.snapshot_id: json.loads(row.body) for row in db.execute(select(held))}
