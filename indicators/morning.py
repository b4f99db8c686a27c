"""The morning list: what is new, what goes on, what is over; who is silent; and that nothing is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from indicators import words
from indicators.round import Round
from schemas.reasons import TEXTS
from schemas.settings import Lang

MESSAGES = ("decoded", "housekeeping", "quarantined")
READINGS = ("stored", "completed", "revised", "duplicate", "quarantined", "too_old")
SEVERITIES = ("critical", "warning", "info")
DAY = timedelta(days=1)

Group = Literal["new", "lasting", "over", "quiet"]
GROUPS: tuple[Group, ...] = ("new", "lasting", "over", "quiet")  # in the order of the list

LABELS: dict[str, dict[Lang, str]] = {
    "heading": {"sl": "Jutranje poročilo", "en": "Morning report"},
    "new": {"sl": "Novo", "en": "New"},
    "lasting_": {"sl": "Traja že od prej", "en": "Still going on"},
    "over": {"sl": "Končano od včeraj", "en": "Over since yesterday"},
    "no_news": {"sl": "Nič novega.", "en": "Nothing new."},
    "quiet": {"sl": "Pojasnjeno ali utišano", "en": "Explained or muted"},
    "cause": {"sl": "Vzrok je alarm {}", "en": "Caused by alarm {}"},
    "muted": {"sl": "Utišano: {}", "en": "Muted: {}"},
    "doubt": {
        "sl": "Detektor tega od {} ne potrjuje več; preverite na kraju in zaprite (drava alarms close {})",
        "en": "Not confirmed by its detector since {}; check the place and close it (drava alarms close {})",
    },
    "private": {"sl": "podatki o porabi niso v sporočilu", "en": "no consumption in a message"},
    "silent": {"sl": "Naprave, ki molčijo", "en": "Silent devices"},
    "nobody": {"sl": "nobena", "en": "none"},
    "more": {"sl": "in še {}", "en": "and {} more"},
    "events": {"sl": "Dogodki od včeraj", "en": "Events since yesterday"},
    "coverage": {"sl": "Pokritost: odčitki, ki so prispeli", "en": "Coverage: readings that came"},
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
    found_at: datetime | None = None
    cause: str | None = None
    muted: str | None = None
    unconfirmed_at: datetime | None = None
    private: bool = False  # of a household, and this list leaves the house: no amounts


@dataclass(frozen=True)
class Silent:
    """Devices of one family that have not been heard."""

    title: str
    devices: Sequence[str]


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
    silent: Sequence[Silent] = ()
    coverage: Sequence[Figure] = ()
    events: Sequence[tuple[str, int]] = ()  # what happened, and how often
    round: Round = field(default_factory=Round)  # containers of tomorrow

    def label(self, name: str) -> str:
        """A word of the report in its language."""
        return LABELS[name][self.lang]

    @property
    def town(self) -> str:
        """The municipality as people write it."""
        return self.municipality.replace("-", " ").replace("_", " ").title()

    @property
    def title(self) -> str:
        """The heading with place, day and time."""
        day = words.weekday(self.at, self.zone, self.lang)
        return f"{self.label('heading')}, {self.town} · {day}, {words.moment(self.at, self.zone, self.lang)}"

    def group(self, finding: Finding) -> Group:
        """Where in the list a finding stands: new is what was first seen since the list of yesterday."""
        if finding.cause or finding.muted:
            return "quiet"
        if finding.until is not None and (finding.found_at or finding.since) <= self.at - DAY:
            return "over"
        return "new" if (finding.found_at or finding.since) > self.at - DAY else "lasting"

    def of(self, group: Group) -> list[Finding]:
        """The findings of a group: the worst first, then by money and age."""
        rank = {name: n for n, name in enumerate(SEVERITIES)}
        return sorted(
            (finding for finding in self.findings if self.group(finding) == group),
            key=lambda f: (f.until is not None, rank.get(f.severity, 9), -(f.eur or 0), f.since, f.alarm_id),
        )

    @property
    def ordered(self) -> list[Finding]:
        """All findings in the order of the list."""
        return [finding for group in GROUPS for finding in self.of(group)]

    def heading(self, group: Group) -> str:
        """The title of a group with how many are in it."""
        return f"{self.label('lasting_' if group == 'lasting' else group)} ({len(self.of(group))})"

    @property
    def summary(self) -> str:
        """The list in one line, for the subject of a message."""
        named = [f"{self.label('lasting_' if g == 'lasting' else g).lower()}: {len(self.of(g))}" for g in GROUPS[:3]]
        return ", ".join(named)

    def notes(self, finding: Finding) -> list[str]:
        """What else is to be known: its cause, why it is muted, that nobody confirms it."""
        doubt = finding.unconfirmed_at and words.moment(finding.unconfirmed_at, self.zone, self.lang)
        said = [
            self.label("cause").format(finding.cause) if finding.cause else "",
            self.label("muted").format(finding.muted) if finding.muted else "",
            self.label("doubt").format(doubt, finding.alarm_id) if doubt else "",
            self.label("private") if finding.private else "",
        ]
        return [note for note in said if note]

    def when(self, finding: Finding) -> str:
        """Since when, and for how long."""
        start = f"{self.label('since')} {words.moment(finding.since, self.zone, self.lang)}"
        length = words.span((finding.until or self.at) - finding.since, self.lang)
        return f"{start}, {self.label('lasted' if finding.until else 'lasting').format(length)}"

    def loss(self, finding: Finding) -> str:
        """What has been lost so far: flow, water and money, as far as known."""
        if finding.private:
            return ""
        flow, volume, eur = finding.litres_per_hour, finding.volume_m3, finding.eur
        parts = [f"{words.number(flow, self.lang)} l/h"] if flow else []
        parts += [f"{words.number(volume, self.lang)} m³"] if volume else []
        parts += [words.amount(eur, self.lang)] if eur else []
        return " · ".join(parts)

    @property
    def total(self) -> str:
        """Water and money of all findings that may be said; an effect is not counted beside its cause."""
        counted = [f for f in self.findings if not f.private and not f.cause]
        volume = sum(f.volume_m3 or 0 for f in counted)
        eur = sum(f.eur or 0 for f in counted)
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

    def rows_of(self, value: int) -> str:
        """Write a number of rows."""
        return f"{self.count(value)} {words.counted('{row}', self.lang, value)}"

    def reason(self, name: str) -> str:
        """A reason for quarantine in words."""
        return next((texts[self.lang] for reason, texts in TEXTS.items() if reason.value == name), name)

    def bare(self, figure: Figure) -> str:
        """An indicator value without its unit."""
        return self.label("no_value") if figure.value is None else words.number(figure.value, self.lang)

    def value(self, figure: Figure) -> str:
        """An indicator value with its unit."""
        unit = "" if figure.value is None else words.unit(figure.unit, self.lang, figure.value)
        return f"{self.bare(figure)} {unit}".strip()

    def names(self, silent: Silent, most: int = 8) -> str:
        """Who is silent: at most so many by name."""
        rest = len(silent.devices) - most
        return ", ".join(silent.devices[:most]) + (f" {self.label('more').format(rest)}" if rest > 0 else "")
