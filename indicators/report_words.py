"""The words of the report in both languages."""

from collections.abc import Callable, Iterable, Iterator

from indicators.quantities import day, quantity, share
from indicators.report import Gap, Report
from indicators.report_lines import Line, Table
from indicators.sheet import WORDS, Row
from schemas.settings import Lang
from schemas.vocabulary import families

AREAS: dict[str, dict[Lang, str]] = {
    "water": {"sl": "Voda", "en": "Water"},
    "waste": {"sl": "Odpadki", "en": "Waste"},
    "lighting": {"sl": "Javna razsvetljava", "en": "Street lighting"},
    "traffic": {"sl": "Promet", "en": "Traffic"},
    "parking": {"sl": "Parkiranje", "en": "Parking"},
    "mobility": {"sl": "Mobilnost", "en": "Mobility"},
    "air": {"sl": "Zrak", "en": "Air"},
    "weather": {"sl": "Vreme", "en": "Weather"},
    "climate": {"sl": "Podnebje", "en": "Climate"},
    "noise": {"sl": "Hrup", "en": "Noise"},
    "roads": {"sl": "Ceste", "en": "Roads"},
    "road": {"sl": "Ceste", "en": "Roads"},
    "river": {"sl": "Reke", "en": "Rivers"},
    "rivers": {"sl": "Reke", "en": "Rivers"},
    "heat": {"sl": "Toplota", "en": "Heat"},
    "energy": {"sl": "Energija", "en": "Energy"},
    "buildings": {"sl": "Stavbe", "en": "Buildings"},
    "indoor": {"sl": "Zrak v stavbah", "en": "Indoor air"},
    "environment": {"sl": "Okolje", "en": "Environment"},
    "safety": {"sl": "Varnost", "en": "Safety"},
    "platform": {"sl": "Delovanje sistema", "en": "Platform"},
}
LABELS: dict[str, dict[Lang, str]] = {
    "report": {"sl": "Poročilo o kazalnikih", "en": "Report of indicators"},
    "period": {"sl": "Obdobje", "en": "Period"},
    "made": {"sl": "Izdelano", "en": "Made"},
    "snapshot": {"sl": "Posnetek podatkov", "en": "Snapshot of the data"},
    "contents": {"sl": "Vsebina", "en": "Contents"},
    "where": {"sl": "Kje", "en": "Where"},
    "value": {"sl": "Vrednost", "en": "Value"},
    "before": {"sl": "Prej", "en": "Before"},
    "target": {"sl": "Cilj", "en": "Target"},
    "trend": {"sl": "Potek", "en": "Trend"},
    "coverage": {"sl": "Pokritost", "en": "Coverage"},
    "estimated": {"sl": "Ocenjeno", "en": "Estimated"},
    "devices": {"sl": "Naprave", "en": "Devices"},
    "known": {"sl": "Znano", "en": "Known"},
    "version": {"sl": "Različica", "en": "Version"},
    "kpis": {"sl": "Kazalniki strategije", "en": "KPIs of the strategy"},
    "kpi": {"sl": "Kazalnik", "en": "KPI"},
    "reporting": {"sl": "Poroča", "en": "Reporting"},
    "missing_to": {"sl": "do cilja {}", "en": "{} to the target"},
    "covered": {"sl": "poroča {} naprav", "en": "{} of the devices report"},
    "base": {"sl": "Izhodišče", "en": "Baseline"},
    "status": {"sl": "Stanje", "en": "Status"},
    "computed": {"sl": "izračunano", "en": "computed"},
    "entered": {"sl": "vneseno", "en": "entered"},
    "missing": {"sl": "Kaj manjka in zakaj", "en": "What is missing, and why"},
    "indicator": {"sl": "Kazalnik", "en": "Indicator"},
    "why": {"sl": "Zakaj", "en": "Why"},
    "no_devices": {"sl": "v registru ni nobene naprave: {}", "en": "no device is registered: {}"},
    "no_readings": {"sl": "v obdobju ni odčitkov: {}", "en": "no readings in the period: {}"},
    "no_denominator": {
        "sl": "v obdobju ni dovolj podatkov ali ni imenovalca (registra, prebivalcev, dolžin)",
        "en": "too little is known of the period, or the denominator (register, population, lengths) is not there",
    },
    "not_over": {"sl": "obdobje kazalnika še ni končano", "en": "the period of the indicator is not over"},
    "not_computed": {"sl": "še ni izračunan: drava indicators run", "en": "not computed yet: drava indicators run"},
    "nothing": {"sl": "Nič.", "en": "Nothing."},
    "no_values": {"sl": "V tem obdobju ni nobene vrednosti.", "en": "There is no value in this period."},
    "only_coverage": {
        "sl": "Vrednosti s pokritostjo pod {0} ali z manjkajočimi obdobji so označene z {1}.",
        "en": "Values with a coverage below {0} or with missing periods bear a {1}.",
    },
    "explained": {
        "sl": "Vrednost je povprečje obdobja, uteženo z imenovalci; ob njej sta prejšnje obdobje in cilj. "
        "Brez imenovalca ni vrednosti. Meritve posameznih gospodinjstev niso v poročilu.",
        "en": "A value is the mean of the period, weighted with its denominators; beside it stand the period "
        "before and the target. Without a denominator there is no value. "
        "Nothing about a single household is in this report.",
    },
    "iso": {"sl": "Sorodni kazalniki ISO", "en": "Related indicators of ISO"},
    "iso_note": {
        "sl": "Številke in imena niso preverjeni po besedilu standarda.",
        "en": "Numbers and names were not checked against the text of the standards.",
    },
    "of": {"sl": "{} od {}", "en": "{} of {}"},
    "sum": {"sl": "{} kazalnikov: {}", "en": "{} KPIs: {}"},
    "source": {"sl": "vir: {}", "en": "source: {}"},
    "no_data": {"sl": "ni podatkov", "en": "no data"},
}
AMOUNTS = ("m3", "L", "kW.h", "EUR", "h", "{vehicle}", "{emptying}")  # they add up
EACH: dict[str, dict[Lang, str]] = {
    "day": {"sl": "na dan", "en": "a day"},
    "week": {"sl": "na teden", "en": "a week"},
    "month": {"sl": "na mesec", "en": "a month"},
    "year": {"sl": "na leto", "en": "a year"},
}
THIN, NBSP = "*", "\N{NO-BREAK SPACE}"


