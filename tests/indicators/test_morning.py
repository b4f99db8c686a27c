"""The morning report says what is wrong in the reader's language, and escapes what comes from outside."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from indicators import words
from indicators.morning import LABELS, Balance, Figure, Finding, Morning, Silent
from indicators.morning_page import page
from indicators.morning_text import text

AT = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Ljubljana")
LEAK = Finding(
    alarm_id="a1b2",
    kind="district_leak",
    title="Puščanje v omrežju",
    where="Mlinsko",
    since=AT - timedelta(days=9, hours=2),
    severity="critical",
    litres_per_hour=2400.0,
    volume_m3=512.4,
    eur=614.88,
    why="nočni pretok je 5,1 m³/h, prej 2,7 m³/h",
)
LAMP = Finding("c3d4", "lamp_day", "Svetilka gori podnevi", "Vrtna ulica 3", AT - timedelta(hours=30), eur=0.4)
HYDRANT = Finding(
    "e5f6", "hydrant_open", "Odprt hidrant", "Hidrant 7", AT - timedelta(days=2), AT - timedelta(days=2, minutes=-50)
)
BALANCE = Balance(
    received=182345,
    messages={"decoded": 182291, "housekeeping": 0, "quarantined": 54},
    decoded=190000,
    readings={"stored": 189000, "duplicate": 976, "quarantined": 24},
    reasons={"not_json": 30, "unknown_device": 24},
)
MORNING = Morning(
    municipality="ptuj",
    zone=ZONE,
    at=AT,
    lang="sl",
    findings=[LAMP, HYDRANT, LEAK],
    figures=[
        Figure("Najmanjši nočni pretok", "Mlinsko", 5.104, "m3/h", "28. 2. 2026"),
        Figure("Najmanjši nočni pretok", "Stari trg", 0.549, "m3/h", "28. 2. 2026"),
        Figure("Popolnost", "Vodomeri", None, "%", "28. 2. 2026"),
    ],
    balance=BALANCE,
    rows=[("Vodomeri", 80640)],
)
ENGLISH = replace(MORNING, lang="en")


def test_says_in_slovenian_what_where_since_when_how_much_and_why() -> None:
    lines = text(MORNING).splitlines()
    assert lines[0] == "Jutranje poročilo, Ptuj · nedelja, 1. 3. 2026 ob 6.30"
    start = lines.index("  1. Puščanje v omrežju: Mlinsko  [a1b2]")
    assert lines[start + 1 : start + 4] == [
        "     od 20. 2. 2026 ob 4.30, traja že 9 dni",
        "     Doslej: 2.400 l/h · 512 m³ · 615 €",
        "     Zakaj: nočni pretok je 5,1 m³/h, prej 2,7 m³/h",
    ]
    assert "Skupaj: 512 m³ · 615 €" in lines
    assert "  Najmanjši nočni pretok  Mlinsko 5,10 · Stari trg 0,55 m³/h (28. 2. 2026)" in lines
    assert "  Popolnost               Vodomeri ni podatkov (28. 2. 2026)" in lines
    assert "  Vodomeri  80.640 vrstic" in lines


def test_says_the_same_in_english() -> None:
    written = text(ENGLISH)
    assert "since 20 Feb 2026 at 04:30, for 9 days so far" in written
    assert "So far: 2,400 l/h · 512 m³ · €615" in written
    assert "Morning report, Ptuj · Sunday, 1 Mar 2026 at 06:30" in written


def test_what_was_first_seen_since_yesterdays_list_is_new_however_old_it_is() -> None:
    fresh = replace(LEAK, found_at=AT - timedelta(hours=5))
    ended = replace(HYDRANT, found_at=AT - timedelta(days=3), until=AT - timedelta(hours=2))
    known = replace(LAMP, found_at=AT - timedelta(days=2))
    muted = replace(LAMP, alarm_id="m", muted="obnova ulice")
    effect = replace(LEAK, alarm_id="x", cause="e5f6")
    grouped = replace(MORNING, findings=[muted, effect, ended, known, fresh])
    assert [grouped.group(finding) for finding in grouped.ordered] == ["new", "lasting", "over", "quiet", "quiet"]
    lines = text(grouped).splitlines()
    heads = ["Novo (1)", "Traja že od prej (1)", "Končano od včeraj (1)", "Pojasnjeno ali utišano (2)"]
    assert [line for line in lines if line in heads] == heads
    assert "     Utišano: obnova ulice" in lines
    assert "     Vzrok je alarm e5f6" in lines
    assert grouped.summary == "novo: 1, traja že od prej: 1, končano od včeraj: 1"
    assert grouped.total == "512 m³ · 616 €"  # the effect is not counted beside its cause


def test_what_goes_on_comes_before_what_is_over_however_bad_that_was() -> None:
    over = replace(HYDRANT, severity="critical", eur=9999.0)
    kinds = [finding.kind for finding in replace(MORNING, findings=[over, LAMP, LEAK]).ordered]
    assert kinds == ["district_leak", "lamp_day", "hydrant_open"]


def test_an_alarm_that_nobody_confirms_says_so_and_what_to_do() -> None:
    old = replace(LEAK, unconfirmed_at=AT - timedelta(days=3))
    assert "Detektor tega od 26. 2. 2026 ob 6.30 ne potrjuje več" in text(replace(MORNING, findings=[old]))
    assert "drava alarms close a1b2" in page(replace(MORNING, findings=[old]))


def test_silent_devices_are_counted_and_named_and_coverage_is_said() -> None:
    silent = Silent("Vodomeri", [f"Lipova {n}" for n in range(11)])
    whole = replace(MORNING, silent=[silent], coverage=[Figure("Popolnost", "Vodomeri", 97.31, "%", "28. 2. 2026")])
    assert "  Vodomeri  11: Lipova 0, Lipova 1" in text(whole)
    assert "in še 3" in text(whole)
    assert "  Vodomeri  97,3 % (28. 2. 2026)" in text(whole)
    assert "Lipova 10" in page(whole)
    assert "Naprave, ki molčijo (0)\n  nobena" in text(MORNING)


def test_of_a_household_no_amount_is_said_where_the_list_leaves_the_house() -> None:
    private = replace(MORNING, findings=[replace(LEAK, private=True, why="")])
    assert not any(part in text(private) + page(private) for part in ("512", "2.400", "615"))
    assert "podatki o porabi niso v sporočilu" in text(private)


def test_the_worst_comes_first_and_what_is_over_says_how_long_it_lasted() -> None:
    assert [finding.kind for finding in MORNING.ordered] == ["district_leak", "lamp_day", "hydrant_open"]
    assert "trajalo 50 min" in text(MORNING)


def test_the_balance_is_an_equation_that_holds_or_says_that_it_does_not() -> None:
    assert "  Sporočila: prejeta 182.345 = dekodirana 182.291 + vzdrževalna 0 + v karanteni 54: se izide" in text(
        MORNING
    )
    lost = replace(MORNING, balance=replace(BALANCE, received=182346))
    assert not lost.balance.adds_up
    assert "182.346 = dekodirana 182.291 + vzdrževalna 0 + v karanteni 54: SE NE IZIDE" in text(lost)
    assert BALANCE.adds_up
    assert "V karanteni 30: vsebina ni veljaven JSON" in text(MORNING)


def test_a_quiet_morning_says_so() -> None:
    quiet = replace(MORNING, findings=[])
    assert "Nič. Noben detektor ni našel napake." in text(quiet)
    assert "Noben detektor" in page(quiet)


class Reader(HTMLParser):
    """Collects what a browser would show, what it would load, and tags that were not closed."""

    def __init__(self, document: str) -> None:  # noqa: D107
        super().__init__()
        self.shown, self.loads, self.open = "", [], []
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in {"src", "href"}]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.shown += data


def test_the_page_is_well_formed_loads_nothing_and_says_what_the_text_says() -> None:
    found = Reader(page(MORNING))
    assert (found.open, found.loads) == ([], [])
    for finding in MORNING.findings:
        assert finding.title in found.shown
        assert MORNING.when(finding) in found.shown
    assert MORNING.sheet("messages")[0] in found.shown


def test_texts_from_outside_stay_text_in_the_page() -> None:
    evil = replace(LEAK, where="<script>alert(1)</script>", alarm_id='"><img src=x>', severity='" onload="x')
    found = Reader(page(replace(MORNING, findings=[evil])))
    assert found.loads == []
    assert "<script>alert(1)</script>" in found.shown


@pytest.mark.parametrize(
    ("value", "sl", "en"),
    [(1234567.0, "1.234.567", "1,234,567"), (12.34, "12,3", "12.3"), (0.456, "0,46", "0.46"), (5.0, "5", "5")],
)
def test_numbers_have_the_separators_of_the_language(value: float, sl: str, en: str) -> None:
    assert (words.number(value, "sl"), words.number(value, "en")) == (sl, en)


@pytest.mark.parametrize(
    ("days", "sl"), [(2, "2 dneva"), (3, "3 dni"), (4, "4 dni"), (5, "5 dni"), (101, "101 dan"), (102, "102 dneva")]
)
def test_days_are_declined(days: int, sl: str) -> None:
    assert words.span(timedelta(days=days), "sl") == sl


@pytest.mark.parametrize(
    ("value", "sl", "en"),
    [
        (1, "vozilo", "vehicle"), (2, "vozili", "vehicles"), (3, "vozila", "vehicles"), (4, "vozila", "vehicles"),
        (5, "vozil", "vehicles"), (0, "vozil", "vehicles"), (21, "vozil", "vehicles"), (101, "vozilo", "vehicles"),
        (102, "vozili", "vehicles"), (2.5, "vozila", "vehicles"),
    ],
)  # fmt: skip
def test_what_is_counted_agrees_with_its_number(value: float, sl: str, en: str) -> None:
    assert (words.unit("{vehicle}", "sl", value), words.unit("{vehicle}", "en", value)) == (sl, en)


def test_units_are_written_as_people_write_them() -> None:
    assert [words.unit(u, "sl") for u in ("m3/h", "L/h", "Cel", "%", "{vehicle}", "{vehicle}/h", "1", "kPa", "d")] == [
        "m³/h", "l/h", "°C", "%", "vozil", "vozil/h", "", "kPa", "dni",
    ]  # fmt: skip


def test_every_word_is_there_in_both_languages() -> None:
    assert all(set(entry) == {"sl", "en"} and all(entry.values()) for entry in LABELS.values())
