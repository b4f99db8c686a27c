"""The SQL of every view over a snapshot: one row per reading, all stored rows, the long view, the two sheets."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from catalog.datasets import datasets
from catalog.registry import small_schemas
from lake.tables import BALANCE, MESSAGE_COUNTS, READING_COUNTS, with_day
from schemas.vocabulary import Family, families

_SQL_TYPES = {
    "string": "VARCHAR",
    "binary": "BLOB",
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "date32[day]": "DATE",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
    "decimal128(18, 6)": "DECIMAL(18,6)",
}

FURTHEST_LEAP = 16_384  # MAX_FCNT_GAP of LoRaWAN: a network server takes a larger step for a new session

Columns = dict[str, str]  # name -> SQL type, in order

# Small tables of the catalogue, published as one Parquet file each.
SMALL: dict[str, Columns] = {
    table: {name: _SQL_TYPES[str(kind)] for name, kind in columns.items()} for table, columns in small_schemas().items()
}


def quote(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal, quoted."""
    return "'" + text.replace("'", "''") + "'"


def described() -> str:
    """The view `datasets`: what each dataset means, whose it is, who may have it."""
    rows = []
    for item in datasets().values():
        text = item.catalogue
        cells = {
            "dataset": item.name,
            "title_en": text.title.en,
            "title_sl": text.title.sl,
            "meaning_en": text.meaning.en,
            "meaning_sl": text.meaning.sl,
            "access": item.access or "",
            "format": text.format,
            "owner_en": text.owner.en,
            "owner_sl": text.owner.sl,
            "update_interval": text.update_interval,
            "usage_interval": text.usage_interval,
            "users_en": ", ".join(text.users.en),
            "users_sl": ", ".join(text.users.sl),
            "links": ", ".join(text.links),
        }
        shown = ", ".join(f"{literal(value)} AS {name}" for name, value in cells.items())
        rows.append(f"SELECT {shown}, {item.personal} AS personal")
    return " UNION ALL ".join(rows)


def columns_of(schema: pa.Schema) -> Columns:
    """The SQL columns of a stored table, with its partition column `day`."""
    return {field.name: _SQL_TYPES[str(field.type)] for field in with_day(schema)}


def stored(columns: Columns, files: Sequence[str], *, uniform: bool = False, partitioned: bool = True) -> str:
    """All rows of these Parquet files, always with these columns, types and order; no file gives no row.

    The empty branch lends its types: a file from before a column was added reads as null there. Where all files are
    known to be `uniform`, only one is opened to plan a query.
    """
    names = ", ".join(quote(name) for name in columns)
    typed = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in columns.items())
    empty = f"SELECT {typed} WHERE false"
    if not files:
        return empty
    options = "hive_partitioning = true, hive_types = {'day': DATE}" if partitioned else "hive_partitioning = false"
    paths = ", ".join(literal(file) for file in files)
    read = f"read_parquet([{paths}], union_by_name = {not uniform}, {options})"
    if uniform:  # a shorter plan
        return f"SELECT {names} FROM {read}"
    return f"SELECT {names} FROM ({empty} UNION ALL BY NAME SELECT * FROM {read})"


def merged(family: Family, columns: Columns, files: Sequence[str], *, uniform: bool = False) -> str:
    """One row per reading of days that have several rows for some; the others of these days are read as they are."""
    rows = stored(columns, files, uniform=uniform)
    same = " AND ".join(
        [f"r.{name} = m.{name}" for name in ("device_id", "observed_at", "day")]
        + [f"r.{quote(key)} IS NOT DISTINCT FROM m.{quote(key)}" for key in family.keys]
    )
    identity = _identity(family)
    # joins on the plain columns, not on a hash: a filter on a device or a day reaches both sides and the files
    several = f"SELECT {identity} FROM ({rows}) GROUP BY {identity} HAVING count(*) > 1"
    chosen = ", ".join(f"r.{quote(name)}" for name in columns)
    single = f"SELECT {chosen} FROM ({rows}) AS r LEFT JOIN ({several}) AS m ON {same} WHERE m.device_id IS NULL"
    again = merge(family, columns, f"SELECT {chosen} FROM ({rows}) AS r JOIN ({several}) AS m ON {same}")
    return f"{single} UNION ALL {again}"


def _identity(family: Family) -> str:
    # `day` follows from observed_at; naming it lets a filter on days reach the files
    return ", ".join(quote(name) for name in ["device_id", *family.keys, "observed_at", "day"])


