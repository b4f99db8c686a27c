"""What is to be told to whom: written with the change that it tells of, taken out only when it was delivered.

A letter is written exactly once, in the transaction of the change. It is delivered at least once: where the process or
the network dies between the receiver's word and ours, it is sent again with the same message id, and no other text.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, select

from catalog.store import Store, outbox
from schemas.clock import micros, moment

Event = Literal["new", "again", "over", "retracted", "list"]
State = Literal["waiting", "sent", "failed", "dropped", "joined"]
KEPT = timedelta(days=400)  # how long it can be seen what was told
_TIMES = ("next_at", "made_at", "done_at")


@dataclass(frozen=True)
class Letter:
    """One message to one recipient. `body` is what the recipient's channel needs, already written."""

    message_id: str
    about: str
    recipient: str
    number: int
    event: Event
    body: Mapping[str, Any]
    made_at: datetime
    next_at: datetime
    state: State = "waiting"
    attempts: int = 0
    done_at: datetime | None = None
    error: str | None = None


def told(db: Connection, about: Collection[str]) -> list[Letter]:
    """Every letter about these, in the order in which they were written."""
    query = select(outbox).where(outbox.c.about.in_(about)).order_by(outbox.c.made_at, outbox.c.number)
    return _letters(db, query)


def post(db: Connection, letters: Iterable[Letter]) -> None:
    """Write letters. One that is known by its message id is written over: only `announce` changes what waits."""
    rows = [_row(letter) for letter in letters]
    if rows:
        db.execute(delete(outbox).where(outbox.c.message_id.in_([row["message_id"] for row in rows])))
        db.execute(outbox.insert(), rows)


def post_new(store: Store, letters: Sequence[Letter]) -> list[Letter]:
    """Write those letters that were never written; gives them."""
    with store.begin() as db:
        ids = [letter.message_id for letter in letters]
        known = set(db.execute(select(outbox.c.message_id).where(outbox.c.message_id.in_(ids))).scalars())
        fresh = [letter for letter in letters if letter.message_id not in known]
        post(db, fresh)
        return fresh


def due(store: Store, now: datetime) -> list[Letter]:
    """Letters whose time has come, the oldest first; of those about one thing to one recipient only the first."""
    return [letter for letter in _first(store) if letter.next_at <= now]


def next_due(store: Store) -> datetime | None:
    """When the next letter may be sent; None where none waits."""
    return min((letter.next_at for letter in _first(store)), default=None)


def _first(store: Store) -> list[Letter]:
    """Of what waits the first about each thing to each recipient: news of an end never comes before the news."""
    with store.begin() as db:
        query = select(outbox).where(outbox.c.state == "waiting").order_by(outbox.c.made_at, outbox.c.number)
        found = _letters(db, query)
    first: dict[tuple[str, str], Letter] = {}
    for letter in found:
        first.setdefault((letter.about, letter.recipient), letter)
    return list(first.values())


def done(store: Store, letter: Letter, state: State, now: datetime, error: str | None = None) -> None:
    """Write down what became of a letter."""
    _update(store, replace(letter, state=state, attempts=letter.attempts + 1, done_at=now, error=error))


def postpone(store: Store, letter: Letter, until: datetime, error: str) -> None:
    """Write down that a letter could not be delivered now."""
    _update(store, replace(letter, attempts=letter.attempts + 1, next_at=until, error=error))


def again(store: Store, now: datetime, message_id: str | None = None) -> int:
    """Let letters that were given up wait again, from now on; gives how many."""
    which = outbox.c.state == "failed"
    which = which if message_id is None else which & (outbox.c.message_id == message_id)
    with store.begin() as db:
        values = {"state": "waiting", "attempts": 0, "next_at": micros(now), "made_at": micros(now), "done_at": None}
        return db.execute(outbox.update().where(which).values(**values)).rowcount


def listed(store: Store, most: int) -> list[Letter]:
    """The newest letters, the newest first."""
    with store.begin() as db:
        return _letters(db, select(outbox).order_by(outbox.c.made_at.desc(), outbox.c.message_id).limit(most))


def counted(store: Store) -> dict[str, tuple[int, datetime]]:
    """How many letters are in each state, and the oldest of them."""
    query = select(outbox.c.state, func.count(), func.min(outbox.c.made_at)).group_by(outbox.c.state)
    with store.begin() as db:
        return {state: (count, moment(oldest)) for state, count, oldest in db.execute(query)}


def forget(store: Store, now: datetime) -> None:
    """Let go of letters that were done long ago."""
    old = (outbox.c.state != "waiting") & (outbox.c.made_at < micros(now - KEPT))
    with store.begin() as db:
        db.execute(delete(outbox).where(old))


def _update(store: Store, letter: Letter) -> None:
    row = _row(letter)
    with store.begin() as db:
        db.execute(outbox.update().where(outbox.c.message_id == letter.message_id).values(**row))


def _letters(db: Connection, query: Any) -> list[Letter]:
    return [Letter(**_read(row)) for row in db.execute(query).mappings()]


def _read(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: moment(value) if name in _TIMES and value is not None else value for name, value in row.items()}


def _row(letter: Letter) -> dict[str, Any]:
    return {name: micros(value) if isinstance(value, datetime) else value for name, value in asdict(letter).items()}
