"""From journalled messages to the readings of each family: typed, one message at a time, nothing dropped.

One bad message must not touch its neighbours, so each is decoded alone. A plain object of a registered device takes
the typed path; every other form takes the general one. Every message ends as decoded, housekeeping or quarantined.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa

from catalog.registry import Device
from devices.registry import normal_id
from ingest.codecs.json import as_datetime, elements
from ingest.codecs.record import Housekeeping, Reading, Rejected, Uplink
from ingest.identity import AUTHOR
from ingest.route import Router, Source
from ingest.rows import FamilyRows, Wrong, build, decoder
from ingest.uplink import readings as of_uplink
from ingest.uplink import spoken
from schemas.reasons import Reason
from schemas.vocabulary import families

TYPED_AT_ONCE = 1024
FAULTS = (  # of a codec or a profile's program: they cost their message, never its neighbours
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
WHOLE = -1  # in place of an element's position: the whole message


@dataclass(frozen=True)
class Refusal:
    """A message, or one element of it, that goes to quarantine."""

    message: int
    element: int
    reason: Reason
    detail: str
    device: Device | None = None
    named: str | None = None  # what the message calls its device
    gateway: str | None = None


@dataclass
class Batch:
    """What a batch of messages holds."""

    messages: pa.Table  # columns of journal.MESSAGES and message_id
    rows: dict[str, FamilyRows] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    housekeeping: list[tuple[int, Device | None]] = field(default_factory=list)
    gateways: dict[int, str] = field(default_factory=dict)  # message -> gateway that spoke
    _opened: tuple[int, list[bytes]] = (-1, [])  # refusals of one message follow each other: it is opened once

    def of(self, family: str) -> FamilyRows:
        """The readings of a family, an empty list at first."""
        if family not in self.rows:
            self.rows[family] = FamilyRows(families()[family])
        return self.rows[family]

    def payload(self, refusal: Refusal) -> bytes:
        """The bytes that were refused: the whole message, or the one element of an array."""
        if refusal.element == WHOLE or self._opened[0] != refusal.message:
            payload: bytes = self.messages["payload"][refusal.message].as_py()
            if refusal.element == WHOLE or payload.lstrip()[:1] != b"[":
                return payload
            self._opened = refusal.message, elements(payload)
        return self._opened[1][refusal.element]


def decode(messages: pa.Table, router: Router) -> Batch:
    """Decode a batch. `messages` has the columns of journal.MESSAGES; nothing is looked up but the registry."""
    batch = Batch(messages)
    topics = messages["topic"].combine_chunks().dictionary_encode()
    sources = [router[topic] for topic in topics.dictionary.to_pylist()]  # once a topic, not once a message
    places = pl.DataFrame({"source": pl.Series(topics.indices)}).with_row_index("number")
    plain = pl.DataFrame(
        {
            "family": [s.family.name if s.plain and s.family else None for s in sources],
            "device": [s.device.num if s.device else None for s in sources],
        },
        schema={"family": pl.String, "device": pl.Int32},
    ).with_row_index("source")
    payloads = pl.Series(messages["payload"])
    left: list[int] = []
    for (family,), part in places.join(plain, on="source", maintain_order="left").group_by("family"):
        numbers = part["number"]
        if family is None:
            left += numbers.to_list()
        else:
            left += _typed(batch.of(str(family)), payloads.gather(numbers).to_list(), numbers, part["device"])
    general = _General(batch, router)
    for number, source in zip(left, places["source"].gather(left).to_list(), strict=True):
        general.take(number, topics.dictionary[source].as_py(), payloads[number], sources[source])
    return batch


def _typed(rows: FamilyRows, payloads: list[bytes], numbers: pl.Series, devices: pl.Series) -> list[int]:
    """The typed path of one family: strict decoding straight into records. Returns the messages it cannot take.

    Those are an array, a quantity, an unknown field, or something wrong: the general path tells which.
    """
    decode_one = decoder(rows.family.name).decode
    left: list[int] = []
    for start in range(0, len(payloads), TYPED_AT_ONCE):
        part = slice(start, start + TYPED_AT_ONCE)
        try:
            records = [decode_one(payload) for payload in payloads[part]]
        except _UNREADABLE:  # one at least: now each for itself
            readable, records = _each(decode_one, payloads[part])
            rows.extend(records, numbers[part].filter(readable), devices[part].filter(readable))
            left += numbers[part].filter(~readable).to_list()
        else:
            rows.extend(records, numbers[part], devices[part])
    return left


def _each(decode_one: Callable[[bytes], Any], payloads: list[bytes]) -> tuple[pl.Series, list[Any]]:
    """Which of them can be read, and their records."""
    readable, records = [], []
    for payload in payloads:
        try:
            records.append(decode_one(payload))
            readable.append(True)
        except _UNREADABLE:
            readable.append(False)
    return pl.Series(readable, dtype=pl.Boolean), records


class _General:
    """The general path: any codec, any form."""

    def __init__(self, batch: Batch, router: Router) -> None:
        self.batch = batch
        self.known = router.known
        self.profiles = router.profiles
        self.zone = router.zone

    def take(self, number: int, topic: str, payload: bytes, source: Source) -> None:
        """Decode one message to readings, housekeeping or a refusal."""
        if source.gateway is not None:
            self.batch.gateways[number] = source.gateway
        if source.codec is None:
            self._refuse(number, WHOLE, source.rejected or Rejected(Reason.NO_ROUTE, ""), source)
            return
        try:
            made = source.codec(topic, payload)
        except FAULTS as error:
            made = _failed(error)
        if isinstance(made, Rejected):
            self._refuse(number, WHOLE, made, source)
        elif isinstance(made, Housekeeping):
            device = self.known.find(made.device) if made.device else source.device
            self.batch.housekeeping.append((number, device))
        else:
            several = len(made) > 1
            for position, item in enumerate(made):
                self._item(number, position if several else WHOLE, item, source)

    def _item(self, number: int, element: int, item: Reading | Uplink | Rejected, source: Source) -> None:
        if isinstance(item, Rejected):
            self._refuse(number, element, item, source)
            return
        device = self.known.find(item.device)
        wrong = self._unfit(device, item.device, source)
        if wrong is not None or device is None:
            self._refuse(number, element, wrong or Rejected(Reason.UNKNOWN_DEVICE, ""), source, device, item.device)
            return
        profile = self.profiles.by_model(device.model) if device.model else None
        if profile is not None and profile.family != device.family:
            profile = None
        made: Sequence[Reading] | Housekeeping | Rejected
        try:
            if isinstance(item, Reading):
                made = [item] if profile is None else spoken(profile, item, self.zone)
            elif profile is None:
                made = Rejected(Reason.NO_PROFILE, self._unread(device))
            else:
                made = of_uplink(profile, item, self.zone)
        except FAULTS as error:
            made = _failed(error)
        if isinstance(made, Rejected):
            self._refuse(number, element, made, source, device)
        elif isinstance(made, Housekeeping):
            self.batch.housekeeping.append((number, device))
        else:
            several = len(made) > 1 and element == WHOLE
            for position, reading in enumerate(made):
                by = None if reading is item or profile is None else profile.id
                self._reading(number, position if several else element, reading, device, source, by)

    def _unread(self, device: Device) -> str:
        """Why no profile reads this device."""
        said = f"model {device.model!r} of family {device.family}" if device.model else "the device has no model"
        return "; ".join([said, *(f"broken: {what}"[:200] for what in self.profiles.broken.values())])

    def _unfit(self, device: Device | None, named: str, source: Source) -> Rejected | None:
        """Why the registry does not let this device say this here."""
        if device is None:
            return Rejected(Reason.UNKNOWN_DEVICE, f"register {named[:128]!r} with drava devices import")
        if source.family is not None and device.family != source.family.name:
            return Rejected(Reason.WRONG_FAMILY, f"registered as {device.family}, speaks as {source.family.name}")
        if source.gateway is not None and device.gateway != normal_id(source.gateway):
            return Rejected(Reason.FOREIGN_GATEWAY, f"registered to gateway {device.gateway!r}")
        return None

    def _reading(
        self, number: int, element: int, reading: Reading, device: Device, source: Source, profile: str | None
    ) -> None:
        rows = self.batch.of(reading.family or device.family)
        made = build(rows.family, as_datetime(reading.time), reading.seq, reading.values)
        if isinstance(made, Wrong):
            self._refuse(number, element, Rejected(made.reason, made.detail), source, device)
            return
        record, unknown = made
        place = len(rows.records)
        rows.records.append(record)
        rows.message.append(number)
        rows.device.append(device.num)
        extra = reading.extra | unknown
        if AUTHOR in extra and self.batch.messages["qos"][number].as_py() is not None:
            extra[f"said_{AUTHOR}"] = extra.pop(AUTHOR)  # over MQTT nobody speaks as the person who corrects
        if extra:
            rows.extra[place] = msgspec.json.encode(extra).decode()
        if element != WHOLE:
            rows.element[place] = element
        if reading.history:
            rows.history.add(place)
        if profile is not None:
            rows.profile[place] = profile
        if reading.next_best:
            rows.next_best[place] = reading.next_best[0]

    def _refuse(
        self,
        number: int,
        element: int,
        why: Rejected,
        source: Source,
        device: Device | None = None,
        named: str | None = None,
    ) -> None:
        self.batch.refused.append(
            Refusal(number, element, why.reason, why.detail, device or source.device, named, source.gateway)
        )


def _failed(error: Exception) -> Rejected:
    return Rejected(Reason.DECODER_FAILED, f"{type(error).__name__}: {error}"[:200])


def with_ids(columns: pa.RecordBatch, first_id: int) -> pa.Table:
    """A journal row as a table with `message_id`: the journal's number and the message's place in it."""
    ids = pl.int_range(first_id, first_id + columns.num_rows, eager=True, dtype=pl.Int64).to_arrow()
    return pa.table(columns).append_column("message_id", ids)
