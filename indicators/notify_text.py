"""What stands in a message about an alarm, as text for a mail and as a document for a webhook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from catalog.alarms import Alarm
from indicators.telling import severity as severity_of
from indicators.telling import tell, what, why
from schemas.settings import Lang

Titles = tuple[str | None, str | None]
Listed = Sequence[tuple[Alarm, Titles]]

_EVENTS: dict[str, dict[Lang, str]] = {
    "new": {"sl": "", "en": ""},
    "again": {"sl": "spet", "en": "again"},
    "over": {"sl": "konec", "en": "over"},
    "retracted": {"sl": "umik", "en": "withdrawn"},
}
_WORDS: dict[str, dict[Lang, str]] = {
    "link": {"sl": "Več", "en": "More"},
    "id": {"sl": "Alarm", "en": "Alarm"},
    "personal": {
        "sl": "Sporočilo zadeva priključek, zato v njem ni podatkov o porabi; ti so na povezavi.",
        "en": "This is about a connection, so the message holds nothing of its consumption; the link leads there.",
    },
    "many": {"sl": "Novih alarmov hkrati: {}", "en": "New alarms at one moment: {}"},
}
_PRIVATE = ("where", "since", "until", "state")  # what may be said of a household


@dataclass(frozen=True)
class Reader:
    """For whom a message is written."""

    lang: Lang
    zone: ZoneInfo
    municipality: str
    town: str
    link: str = ""

    def more(self, alarm_id: str) -> str:
        """Where the numbers are: the address of the settings, or the command."""
        return self.link.replace("{alarm_id}", alarm_id) if self.link else f"drava alarms show {alarm_id}"


def single(alarm: Alarm, event: str, titles: Titles, reader: Reader, *, personal: bool) -> dict[str, Any]:
    """The body of a letter about one alarm."""
    lang = reader.lang
    told = tell(alarm, titles, reader.zone, lang)
    lines = [(key, label, text) for key, label, text in told.keyed if not personal or key in _PRIVATE]
    word = _EVENTS[event][lang]
    severity = severity_of(alarm.severity, lang)
    where = ", ".join(dict.fromkeys(part for part in titles if part)) or alarm.subject
    subject = f"[{reader.town}] {severity}: {told.title}{f' – {where}' if where else ''}{f' ({word})' if word else ''}"
    text = [f"{told.title}{f' ({word})' if word else ''}", ""]
    text += [f"{label}: {value}" for _, label, value in lines]
    text += [f"{_WORDS['link'][lang]}: {reader.more(alarm.alarm_id)}", f"{_WORDS['id'][lang]}: {alarm.alarm_id}"]
    text += ["", _WORDS["personal"][lang]] if personal else []
    document = {"event": event, "municipality": reader.municipality, "text": told.title}
    return {
        "subject": one_line(subject),
        "text": "\n".join(map(one_line, text)) + "\n",
        "document": document | {"alarm": _document(alarm, titles, reader, personal=personal)},
    }


def several(listed: Listed, about: str, reader: Reader) -> dict[str, Any]:
    """The body of one letter about many alarms: what and where of each."""
    lang = reader.lang
    title = _WORDS["many"][lang].format(len(listed))
    lines = []
    for alarm, titles in listed:
        where = ", ".join(dict.fromkeys(part for part in titles if part)) or alarm.subject
        severity = severity_of(alarm.severity, lang)
        lines.append(
            f"- {severity}: {what(alarm.detector, alarm.kind, lang, alarm.evidence)} – {where} [{alarm.alarm_id}]"
        )
    alarms = [_document(alarm, titles, reader, personal=True) for alarm, titles in listed]
    document = {"event": "new", "municipality": reader.municipality, "text": title, "about": about, "alarms": alarms}
    text = [title, "", *lines, "", f"{_WORDS['link'][lang]}: {reader.more('')}".rstrip()]
    return {
        "subject": one_line(f"[{reader.town}] {title}"),
        "text": "\n".join(map(one_line, text)) + "\n",
        "document": document,
    }


def _document(alarm: Alarm, titles: Titles, reader: Reader, *, personal: bool) -> dict[str, Any]:
    """An alarm for a machine; of a household its place and its times."""
    plain: dict[str, Any] = {
        "alarm_id": alarm.alarm_id,
        "detector": alarm.detector,
        "kind": alarm.kind,
        "title": what(alarm.detector, alarm.kind, reader.lang, alarm.evidence),
        "severity": alarm.severity,
        "state": alarm.state,
        "thing_id": alarm.thing_id,
        "device_id": alarm.device_id,
        "area_id": alarm.area_id,
        "where": ", ".join(dict.fromkeys(part for part in titles if part)),
        "since": alarm.since.isoformat(),
        "until": alarm.until.isoformat() if alarm.until else None,
        "link": reader.more(alarm.alarm_id),
    }
    if personal:
        return plain
    fields: Mapping[str, Any] = {**vars(alarm), **alarm.evidence}
    amounts = {name: fields[name] for name in ("litres_per_hour", "volume_m3", "eur")}
    return plain | amounts | {"why": why(alarm.detector, fields, reader.lang), "evidence": dict(alarm.evidence)}


def one_line(text: str) -> str:
    """A text from outside as one line that no header can be hidden in."""
    return "".join(char if char.isprintable() else " " for char in text)
