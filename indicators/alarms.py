"""From findings to alarms: the same condition keeps its id, whatever is learnt about it later."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from catalog.alarms import Alarm
from catalog.mutes import Mute
from indicators.causes import muted, with_causes
from indicators.episodes import Finding, calmed
from indicators.header import Pack
from indicators.places import Places

MEMORY = timedelta(days=28)  # what began before is beyond the memory of any detector: not found is no proof then
BELIEVED = timedelta(hours=36)  # a night and what comes late of it
EDGE = timedelta(days=1)  # the oldest day of what a detector sees tells it what was before, no more
FRESH = timedelta(days=7)  # a condition that has ended is taken back only so long
KEPT = timedelta(days=8)  # an event, which is over at once, stands among the alarms; the lake has all of them

Key = tuple[str, str]  # detector, subject


@dataclass(frozen=True)
class Look:
    """What a run of detectors knows besides its findings."""

    as_of: datetime
    snapshot_id: int
    ran: frozenset[str]  # detectors that looked: what they do not find is not there
    packs: Mapping[str, Pack]  # every detector
    places: Places = field(default_factory=Places)
    windows: Sequence[Mute] = ()

    def refractory(self, detector: str) -> timedelta:
        """How soon what begins again has not ended."""
        pack = self.packs.get(detector)
        return timedelta(minutes=pack.refractory_min if pack else 0)

    def memory(self, detector: str) -> timedelta:
        """Since when a condition must have begun for a detector that does not find it to refute it.

        One that looks a day back says nothing of the flood of the day before yesterday, nor when that began.
        """
        pack = self.packs.get(detector)
        return min(MEMORY, timedelta(days=pack.memory_days) - EDGE) if pack else MEMORY

    def believes(self, detector: str) -> timedelta:
        """How long what a person has closed stays closed, though the detector sees it yet.

        A lamp that was mended at ten is seen to burn in the evening. What is urgent is not believed to anybody.
        """
        pack = self.packs.get(detector)
        return timedelta(0) if pack is None or pack.cadence == "commit" else BELIEVED


def settle(known: Sequence[Alarm], findings: pa.Table, look: Look) -> list[Alarm]:
    """Give the alarms to write: new ones, and known ones that this run has changed.

    Conditions that flicker are joined, held against the known alarms, put under their causes, and muted where a
    maintenance window says that they are to be expected.
    """
    fresh = reconcile(
        known,
        calmed(findings, look.refractory),
        detectors=look.ran,
        as_of=look.as_of,
        snapshot_id=look.snapshot_id,
        memory=look.memory,
        believes=look.believes,
    )
    before = {alarm.alarm_id: alarm for alarm in known}
    now = {**before, **{alarm.alarm_id: alarm for alarm in fresh}}
    caused = with_causes(list(now.values()), look.packs, look.places, look.as_of)
    decided = [_muted(_taken_over(alarm, before.get(alarm.alarm_id), look), before, look) for alarm in caused]
    return [alarm for alarm in decided if (old := before.get(alarm.alarm_id)) is None or _differs(old, alarm)]


def _taken_over(alarm: Alarm, before: Alarm | None, look: Look) -> Alarm:
    """What is not found any more because its cause is named instead, or because it has ended, is over, not refuted."""
    gone = before is not None and before.state != "retracted" and alarm.state == "retracted"
    pack = look.packs.get(alarm.detector)
    over = alarm.cause or (pack is not None and pack.only_now)
    return replace(alarm, state="closed", until=look.as_of) if gone and over else alarm


def _muted(alarm: Alarm, before: Mapping[str, Alarm], look: Look) -> Alarm:
    """An alarm that was heard of already stays heard of: its end is news."""
    old = before.get(alarm.alarm_id)
    if old is not None and old.muted is None:
        return alarm
    if old is not None and not alarm.holds:  # over within its window, or cleared by it
        return alarm
    return replace(alarm, muted=muted(alarm, look.windows, look.places, look.as_of))


def reconcile(
    known: Sequence[Alarm],
    findings: Sequence[Finding],
    *,
    detectors: Iterable[str],
    as_of: datetime,
    snapshot_id: int,
    memory: Callable[[str], timedelta] = lambda _: MEMORY,
    believes: Callable[[str], timedelta] = lambda _: timedelta(0),
) -> list[Alarm]:
    """Give the alarms that the findings of these detectors make or change.

    A finding that overlaps a known alarm of the same detector and subject is that alarm. Known alarms that were looked
    for and are not there any more are retracted; those older than the detectors' memory are marked as unconfirmed.
    What a later run already knows is left alone.
    """
    ran = frozenset(detectors)
    waiting: dict[Key, list[Alarm]] = {}
    for alarm in known:
        if alarm.detector in ran:
            waiting.setdefault((alarm.detector, alarm.subject), []).append(alarm)
    changed = []
    for finding in findings:
        fresh = _alarm(finding, as_of, snapshot_id)
        before = _taken(waiting.get((fresh.detector, fresh.subject), []), fresh)
        if before and fresh.holds and _closed_by_hand(before, as_of - believes(fresh.detector)):
            continue
        after = _continued(before, fresh, as_of, memory(fresh.detector)) if before else fresh
        if before is None or _differs(before, after):
            changed.append(after)
    left = [alarm for alarms in waiting.values() for alarm in alarms]
    lost = [replace(alarm, state="retracted") for alarm in left if _refuted(alarm, as_of, memory(alarm.detector))]
    lost += [
        replace(alarm, unconfirmed_at=as_of) for alarm in left if _unconfirmed(alarm, as_of, memory(alarm.detector))
    ]
    return changed + [replace(alarm, snapshot_id=snapshot_id, computed_at=as_of) for alarm in lost]


def alarm_id(detector: str, subject: str, since: datetime) -> str:
    """The id of a condition, from what it is, where it is and the hour in which it was first seen to begin."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    return hashlib.sha256(f"{detector}|{subject}|{hour.isoformat()}".encode()).hexdigest()[:10]


