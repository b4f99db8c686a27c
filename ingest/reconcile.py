"""The two sheets against everything that counts as well: rows, held messages, raw messages, the journals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from catalog import plans
from catalog.store import Store
from lake.commit import Lake
from lake.describe import holding
from lake.query import FRAMES, open_found
from lake.snapshot import Snapshot, find
from lake.tables import MESSAGE_COUNTS, READING_COUNTS
from schemas.settings import Home
from schemas.vocabulary import Text, families

COUNTED_DAYS = 31
COUNTS = (*MESSAGE_COUNTS, *READING_COUNTS)


@dataclass(frozen=True)
class Difference:
    """Two numbers that must be equal."""

    name: str
    what: Text
    left: int
    right: int

    @property
    def agrees(self) -> bool:
        """Whether they are."""
        return self.left == self.right


@dataclass(frozen=True)
class Moment:
    """One state of lake and journals: a snapshot, and how many messages the journals had put into it."""

    snapshot: Snapshot
    messages: int | None  # None: the catalogue may not be read by this user


@dataclass(frozen=True)
class Reckoning:
    """The balance of a snapshot. `rows` are sheets by (day, device_id, gateway), `total` their sum over everything."""

    rows: list[dict[str, Any]]
    total: dict[str, int]
    wrong: list[dict[str, Any]]  # rows of the whole balance that do not add up
    checks: list[Difference]
    missing: list[dict[str, Any]] = field(default_factory=list)  # day, device_id, missing: frames by their counters
    busiest_day: int = 0  # most messages that came over MQTT on one day, of the days whose raw messages are kept

    @property
    def adds_up(self) -> bool:
        """Whether every row adds up and every check agrees."""
        return not self.wrong and all(check.agrees for check in self.checks)


def moment(home: Home, store: Store, lake: Lake) -> Moment:
    """A state in which snapshot and journals belong together: looked at while nothing is being committed."""
    with lake.exclusive():
        return Moment(find(home.path), plans.messages_published(store))


def reckon(
    home: Home,
    state: Moment,
    now: datetime,
    *,
    day: date | None = None,
    device: str | None = None,
) -> Reckoning:
    """Add up the balance of a snapshot and check it against the tables. `day` (UTC) and `device` choose `rows`."""
    wanted = ["balance", "quarantine", "raw_messages", FRAMES]
    with open_found(home.path, state.snapshot, settings=home.settings, tables=wanted, limited=False) as lake:

        def ask(query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
            answer = lake.execute(query, list(values))
            names = [column[0] for column in answer.description or ()]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

        sums = ", ".join(f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {name}" for name in COUNTS)
        total = ask(f"SELECT {sums} FROM balance")[0]
        rows = ask(
            f"SELECT day, device_id, gateway, {', '.join(COUNTS)} FROM balance WHERE day = coalesce(?, day) "
            "AND (? IS NULL OR device_id = ?) ORDER BY ALL",
            [day, device, device],
        )
        wrong = ask(f"SELECT * FROM balance WHERE {_sum(MESSAGE_COUNTS)} OR {_sum(READING_COUNTS)} ORDER BY day")
        held = ask("SELECT CAST(coalesce(sum(count), 0) AS BIGINT) AS held FROM quarantine")[0]["held"]
        raw = _raw(ask, home, now)
        missing = ask(
            f"SELECT day, device_id, missing FROM {FRAMES}(?, ?) WHERE missing > 0 AND (? IS NULL OR device_id = ?) "
            "ORDER BY ALL",
            [*_span(day, now), device, device],
        )
        # what was imported has no QoS
        busiest = ask("SELECT coalesce(max(n), 0) AS n FROM (SELECT count(qos) AS n FROM raw_messages GROUP BY day)")
    return Reckoning(rows, total, wrong, _checks(home, state, total, held, raw), missing, int(busiest[0]["n"]))


def _span(day: date | None, now: datetime) -> tuple[date, date]:
    """The days whose frame counters are looked at: one, or the last 31."""
    return (day, day) if day else (now.date() - timedelta(days=COUNTED_DAYS - 1), now.date() + timedelta(days=1))


def _sum(counts: Sequence[str]) -> str:
    return f"{counts[0]} <> {' + '.join(counts[1:])}"


def _raw(ask: Any, home: Home, now: datetime) -> tuple[int, int]:
    """Raw messages, and messages on the sheets, of the days on which raw messages are kept."""
    kept = (now - timedelta(days=home.settings.ingest.raw_days)).date() + timedelta(days=1)
    counts = []
    for query in ("SELECT count(*) AS n FROM raw_messages", "SELECT coalesce(sum(received), 0) AS n FROM balance"):
        counts.append(int(ask(f"{query} WHERE day >= ?", [kept])[0]["n"]))
    return counts[0], counts[1]


def _checks(home: Home, state: Moment, total: dict[str, int], held: int, raw: tuple[int, int]) -> list[Difference]:
    stored = sum(holding(home.path, state.snapshot, name).rows for name in families())
    checks = [
        _sheet("messages", MESSAGE_COUNTS, total, "messages received", "prejeta sporočila"),
        _sheet("readings", READING_COUNTS, total, "readings decoded", "dekodirani odčitki"),
        Difference(
            "rows",
            Text(
                en="stored + completed + revised = rows of the family tables",
                sl="shranjeni + dopolnjeni + popravljeni = vrstice v tabelah družin",
            ),
            total["stored"] + total["completed"] + total["revised"],
            stored,
        ),
        Difference(
            "quarantine",
            Text(
                en="quarantined messages and readings = entries held in quarantine",
                sl="sporočila in odčitki v karanteni = vnosi, ki jih hrani karantena",
            ),
            total["quarantined"] + total["readings_quarantined"],
            held,
        ),
        Difference(
            "raw_messages",
            Text(
                en="messages received = raw messages, over the days for which these are kept",
                sl="prejeta sporočila = neobdelana sporočila, v dneh, za katere se ta hranijo",
            ),
            raw[1],
            raw[0],
        ),
    ]
    if state.messages is not None:
        what = Text(
            en="messages received = messages that the journals have handed over",
            sl="prejeta sporočila = sporočila, ki so jih predali dnevniki",
        )
        checks.append(Difference("journals", what, total["received"], state.messages))
    return checks


def _sheet(name: str, counts: Sequence[str], total: dict[str, int], en: str, sl: str) -> Difference:
    what = Text(en=f"{en} = the sum of what became of them", sl=f"{sl} = vsota tega, kar je iz njih nastalo")
    return Difference(name, what, total[counts[0]], sum(total[count] for count in counts[1:]))
