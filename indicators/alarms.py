"""From findings to alarms: the same condition keeps its id, whatever is learnt about it later."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from catalog.alarms import Alarm

MEMORY = timedelta(days=28)  # what began before is beyond the detectors' own memory: not found is no proof then
FRESH = timedelta(days=7)  # a condition that has ended is taken back only so long

Key = tuple[str, str]  # detector, subject


def reconcile(
    known: Sequence[Alarm], findings: pa.Table, *, detectors: Iterable[str], as_of: datetime, snapshot_id: int
) -> list[Alarm]:
    """Give the alarms to write: new ones, and known ones that this run of these detectors has changed.

    A finding that overlaps a known alarm of the same detector and subject is that alarm. Known alarms that were looked
    for and are not there any more are retracted. What a later run already knows is left alone.
    """
    ran = frozenset(detectors)
    waiting: dict[Key, list[Alarm]] = {}
    for alarm in known:
        if alarm.detector in ran:
            waiting.setdefault((alarm.detector, alarm.subject), []).append(alarm)
    changed = []
    for finding in findings.to_pylist():
        fresh = _alarm(finding, as_of, snapshot_id)
        before = _taken(waiting.get((fresh.detector, fresh.subject), []), fresh)
        after = _continued(before, fresh, as_of) if before else fresh
        if before is None or _differs(before, after):
            changed.append(after)
    lost = [alarm for alarms in waiting.values() for alarm in alarms if _refuted(alarm, as_of)]
    return changed + [replace(alarm, state="retracted", snapshot_id=snapshot_id, computed_at=as_of) for alarm in lost]


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


def _continued(before: Alarm, fresh: Alarm, as_of: datetime) -> Alarm:
    if before.computed_at > as_of:
        return before
    state = "acknowledged" if (before.state, fresh.state) == ("acknowledged", "open") else fresh.state
    since = min(before.since, fresh.since) if before.since < as_of - MEMORY else fresh.since
    return replace(fresh, alarm_id=before.alarm_id, since=since, state=state)


def _differs(before: Alarm, after: Alarm) -> bool:
    return replace(after, snapshot_id=before.snapshot_id, computed_at=before.computed_at) != before


def _refuted(alarm: Alarm, as_of: datetime) -> bool:
    if alarm.state == "retracted" or alarm.computed_at > as_of or alarm.since < as_of - MEMORY:
        return False
    return alarm.until is None or alarm.until >= as_of - FRESH
