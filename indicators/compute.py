"""A run of indicators on a home: changes are read, then the snapshot; values and what was seen are published at once.

In this order nothing is forgotten: what was marked before the snapshot was taken is in it, what is marked later stays
marked. A long run publishes on its way, with what it has still to do. One that is cut off anywhere leaves the marks of
what it did not publish, and the next one goes on from there. There is one run at a time.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Self

from catalog import marks
from catalog.marks import Run, Taken
from indicators.frame import Cursor
from indicators.header import Cadence, chosen, packs
from indicators.order import dependents, due, ordered
from indicators.runner import Seen, Sight, Step, run_dirty
from indicators.values import Known
from lake.commit import Lake, append_values, marks_of
from lake.lock import locked
from lake.query import open_found
from lake.snapshot import Snapshot, files_of, find
from schemas.clock import micros
from schemas.steps import reached
from schemas.vocabulary import families

STEPS = (
    "taken",
    "values_computed",
    *("files_written", "plan_written", "delta_committed", "snapshot_made", "published"),
)
ROWS, WHILE = 200_000, timedelta(minutes=1)  # values that wait at most, and how long: a run that is cut off loses them
_LOCK, _VALUES = ".indicators", "indicator_values"


@dataclass
class Outcome:
    """What a run did, by indicator: how many values it computed, and how many of them are new or others."""

    computed: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)


def bring_up_to_date(
    lake: Lake,
    *,
    ids: list[str] | None = None,
    cadence: Cadence | None = None,
    full: bool = False,
    waits: Callable[[], object] = bool,
) -> Outcome:
    """Compute what is dirty of all indicators (or of those named, or due at a cadence) with all that they need.

    `full` computes everything: what it finds to differ nobody had marked. `waits` is told where another run goes on.
    """
    wanted = ordered(due(chosen("indicator", ids), cadence))
    with _alone(lake, waits):
        as_of = lake.clock().astimezone(UTC)
        taken = marks.take(lake.store)
        reached("taken")
        with lake.exclusive():
            snapshot = find(lake.home.path)  # with the registry of this moment: the lock has published it
        rows = _rows(lake, snapshot)
        seen = Seen(snapshot.id, snapshot.at, _beginning(rows, taken, as_of), rows)
        taken = marks.begin_earlier(lake.store, taken, str(seen.beginning))
        with _View(lake, snapshot) as view:
            given = _Given(lake, _run(taken, seen, as_of), view.sight, {pack.id for pack in wanted})
            for step in run_dirty(
                view.sight, wanted, as_of=as_of, settings=lake.home.settings, seen=seen, taken=taken, full=full
            ):
                given.add(step)
                if given.due():
                    given.publish()
                    view.renew()
        given.publish()
    return given.outcome


@contextmanager
def _alone(lake: Lake, waits: Callable[[], object]) -> Iterator[None]:
    """One run at a time: an older one that ends later would put its values over those of a newer one."""
    path = lake.home.lake / _LOCK
    with ExitStack() as held:
        try:
            held.enter_context(locked(path, wait=False))
        except BlockingIOError:
            waits()
            held.enter_context(locked(path))
        yield


class _View:
    """The snapshot of a run, with the values that it has published itself."""

    def __init__(self, lake: Lake, snapshot: Snapshot) -> None:
        self.lake = lake
        self.snapshot = snapshot
        self._held = ExitStack()
        self.sight = Sight(self._opened())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def renew(self) -> None:
        """See what was published; all else stays as it was seen before."""
        self._held.close()
        published = find(self.lake.home.path).tables[_VALUES]
        self.snapshot = replace(self.snapshot, tables={**self.snapshot.tables, _VALUES: published})
        self.sight.connection, self.sight.found = self._opened(), Known()

    def _opened(self) -> Cursor:
        home = self.lake.home
        return self._held.enter_context(open_found(home.path, self.snapshot, settings=home.settings, limited=False))


class _Given:
    """What a run gave and has not published yet."""

    def __init__(self, lake: Lake, run: Run, sight: Sight, wanted: Collection[str]) -> None:
        self.lake, self.run, self.sight = lake, run, sight
        self.later = [name for name in wanted if dependents(name) - set(wanted)]  # who needs them looks in its own run
        self.outcome = Outcome()
        self.since = lake.clock()

    def add(self, step: Step) -> None:
        self.run.versions[step.indicator] = step.version
        self.run.left.update(step.left)
        self.outcome.computed[step.indicator] += step.computed

    def due(self) -> bool:
        waits = self.sight.found.height
        return waits >= ROWS or (waits > 0 and self.lake.clock() - self.since >= WHILE)

    def publish(self) -> None:
        values = self.sight.found.table()
        reached("values_computed")
        if values.num_rows:
            dirty = [mark for mark in marks_of(values) if mark.dataset in self.later]
            append_values(self.lake, values, self.run, dirty)
        else:
            marks.note_alone(self.lake.store, self.run)
        self.outcome.new.update(values["indicator"].to_pylist())
        self.run = replace(self.run, versions={}, left={})
        self.since = self.lake.clock()


def _run(taken: Taken, seen: Seen, as_of: datetime) -> Run:
    """What a run has seen, before it has computed anything."""
    return Run(
        number=taken.number,
        as_of=micros(as_of),
        snapshot_id=seen.snapshot_id,
        snapshot_at=micros(seen.snapshot_at),
        registry_version=taken.registry_version,
        beginning=str(seen.beginning),
        known=sorted(packs("indicator")),
    )


def _rows(lake: Lake, snapshot: Snapshot) -> dict[str, dict[int, int]]:
    """How many readings of each family every day has (UTC, an ordinal)."""
    found: dict[str, dict[int, int]] = {}
    for name in families():
        for file in files_of(lake.home.path, snapshot, name):
            days, day = found.setdefault(name, {}), date.fromisoformat(file.day).toordinal()
            days[day] = days.get(day, 0) + file.rows
    return found


def _beginning(rows: dict[str, dict[int, int]], taken: Taken, as_of: datetime) -> date:
    """The first local day of which anything is stored, or was when an earlier run looked."""
    days = [min(of) for of in rows.values()]
    first = date.fromordinal(min(days) - 1) if days else as_of.date()  # west of Greenwich it may be the day before
    return min(first, date.fromisoformat(taken.beginning))
