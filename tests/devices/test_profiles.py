"""Profiles: every example of every file comes true, and a mistake in a file is named with its key and the mend."""

import pytest

from devices.profiles import brought, by_model, in_force, load, profiles, read, stamp
from ingest.codecs.frames import DECODERS
from ingest.example import differences
from schemas.errors import DravaError

GOOD = """
id = "acme_bin"
title = { en = "Acme bin sensor", sl = "Tipalo zabojnika Acme" }
family = "waste_container"

[recognise]
models = ["Acme Bin 2"]

[fields]
gap = { column = "distance_mm", unit = "cm" }
lid = { column = "lid_open", values = { open = true, closed = false } }

[[example]]
title = "half full"
codec = "chirpstack"
payload = '{"deviceInfo": {"devEui": "24e124fffe00a1b2"}, "object": {"gap": 40, "lid": "open"}}'
[[example.reading]]
values = { distance_mm = 400, lid_open = true }

[[example]]
title = "nothing in it"
data = ""
rejected = "no_measure"
"""


EXAMPLES = [
    pytest.param(profile, example, id=f"{profile.id}: {example.title}")
    for profile in profiles().values()
    for example in profile.example
]


@pytest.mark.parametrize(("profile", "example"), EXAMPLES)
def test_every_example_comes_true(profile, example):
    assert differences(profile, example) == []


def test_every_decoder_that_a_profile_names_is_there():
    assert {profile.decoder for profile in profiles().values()} - {None} <= set(DECODERS)


@pytest.mark.parametrize("model", ["EM310-UDL", "em310-udl", " Milesight EM310 UDL", "em310udl"])
def test_a_model_is_recognised_as_people_write_it(model):
    assert by_model(model).id == "milesight_em310_udl"


@pytest.mark.parametrize("model", ["", "EM310", "EM310-UDL; x", "../milesight_em310_udl"])
def test_another_model_is_not_recognised(model):
    assert by_model(model) is None


@pytest.fixture
def mistake(tmp_path):
    """The text of the error that a profile gives after a replacement in it."""

    def made(old: str, new: str, name: str = "acme_bin.toml") -> str:
        assert old in GOOD
        file = tmp_path / name
        file.write_text(GOOD.replace(old, new, 1), "utf-8")
        with pytest.raises(DravaError) as error:
            load(file)
        assert error.value.hint
        return str(error.value)

    return made


def test_a_good_profile_loads_and_its_examples_hold(tmp_path):
    file = tmp_path / "acme_bin.toml"
    file.write_text(GOOD, "utf-8")
    profile = load(file)
    for example in profile.example:
        assert differences(profile, example) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('family = "waste_container"', "", ["'family' is missing", "Add it"]),
        ('family = "waste_container"', 'family = "bins"', ["'bins'", "waste_container", "water_meter"]),
        ("[recognise]", "[recognize]", ["'recognise' is missing", "Add it"]),
        ('models = ["Acme Bin 2"]', "models = []", ["recognise.models"]),
        ('column = "distance_mm"', 'column = "distance"', ["fields.gap", "'distance'", "distance_mm, temp_cel"]),
        ('column = "distance_mm"', 'colum = "distance_mm"', ["line 10", "fields.gap.colum", "column?"]),
        ('unit = "cm"', 'unit = "kPa"', ["fields.gap", "'kPa'", "mm"]),
        ('unit = "cm"', 'units = "cm"', ["fields.gap.units", "Correct its spelling"]),
        ("open = true", 'open = "yes"', ["fields.lid.values.open"]),
        ("open = true", "open = 1", ["fields.lid", "'open'", "bool"]),
        ('rejected = "no_measure"', 'rejected = "broken"', ["example.1", "'broken'", "no_measure"]),
        ('rejected = "no_measure"', "", ["example.1", "reason"]),
        ('data = ""', 'data = "?"', ["example.1", "base64"]),
        ('data = ""', "", ["example.1", "payload or data"]),
        ('codec = "chirpstack"', "", ["example.0", "codec"]),
        ('id = "acme_bin"', 'id = "acme"', ["'acme'", "same name"]),
        ('id = "acme_bin"', "id = acme_bin", ["TOML", "line 2"]),
    ],
)
def test_a_mistake_is_named_with_file_key_and_remedy(mistake, old, new, said):
    text = mistake(old, new)
    assert text.startswith("acme_bin.toml: ")
    assert "\n" not in text
    for part in said:
        assert part in text


def test_examples_of_both_kinds_are_asked_for(mistake):
    rejected = GOOD[GOOD.rindex("[[example]]") :]
    assert "one that is rejected" in mistake(rejected, "")


def test_all_mistakes_of_a_file_are_told_each_with_its_line():
    text = GOOD.replace('unit = "cm"', 'unit = "kPa"').replace('column = "lid_open"', 'column = "lid"')
    text = text.replace("[recognise]", "colour = 1\n[recognise]").replace('rejected = "no_measure"', "rejected = 7")
    found = read("acme_bin.toml", text)
    told = {mistake.line: mistake.what for mistake in found}
    lines = text.splitlines()
    assert [lines[line - 1].split("=")[0].strip() for line in sorted(told)] == ["colour", "rejected"]
    fixed = text.replace("colour = 1\n", "").replace("rejected = 7", 'rejected = "no_measure"')
    again = read("acme_bin.toml", fixed)
    assert [fixed.splitlines()[mistake.line - 1].split("=")[0].strip() for mistake in again] == ["gap", "lid"]
    assert "kPa" in again[0].what
    assert "'lid'" in again[1].what


@pytest.mark.parametrize("cut", range(0, len(GOOD), 23))
def test_half_a_file_is_a_mistake_or_a_profile_never_an_error(cut):
    found = read("acme_bin.toml", GOOD[:cut])
    assert isinstance(found, list)
    assert all(1 <= mistake.line <= GOOD[:cut].count("\n") + 1 and mistake.remedy for mistake in found)


def test_a_citys_own_profiles_go_before_ours_and_a_broken_one_stops_nothing(tmp_path):
    assert in_force(tmp_path / "none") is brought()
    (tmp_path / "acme_bin.toml").write_text(GOOD.replace("Acme Bin 2", "EM310-UDL"), "utf-8")
    (tmp_path / "other.toml").write_text("id = ", "utf-8")
    (tmp_path / "notes.txt").write_text("not a profile", "utf-8")
    before = stamp(tmp_path)
    found = in_force(tmp_path)
    assert found.by_model("em310 udl").id == "acme_bin"
    assert found.by_model("EM400-TLD").id == "milesight_em400_tld"
    assert list(found.broken) == ["other.toml"]
    (tmp_path / "second.toml").write_text(
        GOOD.replace("acme_bin", "second").replace("Acme Bin 2", "EM310-UDL"), "utf-8"
    )
    assert stamp(tmp_path) != before
    again = in_force(tmp_path)
    assert again.by_model("EM310-UDL").id == "acme_bin"
    assert "acme_bin" in again.broken["second.toml"]
