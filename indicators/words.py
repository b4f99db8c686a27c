"""Numbers, times and units as people in Slovenia and elsewhere read them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.settings import Lang

DAYS: dict[Lang, tuple[str, ...]] = {
    "sl": ("ponedeljek", "torek", "sreda", "četrtek", "petek", "sobota", "nedelja"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNITS = {
    "m3": "m³",
    "L": "l",
    "Cel": "°C",
    "deg": "°",
    "kW.h": "kWh",
    "m3/h": "m³/h",
    "L/h": "l/h",
    "L/s": "l/s",
    "ug/m3": "µg/m³",
    "mg/m3": "mg/m³",
    "m3/s": "m³/s",
    "uS/cm": "µS/cm",
    "dB[SPL]": "dB",
    "1": "",
    "EUR": "€",
}
# What UCUM counts in braces: for 1, for 2, for 3 and 4, for 5 and more; in English for 1 and for more.
Forms = dict[Lang, tuple[str, ...]]
COUNTED: dict[str, Forms] = {
    "d": {"sl": ("dan", "dneva", "dnevi", "dni"), "en": ("day", "days")},
    "{vehicle}": {"sl": ("vozilo", "vozili", "vozila", "vozil"), "en": ("vehicle", "vehicles")},
    "{person}": {"sl": ("oseba", "osebi", "osebe", "oseb"), "en": ("person", "persons")},
    "{pulse}": {"sl": ("impulz", "impulza", "impulzi", "impulzov"), "en": ("pulse", "pulses")},
    "{row}": {"sl": ("vrstica", "vrstici", "vrstice", "vrstic"), "en": ("row", "rows")},
    "{device}": {"sl": ("naprava", "napravi", "naprave", "naprav"), "en": ("device", "devices")},
}
_FRACTION = {  # after 2,5: the genitive singular
    "d": "dneva", "{vehicle}": "vozila", "{person}": "osebe", "{pulse}": "impulza", "{device}": "naprave",
    "{row}": "vrstice",
}  # fmt: skip
WHOLE_FROM, TENTHS_FROM = 100, 10  # as many digits as a reader can use


def number(value: float, lang: Lang, digits: int | None = None) -> str:
    """Write a number with the language's separators; without `digits` as precisely as its size makes sense."""
    if digits is None:
        size = abs(value)
        digits = 0 if size >= WHOLE_FROM or value == round(value) else 1 if size >= TENTHS_FROM else 2
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans(",.", ".,")) if lang == "sl" else text


def amount(eur: float, lang: Lang) -> str:
    """Write an amount of money."""
    digits = 0 if abs(eur) >= WHOLE_FROM else 2
    return f"{number(eur, 'sl', digits)} €" if lang == "sl" else f"€{number(eur, 'en', digits)}"


def unit(ucum: str, lang: Lang, value: float | None = None) -> str:
    """Write a UCUM unit as it stands on an invoice; what is counted agrees with its number, where that is given.

    Unknown annotations in braces are left away.
    """
    if ucum in UNITS:
        return UNITS[ucum]
    above, slash, below = ucum.partition("/")
    plain = "" if above.startswith("{") else UNITS.get(above, above)
    word = counted(above, lang, value) if above in COUNTED else plain
    return f"{word}{slash}{below}".strip("/")


def counted(name: str, lang: Lang, value: float | None) -> str:
    """The word for what is counted, in the form that its number asks for; of many where there is none."""
    forms = COUNTED[name][lang]
    if value is None:
        return forms[-1]
    if value != round(value) and abs(value) < WHOLE_FROM:  # written with a fraction
        return _FRACTION[name] if lang == "sl" else forms[-1]
    return forms[_form(round(abs(value))) if lang == "sl" else min(int(round(abs(value)) != 1), 1)]


def _form(number: int) -> int:
    """Which form a Slovenian noun has after a whole number: 1, 2, 3 and 4, the rest; by its last two digits."""
    last = number % 100
    return {1: 0, 2: 1, 3: 2, 4: 2}.get(last, 3)


def moment(at: datetime, zone: ZoneInfo, lang: Lang) -> str:
    """Write a time in the municipality's zone."""
    here = at.astimezone(zone)
    if lang == "sl":
        return f"{here.day}. {here.month}. {here.year} ob {here.hour}.{here:%M}"
    return f"{here.day} {MONTHS[here.month - 1]} {here.year} at {here:%H:%M}"


def weekday(at: datetime, zone: ZoneInfo, lang: Lang) -> str:
    """Name the day of the week."""
    return DAYS[lang][at.astimezone(zone).weekday()]


def span(length: timedelta, lang: Lang) -> str:
    """Write how long something lasts, in minutes, hours or days; Slovenian in the accusative (`traja 2 dneva`)."""
    minutes = round(length.total_seconds() / 60)
    if minutes < 120:  # noqa: PLR2004 - two hours
        return f"{minutes} min"
    if minutes < 2880:  # noqa: PLR2004 - two days
        return f"{round(minutes / 60)} h"
    days = round(minutes / 1440)
    if lang == "en":
        return f"{days} days"
    accusative = {0: "dan", 1: "dneva"}  # three, four and more: dni
    return f"{days} {accusative.get(_form(days), 'dni')}"
