"""What is noticed of the shape of arriving data, each thing once: events of the schema, for `drava devices drift`.

An integer where the column has a fraction is stored as the column's type; it is noticed by a sample of each batch. A
text where a number belongs, and a unit of another kind, are refused one by one: each field is noticed.
"""

import re
from collections.abc import Iterator

import msgspec

from catalog import events
from catalog.events import Event
from catalog.store import Store
from ingest.decode import Batch, Refusal
from schemas.reasons import Reason
from schemas.vocabulary import measures

SAMPLE = 8  # messages of a family in a batch
MOST = 1000  # events of a home: a hostile device may invent any number of fields
INTEGER = "integer"
_FIELD = re.compile(r"\$\.([A-Za-z0-9_]{1,64})|^([^\s:]{1,64}):")
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Notice:
    """Remembers what was noticed, so that each thing is written down once."""

    def __init__(self, store: Store) -> None:
        """Nothing is read before the first batch."""
        self._store = store
        self._known: set[Event] | None = None

    def new(self, batch: Batch) -> set[Event]:
        """What this batch shows for the first time."""
        if self._known is None:
            self._known = events.known(self._store)
        found = {event for refusal in batch.refused for event in _refused(refusal)} | set(_integers(batch))
        room = max(MOST - len(self._known), 0)
        return set(sorted(found - self._known)[:room])

    def write(self, found: set[Event], at: int) -> None:
        """Write down what is new; a crash before this loses nothing but the moment: it is noticed again."""
        if found and self._known is not None:
            events.add(self._store, found, at)
            self._known |= found


def _refused(refusal: Refusal) -> Iterator[Event]:
    if refusal.reason in (Reason.WRONG_TYPE, Reason.WRONG_UNIT) and refusal.device is not None:
        field = _FIELD.search(refusal.detail)
        name = (field[1] or field[2]) if field else "?"
        yield refusal.device.family, refusal.reason.value, name


def _integers(batch: Batch) -> Iterator[Event]:
    payloads = batch.messages["payload"]
    for family, rows in batch.rows.items():
        for number in rows.message[:SAMPLE]:
            try:
                said = msgspec.json.decode(payloads[number].as_py())
            except _UNREADABLE:
                continue
            for name, value in said.items() if isinstance(said, dict) else ():
                if (
                    type(value) is int
                    and name in rows.family.measures
                    and measures()[name].type in ("float", "decimal")
                ):
                    yield family, INTEGER, name
