"""Thresholds of drava.toml as detectors: each rule becomes a pack whose SELECT is written here."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from string import Template

from indicators.header import Pack, Says, packs
from indicators.places import Places
from indicators.words import unit
from schemas.alerts import Both, Threshold
from schemas.errors import DravaError
from schemas.settings import Lang, Settings
from schemas.vocabulary import Family, Text, families, measures

PREFIX = "threshold"
DAYS = 35  # what ended before is not looked for again

WHY = Text(
    en="{measure_en}: {now:.2f} {unit}, limit {limit:.2f}; readings past it: {readings} in {minutes:.0f} min,"
    " the furthest {peak:.2f} {unit}.",
    sl="{measure_sl}: {now:.2f} {unit}, meja {limit:.2f}; odčitkov čez mejo: {readings} v {minutes:.0f} min,"
    " najdlje {peak:.2f} {unit}.",
)


def detectors(settings: Settings, ids: list[str] | None = None) -> list[Pack]:
    """Detectors by full id or last word, packs and thresholds alike; all where none is named.

    Raises DravaError for one that is not there.
    """
    rules = {pack.id: pack for pack in map(rule, (*ready(settings.limits), *settings.threshold))}  # the town's own win
    known = {**packs("detector"), **rules}
    if not ids:
        return list(known.values())
    short = {pack.name: pack for pack in known.values()}
    missing = [name for name in ids if name not in known and name not in short]
    if missing:
        raise DravaError(f"{missing[0]!r} is not a detector of Drava", "drava detectors list names them")
    return [known.get(name) or short[name] for name in ids]


def ready(sets: Iterable[str]) -> list[Threshold]:
    """The rules of the sets of limits that a town has switched on."""
    return [threshold for name in sets for threshold in _sets()[name]]


@cache
def _sets() -> dict[str, list[Threshold]]:
    found = tomllib.loads((files("indicators") / "limits.toml").read_text("utf-8"))
    return {name: [Threshold.model_validate(rule) for rule in rules] for name, rules in found.items()}


def strangers(settings: Settings, places: Places) -> list[str]:
    """What rules name and nobody knows: a misspelt place would never alarm, and nobody would wonder."""
    areas = set(places.areas) | {place.area_id for place in places.things.values()}
    return [
        f"{PREFIX}.{one.name}: there is no {kind} {name!r}"
        for one in settings.threshold
        for kind, names, known in (("area", _areas(one), areas), ("thing", one.things, set(places.things)))
        for name in names
        if name not in known
    ]


def _areas(threshold: Threshold) -> tuple[str, ...]:
    return (threshold.area,) if isinstance(threshold.area, str) and threshold.area else tuple(threshold.area)


def rule(threshold: Threshold) -> Pack:
    """One threshold as a detector."""
    family = families()[threshold.family]
    measure = measures()[threshold.measure]
    says = Says(
        what=_text(threshold.text),
        why=WHY,
        chart=Text(
            en=f"{measure.title.en}, {unit(measure.unit, 'en')}", sl=f"{measure.title.sl}, {unit(measure.unit, 'sl')}"
        ),
    )
    return Pack(
        id=f"{PREFIX}.{threshold.name}",
        kind="detector",
        title=_text(threshold.text),
        meaning=Text(en=_meaning(threshold, "en"), sl=_meaning(threshold, "sl")),
        grain="thing",
        personal=family.personal,
        reads=(family.name, "assignments", "things", "areas", "run"),
        cadence="commit" if threshold.urgent else "hour",
        memory_days=DAYS,
        refractory_min=0,  # hysteresis and the time that it must last say it already
        says=says,
        sql=_sql(threshold, family),
    )


def _text(both: Both) -> Text:
    return Text(en=both.en, sl=both.sl)


_WORDS = {
    "sl": {"above": "nad", "below": "pod", "or": "ali", "for": "vsaj"},
    "en": {"above": "above", "below": "below", "or": "or", "for": "for at least"},
}


def _meaning(threshold: Threshold, lang: Lang) -> str:
    words, measure = _WORDS[lang], measures()[threshold.measure]
    sides = (("above", threshold.above), ("below", threshold.below))
    limits = [f"{words[side]} {value:g} {unit(measure.unit, lang)}" for side, value in sides if value is not None]
    lasting = f", {words['for']} {threshold.for_minutes:g} min" if threshold.for_minutes else ""
    either = f" {words['or']} ".join(limits)
    return f"{measure.title.to(lang)} {either}{lasting}."


def _places(threshold: Threshold) -> str:
    """Which things are meant: those named, those of an area and of the areas in it, or all."""
    areas = _areas(threshold)
    chosen = []
    if threshold.things:
        chosen.append(f"t.thing_id IN ({_quoted(threshold.things)})")
    if areas:
        chosen.append(f"t.area_id IN (SELECT area_id FROM within WHERE top IN ({_quoted(areas)}))")
    return f"({' OR '.join(chosen)})" if chosen else "true"


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(_literal(word) for word in words)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@cache
def _template() -> Template:
    return Template((files("indicators") / "threshold.sql").read_text("utf-8"))


def _sql(threshold: Threshold, family: Family) -> str:
    """On where a limit is passed, off where the value has come back by the hysteresis, as before in between."""
    over, under, slack = threshold.above, threshold.below, threshold.hysteresis
    on = [f"value > {over!r}"] if over is not None else []
    on += [f"value < {under!r}"] if under is not None else []
    off = [f"value <= {over - slack!r}"] if over is not None else []
    off += [f"value >= {under + slack!r}"] if under is not None else []
    measure = measures()[threshold.measure]
    return _template().substitute(
        family=family.name,
        measure=measure.name,
        series=f"concat_ws('/', {', '.join(f's.{key}' for key in family.keys)})" if family.keys else "''",
        places=_places(threshold),
        days=DAYS,
        on=" OR ".join(on),
        off=" AND ".join(off),
        upward=f"first_value > {over!r}" if over is not None else "false",
        over=repr(over) if over is not None else "NULL",
        under=repr(under) if under is not None else "NULL",
        seconds=threshold.for_minutes * 60,
        severity=_literal(threshold.severity),
        names=", ".join(
            f"'{name}': {_literal(text)}"
            for name, text in (
                ("measure_sl", measure.title.sl),
                ("measure_en", measure.title.en),
                ("text_sl", threshold.text.sl),
                ("text_en", threshold.text.en),
                ("unit", unit(measure.unit, "sl")),
            )
        ),
    )