def merge(family: Family, columns: Columns, rows: str) -> str:
    """Merge the rows of one identity: each measure's last value that is there, the worst flag among those that count.

    Order of rows: seq (unknown first), received_at, message_id, revision. `quality` and `quality_tests` come from the
    rows that gave a surviving measure; `revision` is the highest; other columns are those of the last row.
    """
    same = _identity(family)
    order = "seq ASC NULLS FIRST, received_at, message_id, revision"
    survives = " OR ".join(
        f"({quote(m)} IS NOT NULL AND _n = max(_n) FILTER ({quote(m)} IS NOT NULL) OVER same)" for m in family.measures
    )
    merged = {
        "quality": "coalesce(max(quality) FILTER (_survives), max(quality))",
        "quality_tests": "coalesce(bit_or(quality_tests) FILTER (_survives), bit_or(quality_tests))",
        "revision": "max(revision)",
    }
    merged |= {name: quote(name) for name in ("device_id", *family.keys, "observed_at", "day")}
    merged |= {name: f"arg_max({quote(name)}, _n)" for name in family.measures}
    chosen = ", ".join(f"{merged.get(name) or f'arg_max_null({quote(name)}, _n)'} AS {quote(name)}" for name in columns)
    return (
        f"SELECT {chosen} FROM ("
        f"SELECT *, ({survives}) AS _survives FROM ("
        f"SELECT *, row_number() OVER (PARTITION BY {same} ORDER BY {order}) AS _n FROM ({rows})"
        f") WINDOW same AS (PARTITION BY {same})"
        f") GROUP BY {same}"
    )


def observations(names: Iterable[str]) -> str:
    """The long view: one row per reading and measure, over the families named."""
    parts = [_long(families()[name]) for name in names]
    return " UNION ALL ".join(parts)


def _long(family: Family) -> str:
    cells = ", ".join(
        f"{{'measure': {literal(m.name)}, 'value': CAST({quote(m.name)} AS DOUBLE), 'unit': {literal(m.unit)}}}"
        for m in family.columns
    )
    key = f"concat_ws('/', {', '.join(quote(k) for k in family.keys)})" if family.keys else "''"
    return (
        "SELECT device_id, family, key, observed_at, cell.measure AS measure, cell.value AS value, cell.unit AS unit, "
        f"quality, day FROM (SELECT device_id, {literal(family.name)} AS family, {key} AS key, observed_at, quality, "
        f"day, unnest([{cells}]) AS cell FROM {quote(family.name)}) WHERE cell.value IS NOT NULL"
    )


def quarantine(rows: str) -> str:
    """What is held and not yet resolved, one row per message and element."""
    held = "FILTER (state = 'held')"
    last = ", ".join(
        f"arg_max_null({name}, (received_at, coalesce(plan_id, 0))) {held} AS {name}"  # replay may find a new reason
        for name in ("reason", "detail", "topic", "payload", "device_id", "gateway", "qos", "retain")
    )
    still = "CAST(sum(CASE state WHEN 'held' THEN count ELSE -count END) AS BIGINT)"
    return (
        f"SELECT message_hash, element, {last}, min(received_at) {held} AS first_at, "
        f"max(received_at) {held} AS last_at, {still} AS count "
        f"FROM ({rows}) GROUP BY message_hash, element HAVING {still} > 0"
    )


def balance(rows: str) -> str:
    """Both sheets, per day of receipt, device and gateway."""
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in MESSAGE_COUNTS + READING_COUNTS)
    keys = ", ".join(name for name in BALANCE.names if name not in MESSAGE_COUNTS + READING_COUNTS)
    return f"SELECT day, {keys}, {sums} FROM ({rows}) GROUP BY day, {keys}"


def missing_frames(names: Iterable[str]) -> str:
    """The macro `missing_frames(since, until)`: counters that devices passed over, by day (UTC) and device.

    A counter that falls, or leaps further than a network server accepts, begins anew. Messages that came and are no
    readings (device information, quarantine) bear counters, too, which no table has: so `missing` is what is missing
    at least. A late frame closes its gap.
    """
    frames = " UNION ALL ".join(
        f"SELECT device_id, max(observed_at) AS sent, any_value(seq) AS seq FROM {quote(name)} WHERE seq IS NOT NULL "
        "AND day BETWEEN CAST(since AS DATE) - 1 AND CAST(until AS DATE) GROUP BY device_id, message_id"
        for name in names
    )
    skipped = f"CASE WHEN seq - before BETWEEN 2 AND {FURTHEST_LEAP} THEN seq - before - 1 ELSE 0 END"
    return (
        "SELECT found.day, found.device_id, frames, skipped, coalesce(others, 0) AS others, "
        "greatest(skipped - coalesce(others, 0), 0) AS missing FROM ("
        f"SELECT day, device_id, count(*) AS frames, CAST(sum({skipped}) AS BIGINT) AS skipped FROM ("
        "SELECT device_id, CAST(sent AS DATE) AS day, seq, "
        f"lag(seq) OVER (PARTITION BY device_id ORDER BY sent, seq) AS before FROM ({frames})"
        ") WHERE day >= CAST(since AS DATE) GROUP BY day, device_id) AS found LEFT JOIN ("
        "SELECT day, device_id, CAST(sum(housekeeping + quarantined) AS BIGINT) AS others FROM balance "
        "WHERE day BETWEEN CAST(since AS DATE) AND CAST(until AS DATE) GROUP BY day, device_id"
        ") AS came ON came.day = found.day AND came.device_id = found.device_id"
    )


def indicator_values(rows: str) -> str:
    """The last computed value of each indicator, subject and period."""
    return (
        f"SELECT * FROM ({rows}) QUALIFY row_number() OVER ("
        "PARTITION BY indicator, subject_kind, subject_id, period_start, period_end "
        "ORDER BY computed_at DESC, snapshot_id DESC) = 1"
    )
