"""Compares what the detectors found with what the simulator hid: every fault, and no other alarm of those kinds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from devices.simulate import Fault

SLACK = timedelta(hours=3)  # a detector may date the beginning by readings that lie hours apart
_FAR = datetime.max.replace(tzinfo=UTC)

Alarm = Mapping[str, Any]  # a row of the table `alarms`


@dataclass(frozen=True)
class Verdict:
    """What became of the faults. `other` are alarms of the same kinds that no fault explains."""

    found: Sequence[Fault]
    missed: Sequence[Fault]
    other: Sequence[Alarm]

    @property
    def perfect(self) -> bool:
        """Everything was found and nothing else."""
        return not self.missed and not self.other


def judge(faults: Collection[Fault], alarms: Collection[Alarm], kinds: Collection[str]) -> Verdict:
    """Match alarms of these kinds with faults: by kind, place and overlap in time."""
    counted = [alarm for alarm in alarms if alarm["kind"] in kinds]
    found = [fault for fault in faults if any(_explains(fault, alarm) for alarm in counted)]
    return Verdict(
        found=found,
        missed=[fault for fault in faults if fault not in found],
        other=[alarm for alarm in counted if not any(_explains(fault, alarm) for fault in faults)],
    )


def _explains(fault: Fault, alarm: Alarm) -> bool:
    place, wanted = ("area_id", fault.area_id) if fault.kind == "district_leak" else ("thing_id", fault.thing_id)
    return (alarm["kind"], alarm[place]) == (fault.kind, wanted) and _together(fault, alarm)


def _together(fault: Fault, alarm: Alarm) -> bool:
    begins, ends = alarm["since"], alarm["until"] or _FAR
    return bool(begins <= (fault.until or _FAR) and ends >= fault.since - SLACK)


def unexplained(faults: Collection[Fault], alarms: Collection[Alarm]) -> list[Alarm]:
    """Alarms, of whatever kind, at things of which none has a fault meanwhile."""
    return [
        alarm
        for alarm in alarms
        if not any(alarm["thing_id"] == fault.thing_id and _together(fault, alarm) for fault in faults)
    ]
