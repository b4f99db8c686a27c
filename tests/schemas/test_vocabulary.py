"""Proves that every measure and family is whole: units, bounds, both languages, the seven fields of the strategy."""

import re

import pytest

from lake.tables import family_schema
from schemas import reasons, units
from schemas.quality import Quality, Test
from schemas.vocabulary import Family, families, measures, seconds

WANTED = {"water_meter", "district_meter", "waste_container", "streetlight", "hydrant", "traffic_counter"}
SUFFIX = {"m3": "_m3", "m3/h": "_m3h", "%": "_pct", "mm": "_mm", "Cel": "_cel", "kPa": "_kpa", "kW.h": "_kwh",
          "W": "_w", "V": "_v", "A": "_a", "km/h": "_kmh", "kg": "_kg", "h": "_h", "deg": "_deg"}  # fmt: skip
SLOVENIAN = re.compile(r"[čšžČŠŽ]")


def both(text):
    assert text.en.strip()
    assert text.sl.strip()


@pytest.mark.parametrize("name", measures())
def test_each_measure(name):
    found = measures()[name]
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert units.known(found.unit)
    assert name.endswith(SUFFIX.get(found.unit, "")), "the column carries its unit"
    both(found.title)
    if found.type == "bool":
        assert (found.min, found.max) == (None, None)
    else:
        assert found.min is not None
        assert found.max is not None
        assert found.min < found.max
    assert (found.type == "decimal") == (found.kind == "cumulative" and found.name != "pulse_count")


@pytest.mark.parametrize("name", families())
def test_each_family(name):
    found = families()[name]
    assert found.name == name
    assert set(found.measures) <= set(measures())
    assert len(set(found.measures)) == len(found.measures)
    assert set(found.source_alarms) <= set(found.measures)
    assert seconds(found.expected_interval) > 0
    assert set(found.catalogue.links) <= set(families()) - {name}
    text = found.catalogue
    for field in (text.title, text.meaning, text.owner):
        both(field)
    assert text.users.en
    assert len(text.users.en) == len(text.users.sl)
    assert seconds(text.update_interval) > 0
    assert seconds(text.usage_interval) > seconds(text.update_interval)
    assert found.access != "public" or not found.personal
    for rule in found.derive:
        assert {rule.measure, rule.source} <= set(found.measures)


@pytest.mark.parametrize("name", families())
def test_columns_of_a_family_collide_with_nothing(name):
    schema = family_schema(families()[name])
    assert len(set(schema.names)) == len(schema.names)
    assert "day" not in schema.names
    assert not {"time", "seq", "device"} & set(families()[name].measures)


def test_the_six_families_of_a_city_are_there():
    assert set(families()) >= WANTED


def test_slovenian_texts_are_slovenian():
    everything = " ".join(m.title.sl for m in measures().values())
    assert len(SLOVENIAN.findall(everything)) > 20
    assert all(m.title.sl != m.title.en for m in measures().values() if m.name != "ph")


def test_reasons_are_a_closed_list_in_both_languages():
    assert set(reasons.TEXTS) == set(reasons.Reason)
    for texts in reasons.TEXTS.values():
        assert set(texts) == {"en", "sl"}
        assert texts["en"] != texts["sl"]


def test_quality_bits_never_change():
    """They are stored: a position that moves gives old rows another meaning."""
    assert [test.name for test in Test] == [
        "SYNTAX", "TIME", "LOCATION", "GROSS_RANGE", "SPIKE", "RATE_OF_CHANGE", "FLAT_LINE", "CLIMATOLOGY",
        "MONOTONIC", "CONFLICT", "SOURCE_ALARM", "NEIGHBOUR", "CALIBRATION", "GAP", "DECODER_WARNING", "IMPERSONATION",
    ]  # fmt: skip
    assert [test.value for test in Test] == [1 << n for n in range(16)]
    assert {q.name: q.value for q in Quality} == {
        "GOOD": 1, "NOT_EVALUATED": 2, "SUSPECT": 3, "FAIL": 4, "MISSING": 9
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "length"),
    [("PT15M", 900), ("PT1H", 3600), ("P1D", 86_400), ("P1W", 604_800), ("P13M", 33_696_000), ("P3Y", 94_608_000),
     ("P1DT2H30M5S", 95_405), ("PT90S", 90)],
)  # fmt: skip
def test_durations(text, length):
    assert seconds(text) == length


def test_a_family_with_an_unknown_key_is_refused():
    body = families()["hydrant"].model_dump() | {"colour": "red"}
    with pytest.raises(ValueError, match="colour"):
        Family.model_validate(body)
