"""The KPIs are those of the two strategies, with the values as printed; their status follows from the numbers alone."""

import re
from datetime import UTC, date, datetime

import pytest

from indicators.entered import entry
from indicators.header import packs
from indicators.kpis import COMPUTED, Kpi, kpi, kpis, number_in, of_town, references, registers, strategies
from indicators.sheet import WORDS, sheet
from schemas.errors import DravaError
from tests.indicators.world import ROOT, empty, put

SEEDS = ROOT.parent / "shared" / "seeds"
SLIPS = {  # of the documents
    "*": "",
    "zunanjšega": "zunanjega",
    "števcov": "števcev",
    "Digitalna baze": "Digitalna baza",
    "rezervirati s občinsko": "rezervirati z občinsko",
    "\u0441": "c",  # Cyrillic letters
    "\u0435": "e",
}
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def document(start):
    files = sorted(SEEDS.glob(f"{start}*.txt"))
    if not files:
        pytest.skip(f"the strategies are not in {SEEDS}")
    text = files[0].read_text("utf-8")
    for printed, meant in SLIPS.items():
        text = text.replace(printed, meant)
    return re.sub(r"[ \t]+", " ", text)


def squeezed(text):
    return re.sub(r"[\s,.;:]+", "", text).lower()


# What the documents print.
def blocks():
    """(titles, years and values as printed) of every KAZALNIK of the strategy of Ptuj."""
    pattern = r"^KAZALNIK: (.*?)^VREDNOST (\d{4}):(.*?)$\s*^VREDNOST (\d{4}):(.*?)$"
    return re.findall(pattern, document("000"), re.MULTILINE | re.DOTALL)


def printed_in(year, values):
    return [part.strip() for part in re.split(r";|, ", values)] if values.strip() else [""]


def test_every_kpi_of_ptuj_is_here_with_its_values_as_printed():
    found = {squeezed(one.title.sl): one for one in strategies()["ptuj"].kpis}
    seen = set()
    for titles, first, before, last, after in blocks():
        names = [name.strip() for name in re.split(r";\s|\n", titles) if name.strip(" ;")]
        for place, name in enumerate(names):
            one = found[squeezed(name)]
            seen.add(one.id)
            assert set(one.printed) == {first, last}, name
            for year, values in ((first, before), (last, after)):
                parts = printed_in(year, values)
                both = one.id.startswith("P41")  # two indicators, one value
                expected = parts[0] if both else parts[place] if place < len(parts) else ""
                assert one.printed[year] == expected, (one.id, year)
    assert seen == {one.id for one in found.values()}


def test_every_kpi_of_maribor_is_in_its_strategy():
    text = squeezed(document("001"))
    for one in strategies()["maribor"].kpis:
        if one.id.startswith("M00"):
            area = strategies()["maribor"].areas[one.area].sl
            assert f"{one.printed['2022']}" in document("001"), area
            continue
        assert squeezed(one.title.sl) in text, one.id
        assert squeezed(one.measure.sl) in text, one.id


def test_the_measures_of_ptuj_are_in_its_tables():
    text = squeezed(document("000"))
    assert [one.id for one in strategies()["ptuj"].kpis if squeezed(one.measure.sl) not in text] == []


@pytest.mark.parametrize(
    ("printed", "number"),
    [
        ("4.200", 4200),
        ("0,3", 0.3),
        ("80 %", 80),
        ("300 kW", 300),
        ("10.000 kilometrov", 10000),
        ("minimalno 2 izobraževanji na zaposlenega", 2),
        ("30,0", 30),
        ("?", None),
        ("-", None),
        ("", None),
    ],
)
def test_printed_values_are_read_as_slovenians_write_them(printed, number):
    assert number_in(printed) == number


def test_every_kpi_names_what_is_there():
    for one in kpis().values():
        installed, reporting, register = one.sources
        assert not installed or {installed, *filter(None, [reporting])} <= set(packs("indicator")), one.id
        assert not register or register in registers(), one.id
        assert one.title.sl != one.title.en
    assert {name for pair in COMPUTED.values() for name in pair if name} == {
        name for name in packs("indicator") if name.startswith("kpi.")
    }
    assert all(one.area in strategy.areas for strategy in strategies().values() for one in strategy.kpis)


def test_the_page_on_kpis_explains_every_register_and_counts_them_right():
    text = (ROOT / "docs" / "kpis.md").read_text("utf-8")
    assert [name for name in registers() if f"| `{name}` |" not in text] == []
    assert all(f"({len(strategy.kpis)} rows)" in text for strategy in strategies().values())
    assert all(f"`{indicator}`" in text for indicator in packs("indicator") if indicator.startswith("kpi."))


def test_no_iso_number_is_said_to_be_verified_and_each_names_kpis_that_are_there():
    assert references()
    assert not any(one.verified for one in references())
    assert {name for one in references() for name in one.kpis} <= set(kpis())


def test_a_town_sees_its_own_strategy_and_others_see_all():
    assert [one.id for one in of_town("mo-maribor")] == ["maribor"]
    assert len(of_town("kranj")) == 2


