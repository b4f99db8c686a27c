"""A threshold of drava.toml is a detector without SQL: limits, time, hysteresis, places, texts; mistakes are named."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from indicators.detect import run_detectors
from indicators.places import Place, Places
from indicators.telling import what, why
from indicators.thresholds import detectors, rule, strangers
from schemas.alerts import Threshold
from schemas.errors import DravaError
from schemas.settings import Settings, load
from schemas.vocabulary import families
from tests.indicators.world import empty, put

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
BRIDGE = """
[[threshold]]
name = "bridge_level"
family = "river_level"
measure = "level_m"
above = 3.0
for_minutes = 30
hysteresis = 0.2
severity = "critical"
urgent = true
text = { sl = "Visoka voda pri mostu", en = "High water at the bridge" }
"""


def settings(tmp_path, text):
    (tmp_path / "drava.toml").write_text(text, "utf-8")
    return load(tmp_path / "drava.toml")


def threshold(**more):
    given = {"name": "bridge_level", "family": "river_level", "measure": "level_m", "above": 3.0}
    return Threshold.model_validate(given | {"text": {"sl": "Visoka voda", "en": "High water"}} | more)


def found(levels, rule_, things=(("gauge", "east"),), areas=()):
    """Levels in metres, one a quarter of an hour, the last at NOW."""
    connection = empty()
    put(connection, "areas", [{"area_id": a, "parent_id": parent} for a, parent in areas])
    for thing, area in things:
        put(connection, "things", [{"thing_id": thing, "family": "river_level", "area_id": area, "attributes": "{}"}])
        place = {"device_id": f"d-{thing}", "thing_id": thing, "valid_from": "2026-01-01T00:00:00Z"}
        put(connection, "assignments", [place])
        rows = [
            {"device_id": f"d-{thing}", "observed_at": NOW - QUARTER * (len(levels) - 1 - n), "level_m": level}
            | ({"quality": 4} if level is not None and level > 90 else {})
            for n, level in enumerate(levels)
        ]
        put(connection, "river_level", rows)
    config = Settings(threshold=[rule_])
    return run_detectors(connection, as_of=NOW, settings=config, ids=[f"threshold.{rule_.name}"]).to_pylist()


def test_above_for_long_enough_is_one_condition_that_goes_on():
    (one,) = found([2.0, 2.5, 3.1, 3.4, 3.3], threshold(for_minutes=30, severity="critical"))
    assert (one["detector"], one["thing_id"], one["area_id"]) == ("threshold.bridge_level", "gauge", "east")
    assert (one["since"], one["until"], one["going_on"]) == (NOW - 2 * QUARTER, None, True)
    assert (one["severity"], one["kind"]) == ("critical", "bridge_level")


def test_shorter_than_asked_is_none():
    assert found([2.0, 3.1, 3.4, 2.5, 2.0], threshold(for_minutes=30)) == []
    assert len(found([2.0, 3.1, 3.4, 2.5, 2.0], threshold(for_minutes=15))) == 1


def test_hysteresis_makes_one_of_what_flickers_about_the_limit():
    flickers = [2.0, 3.1, 2.9, 3.1, 2.9, 3.1, 2.7]
    assert len(found(flickers, threshold())) == 3
    (one,) = found(flickers, threshold(hysteresis=0.2))
    assert (one["since"], one["until"]) == (NOW - 5 * QUARTER, NOW)


def test_the_limit_itself_is_not_past_it_and_failed_readings_do_not_count():
    assert found([3.0, 3.0], threshold()) == []
    assert found([2.0, 99.0, 2.0], threshold()) == []


def test_below_and_a_band_of_both():
    assert len(found([1.0, 0.4], threshold(above=None, below=0.5))) == 1
    band = threshold(above=3.0, below=0.5)
    low, high = found([1.0, 0.4, 1.0, 3.2], band)
    assert ('"limit":0.5' in low["evidence"], '"limit":3.0' in high["evidence"]) == (True, True)


def test_only_the_places_that_are_asked_also_areas_within_an_area():
    places = {"things": (("a", "east"), ("b", "inner"), ("c", "west")), "areas": (("east", None), ("inner", "east"))}
    assert [row["thing_id"] for row in found([3.5], threshold(area="east"), **places)] == ["a", "b"]
    assert [row["thing_id"] for row in found([3.5], threshold(things=["c"]), **places)] == ["c"]
    assert [row["thing_id"] for row in found([3.5], threshold(area=["inner", "west"]), **places)] == ["b", "c"]
    assert [row["thing_id"] for row in found([3.5], threshold(things=["x' OR 'a' = 'a"]), **places)] == []


def test_settings_of_a_home_become_detectors_with_texts_in_both_languages(tmp_path):
    config = settings(tmp_path, BRIDGE)
    pack = detectors(config, ["bridge_level"])[0]
    assert (pack.id, pack.cadence, pack.memory_days) == ("threshold.bridge_level", "commit", 35)
    assert pack.meaning.sl == "Gladina vode nad 3 m, vsaj 30 min."
    assert pack in detectors(config)
    with pytest.raises(DravaError, match="not a detector"):
        detectors(config, ["bridge_lvel"])


def test_an_alarm_reads_well_also_when_its_rule_is_gone():
    (one,) = found([2.0, 3.14], threshold())
    evidence = json.loads(one["evidence"])
    assert what(one["detector"], one["kind"], "sl", evidence) == "Visoka voda"
    said = why(one["detector"], evidence, "sl")
    assert said.startswith("Gladina vode: 3,14 m, meja 3,00; odčitkov čez mejo: 1 v 0 min")
    assert "3.14 m, limit 3.00" in why(one["detector"], evidence, "en")


def test_readings_of_a_household_make_a_personal_rule():
    assert rule(threshold(family="water_meter", measure="flow_m3h")).personal
    assert not rule(threshold()).personal


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('measure = "level_m"|measure = "levl_m"', "level_m"),
        ('family = "river_level"|family = "river"', "river_level"),
        ("above = 3.0|", "above or below"),
        ("above = 3.0|above = 3.0\nbelow = 4.0", "below must be less"),
        ("hysteresis = 0.2|hysteresis = -1", "hysteresis"),
        ("hysteresis = 0.2|hysteresis = 0.2\nbelow = 2.7", "no value between"),
        ("above = 3.0|above = inf", "above"),
        ("above = 3.0|below = nan", "below"),
        ('severity = "critical"|severity = "bad"', "severity"),
        ('name = "bridge_level"|name = "Bridge level"', "name"),
        ("above = 3.0|abvoe = 3.0", "abvoe"),
        (', en = "High water at the bridge"|', "text.en"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_meant(tmp_path, change, said):
    before, after = change.split("|")
    assert before in BRIDGE
    with pytest.raises(DravaError, match=said) as error:
        settings(tmp_path, BRIDGE.replace(before, after))
    assert "\n" not in str(error.value)


def test_a_place_that_nobody_knows_is_said():
    places = Places(things={"gauge": Place("river_level", "east", None)}, areas={"town": (None, None)})
    rules = [threshold(area=("town", "east", "esat")), threshold(name="b", things=["gauge", "gauge-2"])]
    assert strangers(Settings(threshold=rules), places) == [
        "threshold.bridge_level: there is no area 'esat'",
        "threshold.b: there is no thing 'gauge-2'",
    ]


def test_two_rules_of_one_name_are_refused(tmp_path):
    with pytest.raises(DravaError, match=r"bridge_level.* is there twice"):
        settings(tmp_path, BRIDGE + BRIDGE)


def test_a_set_of_limits_is_switched_on_by_name_and_a_rule_of_the_town_replaces_one(tmp_path):
    own = BRIDGE.replace("bridge_level", "drinking_water_ph")
    named = {pack.id: pack for pack in detectors(settings(tmp_path, 'limits = ["drinking_water"]\n' + own))}
    assert named["threshold.drinking_water_conductivity"].meaning.en.startswith("Conductivity above 2500 µS/cm")
    assert "river_level" in named["threshold.drinking_water_ph"].reads
    with pytest.raises(DravaError, match="limits"):
        settings(tmp_path, 'limits = ["air"]')


def test_the_ready_rules_find_what_is_outside_and_not_what_touches_the_limit():
    connection = empty()
    put(connection, "things", [{"thing_id": n, "family": "water_shaft", "attributes": "{}"} for n in ("a", "b")])
    put(connection, "assignments", [{"device_id": n, "thing_id": n, "valid_from": "2026-01-01"} for n in ("a", "b")])
    times = [NOW - QUARTER * n for n in range(8)]
    rows = [{"device_id": "a", "observed_at": at, "ph": 6.3, "conductivity_uscm": 2500} for at in times]
    rows += [{"device_id": "b", "observed_at": at, "ph": 9.5, "conductivity_uscm": 2600} for at in times[:4]]
    put(connection, "water_shaft", rows)
    config = Settings(limits=["drinking_water"])
    ids = ["drinking_water_ph", "drinking_water_conductivity"]
    out = run_detectors(connection, as_of=NOW, settings=config, ids=ids).to_pylist()
    assert [(row["kind"], row["thing_id"]) for row in out] == [("drinking_water_ph", "a")]  # b for 45 minutes only


def test_every_family_can_have_a_threshold():
    nothing = empty()
    for family in families().values():
        for measure in family.measures[:3]:
            assert found_in(nothing, family.name, measure) == 0


def found_in(connection, family, measure):
    given = Threshold.model_validate(
        {"name": "x", "family": family, "measure": measure, "above": 0, "text": {"sl": "a", "en": "b"}}
    )
    return run_detectors(connection, as_of=NOW, settings=Settings(threshold=[given]), ids=["threshold.x"]).num_rows
