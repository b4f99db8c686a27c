"""What a person may enter for a KPI: words to an entry, or one clear line about what is wrong with them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from catalog.entered import Entry
from devices.csvfile import readings
from indicators.kpis import Kpi, kpi
from schemas.errors import DravaError

FIRST = date(2000, 1, 1)
LONGEST = 300  # characters of author, source and note
YES = {"yes": 1.0, "da": 1.0, "no": 0.0, "ne": 0.0}


def entry(
    name: str, value: str | None, day: str, *, author: str, source: str, note: str, now: datetime, zone: str
) -> Entry:
    """An entry from words; `value` None takes back what was entered for that day. Raises DravaError."""
    found = kpi(name)
    amount = None if value is None else _amount(found, value)
    local_date = _day(day, now.astimezone(ZoneInfo(zone)).date())
    texts = {"author": author, "source": source, "note": note}
    cleaned = {label: _text(label, text, needed=label != "note") for label, text in texts.items()}
    return Entry(found.id, local_date, amount, cleaned["author"], cleaned["source"], cleaned["note"], now)


def _amount(of: Kpi, text: str) -> float:
    if of.unit == "{yes/no}" and text.strip().lower() in YES:
        return YES[text.strip().lower()]
    values = set(readings(text.strip().removesuffix("%").strip()).values())
    if not values:
        raise DravaError(f"{text!r} is not a number", "Write it like 12.5, 12,5 or 4200")
    if len(values) > 1:
        small, large = sorted(values)
        raise DravaError(f"{text!r} may be {small} or {large}", f"Write {large} without the separator of thousands")
    amount = float(values.pop())
    limit = {"%": 100.0, "{yes/no}": 1.0}.get(of.unit)
    if amount < 0 or (limit is not None and amount > limit) or (of.unit == "{yes/no}" and amount not in (0, 1)):
        allowed = "0 or 1" if of.unit == "{yes/no}" else f"0 to {limit:g}" if limit else "0 or more"
        raise DravaError(f"{of.id} cannot be {text}", f"{of.title.en}: {allowed}")
    return amount


def _day(text: str, today: date) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise DravaError(f"{text!r} is not a day", "Write it like 2026-03-31") from None
    if not FIRST <= found <= today:
        raise DravaError(f"{text} lies in the future or too far back", f"A day from {FIRST} to {today}")
    return found


def _text(label: str, text: str, *, needed: bool) -> str:
    found = " ".join(text.split())
    if (needed and not found) or len(found) > LONGEST or not found.isprintable():
        raise DravaError(f"--{label} is empty, too long or not text", f"At most {LONGEST} characters of one line")
    return found