# Where a KPI stands.
def world(*values, entered=()):
    connection = empty()
    put(connection, "indicator_values", [stored(*one) for one in values])
    put(connection, "entered_values", [hand(n, *one) for n, one in enumerate(entered)])
    return connection


def stored(indicator, register, day, value, coverage=1.0):
    following = date.fromordinal(date.fromisoformat(day).toordinal() + 1)
    return {
        "indicator": f"kpi.{indicator}",
        "version": 1,
        "subject_kind": "register",
        "subject_id": register,
        "period_start": day,
        "period_end": following,
        "value": value,
        "coverage": coverage,
        "snapshot_id": 7,
        "computed_at": f"{day}T23:00:00Z",
    }


def hand(number, name, day, value):
    return {
        "id": number,
        "kpi": name,
        "local_date": day,
        "value": value,
        "author": "Ana",
        "reference": "register",
        "entered_at": "2026-01-01T00:00:00Z",
    }


def row(connection, name, until=date(2026, 11, 22)):
    found = sheet(connection, strategies().values(), until)
    return next(one for rows in found.values() for one in rows if one.kpi.id == name)


def test_a_computed_share_stands_beside_the_share_that_reports():
    connection = world(
        ("installed_share", "hydrants", "2025-11-20", 20.0),
        ("installed_share", "hydrants", "2026-10-31", 45.0),
        ("installed_share", "hydrants", "2026-11-21", 50.0),
        ("reporting_share", "hydrants", "2026-11-21", 40.0, 0.8),
        entered=[("P20", "2026-01-01", 99.0)],
    )
    found = row(connection, "P20")
    assert (found.how, found.now.value, found.reporting.value, found.reporting.coverage) == ("computed", 50, 40, 0.8)
    assert (found.distance, found.change, found.status, found.now.snapshot_id) == (50, 30, "open", 7)


def test_before_a_day_nothing_later_is_known():
    connection = world(("installed_share", "hydrants", "2026-11-21", 50.0), entered=[("P27", "2026-11-01", 10.0)])
    assert row(connection, "P20", date(2026, 11, 20)).status == "no_denominator"
    assert row(connection, "P27", date(2026, 10, 31)).status == "not_entered"


@pytest.mark.parametrize(
    ("value", "until", "status"),
    [
        (100.0, date(2023, 12, 31), "reached"),
        (20.0, date(2023, 12, 31), "on_course"),  # a fifth of the way after a fifth of the time
        (19.0, date(2023, 12, 31), "behind"),
        (60.0, date(2026, 11, 22), "behind"),
        (99.0, date(2030, 1, 1), "behind"),
    ],
)
def test_the_status_compares_with_the_straight_way_from_the_baseline_to_the_target(value, until, status):
    assert row(world(entered=[("P27", "2023-01-01", value)]), "P27", until).status == status


def test_without_a_target_there_is_no_distance():
    found = row(world(entered=[("M04", "2026-01-01", 61.5)]), "M04")
    assert (found.status, found.distance, found.now.value) == ("no_target", None, 61.5)


def test_a_later_entry_corrects_and_one_that_is_taken_back_is_gone():
    connection = world(entered=[("P27", "2026-01-01", 5.0), ("P27", "2026-01-01", 50.0), ("P28", "2026-01-01", None)])
    assert row(connection, "P27").now.value == 50
    assert row(connection, "P28").status == "not_entered"


def test_every_status_has_words():
    assert all(text[lang] for text in WORDS.values() for lang in ("sl", "en"))


# What may be entered.
def entered(name="P27", value="12,5", day="2026-03-31", **more):
    texts = {"author": "Ana Novak", "source": "evidenca izobraževanj", "note": ""} | more
    return entry(name, value, day, **texts, now=NOW, zone="Europe/Ljubljana")


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [("P27", "12,5", 12.5), ("p27", "12.5 %", 12.5), ("P16", "da", 1), ("P16", "no", 0), ("P15b", "12000", 12000)],
)
def test_values_are_read_in_both_ways_of_writing(name, value, number):
    assert entered(name, value).value == number


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"value": "4.200", "name": "P05"}, "may be"),
        ({"value": "101"}, "cannot be 101"),
        ({"value": "-1", "name": "P05"}, "cannot be -1"),
        ({"value": "0.5", "name": "P16"}, "cannot be 0.5"),
        ({"value": "many"}, "not a number"),
        ({"value": "1e400", "name": "P05"}, "not a number"),
        ({"day": "2026-11-23"}, "future"),
        ({"day": "yesterday"}, "not a day"),
        ({"author": "  "}, "--author"),
        ({"source": "x" * 301}, "--source"),
        ({"note": "a\u202eb"}, "--note"),
        ({"name": "P99"}, "no KPI"),
        ({"name": "P06"}, "no KPI"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changed, says):
    with pytest.raises(DravaError, match=re.escape(says)):
        entered(**changed)


def test_a_part_of_a_kpi_is_found_by_its_letter():
    assert kpi("p06B").id == "P06b"
    with pytest.raises(DravaError, match="P06a, P06b"):
        kpi("P06")
    assert isinstance(kpi("M00a"), Kpi)
