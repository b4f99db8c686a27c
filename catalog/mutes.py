"""Maintenance windows: who said that alarms of a place are to be expected, from when until when, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from catalog.store import Store, audit, mutes
from schemas.clock import micros, moment
from schemas.errors import DravaError


@dataclass(frozen=True)
class Mute:
    """One window, half open. What is None is not asked; `detector` is an id, its last word, or an area's `water.*`."""

    id: int
    area_id: str | None
    thing_id: str | None
    detector: str | None
    since: datetime
    until: datetime
    reason: str
    who: str


def mute(store: Store, window: Mute, now: datetime) -> Mute:
    """Write down a window; its id is given by the catalogue. Raises DravaError where it is none."""
    if not (window.area_id or window.thing_id or window.detector):
        raise DravaError("a maintenance window needs a place or a detector", "Say --area, --thing or --detector")
    if window.until <= window.since:
        raise DravaError("a maintenance window ends after it begins", "Mend --from and --until")
    row = {name: _written(value) for name, value in asdict(window).items() if name != "id"}
    with store.begin() as db:
        (number,) = db.execute(mutes.insert().values(**row)).inserted_primary_key or (0,)
        db.execute(audit.insert().values(at=micros(now), who=window.who, action="mute", detail=row | {"id": number}))
    return Mute(**{**asdict(window), "id": number})


def unmute(store: Store, number: int, *, now: datetime, who: str) -> None:
    """End a window now. Raises DravaError where there is none that goes on or is to come."""
    with store.begin() as db:
        lasting = (mutes.c.id == number) & (mutes.c.until > micros(now))
        since = db.execute(select(mutes.c.since).where(lasting)).scalar()
        if since is None:
            raise DravaError(f"there is no maintenance window {number} to end", "drava alarms mutes lists them")
        end = max(micros(now), int(since))  # one that has not begun never will
        db.execute(mutes.update().where(mutes.c.id == number).values(until=end))
        db.execute(audit.insert().values(at=micros(now), who=who, action="unmute", detail={"id": number}))


def windows(store: Store) -> Sequence[Mute]:
    """Every window, in the order in which they were said."""
    with store.begin() as db:
        return [Mute(**_read(row)) for row in db.execute(select(mutes).order_by(mutes.c.id)).mappings()]


def _read(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: moment(value) if name in ("since", "until") else value for name, value in row.items()}


def _written(value: Any) -> Any:
    return micros(value) if isinstance(value, datetime) else value
