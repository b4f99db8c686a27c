"""What a run sees: the snapshot as it was known at one moment, its terms, and the sun. Nothing behind the moment."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from lake.calendar import Place, sun
from lake.query import needed
from lake.relations import literal
from schemas.settings import Settings
from schemas.vocabulary import families, seconds

MEMORY_DAYS = 400  # sun times reach back so far from the moment of the run
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
SHARED = ("consumption_hourly", "consumption_daily", "energy_daily", "inflow")  # computed once, and read often
_HEARD = "device_id, observed_at, received_at, quality_tests"
LOCAL = {"consumption_daily": "consumption_days", "energy_daily": "energy_days"}  # by a macro (first, last)


class Cursor(Protocol):
    """The part of a DuckDB connection that packs need; rooms take it as an argument."""

    def execute(self, query: str, parameters: Any = None) -> Any: ...  # noqa: D102 - as in DuckDB
    def sql(self, query: str) -> Any: ...  # noqa: D102 - as in DuckDB
    def register(self, view_name: str, python_object: object) -> Any: ...  # noqa: D102 - as in DuckDB
    def unregister(self, view_name: str) -> Any: ...  # noqa: D102 - as in DuckDB


@dataclass(frozen=True)
class Terms:
    """The parameters of a run: its clock, the municipality's zone and place, and its prices."""

    as_of: datetime
    zone: str
    lat: float
    lon: float
    water_eur_m3: float
    energy_eur_kwh: float

    @classmethod
    def of(cls, settings: Settings, as_of: datetime) -> "Terms":
        """Terms from the settings of a home."""
        prices = settings.prices
        return cls(
            as_of.astimezone(UTC),
            settings.timezone,
            settings.lat,
            settings.lon,
            prices.water_eur_m3,
            prices.energy_eur_kwh,
        )

    @property
    def today(self) -> date:
        """The local day of the run."""
        return self.as_of.astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True)
class Part:
    """A part of the snapshot: what values of the local days `first` to `last` depend on.

    `before` and `after` are days around them that are seen, too; `devices` are all, or those of these ids.
    """

    first: date
    last: date
    before: int = 0
    after: int = 0
    devices: tuple[str, ...] | None = None


@contextmanager
def frame(
    connection: Cursor,
    terms: Terms,
    reads: Sequence[str],
    back: timedelta | None = None,
    part: Part | None = None,
) -> Iterator[None]:
    """Put temporary tables and views before the snapshot's own for as long as the block runs.

    `run` has one row (as_of, today, zone, water_eur_m3, energy_eur_kwh, lat, lon); `sun` a row a local day; `expected`
    the declared interval of each family; `heard` (family, device_id, observed_at, received_at, quality_tests) all
    readings of all families; `known_days` the local days of which anything was heard, and yesterday. The family
    tables, and so every view over them, end at as_of and begin `back` before it (default: at the beginning); the
    assignments end there too.
    With a `part` they are limited to that. Only what `reads` names, or what is behind it, is there.
    """
    made: list[str] = []
    try:
        for name, statement, parameters in _statements(connection, terms, frozenset(reads), back, part):
            connection.execute(statement, parameters)
            made.append(name)
        yield
    finally:
        for name in reversed(made):
            connection.execute(f"DROP {name}")


_Statement = tuple[str, str, list[Any] | None]


def _statements(
    connection: Cursor, terms: Terms, reads: frozenset[str], back: timedelta | None, part: Part | None
) -> Iterator[_Statement]:
    own = connection.execute("SELECT current_database()").fetchone()[0]
    yield from _terms(terms)
    moment = _literal(terms.as_of)
    seen = _seen(terms, part) if part else f"observed_at >= {_literal(terms.as_of - back if back else _FIRST)}"
    wanted = needed(reads)
    for name in families():
        if name in wanted or "heard" in wanted:
            yield _view(name, f'SELECT * FROM "{own}".main.{name} WHERE observed_at <= {moment} AND {seen}')
    if "assignments" in wanted:
        yield _view("assignments", _ASSIGNMENTS.format(source=f'"{own}".main.assignments', moment=moment))
    if "heard" in wanted:
        union = (f"SELECT '{name}' AS family, {_HEARD} FROM {name}" for name in families())
        yield _view("heard", " UNION ALL ".join(union))
    if "known_days" in reads:
        yield _view("known_days", _KNOWN_DAYS)
    if "sun" in reads:
        yield from _sun(terms, part)
    for name in SHARED:
        if name in reads:
            source = f'"{own}".main.{name}'
            if part and name in LOCAL:
                source = f"\"{own}\".main.{LOCAL[name]}(DATE '{part.first}', DATE '{part.last}')"
            yield f"TABLE temp.main.{name}", f"CREATE TEMP TABLE {name} AS SELECT * FROM {source}", None


