"""An alarm in words: what, where, since when, how much, and why we think so; in Slovenian and English."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

from catalog.alarms import Alarm
from indicators.header import Says, packs
from indicators.thresholds import PREFIX, WHY
from indicators.words import amount, moment, number
from schemas.settings import Lang

_BARS = "▁▂▃▄▅▆▇█"
_STATES: dict[str, dict[Lang, str]] = {
    "open": {"sl": "traja", "en": "going on"},
    "acknowledged": {"sl": "traja, potrjen", "en": "going on, acknowledged"},
    "closed": {"sl": "končan", "en": "over"},
    "retracted": {"sl": "umaknjen: poznejši podatki ga ne potrjujejo", "en": "retracted: later data do not confirm it"},
}
_LABELS: dict[str, dict[Lang, str]] = {
    "where": {"sl": "Kje", "en": "Where"},
    "since": {"sl": "Od", "en": "Since"},
    "until": {"sl": "Do", "en": "Until"},
    "state": {"sl": "Stanje", "en": "State"},
    "doubt": {"sl": "Opomba", "en": "Note"},
    "cause": {"sl": "Vzrok", "en": "Cause"},
    "muted": {"sl": "Utišan", "en": "Muted"},
    "amount": {"sl": "Koliko", "en": "How much"},
    "why": {"sl": "Zakaj", "en": "Why"},
    "chart": {"sl": "Potek", "en": "Course"},
}
_SEVERITIES: dict[str, dict[Lang, str]] = {
    "critical": {"sl": "NUJNO", "en": "CRITICAL"},
    "warning": {"sl": "opozorilo", "en": "warning"},
    "info": {"sl": "obvestilo", "en": "notice"},
}
_UNCONFIRMED: dict[Lang, str] = {
    "sl": "od {} ga detektor ne potrjuje več, ker ne gleda tako daleč nazaj; preverite na kraju in ga zaprite",
    "en": "not confirmed since {}: its detector does not look back so far; check the place and close it",
}


_MOMENT, _HOUR = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}"), re.compile(r"\d{2}:\d{2}")
_UNKNOWN = "\0"  # until the text is whole: brackets that would hold a dash are left away
_BESIDE = re.compile(rf"\s*\([^()]*{_UNKNOWN}[^()]*\)")


@dataclass(frozen=True)
class Told:
    """One alarm as text: a title, and lines with their key and label."""

    title: str
    keyed: Sequence[tuple[str, str, str]]

    @property
    def lines(self) -> Sequence[tuple[str, str]]:
        """The lines without their keys."""
        return [(label, text) for _, label, text in self.keyed]


class _Numbers(Formatter):
    """Fills a text of a pack: numbers with the language's decimal sign, and a mark for what is not known."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG002
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return _UNKNOWN
        if isinstance(value, str):
            return _clock(value, self.lang)
        grouped = f"{format_spec[:-1].replace('.', ',.') or ','}f" if format_spec.endswith("f") else format_spec
        text = str(super().format_field(value, grouped))
        if self.lang == "en" or not isinstance(value, int | float):
            return text
        return text.translate(str.maketrans(",.", ".,")).replace("%", " %")


def _clock(text: str, lang: Lang) -> str:
    """A local time of the evidence (`2026-03-01 06:00`, `06:00`) as people write it; any other text as it is."""
    if _MOMENT.fullmatch(text):
        return moment(datetime.fromisoformat(f"{text}Z"), ZoneInfo("UTC"), lang)
    return text.removeprefix("0").replace(":", ".") if lang == "sl" and _HOUR.fullmatch(text) else text


def why(detector: str, fields: Mapping[str, Any], lang: Lang) -> str:
    """Why a detector thinks so, from the fields of an alarm and of its evidence."""
    text = WHY if detector.startswith(f"{PREFIX}.") else says.why if (says := _says(detector)) else None
    told = _Numbers(lang).vformat(text.to(lang), (), fields) if text else ""
    return _BESIDE.sub("", told).replace(_UNKNOWN, "–")


def what(detector: str, kind: str, lang: Lang, evidence: Mapping[str, Any] | None = None) -> str:
    """The name of a condition; that of a threshold, which may have gone from the settings, is in the evidence."""
    says = _says(detector)
    return says.what.to(lang) if says else str((evidence or {}).get(f"text_{lang}") or kind)


def _says(detector: str) -> Says | None:
    pack = packs("detector").get(detector)
    return pack.says if pack else None


