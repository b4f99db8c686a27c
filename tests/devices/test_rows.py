"""A row of the registry is taken as it was meant or refused with its line, column and the mend; all at once."""

import string
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.assetrows import asset_rows
from devices.csvfile import read
from devices.kinds import kinds
from devices.problems import Fault, Problem, texts
from devices.registry import Registration, normal_id
from devices.rows import Parsed, registrations
from devices.template import kind_template, registrations_template
from schemas.vocabulary import families

STEADY = settings(deadline=None, derandomize=True)
ZONE = ZoneInfo("Europe/Ljubljana")
MARCH = 1_740_783_600_000_000  # 2025-03-01 00:00 in Ljubljana


def parse(text: str, encoding: str = "utf-8") -> Parsed[Registration]:
    return registrations(read(text.encode(encoding)), ZONE)


def one(header: str, cells: str) -> Registration:
    parsed = parse(f"device_id;family;thing_id;valid_from;{header}\nd;water_meter;t;2025-03-01;{cells}\n")
    assert parsed.problems == ()
    return parsed.rows[0]


def faults(text: str) -> list[tuple[int, str, Fault]]:
    return [(problem.line, problem.column, problem.fault) for problem in parse(text).problems]


def wrong(header: str, cells: str) -> list[tuple[str, Fault]]:
    text = f"device_id;family;thing_id;valid_from;{header}\nd;water_meter;t;2025-03-01;{cells}\n"
    return [(column, fault) for _, column, fault in faults(text)]


def test_a_slovenian_excel_file_is_read_as_it_was_meant():
    parsed = parse(
        "device_id;family;thing_id;valid_from;valid_to;area;lat;lon;title;start_register;m3_per_pulse;persons;kind\r\n"
        "WM-1;water_meter;hiša-1;1. 3. 2025;;Črešnjevec;46,420;15,87;Žabja vas 3;1.234,5;0,010;4;šola\r\n"
        "WM-2;water_meter;hiša-2;1. 3. 2025 8:30;2. 3. 2025;;;;;12.000;;;\r\n",
        "cp1250",
    )
    assert parsed.problems == ()
    first, second = parsed.rows
    assert (first.line, first.valid_from, first.valid_to) == (2, MARCH, None)
    assert (first.area, first.lat, first.lon, first.title) == ("Črešnjevec", 46.42, 15.87, "Žabja vas 3")
    assert (first.start_register, second.start_register) == (Decimal("1234.5"), Decimal(12000))
    assert first.factors == {"m3_per_pulse": 0.01}
    assert first.attributes == {"persons": 4, "kind": "šola"}
    assert second.valid_from == MARCH + 8 * 3_600_000_000 + 30 * 60_000_000
    assert second.attributes == {}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("24E124136B502217", "24e124136b502217"),
        ("24-E1-24-13-6B-50-22-17", "24e124136b502217"),
        ("24:e1:24:13:6b:50:22:17", "24e124136b502217"),
        ("WM-0001", "WM-0001"),
        ("24E1", "24E1"),
    ],
)
def test_an_eui_has_one_form_and_other_ids_stay_as_written(text, kept):
    assert normal_id(text) == kept
    assert Registration(device_id=text, family="hydrant", thing_id="t", valid_from=0).device_id == kept


@STEADY
@given(st.text(max_size=140))
def test_no_id_can_break_a_topic_or_a_screen(text):
    try:
        kept = Registration(device_id=text, family="hydrant", thing_id="t", valid_from=0).device_id
    except ValidationError:
        return
    assert kept
    assert len(kept.encode()) <= 128
    assert kept.isprintable()
    assert not set(kept) & set("/+#")
    assert normal_id(kept) == kept


