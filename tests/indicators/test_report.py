"""The report says what the snapshot holds, says what is missing and why, and nothing hostile gets out of its cell."""

import csv
import io
import re
from datetime import UTC, date, datetime
from html import unescape
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from indicators.kpis import strategies
from indicators.quantities import quantity, share
from indicators.report import gather
from indicators.report_html import page, sparkline
from indicators.report_lines import Period
from indicators.report_text import COLUMNS, markdown, table
from schemas.errors import DravaError
from tests.indicators.world import empty, put

ZONE = ZoneInfo("Europe/Ljubljana")
TODAY = date(2026, 11, 22)
HOSTILE = "=1+1 | <script>alert(1)</script> [x](http://evil) \u202e"


def stored(indicator, subject, day, value, *, kind="area", days=1, **more):
    first = date.fromisoformat(day)
    return {
        "indicator": indicator,
        "version": 1,
        "subject_kind": kind,
        "subject_id": subject,
        "period_start": first,
        "period_end": date.fromordinal(first.toordinal() + days),
        "value": value,
        "numerator": value,
        "denominator": 1.0,
        "coverage": 1.0,
        "devices": 3,
        "estimated_share": 0.0,
        "snapshot_id": 7,
        "computed_at": f"{day}T23:00:00Z",
    } | more


def world(*values):
    connection = empty()
    connection.execute("CREATE VIEW snapshot AS SELECT 9 AS id, TIMESTAMPTZ '2026-11-22 05:00:00Z' AS taken_at")
    put(connection, "areas", [{"area_id": "east", "title": HOSTILE}, {"area_id": "west", "title": "Zahod"}])
    put(connection, "indicator_values", list(values))
    return connection


def report(connection, period="2026-10", lang="en"):
    return gather(
        connection,
        municipality="ptuj",
        lang=lang,
        period=Period.of(period, TODAY),
        made_at=datetime(2026, 11, 22, 6, tzinfo=UTC),
        strategies=[strategies()["ptuj"]],
    )


def line(found, indicator, where=None):
    tables = [one for group in found.areas.values() for one in group if one.pack.id == indicator]
    return next(one for one in tables[0].lines if where in (None, one.where))


# Numbers.
def test_a_share_of_a_month_is_that_of_its_parts_and_not_the_mean_of_days():
    found = report(
        world(
            stored("water.non_revenue", "west", "2026-10-01", 10.0, numerator=1.0, denominator=10.0),
            stored("water.non_revenue", "west", "2026-10-02", 50.0, numerator=45.0, denominator=90.0),
            stored("water.non_revenue", "west", "2026-09-30", 20.0, numerator=2.0, denominator=10.0),
        )
    )
    one = line(found, "water.non_revenue")
    assert (one.value, one.before, one.known, one.possible, one.thin) == (46.0, 20.0, 2, 31, True)
    assert (one.versions, one.snapshot, one.devices) == ((1,), 7, 3)


def test_days_without_a_value_are_gaps_in_the_line():
    values = [stored("water.balance", "west", f"2026-10-0{n}", float(n)) for n in (1, 2, 5)]
    one = line(report(world(*values)), "water.balance")
    assert one.trend == (1.0, 2.0, None, None, 5.0)
    assert sparkline(one.trend, "Trend").count("<polyline") == 1


def test_many_things_are_one_line_and_households_are_none():
    counters = [stored("traffic.daily_volume", f"c{n}", "2026-10-01", 100.0 + n, kind="thing") for n in range(12)]
    houses = [
        stored("water.consumption_connection", f"household-{n}", "2026-10-01", 0.1, kind="thing") for n in range(12)
    ]
    found = report(world(*counters, *houses))
    one = line(found, "traffic.daily_volume")
    assert (one.where, one.value, one.devices, one.possible) == ("12 objects", 105.5, 36, 12 * 31)
    assert "household-" not in page(found, ZONE)
    assert not any(table.pack.personal for group in found.areas.values() for table in group)


def test_a_running_month_ends_yesterday():
    period = Period.of("2026-11", TODAY)
    assert (period.last, period.days, period.running) == (date(2026, 11, 21), 21, True)
    assert period.title("sl") == "november 2026, do 21. 11. 2026"
    assert Period.of("2026", TODAY).before == date(2025, 1, 1)
    assert Period.of("2026-01", TODAY).before == date(2025, 12, 1)
    assert Period.of("2025-12", TODAY).end == date(2026, 1, 1)


@pytest.mark.parametrize("text", ["2026-13", "october", "2026-12", "2027", "", "2026-11-05"])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(DravaError):
        Period.of(text, TODAY)


