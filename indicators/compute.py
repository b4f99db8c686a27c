"""A run of indicators on a home: changes are read, then the snapshot; values and what was seen are published at once.

In this order nothing is forgotten: what was marked before the snapshot was taken is in it, what is marked later stays
marked. A run that is cut off anywhere leaves every mark as it was, and the next one computes the same again.
"""

from datetime import date, datetime

from catalog import marks
from catalog.marks import Taken
from indicators.header import Cadence, chosen
from indicators.order import dependents, due, ordered
from indicators.runner import Outcome, Seen, run_dirty
from lake.commit import Lake, append_values, marks_of
from lake.query import open_found
from lake.snapshot import Snapshot, files_of, find
from schemas.steps import reached
from schemas.vocabulary import families

STEPS = (
    "taken",
    "values_computed",
    *("files_written", "plan_written", "delta_committed", "snapshot_made", "published"),
)


def bring_up_to_date(
    lake: Lake, *, as_of: datetime, ids: list[str] | None = None, cadence: Cadence | None = None, full: bool = False
) -> Outcome:
    """Compute what is dirty of all indicators (or of those named, or due at a cadence) with all that they need.

    `full` computes everything: what it finds to differ nobody had marked.
    """
    wanted = ordered(due(chosen("indicator", ids), cadence))
    taken = marks.take(lake.store)
    reached("taken")
    with lake.exclusive():
        snapshot = find(lake.home.path)  # with the registry of this moment: the lock has published it
    rows = _rows(lake, snapshot)
    seen = Seen(snapshot.id, snapshot.at, _beginning(rows, taken, as_of), rows)
    with open_found(lake.home.path, snapshot, settings=lake.home.settings, limited=False) as connection:
        found = run_dirty(
            connection, wanted, as_of=as_of, settings=lake.home.settings, seen=seen, taken=taken, full=full
        )
    reached("values_computed")
    if not found.values.num_rows:
        marks.note_alone(lake.store, found.run)
        return found
    done = {pack.id for pack in wanted}
    later = [name for name in done if dependents(name) - done]  # those who need them look at them in a run of their own
    dirty = [mark for mark in marks_of(found.values) if mark.dataset in later]
    append_values(lake, found.values, found.run, dirty)
    return found


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
