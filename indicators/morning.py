"""The morning report: what is wrong, where, since when, what it costs, why we think so, and that nothing is missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from indicators import words
from schemas.reasons import TEXTS
from schemas.settings import Lang

MESSAGES = ("decoded", "housekeeping", "quarantined")
READINGS = ("stored", "completed", "revised", "duplicate", "quarantined", "too_old")
_SEVERITIES = ("critical", "warning", "info")

LABELS: dict[str, dict[Lang, str]] = {
    "heading": {"sl": "Jutranje poročilo", "en": "Morning report"},
    "wrong": {"sl": "Kaj je narobe", "en": "What is wrong"},
    "nothing": {"sl": "Nič. Noben detektor ni našel napake.", "en": "Nothing. No detector found a fault."},
    "since": {"sl": "od", "en": "since"},
    "lasting": {"sl": "traja že {}", "en": "for {} so far"},
    "lasted": {"sl": "trajalo {}", "en": "lasted {}"},
    "loss": {"sl": "Doslej", "en": "So far"},
    "cost": {"sl": "Škoda", "en": "Loss"},
    "total": {"sl": "Skupaj", "en": "In all"},
    "why": {"sl": "Zakaj", "en": "Why"},
    "balance": {"sl": "Obračun", "en": "Balance"},
    "messages": {"sl": "Sporočila: prejeta", "en": "Messages: received"},
    "readings": {"sl": "Odčitki: dekodirani", "en": "Readings: decoded"},
    "decoded": {"sl": "dekodirana", "en": "decoded"},
    "housekeeping": {"sl": "vzdrževalna", "en": "housekeeping"},
    "quarantined": {"sl": "v karanteni", "en": "quarantined"},
    "stored": {"sl": "shranjeni", "en": "stored"},
    "completed": {"sl": "dopolnjeni", "en": "completed"},
    "revised": {"sl": "popravljeni", "en": "revised"},
    "duplicate": {"sl": "dvojniki", "en": "duplicate"},
    "too_old": {"sl": "prestari", "en": "too old"},
    "adds_up": {"sl": "se izide", "en": "adds up"},
    "not": {"sl": "SE NE IZIDE", "en": "DOES NOT ADD UP"},
    "quarantine": {"sl": "V karanteni", "en": "In quarantine"},
    "kept": {"sl": "Kar je shranjeno", "en": "What is stored"},
    "rows": {"sl": "vrstic", "en": "rows"},
    "figures": {"sl": "Kazalniki", "en": "Indicators"},
    "no_value": {"sl": "ni podatkov", "en": "no data"},
}


@dataclass(frozen=True)
class Finding:
    """One alarm in the words of the report; times are aware, `until` None means that it still goes on."""

    alarm_id: str
    kind: str
    title: str
    where: str
    since: datetime
    until: datetime | None = None
    severity: str = "warning"
    litres_per_hour: float | None = None
    volume_m3: float | None = None
    eur: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Figure:
    """One indicator value: its UCUM unit, and the period it stands for in words."""

    title: str
    where: str
    value: float | None
    unit: str
    period: str


@dataclass(frozen=True)
class Balance:
    """Both sheets in total, and the quarantine by reason."""

    received: int
    messages: Mapping[str, int]
    decoded: int
    readings: Mapping[str, int]
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def messages_add_up(self) -> bool:
        """Every message received ended in exactly one place."""
        return self.received == sum(self.messages.get(name, 0) for name in MESSAGES)

    @property
    def readings_add_up(self) -> bool:
        """Every reading decoded ended in exactly one place."""
        return self.decoded == sum(self.readings.get(name, 0) for name in READINGS)

    @property
    def adds_up(self) -> bool:
        """Both sheets do."""
        return self.messages_add_up and self.readings_add_up


@dataclass(frozen=True)
class Morning:
    """Everything the report says. `rows` are (title of the family, rows)."""

    municipality: str
    zone: ZoneInfo
    at: datetime
    lang: Lang
    findings: Sequence[Finding]
    figures: Sequence[Figure]
    balance: Balance
    rows: Sequence[tuple[str, int]]

    def label(self, name: str) -> str:
        """A word of the report in its language."""
        return LABELS[name][self.lang]

    @property
    def title(self) -> str:
        """The heading with place, day and time."""
        day = words.weekday(self.at, self.zone, self.lang)
        place = self.municipality.replace("-", " ").replace("_", " ").title()
        return f"{self.label('heading')}, {place} · {day}, {words.moment(self.at, self.zone, self.lang)}"

    @property
    def ordered(self) -> list[Finding]:
        """What still goes on before what is over; then by severity, money and age."""
        rank = {name: n for n, name in enumerate(_SEVERITIES)}
        return sorted(
            self.findings,
            key=lambda f: (f.until is not None, rank.get(f.severity, 9), -(f.eur or 0), f.since, f.alarm_id),
        )

    def when(self, finding: Finding) -> str:
        """Since when, and for how long."""
        start = f"{self.label('since')} {words.moment(finding.since, self.zone, self.lang)}"
        length = words.span((finding.until or self.at) - finding.since, self.lang)
        return f"{start}, {self.label('lasted' if finding.until else 'lasting').format(length)}"

    def loss(self, finding: Finding) -> str:
        """What has been lost so far: flow, water and money, as far as known."""
        flow, volume, eur = finding.litres_per_hour, finding.volume_m3, finding.eur
        parts = [f"{words.number(flow, self.lang)} l/h"] if flow else []
        parts += [f"{words.number(volume, self.lang)} m³"] if volume else []
        parts += [words.amount(eur, self.lang)] if eur else []
        return " · ".join(parts)

    @property
    def total(self) -> str:
        """Water and money of all findings."""
        volume = sum(f.volume_m3 or 0 for f in self.findings)
        eur = sum(f.eur or 0 for f in self.findings)
        return f"{words.number(volume, self.lang)} m³ · {words.amount(eur, self.lang)}" if volume or eur else ""

    def sheet(self, name: str) -> tuple[str, bool]:
        """One sheet of the balance as an equation, and whether it holds. `name` is `messages` or `readings`."""
        balance = self.balance
        first, parts, order, holds = (
            (balance.received, balance.messages, MESSAGES, balance.messages_add_up)
            if name == "messages"
            else (balance.decoded, balance.readings, READINGS, balance.readings_add_up)
        )
        terms = " + ".join(f"{self.label(part)} {self.count(parts.get(part, 0))}" for part in order)
        return f"{self.label(name)} {self.count(first)} = {terms}", holds

    def count(self, value: int) -> str:
        """Write a whole number."""
        return words.number(value, self.lang, 0)

    def reason(self, name: str) -> str:
        """A reason for quarantine in words."""
        return next((texts[self.lang] for reason, texts in TEXTS.items() if reason.value == name), name)

    def bare(self, figure: Figure) -> str:
        """An indicator value without its unit."""
        return self.label("no_value") if figure.value is None else words.number(figure.value, self.lang)

    def value(self, figure: Figure) -> str:
        """An indicator value with its unit."""
        unit = "" if figure.value is None else words.unit(figure.unit, self.lang)
        return f"{self.bare(figure)} {unit}".strip()


def text(morning: Morning) -> str:
    """Write the report as plain text for a terminal or a mail."""
    return "\n".join(_lines(morning)) + "\n"


def _lines(morning: Morning) -> Iterator[str]:
    yield morning.title
    yield ""
    yield f"{morning.label('wrong')} ({len(morning.findings)})"
    for n, finding in enumerate(morning.ordered, start=1):
        yield from _finding(morning, n, finding)
    if not morning.findings:
        yield f"  {morning.label('nothing')}"
    if morning.total:
        yield f"  {morning.label('total')}: {morning.total}"
    yield from ("", morning.label("figures"))
    yield from _aligned([(title, values) for title, values in _figures(morning)])
    yield from ("", morning.label("kept"))
    yield from _aligned([(title, f"{morning.count(rows)} {morning.label('rows')}") for title, rows in morning.rows])
    yield from ("", morning.label("balance"))
    for name in ("messages", "readings"):
        equation, holds = morning.sheet(name)
        yield f"  {equation}: {morning.label('adds_up' if holds else 'not')}"
    for reason, count in sorted(morning.balance.reasons.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {morning.label('quarantine')} {morning.count(count)}: {morning.reason(reason)}"


def _finding(morning: Morning, n: int, finding: Finding) -> Iterator[str]:
    yield f"{n:>3}. {finding.title}: {finding.where}  [{finding.alarm_id}]"
    yield f"     {morning.when(finding)}"
    if loss := morning.loss(finding):
        yield f"     {morning.label('loss' if finding.until is None else 'cost')}: {loss}"
    if finding.why:
        yield f"     {morning.label('why')}: {finding.why}"


def _figures(morning: Morning) -> Iterator[tuple[str, str]]:
    """One line for each indicator and period: its title, and its values side by side."""
    for (title, unit, period), group in groupby(morning.figures, key=lambda f: (f.title, f.unit, f.period)):
        figures = list(group)
        values = " · ".join(f"{f.where} {morning.bare(f)}" for f in figures)
        shown = words.unit(unit, morning.lang) if any(f.value is not None for f in figures) else ""
        yield title, f"{values} {shown}".rstrip() + f" ({period})"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