@pytest.mark.parametrize(
    ("device", "fault"),
    [
        ("a/b", Fault.ID_SHAPE),
        ("a+", Fault.ID_SHAPE),
        ("#", Fault.ID_SHAPE),
        ("$SYS", Fault.ID_SHAPE),
        ("š" * 65, Fault.ID_SHAPE),
        ("2,4E+15", Fault.ID_NUMBER),
        ("1E+12", Fault.ID_NUMBER),
        ("", Fault.REQUIRED),
    ],
)
def test_ids_that_no_topic_can_carry_are_refused(device, fault):
    assert faults(f"device_id;family;thing_id;valid_from\n{device};hydrant;t;2025-03-01\n") == [(2, "device_id", fault)]


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("valid_to", "2025-03-01", [("valid_to", Fault.ENDS_BEFORE_START)]),
        ("valid_to", "9999-12-31", [("valid_to", Fault.FAR_TIME)]),
        ("lat;lon", "142345;570123", [("lat", Fault.OUT_OF_RANGE), ("lon", Fault.OUT_OF_RANGE)]),
        ("lat;lon", "46,4;", [("lon", Fault.POSITION_HALF)]),
        ("lat;lon", ";15,8", [("lon", Fault.POSITION_HALF)]),
        ("lat;lon", "north;15,8", [("lat", Fault.NOT_NUMBER)]),
        ("start_register", "-1", [("start_register", Fault.OUT_OF_RANGE)]),
        ("start_register", "1000000000", [("start_register", Fault.OUT_OF_RANGE)]),
        ("start_register", "1,1234567", [("start_register", Fault.OUT_OF_RANGE)]),
        ("start_register", "1.234", [("start_register", Fault.AMBIGUOUS_NUMBER)]),
        (
            "m3_per_pulse;register_width",
            "0;-1",
            [("m3_per_pulse", Fault.OUT_OF_RANGE), ("register_width", Fault.OUT_OF_RANGE)],
        ),
        ("empty_distance_mm;full_distance_mm", "200;300", [("empty_distance_mm", Fault.FILL_DISTANCES)]),
        ("title", "x" * 501, [("title", Fault.TOO_LONG)]),
        ("title", "hiša, janez@example.com", [("title", Fault.PERSON_VALUE)]),
        ("remark", "janez@example.com", [("remark", Fault.PERSON_VALUE)]),
        ("nominal_power_w", "36 W", [("nominal_power_w", Fault.NOT_NUMBER)]),
        ("withdrawn", "perhaps", [("withdrawn", Fault.NOT_YES_NO)]),
        ("gateway", "a/b", [("gateway", Fault.ID_SHAPE)]),
    ],
)
def test_impossible_cells_are_named(header, cells, expected):
    assert wrong(header, cells) == expected


@pytest.mark.parametrize(("cell", "kept"), [("da", True), ("Yes", True), ("x", True), ("ne", False), ("", False)])
def test_yes_and_no_in_both_languages(cell, kept):
    assert one("withdrawn", cell).withdrawn is kept


def test_factors_at_their_limits_are_taken():
    row = one("index_offset_m3;full_distance_mm;empty_distance_mm", "-3,5;0;1200")
    assert row.factors == {"index_offset_m3": -3.5, "full_distance_mm": 0, "empty_distance_mm": 1200}


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("4", 4),
        ("36,5", 36.5),
        ("007", "007"),
        ("12345678901234567890", "12345678901234567890"),
        ("1.3.2025", "1.3.2025"),
    ],
)
def test_an_attribute_is_a_number_only_where_it_is_one(cell, kept):
    assert one("remark", cell).attributes == {"remark": kept}
    assert type(one("remark", cell).attributes["remark"]) is type(kept)


def test_one_word_in_a_column_makes_its_numbers_words():
    parsed = parse("device_id;family;thing_id;valid_from;house\na;hydrant;t;2025-03-01;4\nb;hydrant;u;2025-03-01;4a\n")
    assert [row.attributes for row in parsed.rows] == [{"house": "4"}, {"house": "4a"}]


PERSONAL = ["name", "ime", "Priimek", "Ime in priimek", "lastnik", "owner_name", "e-mail", "telefon", "EMŠO", "emso"]
PERSONAL += ["kontakt_gsm", "customer", "davčna", "Davčna številka", "naročnik", "first name", "IBAN"]


@pytest.mark.parametrize("column", PERSONAL)
def test_columns_that_name_a_person_are_refused_whatever_is_in_them(column):
    text = f"device_id;family;thing_id;valid_from;{column}\nd;hydrant;t;2025-03-01;\n"
    assert [fault for *_, fault in faults(text)] == [Fault.PERSON_COLUMN]


@pytest.mark.parametrize("column", ["persons", "capacity_l", "street_name", "material", "telemetry", "imetje", "šifra"])
def test_columns_that_only_sound_like_it_are_attributes(column):
    assert one(column, "5").attributes == {column: 5}


@pytest.mark.parametrize(
    ("column", "meant"),
    [("latitude", "lat"), ("valid_too", "valid_to"), ("gatway", "gateway"), ("m3_per_puls", "m3_per_pulse")],
)
def test_a_misspelt_column_does_not_become_an_attribute(column, meant):
    parsed = parse(f"device_id;family;thing_id;valid_from;{column}\nd;hydrant;t;2025-03-01;1\n")
    assert [(p.fault, p.detail) for p in parsed.problems] == [(Fault.COLUMN_MISSPELT, {"known": meant})]


@pytest.mark.parametrize("column", ["a b!", "x" * 65, "9lives", "a'; drop table things"])
def test_an_attribute_has_a_name_that_sql_can_ask_for(column):
    assert [
        fault for *_, fault in faults(f"device_id;family;thing_id;valid_from;{column}\nd;hydrant;t;2025-03-01;1\n")
    ] == [Fault.COLUMN_NAME]


