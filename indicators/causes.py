"""One alarm where the cause is one: what another alarm explains is kept, named under its cause, and not sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from catalog.alarms import Alarm
from catalog.mutes import Mute
from indicators.header import Pack
from indicators.places import Places

SLACK = timedelta(hours=1)  # clocks, steps of a quarter of an hour, the way of a message
RECENT = timedelta(days=7)  # what is over for longer keeps the cause that it had
GRACE = {  # how long after its cause an effect may be seen to end, by how often its detector looks
    "commit": timedelta(hours=1),
    "hour": timedelta(hours=3),
    "night": timedelta(hours=36),
}
Packs = Mapping[str, Pack]


def with_causes(alarms: Sequence[Alarm], packs: Packs, places: Places, as_of: datetime) -> list[Alarm]:
    """The alarms with their causes as they are known now; one that no longer excuses its effect is taken away."""
    effects = {name for pack in packs.values() for name in pack.explains}
    causes = [
        alarm
        for alarm in alarms
        if alarm.detector in packs and packs[alarm.detector].explains and alarm.state != "retracted"
    ]
    return [
        replace(alarm, cause=_cause(alarm, causes, packs, places, as_of))
        if alarm.detector in effects and _recent(alarm, as_of)
        else alarm
        for alarm in alarms
    ]


def _recent(alarm: Alarm, as_of: datetime) -> bool:
    return alarm.holds or max(alarm.computed_at, alarm.until or alarm.since) >= as_of - RECENT


def _cause(effect: Alarm, causes: Iterable[Alarm], packs: Packs, places: Places, as_of: datetime) -> str | None:
    found = (cause.alarm_id for cause in causes if _explains(cause, effect, packs, places, as_of))
    return next(found, None)


def _explains(cause: Alarm, effect: Alarm, packs: Packs, places: Places, as_of: datetime) -> bool:
    if effect.detector not in packs[cause.detector].explains or cause.alarm_id == effect.alarm_id:
        return False
    return _together(cause, effect, packs, as_of) and _same_place(cause, effect, places)


def _together(cause: Alarm, effect: Alarm, packs: Packs, as_of: datetime) -> bool:
    """Whether the effect begins while its cause lasts, and does not outlive it: then it has a cause of its own."""
    if effect.since < cause.since - SLACK and cause.detector != effect.detector:
        return False
    if cause.until is None:
        return True
    grace = GRACE[packs[effect.detector].cadence] if effect.detector in packs else SLACK
    return effect.since <= cause.until + SLACK and (effect.until or as_of) <= cause.until + grace


def _same_place(cause: Alarm, effect: Alarm, places: Places) -> bool:
    """A town explains what is in it, a gateway its devices, a thing itself; a cause of another kind also its area.

    A cause that names the things it is about explains those alone. Of two things of one family neither explains the
    other: a container says nothing of its neighbour.
    """
    if not cause.subject:
        return bool(effect.subject)
    if cause.device_id and cause.thing_id is None and places.gateway(effect) == cause.device_id:
        return True
    if cause.detector == effect.detector:
        return False
    thing, other = places.thing(cause), places.thing(effect)
    if (named := cause.evidence.get("things")) is not None:
        return other in named
    if thing is not None and thing == other:
        return True
    families = [place.family for place in map(places.things.get, (thing or "", other or "")) if place]
    neighbours = len(families) == 2 and families[0] == families[1]  # noqa: PLR2004 - both have one
    return not neighbours and places.area(cause) is not None and places.area(cause) == places.area(effect)


def muted(alarm: Alarm, windows: Iterable[Mute], places: Places, as_of: datetime) -> str | None:
    """Why an alarm is not sent: the reason of a maintenance window that covers it, and not only its beginning."""
    for window in windows:
        covers = window.since <= as_of and alarm.since < window.until and (alarm.until or as_of) >= window.since
        outlives = as_of >= window.until if alarm.until is None else alarm.until > window.until
        if covers and not outlives and concerns(window, alarm, places):
            return window.reason
    return None


def concerns(window: Mute, alarm: Alarm, places: Places) -> bool:
    """Whether a maintenance window is about the place and the kind of an alarm."""
    if window.thing_id is not None and window.thing_id != places.thing(alarm):
        return False
    if window.area_id is not None and window.area_id not in places.within(places.area(alarm)):
        return False
    return window.detector is None or is_detector(alarm.detector, window.detector)


def is_detector(detector: str, pattern: str) -> bool:
    """Whether a detector is meant by an id, its last word, or a pattern such as `water.*`."""
    return pattern in {detector, detector.rsplit(".", 1)[-1]} or fnmatchcase(detector, pattern)