class Words:
    """The words of one report."""

    def __init__(self, report: Report) -> None:
        """Take the report whose language and period they are of."""
        self.report = report
        self.lang = report.lang

    def __call__(self, name: str, *about: object) -> str:
        """A label in the language of the report."""
        return LABELS[name][self.lang].format(*about)

    @property
    def title(self) -> str:
        """The heading."""
        place = self.report.municipality.replace("-", " ").replace("_", " ")
        place = place if place != place.lower() else place.title()
        return f"{self('report')}, {place}: {self.report.period.title(self.lang)}"

    def area(self, name: str) -> str:
        """The title of an area of indicators."""
        return AREAS[name][self.lang] if name in AREAS else name.capitalize()

    def line(self, table: Table, line: Line) -> list[tuple[str, str]]:
        """The cells of a line: name of the column and text."""
        unit, each = table.pack.unit, self.each(table)
        mark = f" {THIN}" if line.thin else ""
        return [
            ("where", line.where),
            ("value", quantity(line.value, unit, self.lang) + each + mark),
            ("before", quantity(line.before, unit, self.lang)),
            ("target", self.target(table)),
            ("coverage", share(line.coverage, self.lang)),
            ("estimated", share(line.estimated, self.lang) if line.estimated else ""),
            ("devices", str(line.devices) if line.devices else ""),
            ("known", self("of", line.known, line.possible)),
        ]

    def each(self, table: Table) -> str:
        """What amounts of a day are amounts of, in the mean of a month."""
        return f" {EACH[table.pack.period][self.lang]}" if table.pack.unit in AMOUNTS else ""

    def target(self, table: Table) -> str:
        """A target with its year."""
        if table.target is None:
            return ""
        return f"{quantity(table.target[1], table.pack.unit, self.lang)} ({table.target[0]})"

    def origin(self, table: Table) -> str:
        """The identity of an indicator: what explains every number below it."""
        versions = sorted({version for line in table.lines for version in line.versions})
        named = ", ".join(str(version) for version in versions)
        snapshot = max(line.snapshot for line in table.lines)
        return f"{table.pack.id} · {self('version').lower()} {named} · {self('snapshot').lower()} {snapshot}"

    def kpi(self, row: Row) -> list[tuple[str, str, str]]:
        """The cells of a KPI without its title: name of the column, text, and what stands small below it."""
        now, unit = row.now, row.kpi.unit
        beside = row.reporting
        covered = self("covered", share(beside.coverage, self.lang)) if beside and beside.coverage is not None else ""
        distance = self("missing_to", quantity(row.distance, unit, self.lang)) if row.distance else ""
        about = f"{day(now.on, self.lang)}, {self.how(row)}" if now else ""
        return [
            ("base", self.printed(row, min), ""),
            ("value", quantity(now.value, unit, self.lang) if now else "", about),
            ("reporting", quantity(beside.value, unit, self.lang) if beside else "", covered),
            ("target", self.printed(row, max), ""),
            ("status", WORDS[row.status][self.lang], distance),
        ]

    def printed(self, row: Row, which: Callable[[Iterable[str]], str]) -> str:
        """A value of the strategy as it stands there, with its year; a dash where nothing stands."""
        if not row.kpi.printed:
            return ""
        year = which(row.kpi.printed)
        return f"{year}: {(row.kpi.printed[year] or '–').replace(' %', NBSP + '%')}"

    def how(self, row: Row) -> str:
        """Where a value comes from."""
        if not row.how or not row.now:
            return ""
        reference = self("source", row.now.reference) if row.now.reference else ""
        return ", ".join(part for part in (self(row.how), reference) if part)

    def summary(self, listed: list[Row]) -> str:
        """How many KPIs have which status."""
        counts: dict[str, int] = {}
        for row in listed:
            counts[WORDS[row.status][self.lang]] = counts.get(WORDS[row.status][self.lang], 0) + 1
        told = ", ".join(f"{text} {number}" for text, number in sorted(counts.items(), key=lambda item: -item[1]))
        return self("sum", len(listed), told)

    def gap(self, gap: Gap) -> tuple[str, str]:
        """An indicator without a value, and why."""
        about = families()[gap.of].catalogue.title.to(self.lang) if gap.of else ""
        return gap.pack.title.to(self.lang), self(gap.why, about)

    def gaps(self) -> Iterator[tuple[str, str]]:
        """Everything that is missing."""
        return (self.gap(gap) for gap in self.report.gaps)
