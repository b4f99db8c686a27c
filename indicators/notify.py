"""Who is told what of an alarm: each change once, in the reader's language, nothing of how a household lives.

Letters are decided in the transaction that changes the alarms (catalog/outbox.py); sending them is another matter.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from catalog.alarms import Alarm
from catalog.outbox import Event, Letter
from indicators.causes import is_detector
from indicators.header import Pack
from indicators.notify_text import Reader, several, single
from indicators.places import Places
from schemas.alerts import SEVERITIES, Recipient, Severity
from schemas.settings import Settings

NEWS = timedelta(days=1)  # what was over for longer when it was found is history: it stands in the list, if there


@dataclass(frozen=True)
class Herald:
    """Makes letters for the recipients of a home, as of one moment."""

    settings: Settings
    packs: Mapping[str, Pack]
    as_of: datetime
    places: Places = field(default_factory=Places)

    def announce(self, known: Sequence[Alarm], changed: Sequence[Alarm], letters: Collection[Letter]) -> list[Letter]:
        """Letters to write for these changes, given those that were written before about the same alarms."""
        del known  # what was told stands in the letters
        made: list[Letter] = []
        for recipient in self.settings.recipient:
            past: dict[str, list[Letter]] = {}
            for letter in letters:
                if letter.recipient == recipient.name:
                    past.setdefault(letter.about, []).append(letter)
            found = [
                letter
                for alarm in changed
                if self.concerns(recipient, alarm)
                for letter in self._told(recipient, alarm, past.get(alarm.alarm_id, []))
            ]
            made += self._gathered(recipient, found, {alarm.alarm_id: alarm for alarm in changed})
        return made

    def concerns(self, recipient: Recipient, alarm: Alarm) -> bool:
        """Whether a recipient wants to know of an alarm at once."""
        pack = self.packs.get(alarm.detector)
        urgent = pack is not None and pack.cadence == "commit"
        now = recipient.at_once == "all" or (recipient.at_once == "urgent" and urgent)
        return now and not self.event(alarm) and self.wants(recipient, alarm)

    def wants(self, recipient: Recipient, alarm: Alarm) -> bool:
        """Whether a recipient wants to know of an alarm at all: by place, detector and severity."""
        areas = set(self.places.within(self.places.area(alarm)))
        here = not recipient.areas or bool(areas & set(recipient.areas))
        meant = not recipient.detectors or any(is_detector(alarm.detector, name) for name in recipient.detectors)
        return here and meant and SEVERITIES.index(_severity(alarm)) >= SEVERITIES.index(recipient.severity)

    def event(self, alarm: Alarm) -> bool:
        """Whether it is no fault, but something that happened."""
        pack = self.packs.get(alarm.detector)
        return pack is not None and pack.event

    def personal(self, alarm: Alarm) -> bool:
        """Whether an alarm says something about one household. What nobody knows is taken to."""
        pack = self.packs.get(alarm.detector)
        return pack is None or pack.personal or self.places.personal(alarm)

    def reader(self, recipient: Recipient) -> Reader:
        """For whom texts are written."""
        settings = self.settings
        return Reader(
            lang=recipient.lang or settings.lang,
            zone=ZoneInfo(settings.timezone),
            municipality=settings.municipality,
            town=settings.title or settings.municipality.replace("-", " ").replace("_", " ").title(),
            link=settings.notify.link,
        )

    def _told(self, recipient: Recipient, alarm: Alarm, past: Sequence[Letter]) -> Iterator[Letter]:
        """What follows from what was told last: nothing is told twice, and nothing that was told stays untrue."""
        last = next((letter for letter in reversed(past) if letter.state != "dropped"), None)
        event = self._event(alarm, last)
        if last and event in {"again", "retracted"} and last.state == "waiting" and last.attempts == 0:
            yield replace(last, state="dropped", done_at=self.as_of)  # it was not told yet: it flickers
        elif event:
            yield self._letter(recipient, alarm, past, event)

    def _event(self, alarm: Alarm, last: Letter | None) -> Event | None:
        """What there is to tell after the last letter."""
        silent = bool(alarm.cause or alarm.muted)
        if last is None:
            news = alarm.holds or (alarm.state == "closed" and (alarm.until or self.as_of) > self.as_of - NEWS)
            return "new" if news and not silent else None
        heard = last.event in {"new", "again"}
        if alarm.holds:
            return None if heard or silent else "again"
        return ("retracted" if alarm.state == "retracted" else "over") if heard else None

    def _letter(self, recipient: Recipient, alarm: Alarm, past: Sequence[Letter], event: Event) -> Letter:
        number = len(past) + 1
        personal = self.personal(alarm)
        body = single(alarm, event, self.places.titles(alarm), self.reader(recipient), personal=personal)
        pack = self.packs.get(alarm.detector)
        rest = timedelta(minutes=pack.refractory_min if pack else 0)
        ended = (alarm.until or self.as_of) + rest if event == "over" else self.as_of
        return Letter(
            message_id=f"{alarm.alarm_id}.{number}.{recipient.name}",
            about=alarm.alarm_id,
            recipient=recipient.name,
            number=number,
            event=event,
            body=body,
            made_at=self.as_of,
            next_at=max(ended, self.as_of),
        )

    def _gathered(self, recipient: Recipient, found: list[Letter], alarms: Mapping[str, Alarm]) -> list[Letter]:
        """Very many new alarms at one moment come as one letter; each of them is in it and is not sent again."""
        fresh = [letter for letter in found if letter.event in {"new", "again"} and letter.state == "waiting"]
        if len(fresh) <= self.settings.notify.most_at_once:
            return found
        ids = [letter.about for letter in fresh]
        about = f"several-{hashlib.sha256('|'.join(ids).encode()).hexdigest()[:10]}"
        listed = [(alarms[id_], self.places.titles(alarms[id_])) for id_ in ids]
        one = Letter(
            message_id=f"{about}.1.{recipient.name}",
            about=about,
            recipient=recipient.name,
            number=1,
            event="new",
            body=several(listed, about, self.reader(recipient)),
            made_at=self.as_of,
            next_at=self.as_of,
        )
        joined = [replace(letter, state="joined", done_at=self.as_of, error=one.message_id) for letter in fresh]
        return [one, *joined, *(letter for letter in found if letter not in fresh)]


def _severity(alarm: Alarm) -> Severity:
    return next((name for name in SEVERITIES if name == alarm.severity), "critical")