def tell(alarm: Alarm, places: Sequence[str | None], zone: ZoneInfo, lang: Lang) -> Told:
    """Say everything about an alarm; `places` are the titles of its thing and area, where they have one."""
    fields = {**vars(alarm), **alarm.evidence}
    chart = alarm.evidence.get("chart")
    said = {
        "where": ", ".join(dict.fromkeys(p for p in (*places, alarm.subject) if p)),
        "since": moment(alarm.since, zone, lang),
        "until": moment(alarm.until, zone, lang) if alarm.until else None,
        "state": _STATES[alarm.state][lang],
        "doubt": _UNCONFIRMED[lang].format(moment(alarm.unconfirmed_at, zone, lang)) if alarm.unconfirmed_at else None,
        "cause": alarm.cause,
        "muted": alarm.muted,
        "amount": how_much(alarm, lang),
        "why": why(alarm.detector, fields, lang),
        "chart": f"{sparkline(chart)}  {_chart_of(alarm, lang)}" if chart else None,
    }
    title = what(alarm.detector, alarm.kind, lang, alarm.evidence)
    return Told(title, [(key, _LABELS[key][lang], text) for key, text in said.items() if text])


def brief(alarm: Alarm, places: Sequence[str | None], zone: ZoneInfo, lang: Lang) -> list[str]:
    """An alarm in three lines: how bad, what, and how it stands; where; since when and how much."""
    fields = {
        "cause": alarm.cause,
        "muted": alarm.muted,
        "doubt": alarm.unconfirmed_at and moment(alarm.unconfirmed_at, zone, lang),
    }
    notes = [f"{_LABELS[name][lang].lower()}: {said}" for name, said in fields.items() if said]
    until = f"{_LABELS['until'][lang].lower()} {moment(alarm.until, zone, lang)}" if alarm.until else ""
    since = f"{_LABELS['since'][lang].lower()} {moment(alarm.since, zone, lang)}"
    standing = [severity(alarm.severity, lang), _STATES[alarm.state][lang], *notes]
    return [
        f"{what(alarm.detector, alarm.kind, lang, alarm.evidence)} ({', '.join(standing)})",
        ", ".join(dict.fromkeys(place for place in places if place)) or alarm.subject,
        ", ".join(part for part in (f"{since} {until}".strip(), how_much(alarm, lang)) if part),
    ]


def severity(name: str, lang: Lang) -> str:
    """How bad it is, in words; what nobody knows is a warning."""
    return _SEVERITIES.get(name, _SEVERITIES["warning"])[lang]


def how_much(alarm: Alarm, lang: Lang) -> str:
    """Litres an hour, cubic metres and money, as far as they are known, with their bounds where they have some."""
    flow, volume, eur = alarm.litres_per_hour, alarm.volume_m3, alarm.eur
    parts = [
        f"{number(flow, lang)}{_bounds(alarm, 'litres_per_hour', lang)} l/h" if flow is not None else "",
        f"{number(volume, lang)}{_bounds(alarm, 'volume_m3', lang)} m³" if volume is not None else "",
        f"{amount(eur, lang)}{_bounds(alarm, 'eur', lang)}" if eur is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _bounds(alarm: Alarm, name: str, lang: Lang) -> str:
    """Between which values an amount lies: as the evidence says, or as much as the flow's bounds make of it."""
    found = bounds(alarm, name)
    return f" ({number(found[0], lang)}–{number(found[1], lang)})" if found else ""


def bounds(alarm: Alarm, name: str) -> tuple[float, float] | None:
    """The bounds of `litres_per_hour`, `volume_m3` or `eur`; None where the evidence has none.

    A detector says `<name>_low` and `<name>_high` in its evidence. Volume and money follow those of the flow.
    """
    for source in (name, "volume_m3", "litres_per_hour"):
        low, high = alarm.evidence.get(f"{source}_low"), alarm.evidence.get(f"{source}_high")
        middle, value = getattr(alarm, source), getattr(alarm, name)
        if low is not None and high is not None and middle and value is not None:
            return (low, high) if source == name else (value * low / middle, value * high / middle)
        if name == "litres_per_hour":
            break
    return None


def _chart_of(alarm: Alarm, lang: Lang) -> str:
    says = _says(alarm.detector)
    return says.chart.to(lang) if says and says.chart else str(alarm.evidence.get(f"measure_{lang}") or "")


def sparkline(values: Sequence[float | None]) -> str:
    """Draw numbers as a row of bars from the smallest to the largest; a gap where one is missing."""
    present = [value for value in values if value is not None]
    if not present:
        return ""
    low, span = min(present), (max(present) - min(present)) or 1.0
    top = len(_BARS) - 1
    return "".join(" " if value is None else _BARS[round((value - low) / span * top)] for value in values)
