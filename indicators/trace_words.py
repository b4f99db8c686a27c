"""What became of a value and why, in words for people."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from indicators.trace import Cause
from indicators.words import moment
from schemas.settings import Lang

_CAUSES: dict[Lang, dict[str, str]] = {
    "en": {
        "definition": "definition: version {before} → {after}",
        "unknown": "what these runs had seen is not known: they are of an older program",
        "registry": "registry: import {import} by {who} ({source}) {why}",
        "readings": "readings: {rows} of {device_id} ({family}) of {first} to {last} came",
        "revised": ", {revised} of them revised",
        "corrected": ", corrected by {author}: {reason}",
        "values": "values: {n} of {indicator} became others, among them of {subject}",
        "time": "time: the period was not over, or what was registered ahead came into force",
    },
    "sl": {
        "definition": "opredelitev: različica {before} → {after}",
        "unknown": "kaj sta ta izračuna upoštevala, ni znano: naredil ju je starejši program",
        "registry": "register: uvoz {import}, {who} ({source}) {why}",
        "readings": "odčitki: naprava {device_id} ({family}), od {first} do {last}, prispelo: {rows}",
        "revised": ", od tega spremenjenih: {revised}",
        "corrected": ", popravek ({author}): {reason}",
        "values": "vrednosti: kazalnik {indicator}, drugačnih: {n}, med njimi {subject}",
        "time": "čas: obdobje še ni minilo ali pa je začelo veljati, kar je bilo vpisano vnaprej",
    },
}
_VALUES: dict[Lang, dict[str, str]] = {
    "en": {
        "first": "the first",
        "gone": "no value any more",
        "seen": "snapshot {snapshot}, coverage {coverage}",
        "numerator": "numerator",
        "denominator": "denominator",
        "coverage": "coverage",
        "devices": "devices",
        "estimated_share": "estimated share",
    },
    "sl": {
        "first": "prva vrednost",
        "gone": "vrednosti ni več",
        "seen": "posnetek {snapshot}, pokritost {coverage}",
        "numerator": "števec",
        "denominator": "imenovalec",
        "coverage": "pokritost",
        "devices": "naprave",
        "estimated_share": "ocenjeni delež",
    },
}
_BESIDE = ("numerator", "denominator", "coverage", "devices", "estimated_share")


def why(cause: Cause, lang: Lang, zone: ZoneInfo) -> str:
    """One cause as a sentence; times by the town's clock."""
    about, words = dict(cause.about), _CAUSES[lang]
    for name in ("first", "last"):
        if name in about:
            about[name] = moment(about[name], zone, lang)
    said = words[cause.kind]
    if cause.kind == "readings":
        said += (words["revised"] if about["revised"] else "") + (words["corrected"] if about["author"] else "")
    return said.format(**about).strip()


def became(before: Mapping[str, Any] | None, after: Mapping[str, Any], lang: Lang) -> list[str]:
    """What is another beside the value itself; of the first of all that it is the first."""
    if before is None:
        return [_VALUES[lang]["first"]]
    return [
        f"{_VALUES[lang][name]}: {_figure(before[name], lang)} → {_figure(after[name], lang)}"
        for name in _BESIDE
        if before[name] != after[name]
    ]


def headline(row: Mapping[str, Any], lang: Lang, zone: ZoneInfo) -> str:
    """A value as it was told: when it was computed, what it was, and of what."""
    gone = row["value"] is None and row["denominator"] is None
    value = _VALUES[lang]["gone"] if gone else f"{_figure(row['value'], lang)} {row['unit']}"
    seen = _VALUES[lang]["seen"].format(snapshot=row["snapshot_id"], coverage=_figure(row["coverage"], lang))
    return f"{moment(row['computed_at'], zone, lang)}  {value}  ({seen})"


def _figure(value: float | None, lang: Lang) -> str:
    """All digits that are stored: a difference in the last one is one, too."""
    if value is None:
        return "–"
    text = f"{value:.9f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if lang == "sl" else text
