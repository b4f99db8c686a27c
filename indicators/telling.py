"""An alarm in words: what, where, since when, how much, and why we think so; in Slovenian and English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    "amount": {"sl": "Koliko", "en": "How much"},
    "why": {"sl": "Zakaj", "en": "Why"},
    "chart": {"sl": "Potek", "en": "Course"},
}


@dataclass(frozen=True)
class Told:
    """One alarm as text: a title, and labelled lines."""

    title: str
    lines: Sequence[tuple[str, str]]


class _Numbers(Formatter):
    """Fills a text of a pack: numbers with the language's decimal sign, and a dash for what is not known."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG002
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return "–"
        text = str(super().format_field(value, format_spec))
        if self.lang == "en" or not isinstance(value, float):
            return text
        return text.replace(".", ",").replace("%", " %")


def why(detector: str, fields: Mapping[str, Any], lang: Lang) -> str:
    """Why a detector thinks so, from the fields of an alarm and of its evidence."""
    text = WHY if detector.startswith(f"{PREFIX}.") else says.why if (says := _says(detector)) else None
    return _Numbers(lang).vformat(text.to(lang), (), fields) if text else ""


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
    until = moment(alarm.until, zone, lang) if alarm.until else None
    chart = alarm.evidence.get("chart")
    said = {
        "where": ", ".join(dict.fromkeys(p for p in (*places, alarm.subject) if p)),
        "since": moment(alarm.since, zone, lang),
        "until": until,
        "state": _STATES[alarm.state][lang],
        "amount": how_much(alarm, lang),
        "why": why(alarm.detector, fields, lang),
        "chart": f"{sparkline(chart)}  {_chart_of(alarm, lang)}" if chart else None,
    }
    return Told(
        what(alarm.detector, alarm.kind, lang, alarm.evidence),
        [(_LABELS[key][lang], text) for key, text in said.items() if text],
    )


def how_much(alarm: Alarm, lang: Lang) -> str:
    """Litres an hour, cubic metres and money, as far as they are known."""
    parts = [
        f"{number(alarm.litres_per_hour, lang)} l/h" if alarm.litres_per_hour is not None else "",
        f"{number(alarm.volume_m3, lang)} m³" if alarm.volume_m3 is not None else "",
        amount(alarm.eur, lang) if alarm.eur is not None else "",
    ]
    return ", ".join(part for part in parts if part)


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
