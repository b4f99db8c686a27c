"""The catalogue's database: one SQLite file by default, PostgreSQL where several hosts write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Date,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    create_engine,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from schemas.errors import DravaError
from schemas.settings import FORMAT

UNUSABLE = OperationalError  # locked, read-only, away

metadata = MetaData()
_Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only for INTEGER

# Times are microseconds since 1970 UTC, as everywhere in the lake.

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False))

things = Table(
    "things",
    metadata,
    Column("thing_id", String, primary_key=True),
    Column("family", String, nullable=False),
    Column("area_id", String),
    Column("lat", Float),
    Column("lon", Float),
    Column("title", String),
    Column("attributes", JSON, nullable=False),  # nominal_power_w, persons, capacity_l, ... as its facts say last
)

devices = Table(
    "devices",
    metadata,
    Column("num", _Key, primary_key=True, autoincrement=True),  # identity inside the lake's writer; never reused
    Column("device_id", String, unique=True, nullable=False),
    Column("family", String, nullable=False),
    Column("model", String),
    Column("gateway", String),
    Column("factors", JSON, nullable=False),  # m3_per_pulse, index_offset_m3, empty_distance_mm, ...
    sqlite_autoincrement=True,
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("device_id", String, nullable=False, index=True),
    Column("thing_id", String, nullable=False, index=True),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    Column("start_register", Numeric(18, 6)),
    Column("end_register", Numeric(18, 6)),
)

facts = Table(  # what is said of things, devices and objects of kinds.toml, each from its moment until the next
    "facts",
    metadata,
    Column("kind", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    Column("value", JSON, nullable=False),
)

changes = Table(  # what each import of the registry changed, so that it can be shown and undone
    "changes",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("entity", String, primary_key=True),  # facts | assignments | things | devices
    Column("key", String, primary_key=True),  # JSON
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
)

journals = Table(
    "journals",
    metadata,
    Column("num", _Key, primary_key=True, autoincrement=True),  # high bits of message_id
    Column("uuid", String, unique=True, nullable=False),
    Column("position", BigInteger, nullable=False, default=0),  # last journal row whose messages are published
    Column("messages", BigInteger, nullable=False, default=0),  # messages published so far
    sqlite_autoincrement=True,
)

plans = Table(
    "plans",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),  # ingest | replay | compact | erase | indicators
    Column("body", Text, nullable=False),  # JSON: files, positions, counts, dirty days
    Column("state", String, nullable=False),  # written | published
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("plan_id", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("versions", JSON, nullable=False),  # {table: Delta version}: the versions that belong together
    sqlite_autoincrement=True,
)

pins = Table(  # snapshots that stay however old they become
    "pins",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("snapshot_id", BigInteger, nullable=False),
    Column("why", String, nullable=False),
    Column("who", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

held = Table(  # what pinned snapshots consist of, once the logs of their tables may go
    "held",
    metadata,
    Column("snapshot_id", BigInteger, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),  # JSON, as readers see it
)

dirty = Table(  # what changed, of whom and for which local days, until every indicator has seen it
    "dirty",
    metadata,
    Column("dataset", String, primary_key=True),  # table of the lake or the registry, or an indicator
    Column("subject", String, primary_key=True),  # device, thing, area, ...; * for all
    Column("first", String, primary_key=True),
    Column("last", String, primary_key=True),
    Column("number", BigInteger, nullable=False, index=True),  # of the change, in their order
)

computed = Table(  # how far each indicator has seen the marks of `dirty`
    "computed",
    metadata,
    Column("indicator", String, primary_key=True),
    Column("version", Integer, nullable=False),  # of its definition
    Column("number", BigInteger, nullable=False),
    Column("as_of", BigInteger, nullable=False),
)

runs = Table(  # what a run of indicators had before it, so that two values can be compared
    "runs",
    metadata,
    Column("snapshot_id", BigInteger, primary_key=True, autoincrement=False),
    Column("computed_at", BigInteger, primary_key=True, autoincrement=False),
    Column("snapshot_at", BigInteger, nullable=False),
    Column("registry_version", BigInteger, nullable=False),
)

revised_days = Table(  # UTC days of a family that hold more than one row for some reading
    "revised_days",
    metadata,
    Column("family", String, primary_key=True),
    Column("day", String, primary_key=True),
)

buried = Table(  # files that a published plan removed; deleted when no kept snapshot can name them
    "buried",
    metadata,
    Column("table_name", String, primary_key=True),
    Column("path", String, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
)

schema_events = Table(
    "schema_events",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("family", String, nullable=False),
    Column("event", String, nullable=False),
    Column("detail", String, nullable=False),
)

alarms = Table(
    "alarms",
    metadata,
    Column("alarm_id", String, primary_key=True),
    Column("detector", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("thing_id", String),
    Column("device_id", String),
    Column("area_id", String),
    Column("severity", String, nullable=False),  # info | warning | critical
    Column("state", String, nullable=False),  # open | acknowledged | closed | retracted
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("litres_per_hour", Float),
    Column("volume_m3", Float),
    Column("eur", Float),
    Column("evidence", JSON, nullable=False),
    Column("snapshot_id", BigInteger),
    Column("computed_at", BigInteger, nullable=False),
    Column("found_at", BigInteger),  # when a run first saw it
    Column("cause", String),  # the alarm that explains it
    Column("muted", String),  # why it is kept and not sent
    Column("unconfirmed_at", BigInteger),  # since when its detector, which does not look back so far, sees it no more
)

mutes = Table(  # maintenance windows: alarms in them are kept and not sent
    "mutes",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("area_id", String),
    Column("thing_id", String),
    Column("detector", String),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("who", String, nullable=False),
    sqlite_autoincrement=True,
)

outbox = Table(  # what is to be told to whom: written with the change that it tells of, in one transaction
    "outbox",
    metadata,
    Column("message_id", String, primary_key=True),
    Column("about", String, nullable=False, index=True),  # an alarm, or a morning's list
    Column("recipient", String, nullable=False),
    Column("number", Integer, nullable=False),  # of the messages about this to this recipient
    Column("event", String, nullable=False),  # new | again | over | retracted | list
    Column("body", JSON, nullable=False),
    Column("state", String, nullable=False),  # waiting | sent | failed | dropped | joined
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),  # not before
    Column("made_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Column("error", String),
)

entered_values = Table(  # KPIs by hand; the last entry for a day holds, earlier ones stay
    "entered_values",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("kpi", String, nullable=False, index=True),
    Column("local_date", Date, nullable=False),
    Column("value", Float),  # null: taken back
    Column("author", String, nullable=False),
    Column("reference", String, nullable=False),  # where the value comes from
    Column("note", String, nullable=False),
    Column("entered_at", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("detail", JSON, nullable=False),
)

marks = Table(  # one blob per family: high-water time of each device and key, may only err high
    "marks",
    metadata,
    Column("family", String, primary_key=True),
    Column("snapshot_id", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)


def _widen(db: Connection) -> None:
    """Give the table of alarms the columns that it had not yet when this catalogue was made; all may be null."""
    known = {column["name"] for column in inspect(db).get_columns(alarms.name)}
    for column in alarms.columns:
        if column.name not in known:
            kind = column.type.compile(db.dialect)
            db.execute(text(f"ALTER TABLE {alarms.name} ADD COLUMN {column.name} {kind}"))


def _durable(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


class Store:
    """The catalogue of one home. Cheap to open; every use is one short transaction."""

    def __init__(self, url: str) -> None:
        """Connect to an existing or new database at an SQLAlchemy URL."""
        self.engine: Engine = create_engine(url)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _durable)

    @classmethod
    def at(cls, folder: Path) -> "Store":
        """Open the catalogue in this folder. Raises DravaError where its format is newer than this program."""
        store = cls(f"sqlite:///{folder / 'catalog.sqlite'}")
        try:
            store.prepare()
        except DatabaseError as error:
            if isinstance(error, OperationalError):  # locked, not writable: its users know what that means for them
                raise
            raise DravaError(
                f"the catalogue in {folder} cannot be used: {error.orig}", "Check the disk, or restore it from a backup"
            ) from None
        return store

    def prepare(self) -> None:
        """Create what is missing and check the format."""
        with self.begin() as db:
            if not metadata.tables.keys() <= set(inspect(db).get_table_names()):
                if db.dialect.name == "sqlite":  # all in one transaction: otherwise a table is one, with its own fsync
                    db.exec_driver_sql("BEGIN IMMEDIATE")
                metadata.create_all(db)
            _widen(db)
            version = db.execute(select(meta.c.value).where(meta.c.key == "format")).scalar()
            if version is None:
                db.execute(meta.insert().values(key="format", value=str(FORMAT)))
            elif int(version) > FORMAT:
                raise DravaError(
                    f"the catalogue has format {version}, this program reads up to {FORMAT}", "Install a newer Drava"
                )

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on an exception."""
        with self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()
