"""Values with their units, days and periods, as a report writes them in Slovenian and English."""

from datetime import date

from indicators import words
from schemas.settings import Lang

MONTHS: dict[Lang, tuple[str, ...]] = {
    "sl": (
        *("januar", "februar", "marec", "april", "maj", "junij"),
        *("julij", "avgust", "september", "oktober", "november", "december"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
YES_NO = "{yes/no}"
_YES: dict[Lang, tuple[str, str]] = {"sl": ("ne", "da"), "en": ("no", "yes")}
_UNITS: dict[str, dict[Lang, str]] = {  # what reads badly as UCUM
    "1/a": {"sl": "na leto", "en": "a year"},
    "1/km2": {"sl": "na km²", "en": "per km²"},
    "1/{person}": {"sl": "na prebivalca", "en": "per resident"},
    "{report}/{person}": {"sl": "na prebivalca", "en": "per resident"},
    "1/(1000.{person})": {"sl": "na 1.000 prebivalcev", "en": "per 1,000 residents"},
    "1/(100000.{person})": {"sl": "na 100.000 prebivalcev", "en": "per 100,000 residents"},
    "m3/(km.d)": {"sl": "m³/km na dan", "en": "m³/km a day"},
    "L/d": {"sl": "l na dan", "en": "l a day"},
    "L/({person}.d)": {"sl": "l na osebo in dan", "en": "l per person and day"},
    "{emptying}": {"sl": "praznjenj", "en": "emptyings"},
}
_SECONDS = {"min": 60, "h": 3600, "d": 86_400}
_LONG = ((180, "min"), (7_200, "h"), (172_800, "d"))  # from so many seconds on people count otherwise


def unit(ucum: str, lang: Lang) -> str:
    """A UCUM unit in words or signs that people know."""
    if ucum == YES_NO:
        return ""
    return _UNITS[ucum][lang] if ucum in _UNITS else words.unit(ucum, lang)


def quantity(value: float | None, ucum: str, lang: Lang, *, signed: bool = False) -> str:
    """A value with its unit; nothing where there is none. `signed` shows a plus."""
    if value is None:
        return ""
    if ucum == YES_NO and not signed:
        return _YES[lang][value >= 1]
    if ucum == "s" and abs(value) >= _LONG[0][0]:
        ucum = next(name for most, name in reversed(_LONG) if abs(value) >= most)
        value /= _SECONDS[ucum]
    sign = "+" if signed and value > 0 else ""
    text = f"{sign}{words.number(value, lang)}".replace("-", "\N{MINUS SIGN}")
    if ucum == "%":
        return f"{text} %" if lang == "sl" else f"{text}%"
    return f"{text} {unit(ucum, lang)}".strip()


def share(value: float | None, lang: Lang) -> str:
    """A share of one as per cent, so that only all of it is 100 %."""
    if value is None:
        return ""
    percent = 100 * value
    whole = round(percent)
    return quantity(whole if percent in (0, 100) else min(99, max(1, whole)), "%", lang)


def day(one: date, lang: Lang) -> str:
    """A day."""
    return (
        f"{one.day}. {one.month}. {one.year}"
        if lang == "sl"
        else f"{one.day} {MONTHS['en'][one.month - 1][:3]} {one.year}"
    )


def month(one: date, lang: Lang) -> str:
    """The month of a day."""
    return f"{MONTHS[lang][one.month - 1]} {one.year}"