def _alarm(finding: Mapping[str, Any], as_of: datetime, snapshot_id: int) -> Alarm:
    row = dict(finding)
    going_on, confidence = row.pop("going_on"), row.pop("confidence")
    evidence = {**json.loads(row.pop("evidence") or "{}"), "confidence": confidence}
    subject = row["thing_id"] or row["device_id"] or row["area_id"] or ""
    return Alarm(
        **row,
        alarm_id=alarm_id(row["detector"], subject, row["since"]),
        state="open" if going_on else "closed",
        evidence=evidence,
        snapshot_id=snapshot_id,
        computed_at=as_of,
        found_at=as_of,
    )


def _taken(waiting: list[Alarm], fresh: Alarm) -> Alarm | None:
    """Take the known alarm that this finding is, if there is one: the same id, or the first that overlaps."""
    same = [alarm for alarm in waiting if alarm.alarm_id == fresh.alarm_id]
    found = next(iter(same or [alarm for alarm in waiting if _overlap(alarm, fresh)]), None)
    if found:
        waiting.remove(found)
    return found


def _overlap(one: Alarm, other: Alarm) -> bool:
    return (one.until is None or one.until >= other.since) and (other.until is None or other.until >= one.since)


def _continued(before: Alarm, fresh: Alarm, as_of: datetime, memory: timedelta) -> Alarm:
    if before.computed_at > as_of:
        return before
    state = "acknowledged" if (before.state, fresh.state) == ("acknowledged", "open") else fresh.state
    since = min(before.since, fresh.since) if before.since < as_of - memory else fresh.since
    kept = {name: getattr(before, name) for name in ("alarm_id", "found_at", "cause", "muted")}
    return replace(fresh, **kept, since=since, state=state)


def _closed_by_hand(alarm: Alarm, since: datetime) -> bool:
    """Whether a person has said after `since` that it is over: what a detector closes ended before it looked."""
    until = alarm.until
    return alarm.state == "closed" and until is not None and until > max(alarm.computed_at, since)


def _differs(before: Alarm, after: Alarm) -> bool:
    return replace(after, snapshot_id=before.snapshot_id, computed_at=before.computed_at) != before


def _refuted(alarm: Alarm, as_of: datetime, memory: timedelta) -> bool:
    if alarm.state == "retracted" or alarm.computed_at > as_of or alarm.since < as_of - memory:
        return False
    return alarm.until is None or alarm.until >= as_of - FRESH


def _unconfirmed(alarm: Alarm, as_of: datetime, memory: timedelta) -> bool:
    """Whether an open alarm is not found any more, and began before its detector looks back."""
    old = alarm.since < as_of - memory and alarm.computed_at <= as_of
    return alarm.holds and old and alarm.unconfirmed_at is None
