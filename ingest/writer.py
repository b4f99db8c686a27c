"""From the journal to a commit: take rows, decode, normalise, judge, publish once. One writer at a time."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from catalog import plans
from catalog import registry as registry_tables
from catalog.events import Event
from catalog.marks import ALL, MANY, Mark
from catalog.store import Store
from devices.profiles import in_force, stamp
from ingest import balance
from ingest.decode import WHOLE, Batch, Refusal, decode, with_ids
from ingest.identity import DUPLICATE, STORED, insisting, judge
from ingest.journal import Reader, Row
from ingest.known import Known
from ingest.normalise import DAY_US, Normalised, normalise
from ingest.notice import Notice
from ingest.route import Router
from ingest.state import FamilyState
from lake.commit import Days, Lake
from lake.tables import BALANCE, MESSAGE_COUNTS, QUARANTINE, RAW_MESSAGES, READING_COUNTS, family_schema
from schemas.clock import micros
from schemas.reasons import TEXTS, Reason
from schemas.settings import Home
from schemas.vocabulary import families

MAX_PARTITIONS = 64
EVEN = 0.9  # days one after the other: a share of the messages opens that share of the partitions
QUARTER_US = 900_000_000
JOURNAL_BITS = 44  # message_id: the journal's number above, the message's number in it below


@dataclass
class Work:
    """A batch, decided: what each table receives, and the marks that follow once it is published."""

    tables: dict[str, Days] = field(default_factory=dict)
    revised: list[tuple[str, str]] = field(default_factory=list)
    dirty: list[Mark] = field(default_factory=list)
    learnt: dict[str, pl.DataFrame] = field(default_factory=dict)
    noticed: set[Event] = field(default_factory=set)  # of the shape of the data, for the first time
    counts: dict[str, int] = field(default_factory=dict)  # by column of the sheets, and by reason of quarantine

    def opened(self) -> list[int]:
        """The message that opens each partition of the family tables, in their order."""
        parts = [day for name, days in self.tables.items() if name in families() for day in days.values()]
        return sorted(pc.min(part["message_id"]).as_py() for part in parts)


class Writer:
    """Turns journalled messages into published rows. Use one instance for the life of a process."""

    def __init__(self, home: Home, store: Store, lake: Lake, clock: Callable[[], datetime]) -> None:
        """Nothing is read before the first commit."""
        self.home = home
        self.store = store
        self.lake = lake
        self.clock = clock
        self._notice = Notice(store)
        self._router: Router | None = None
        self._profiled = stamp(home.profiles)  # the state of the city's own profiles that the router knows
        self._untold: dict[str, dict[str, int]] = {}  # counts of a commit under way, by journal
        self._states = {name: FamilyState(family) for name, family in families().items()}

    def commit_from(self, journal: Reader, limit: int) -> dict[str, int]:
        """Publish the next rows of a journal, up to about `limit` messages. No counts: nothing waited."""
        with self.lake.exclusive():
            at = plans.position(self.store, journal.uuid)
            untold = self._untold.pop(journal.uuid, {})
            if untold and untold["row"] <= at.row:  # it failed after its plan was written, and is carried out by now
                return untold
            rows = journal.read(at.row, limit)
            if not rows:
                return {}
            rows, work = self._fitting(rows, at.num)
            taken = sum(row.messages for row in rows)
            self._untold[journal.uuid] = work.counts | {"messages": taken, "row": rows[-1].id}
            self.publish("ingest", work, positions={journal.uuid: (rows[-1].id, at.messages + taken)})
            return self._untold.pop(journal.uuid)

    def _fitting(self, rows: list[Row], journal: int) -> tuple[list[Row], Work]:
        """Decide as many rows as open few partitions; all, where fewer would only open them again and again."""
        work = self.decide(messages(rows, journal))
        opened = [number - (journal << JOURNAL_BITS) for number in work.opened()]
        if len(opened) <= MAX_PARTITIONS:
            return rows, work
        fewer = [row for row in rows if row.first + row.messages <= opened[MAX_PARTITIONS]]
        share = sum(row.messages for row in fewer) / sum(row.messages for row in rows)
        again = sum(number < fewer[-1].first + fewer[-1].messages for number in opened) if fewer else 0
        if not fewer or share < again / len(opened) * EVEN:
            return rows, work
        return fewer, self.decide(messages(fewer, journal))

    def position(self, journal: Reader) -> int:
        """The last row of a journal that is published."""
        return plans.position(self.store, journal.uuid).row

    def publish(self, kind: str, work: Work, positions: Mapping[str, tuple[int, int]]) -> None:
        """Commit decided work and remember what it means for the next."""
        snapshot = self.lake.commit(kind, work.tables, positions=positions, revised=work.revised, dirty=work.dirty)
        self._notice.write(work.noticed, micros(self.clock()))
        for name, rows in work.learnt.items():
            self._states[name].learn(rows)
            self._states[name].recent.learn(rows)
            self._states[name].version = snapshot.versions[name]

    def router(self) -> Router:
        """Routes over the registry and the profiles as they are now."""
        version, written = registry_tables.registry_version(self.store), stamp(self.home.profiles)
        if self._router is None or self._router.known.version != version or self._profiled != written:
            profiles = in_force(self.home.profiles)
            self._router = Router(self.home.settings, Known(registry_tables.load(self.store)), profiles)
            self._profiled = written
        return self._router

    def decide(self, table: pa.Table) -> Work:
        """Decide what becomes of messages. Call inside `lake.exclusive`; nothing is changed here."""
        batch = decode(table, self.router())
        work, readings = self.readings(batch)
        work.noticed = self._notice.new(batch)
        sheet = balance.sheet(batch, batch.refused, readings, self.router().known.names)
        work.tables["balance"] = by_day(sheet, BALANCE)
        if batch.refused:
            work.tables["quarantine"] = quarantine(batch, "held")
        work.tables["raw_messages"] = _raw(table)
        work.counts = {name: int(sheet[name].sum()) for name in (*MESSAGE_COUNTS, *READING_COUNTS)}
        work.counts |= Counter(refusal.reason.value for refusal in batch.refused)
        return work

    def readings(self, batch: Batch) -> tuple[Work, dict[str, pl.DataFrame]]:
        """Decide about the readings of decoded messages; adds those refused to the batch's refusals.

        Gives the family tables' part of the work, and the readings (_message, _device) in each state of the balance.
        """
        work = Work()
        known = self.router().known
        now = micros(self.clock())
        settings = self.home.settings.ingest
        facts = pl.DataFrame(batch.messages.select(["received_at", "retain", "duplicate", "message_id"]))
        imported = pl.Series(batch.messages["qos"]).is_null()  # without MQTT: from a file, so it is history
        states: dict[str, list[pl.DataFrame]] = {}
        for name, rows in batch.rows.items():
            if not rows.records:
                continue
            frame = rows.frame()
            if imported.any():
                past = pl.col("_history").fill_null(value=False) | imported.gather(frame["_message"])
                frame = frame.with_columns(past.alias("_history"))
            made = normalise(
                rows.family,
                frame,
                facts,
                known,
                future_minutes=settings.future_minutes,
                too_old_days=settings.too_old_days,
                ingested_at=now,
            )
            batch.refused += _refusals(made, known, batch)
            states.setdefault("too_old", []).append(made.too_old.select("_message", "_device"))
            self._keep(name, made.rows, work, states)
        return work, {state: pl.concat(frames) for state, frames in states.items()}

    def _keep(self, name: str, rows: pl.DataFrame, work: Work, states: dict[str, list[pl.DataFrame]]) -> None:
        """Judge one family's readings and put the new ones into its table."""
        if not rows.height:
            return
        state = self._state(name)
        judged = insisting(judge(state, rows, self.lake.tables[name].paths))
        for (status,), part in judged.select("status", "_message", "_device").group_by("status"):
            states.setdefault(str(status), []).append(part.drop("status"))
        other = judged["status"] != STORED
        fresh = judged.filter(judged["status"] != DUPLICATE) if other.any() else judged
        if not fresh.height:
            return
        fresh = fresh.with_columns(_utc_day("observed_at"))
        work.tables[name] = by_day(fresh, family_schema(state.family))
        if other.any():
            again = fresh.filter(fresh["status"] != STORED)["day"].unique().sort()
            work.revised += [(name, str(date)) for date in again]
        work.dirty += _dirty(name, fresh, self.router().known, self.home.settings.timezone)
        work.learnt[name] = fresh

    def _state(self, name: str) -> FamilyState:
        """What is known of a family, brought up to the version that is published."""
        state = self._states[name]
        published = (self.lake.snapshot.versions if self.lake.snapshot else {}).get(name, -1)
        if state.version != published:  # the first time, or another process has written
            delta = self.lake.tables[name]
            there = delta.paths(delta.files())
            state.load([path for path in there if path not in state.files])  # after a compaction: its one new file
            state.files = set(there)
            state.version = published
        return state


