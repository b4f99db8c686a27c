"""Which local days of an indicator are computed anew: what changed and what time passed, widened by its reach.

Everything here is about days and ids; nothing is read. A span is two ordinals of days, the first and the last.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from catalog.marks import ALL, ERASED, LEFT, Mark, Position
from indicators.header import Pack, Period, Reach
from schemas.vocabulary import families

CHUNK, ROWS = 92, 3_000_000  # days and readings that are computed at once at most: they bound the memory
NEXT = Reach(before=0, after=0)
Span = tuple[int, int]
Rows = Callable[[int, int], int]  # how many readings a pack reads of the days of a span


@dataclass
class Dirt:
    """Days whose values are to be computed anew: of all subjects, and of subjects (devices or things) by their ids.

    `readings` are days of which readings came, where the pack has a macro that says what follows from that.
    """

    every: list[Span] = field(default_factory=list)
    named: dict[str, list[Span]] = field(default_factory=dict)
    readings: list[Span] = field(default_factory=list)

    def add(self, subject: str, span: Span, reach: Reach = NEXT) -> None:
        """Add what depends on these days of a subject, or of all of them."""
        wide = (span[0] - reach.after, span[1] + reach.before)
        (self.every if subject == ALL else self.named.setdefault(subject, [])).append(wide)

    def join(self, other: "Dirt") -> None:
        """Add what another has."""
        self.every += other.every
        self.readings += other.readings
        for subject, spans in other.named.items():
            self.named.setdefault(subject, []).extend(spans)

    def until(self, now: "Now") -> "Dirt":
        """Without the days behind the last one that any run computes: a day gets dirty when it comes."""
        last = _last(now)
        named = {subject: _before(spans, last) for subject, spans in self.named.items()}
        return Dirt(_before(self.every, last), named, self.readings)

    def rows(self) -> list[tuple[str, str, str]]:
        """The same as it is noted, but for `readings`: whose days, the first and the last."""
        found = [(ALL, span) for span in merged(self.every)]
        found += [(subject, span) for subject, spans in self.named.items() for span in merged(spans)]
        return [(who, str(date.fromordinal(first)), str(date.fromordinal(last))) for who, (first, last) in found]


@dataclass(frozen=True)
class Stretch:
    """Whole periods of local days that are computed at once: of all subjects, or of those named (devices or things)."""

    first: date
    last: date
    subjects: frozenset[str] | None = None


@dataclass(frozen=True)
class Now:
    """The local days of a run: its own, and the first one of which anything is or was stored."""

    today: date
    beginning: date


def whole(now: Now) -> Dirt:
    """All days there are, and the next."""
    return Dirt(every=[(now.beginning.toordinal(), _last(now))])


def _last(now: Now) -> int:
    return now.today.toordinal() + 1


def _before(spans: Iterable[Span], last: int) -> list[Span]:
    return [(first, min(end, last)) for first, end in spans if first <= last]


def dirt_of(
    pack: Pack, inputs: Collection[str], marks: Iterable[tuple[Mark, int]], position: Position, since: date, now: Now
) -> Dirt:
    """What is dirty for an indicator: marks that it has not seen, and the days since its last run (on day `since`)."""
    found = Dirt()
    _add(found, pack, Mark("", ALL, str(since), str(now.today)), now, came=True)
    for mark, number in marks:
        dataset = mark.dataset.removesuffix(ERASED)
        if number > position.number and dataset in inputs:
            _add(found, pack, mark, now, came=mark.dataset in families())
    return found


def left_of(pack: Pack, marks: Iterable[tuple[Mark, int]]) -> Dirt:
    """What runs before this one, which were stopped, noted as not computed yet."""
    found = Dirt()
    for mark, _ in marks:
        if mark.dataset == pack.id + LEFT:
            found.add(
                mark.subject, (date.fromisoformat(mark.first).toordinal(), date.fromisoformat(mark.last).toordinal())
            )
    return found


def days_of(mark: Mark) -> Span:
    """The days of a mark that has both ends."""
    return date.fromisoformat(mark.first).toordinal(), date.fromisoformat(mark.last).toordinal()


def remaining(parts: Iterable[Stretch]) -> Dirt:
    """Stretches that were not computed yet."""
    found = Dirt()
    for part in parts:
        for subject in part.subjects or (ALL,):
            found.add(subject, (part.first.toordinal(), part.last.toordinal()))
    return found


def _add(found: Dirt, pack: Pack, mark: Mark, now: Now, *, came: bool) -> None:
    first = max(date.fromisoformat(mark.first), now.beginning).toordinal()
    last = min(date.fromisoformat(mark.last), now.today).toordinal()
    if first > last:
        return
    subject = mark.subject if pack.own else ALL
    if came and pack.changes and subject == ALL:
        found.readings.append((first, last))
    else:
        found.add(subject, (first, last), pack.reach)


def stretches(pack: Pack, dirt: Dirt, rows: Rows = lambda *_: 0) -> Iterator[Stretch]:
    """The periods whose values may be others now, in stretches that are computed one by one."""
    yield from (Stretch(*part) for part in _parts(pack, dirt.every, rows))
    every = merged(dirt.every)
    alike: dict[tuple[Span, ...], set[str]] = {}  # subjects with the same days go together
    for subject, spans in dirt.named.items():
        own = [one for one in merged(spans) if not any(a <= one[0] and one[1] <= b for a, b in every)]
        alike.setdefault(tuple(own), set()).add(subject)
    for days, subjects in alike.items():
        yield from (Stretch(*part, frozenset(subjects)) for part in _parts(pack, days, lambda *_: 0))


def _parts(pack: Pack, spans: Iterable[Span], rows: Rows) -> Iterator[tuple[date, date]]:
    """Spans as whole periods, merged where they see the same days, and cut where they are long."""
    periods = ((_begin(pack.period, first), _end(pack.period, last)) for first, last in spans)
    days = [(begin.toordinal(), end.toordinal() - 1) for begin, end in periods]
    gap = 0 if pack.changes else pack.reach.before + pack.reach.after
    for first, last in merged(days, gap):
        begin, behind = date.fromordinal(first), date.fromordinal(last + 1)
        while begin < behind:
            end = _end(pack.period, begin.toordinal())
            most = max(ROWS, rows(begin.toordinal(), end.toordinal() - 1) * 3 // 2)  # days share what they reach
            while end < behind and (more := _end(pack.period, end.toordinal())) <= begin + timedelta(days=CHUNK):
                if rows(begin.toordinal(), more.toordinal() - 1) > most:
                    break
                end = more
            yield begin, end - timedelta(days=1)
            begin = end


def merged(spans: Iterable[Span], gap: int = 0) -> list[Span]:
    """Spans in their order; those that are no more than `gap` days apart are one."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + gap + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _begin(period: Period, ordinal: int) -> date:
    """The first day of the period in which a day lies."""
    day = date.fromordinal(ordinal)
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1, month=1) if period == "year" else day.replace(day=1) if period == "month" else day


def _end(period: Period, ordinal: int) -> date:
    """The first day after the period in which a day lies."""
    begin = _begin(period, ordinal)
    if period in ("day", "week"):
        return begin + timedelta(days=1 if period == "day" else 7)
    return _begin(period, begin.toordinal() + (366 if period == "year" else 31))
