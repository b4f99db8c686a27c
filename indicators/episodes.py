"""Conditions that flicker are one: what begins again at the same place soon after its end has not ended."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import pyarrow as pa

Finding = dict[str, Any]
_RANK = {"info": 0, "warning": 1, "critical": 2}
_SUMS = ("volume_m3", "eur")
_NEVER = datetime(9000, 1, 1, tzinfo=UTC)


def calmed(findings: pa.Table, refractory: Callable[[str], timedelta]) -> list[Finding]:
    """Findings with those joined that are one condition, by detector, subject and time.

    `refractory` gives how long after its end a condition of a detector may begin again and still be the same. Joined,
    it has the earliest beginning, the last end, the worst severity, the sum of the amounts and the evidence of the last
    with `episodes`.
    """
    rows = sorted(findings.to_pylist(), key=lambda row: (row["detector"], subject(row), row["since"]))
    joined: list[Finding] = []
    for (detector, _), group in groupby(rows, key=lambda row: (row["detector"], subject(row))):
        joined += _joined(group, refractory(detector))
    return joined


def subject(finding: Mapping[str, Any]) -> str:
    """What a finding is about: a thing, a device, an area, or the town."""
    return finding["thing_id"] or finding["device_id"] or finding["area_id"] or ""


def _joined(group: Iterable[Finding], pause: timedelta) -> list[Finding]:
    found: list[list[Finding]] = []
    for row in group:
        if found and row["since"] <= _end(found[-1]) + pause:
            found[-1].append(row)
        else:
            found.append([row])
    return [_one(episodes) for episodes in found]


def _end(episodes: list[Finding]) -> datetime:
    return max(map(_until, episodes))


def _until(row: Finding) -> datetime:
    until: datetime | None = row["until"]
    return until or _NEVER


def _one(episodes: list[Finding]) -> Finding:
    if len(episodes) == 1:
        return episodes[0]
    last = max(episodes, key=lambda row: (_until(row), row["since"]))
    evidence = {**json.loads(last["evidence"] or "{}"), "episodes": len(episodes)}
    return {
        **last,
        "since": episodes[0]["since"],
        "going_on": any(row["going_on"] for row in episodes),
        "severity": max((row["severity"] for row in episodes), key=lambda name: _RANK.get(name, 0)),
        "confidence": max((row["confidence"] for row in episodes if row["confidence"] is not None), default=None),
        **{name: _sum(row[name] for row in episodes) for name in _SUMS},
        "evidence": json.dumps(evidence, ensure_ascii=False),
    }


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 6) if known else None