def messages(rows: Sequence[Row], journal: int) -> pa.Table:
    """The messages of journal rows, with their ids."""
    return pa.concat_tables([with_ids(row.batch, (journal << JOURNAL_BITS) + row.first) for row in rows])


def _refusals(made: Normalised, known: Known, batch: Batch) -> Iterable[Refusal]:
    for row in made.refused.iter_rows(named=True):
        reason = Reason(row["reason"])
        device = known.numbers[row["_device"]]
        element = WHOLE if row["_element"] is None else row["_element"]
        gateway = batch.gateways.get(row["_message"])
        yield Refusal(row["_message"], element, reason, TEXTS[reason]["en"], device, None, gateway)


def by_day(rows: pl.DataFrame, schema: pa.Schema) -> Days:
    """Rows split by their UTC day (column `day`, a date), with the columns and types of a table."""
    rows = rows.sort("day", maintain_order=True) if rows["day"].n_unique() > 1 else rows
    table = _table(rows, schema)  # once: each day on its own would cost more than all of them
    found: dict[str, pa.Table] = {}
    begin = 0
    for day, height in rows.select(pl.col("day").rle()).unnest("day").select("value", "len").iter_rows():
        found[str(day)] = table.slice(begin, height)
        begin += height
    return found


def _table(rows: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    decimals = [pl.col(field.name).cast(pl.Decimal(18, 6)) for field in schema if pa.types.is_decimal(field.type)]
    found = rows.select(schema.names).with_columns(decimals).to_arrow()
    columns = zip(found.columns, schema, strict=True)
    return pa.table([c if c.type == field.type else c.cast(field.type) for c, field in columns], schema=schema)


def _raw(table: pa.Table) -> Days:
    rows = pl.DataFrame(table.select(RAW_MESSAGES.names))
    return by_day(rows.with_columns(_utc_day("received_at")), RAW_MESSAGES)


def _utc_day(time: str) -> pl.Expr:
    return (pl.col(time) // DAY_US).cast(pl.Int32).cast(pl.Date).alias("day")


def _dirty(name: str, rows: pl.DataFrame, known: Known, zone: str) -> list[Mark]:
    """Which devices have readings of which civil days; where they are many, all of them."""
    return [
        Mark(name, subject, str(day), str(day))
        for day, devices in _local_days(rows, zone)
        for subject in ([known.numbers[d].device_id for d in devices] if len(devices) <= MANY else [ALL])
    ]


def _local_days(rows: pl.DataFrame, zone: str) -> Iterable[tuple[date, list[int]]]:
    """Civil days of observed_at (µs) and some devices of each, one too many at most.

    Every offset of a zone is whole quarters of an hour, and few are different.
    """
    quarter = (rows["observed_at"] // QUARTER_US).alias("_quarter")
    quarters = quarter.unique()
    days = pl.from_epoch(quarters * QUARTER_US, "us").dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.date()
    if days.n_unique() == 1:
        return [(days[0], rows["_device"].unique().sort().head(MANY + 1).to_list())]
    dated = pl.DataFrame({"_quarter": quarters, "_date": days})
    found = pl.DataFrame([rows["_device"], quarter]).join(dated, on="_quarter").group_by("_date")
    return found.agg(pl.col("_device").unique().sort().head(MANY + 1)).sort("_date").iter_rows()


def message_hash(topic: str, payload: bytes) -> str:
    """What makes two quarantined messages the same: topic and payload."""
    return hashlib.blake2b(topic.encode() + b"\0" + payload, digest_size=16).hexdigest()


def quarantine(batch: Batch, state: str) -> Days:
    """Refused messages and elements as rows of the quarantine, the same one in a batch once with its count."""
    entries: dict[tuple[str, int, int], dict[str, object]] = {}
    numbers = sorted({refusal.message for refusal in batch.refused})
    places = dict(zip(numbers, batch.messages.take(numbers).to_pylist(), strict=True))
    for refusal in batch.refused:
        place = places[refusal.message]
        payload = batch.payload(refusal)
        digest = message_hash(place["topic"], payload)
        key = digest, refusal.element, place["received_at"] // DAY_US  # the balance counts by day: so does this
        entry = entries.get(key)
        if entry is not None:
            entry["count"] = int(str(entry["count"])) + 1
            continue
        entries[key] = {
            "message_hash": digest,
            "element": None if refusal.element == WHOLE else refusal.element,
            "reason": refusal.reason.value,
            "detail": refusal.detail,
            "topic": place["topic"],
            "payload": payload,
            "device_id": refusal.device.device_id if refusal.device else refusal.named,
            "gateway": refusal.gateway,
            "qos": place["qos"],
            "retain": place["retain"],
            "received_at": place["received_at"],
            "count": 1,
            "state": state,
            "plan_id": None,
        }
    columns = {name: [entry[name] for entry in entries.values()] for name in QUARANTINE.names}
    arrays = [pa.array(columns[f.name], pa.int64() if pa.types.is_timestamp(f.type) else f.type) for f in QUARANTINE]
    frame = pl.DataFrame(pa.table(arrays, names=QUARANTINE.names))
    return by_day(frame.with_columns(_utc_day("received_at")), QUARANTINE)