# What is missing.
def test_every_indicator_without_a_value_says_why():
    connection = world(stored("water.balance", "west", "2026-10-01", 1.0))
    put(connection, "devices", [{"device_id": "h", "family": "hydrant"}])
    found = report(connection)
    why = {gap.pack.id: (gap.why, gap.of) for gap in found.gaps}
    assert "water.balance" not in why
    assert why["waste.mean_fill"] == ("no_devices", "waste_container")
    assert why["water.hydrant_availability"] == ("no_readings", "hydrant")
    text = unescape(page(found, ZONE))
    assert all(gap.pack.title.en in text for gap in found.gaps)
    assert {gap.why for gap in report(world()).gaps} <= {"no_devices", "no_readings", "not_computed"}


def test_an_empty_snapshot_makes_a_report_too():
    found = report(world(), lang="sl")
    assert "V tem obdobju ni nobene vrednosti." in page(found, ZONE)
    assert "ni vneseno" in markdown(found, ZONE)


# Forms.
class Checked(HTMLParser):
    """Counts what a page may not have, and whether its tags close."""

    def __init__(self):  # noqa: D107 - a test's own
        super().__init__()
        self.open, self.tags, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, _):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("lang", ["sl", "en"])
def test_the_page_stands_alone_and_is_well_formed(lang):
    values = [stored("water.balance", area, f"2026-10-0{n}", float(n)) for n in (1, 2, 5) for area in ("east", "west")]
    text = page(report(world(*values), lang=lang), ZONE)
    checked = Checked()
    checked.feed(text)
    assert checked.open == []
    assert {"script", "link", "img", "iframe"}.isdisjoint(checked.tags)
    assert all(link.startswith("#") for link in checked.links)
    assert not re.search(r"url\(|@import|https?://(?!evil)", text)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert f'<html lang="{lang}">' in text
    assert text.count("<h1>") == 1
    assert all("scope=" in head for head in re.findall(r"<th\b[^>]*>", text))


def test_the_csv_has_numbers_for_programs_and_no_formula():
    values = [stored("water.balance", "east", "2026-10-01", 1234.5)]
    rows = list(csv.DictReader(io.StringIO(table(report(world(*values), lang="sl")))))
    assert tuple(rows[0]) == COLUMNS
    first = rows[0]
    assert (first["id"], first["value"], first["coverage"], first["periods"]) == ("water.balance", "1234.5", "1", "31")
    assert first["subject"].startswith("'=1+1")
    assert len({row["id"] for row in rows if row["section"] == "ptuj"}) == 73
    assert not any(cell[:1] in "=+@\t" for row in rows for cell in row.values() if cell)


def test_markdown_cells_stay_cells():
    text = markdown(report(world(stored("water.balance", "east", "2026-10-01", 1.0))), ZONE)
    row = next(one for one in text.splitlines() if "script" in one)
    assert row.count(" | ") == 7
    assert "<script" not in text.replace("\\<script", "")
    assert "](" not in text.replace("\\](", "")
    assert "\u202e" not in text + page(report(world(stored("water.balance", "east", "2026-10-01", 1.0))), ZONE)


def luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_text_has_the_contrast_that_wcag_asks_for():
    themes = re.findall(r":root \{(.*?)\}", page(report(world()), ZONE), re.DOTALL)
    assert len(themes) == 3
    for theme in themes:
        found = re.findall(r"--(\w+): #(\w+)", theme)
        colours = {name: "#" + (code if len(code) == 6 else "".join(c * 2 for c in code)) for name, code in found}
        for text in ("ink", "dim", "blue", "bad", "good"):
            for ground in ("paper", "soft"):
                light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


# Words.
@pytest.mark.parametrize(
    ("value", "unit", "lang", "text"),
    [
        (1234.5, "m3", "sl", "1.234 m³"),
        (-0.5, "%", "en", "\N{MINUS SIGN}0.50%"),
        (12.5, "%", "sl", "12,5 %"),
        (1, "{yes/no}", "sl", "da"),
        (0, "{yes/no}", "en", "no"),
        (90, "s", "en", "90 s"),
        (921_332, "s", "sl", "10,7 dni"),
        (0.3, "{report}/{person}", "sl", "0,30 na prebivalca"),
        (None, "m3", "en", ""),
    ],
)
def test_quantities(value, unit, lang, text):
    assert quantity(value, unit, lang) == text


def test_only_all_of_it_is_a_hundred_per_cent():
    assert [share(part, "sl") for part in (1.0, 0.9999, 0.00001, 0.0, None)] == ["100 %", "99 %", "1 %", "0 %", ""]
