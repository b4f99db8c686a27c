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
    "1": "",
}
COUNTED: dict[str, dict[Lang, str]] = {  # what UCUM counts in braces; in Slovenian after five and more
    "d": {"sl": "dni", "en": "days"},
    "{vehicle}": {"sl": "vozil", "en": "vehicles"},
    "{person}": {"sl": "oseb", "en": "persons"},
    "{pulse}": {"sl": "impulzov", "en": "pulses"},
}
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


def unit(ucum: str, lang: Lang) -> str:
    """Write a UCUM unit as it stands on an invoice; unknown annotations in braces are left away."""
    if ucum in UNITS:
        return UNITS[ucum]
    above, slash, below = ucum.partition("/")
    word = COUNTED.get(above, {}).get(lang, "" if above.startswith("{") else UNITS.get(above, above))
    return f"{word}{slash}{below}".strip("/")


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
    return f"{days} {_dni(days)}"


def _dni(days: int) -> str:
    last = days % 100
    return "dan" if last == 1 else "dneva" if last == 2 else "dni"  # noqa: PLR2004 - the dual