def test_all_problems_of_a_file_come_at_once():
    assert faults(
        "device_id;family;thing_id;valid_from;email\n"
        "a/b;hydrants;t;31. 2. 2025;\n"
        ";hydrant;t;2025-03-01;x;y\n"
        "c;hydrant;;2025-03-01;\n"
    ) == [
        (1, "email", Fault.PERSON_COLUMN),
        (2, "valid_from", Fault.NOT_TIME),
        (2, "device_id", Fault.ID_SHAPE),
        (2, "family", Fault.FAMILY_UNKNOWN),
        (3, "", Fault.TOO_MANY_CELLS),
        (4, "thing_id", Fault.REQUIRED),
    ]


def test_a_missing_column_is_named_once_and_not_in_every_row():
    assert faults("device_id;family;thing_id\na;hydrant;t\nb;hydrant;u\n") == [(1, "valid_from", Fault.COLUMN_MISSING)]


def test_a_file_that_is_no_table_lacks_the_columns():
    required = ("device_id", "family", "thing_id", "valid_from")
    assert faults('{"device_id": 1}\n{"device_id": 2}\n')[:4] == [(1, name, Fault.COLUMN_MISSING) for name in required]


def test_rows_beside_a_bad_row_of_the_same_thing_are_not_sound():
    parsed = parse(
        "device_id;family;thing_id;valid_from;valid_to\n"
        "a;hydrant;t;2025-03-01;31. 2. 2026\nb;hydrant;t;2026-02-01;\nc;hydrant;u;2026-02-01;\n"
    )
    assert [row.device_id for row in parsed.rows] == ["b", "c"]
    assert [row.device_id for row in parsed.sound] == ["c"]


CELLS = ["", "d", "hydrant", "2025-03-01", "1. 3. 2025", "46,4", "1.234", "-1", "a/b", "{x}", "{0.__class__}", "%s"]
CELLS += [
    "'; drop table things; --",
    "=cmd|' /C calc'!A0",
    "[red]x[/red]",
    "\u202e",
    "\x1b[2J",
    "NaN",
    "1e99",
    "x" * 600,
]
CELLS += ["a@b.si", "…", "1E+15", "š" * 70, "9999-12-31"]
HOSTILE = st.sampled_from(CELLS) | st.text(max_size=20)
COLUMNS = ["device_id", "family", "thing_id", "valid_from", "valid_to", "lat", "lon", "area", "title", "start_register"]
COLUMNS += [
    "m3_per_pulse",
    "empty_distance_mm",
    "full_distance_mm",
    "nominal_power_w",
    "kind",
    "{x}",
    "email",
    "latitude",
    "",
]


@STEADY
@given(
    st.lists(st.sampled_from(COLUMNS) | st.text(string.ascii_letters + "čšž_ {}", max_size=8), min_size=1, max_size=8),
    st.lists(st.lists(HOSTILE, max_size=9), max_size=4),
)
def test_hostile_files_give_rows_or_problems_that_can_be_told_in_both_languages(header, rows):
    data = "\n".join(";".join(cells) for cells in [header, *rows]).encode("utf-8", "replace")
    for parsed in (registrations(read(data), ZONE), *(asset_rows(read(data), kind, ZONE) for kind in kinds().values())):
        for problem in parsed.problems:
            assert problem.text("sl") != problem.text("en")
            assert problem.text("sl").isprintable()
            assert problem.record()["fault"] == problem.fault.value


def test_every_fault_has_reason_and_mend_in_both_languages_with_the_same_placeholders():
    def holes(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert set(texts()) == set(Fault)
    for found in texts().values():
        for text in found:
            assert text.en != text.sl
            assert holes(text.en) == holes(text.sl)


def test_a_problem_says_where_what_why_and_what_to_do():
    (problem,) = parse("device_id;family;thing_id;valid_from\nd;hydrant;t;31. 2. 2025\n").problems
    assert isinstance(problem, Problem)
    assert problem.text("en") == (
        "line 2, valid_from '31. 2. 2025': this is not a date or time. "
        "Write it like 1. 3. 2025, 2025-03-01 or 2025-03-01T08:30:00+01:00."
    )
    assert problem.text("sl").startswith("vrstica 2, valid_from '31. 2. 2025': to ni datum ali čas. Zapišite ga")


@pytest.mark.parametrize("family", [None, *families()])
def test_templates_are_read_by_the_same_rules_and_alike_in_both_forms(family):
    plain, excel = (registrations(read(registrations_template(family, excel=form)), ZONE) for form in (False, True))
    assert plain.problems == excel.problems == ()
    assert plain.rows == excel.rows
    assert {row.family for row in plain.rows} == ({family} if family else set(families()))


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_the_template_of_a_kind_is_read_by_the_same_rules_and_alike_in_both_forms(kind):
    plain, excel = (asset_rows(read(kind_template(kind, excel=form)), kind, ZONE) for form in (False, True))
    assert plain.problems == ()
    assert plain == excel
    assert set(kind.columns) >= {name for row in plain.rows for name in row.values} - {"title", "area_id", "lat", "lon"}