def _seen(terms: Terms, part: Part) -> str:
    """The condition on readings, written so that files of other days are not opened."""
    zone = ZoneInfo(terms.zone)
    first, end = part.first - timedelta(days=part.before), part.last + timedelta(days=part.after + 1)
    since, until = (_literal(datetime.combine(day, time.min, zone).astimezone(UTC)) for day in (first, end))
    found = f"observed_at >= {since} AND observed_at < {until}"
    if part.devices is None:
        return found
    if not part.devices:
        return f"{found} AND false"
    # files are in this order, so pieces of other devices are not opened; a long list alone does not prevent that
    ends = f"device_id BETWEEN {literal(min(part.devices))} AND {literal(max(part.devices))}"
    return f"{found} AND {ends} AND device_id IN ({', '.join(map(literal, part.devices))})"


_KNOWN_DAYS = """SELECT d.* FROM local_days AS d CROSS JOIN run AS r
WHERE d.local_date < r.today AND d.local_date >= (
    SELECT least(coalesce(min(CAST(timezone(r.zone, observed_at) AS DATE)), r.today), r.today - 1) FROM heard
)"""

_ASSIGNMENTS = """SELECT * REPLACE (
    CASE WHEN valid_to <= {moment} THEN valid_to END AS valid_to,
    CASE WHEN valid_to <= {moment} THEN end_register END AS end_register
) FROM {source} WHERE valid_from <= {moment}"""


def _literal(moment: datetime) -> str:
    """A time written into the SQL, so that files behind it are not even opened."""
    return f"TIMESTAMPTZ '{moment.isoformat()}'"


def _view(name: str, select: str) -> _Statement:
    return f"VIEW temp.main.{name}", f"CREATE TEMP VIEW {name} AS {select}", None


def _terms(terms: Terms) -> Iterator[_Statement]:
    row: Mapping[str, tuple[str, Any]] = {
        "as_of": ("TIMESTAMPTZ", terms.as_of),
        "today": ("DATE", terms.today),
        "zone": ("VARCHAR", terms.zone),
        "water_eur_m3": ("DOUBLE", terms.water_eur_m3),
        "energy_eur_kwh": ("DOUBLE", terms.energy_eur_kwh),
        "lat": ("DOUBLE", terms.lat),
        "lon": ("DOUBLE", terms.lon),
    }
    columns = ", ".join(f"CAST(? AS {kind}) AS {name}" for name, (kind, _) in row.items())
    yield "TABLE temp.main.run", f"CREATE TEMP TABLE run AS SELECT {columns}", [value for _, value in row.values()]
    rows = ", ".join(f"('{name}', {seconds(f.expected_interval)})" for name, f in families().items())
    yield _view("expected", f"SELECT * FROM (VALUES {rows}) AS v (family, seconds)")


def _sun(terms: Terms, part: Part | None) -> Iterator[_Statement]:
    first = terms.today - timedelta(days=MEMORY_DAYS)
    if part:
        first = part.first - timedelta(days=part.before)
    days = (first + timedelta(days=n) for n in range((terms.today - first).days + 2))
    rows = list(sun(Place(terms.zone, terms.lat, terms.lon), days))
    columns = "SELECT unnest(?::DATE[]) AS day, unnest(?::TIMESTAMPTZ[]) AS sunrise, unnest(?::TIMESTAMPTZ[]) AS sunset"
    yield (
        "TABLE temp.main.sun",
        f"CREATE TEMP TABLE sun AS {columns}",
        [list(column) for column in zip(*rows, strict=True)],
    )
