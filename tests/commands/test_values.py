"""`drava correct`, `indicators run`, `history` and `explain` as a person uses them, in both languages."""

import json
import os
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from cli import app
from schemas.errors import DravaError
from tests.indicators.changing import PLACES, START, Home

ONE = "water.consumption_connection"
DAY, AT = "2026-03-25", "2026-03-25T00:00:07Z"


class Commands:
    """The command line on a home whose clock stands where the test puts it."""

    def __init__(self, path, now):  # noqa: D107 - a test's own
        self.path, self.now = path, now

    def __call__(self, *words, lang="en"):
        start = ["--home", str(self.path), "--as-of", self.now.isoformat(), *words]
        done = CliRunner().invoke(app, start, env={"DRAVA_LANG": lang})
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout


@pytest.fixture(scope="module")
def drava(tmp_path_factory):
    """A meter that fell silent, its readings that came a week late, and a correction in the moment of the run."""
    home = Home(tmp_path_factory.mktemp("values") / "home")
    home.register("m1", "water_meter", area="east")
    home.register("c1", "traffic_counter", area="east")
    home.say("c1", 50, {"count": 7, "lane": "1", "direction": "in", "vehicle_class": "all"})
    for hour in [*range(40), *range(90, 100)]:
        home.say("m1", hour, PLACES["m1"][2](hour))
    home.feed.commit()
    told = Commands(home.feed.home.path, home.feed.now)
    told("indicators", "run", ONE)
    home.feed.now += timedelta(days=7)
    told.now = home.feed.now
    home.late("m1", 41, 48, 1)
    told("indicators", "run", ONE)
    at = (START + timedelta(hours=71.5)).isoformat()
    told("correct", "m1", at, "volume_total_m3", "10.855", "--author", "ana", "--reason", "prebrano s fotografije")
    told.now += timedelta(hours=1)
    told("indicators", "run", ONE)
    home.feed.journal.close()
    home.feed.store.close()
    return told


def blocks(text):
    """The values of a history, each with its lines below."""
    found = []
    for line in text.splitlines():
        if line.startswith("    "):
            found[-1].append(line.strip())
        else:
            found.append([line])
    return found


def test_history_says_what_was_told_when_and_why_it_changed(drava):
    first, late, corrected = blocks(drava("indicators", "history", ONE, "--subject", "t-m1", "--period", DAY))
    assert first[0].startswith("1 Apr 2026 at 08:00  0.288 m3  (snapshot ")
    assert first[1:] == ["the first"]
    assert "estimated share: 1 → 0" in late
    assert late[-1].startswith("readings: 4")
    assert "of m1 (water_meter) of 24 Mar 2026 at 17:30 to 26 Mar 2026 at 16:30 came" in late[-1]
    assert corrected[-1].endswith("came, 1 of them revised, corrected by ana: prebrano s fotografije")


def test_history_is_slovenian_where_the_home_is(drava):
    told = blocks(drava("indicators", "history", ONE, "--subject", "t-m1", "--period", DAY, lang="sl"))
    first, late, corrected = told
    assert first[0].startswith("1. 4. 2026 ob 8.00  0,288 m3  (posnetek ")
    assert first[1:] == ["prva vrednost"]
    assert "ocenjeni delež: 1 → 0" in late
    came = "odčitki: naprava m1 (water_meter), od 24. 3. 2026 ob 17.30 do 26. 3. 2026 ob 16.30, prispelo: 4"
    assert late[-1].startswith(came)
    assert corrected[-1].endswith("prispelo: 1, od tega spremenjenih: 1, popravek (ana): prebrano s fotografije")


def test_history_as_json_has_the_same_reasons(drava):
    rows = json.loads(drava("indicators", "history", ONE, "--subject", "t-m1", "--period", DAY, "--json"))
    assert [row["value"] for row in rows[:2]] == [0.288, 0.288]
    assert rows[2]["value"] != 0.288
    assert [len(row["because"]) > 0 for row in rows] == [True] * 3


@pytest.mark.parametrize(("lang", "titles"), [("en", "value readings messages"), ("sl", "vrednost odčitki sporočila")])
def test_a_value_is_explained_down_to_its_messages(drava, lang, titles):
    told = drava("indicators", "explain", ONE, "--subject", "t-m1", "--period", DAY, lang=lang)
    assert [part.strip().splitlines()[0] for part in told.split("\n\n")] == titles.split()
    assert "ana: prebrano s fotografije" in told
    assert '"volume_total_m3"' in told


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "c1, count at 2026-03-25 02:00:00+01:00: 7 → 9; the next run computes its indicators anew."),
        ("sl", "c1, count ob 2026-03-25 02:00:00+01:00: 9 → 7; naslednji zagon znova izračuna kazalnike."),
    ],
)
def test_a_correction_says_what_it_changed(drava, lang, said):
    at = (START + timedelta(hours=50)).isoformat()
    keys = [word for key in ("lane=1", "direction=in", "vehicle_class=all") for word in ("--key", key)]
    before = drava("sql", "SELECT count FROM traffic_counter", "--format", "csv").split()[-1]
    told = drava("correct", "c1", at, "count", "9" if before == "7" else "7", "--reason", "video", *keys, lang=lang)
    assert told.strip().split("; ")[1] == said.split("; ")[1]
    assert told.startswith(said.split(": ")[0])


@pytest.mark.parametrize(
    ("words", "english", "slovenian"),
    [
        (["m1", "count", "9", "--key", "lane"], "--key 'lane' names no reading", "--key 'lane' ne pove"),
        (["m1", "count", "9", "--key", "lane=1", "--key", "lane=2"], "each key once", "Vsak ključ napišite enkrat"),
        (["m1", "volume_total_m3", "x"], "'x' is not a number", "'x' ni število"),
        (["nobody", "count", "9"], "no device 'nobody'", "naprave 'nobody' ni"),
        (["m1", "colour", "9"], "no measure 'colour'", "nima veličine 'colour'"),
        (["m1", "volume_total_m3", "9", "--key", "lane=1"], "Leave --key away", "Izpustite --key"),
        (["c1", "count", "9"], "Say --key lane=… --key direction=…", "Dodajte --key lane=…"),
        (["m1", "volume_total_m3", "-9"], "cannot be", "ne more biti -9"),
        (["m1", "volume_total_m3", "12"], "no reading at", "nima odčitka ob"),
        (["m1", "volume_total_m3", "12", "--reason", " "], "an author and a reason", "avtorja in razlog"),
    ],
)
def test_what_is_no_correction_is_refused_in_the_language_of_the_home(drava, words, english, slovenian):
    device, measure, *rest = words
    reason = [] if "--reason" in rest else ["--reason", "r"]
    for lang, said in (("en", english), ("sl", slovenian)):
        with pytest.raises(DravaError) as refused:
            drava("correct", *rest[1:], *reason, "--", device, AT, measure, rest[0], lang=lang)
        assert said in str(refused.value)


@pytest.fixture
def stranger(drava, monkeypatch):
    """Another user of the group: the operating system does not let them into the catalogue."""
    real = os.access
    closed = drava.path / "catalog"
    monkeypatch.setattr(os, "access", lambda path, mode, **more: path != closed and real(path, mode, **more))
    return drava


def test_who_may_only_read_gets_a_report_without_a_pin(stranger, tmp_path):
    said = stranger("indicators", "report", "--period", "2026-03", "--out", str(tmp_path / "r.html"))
    assert said == f"{tmp_path}/r.html\n"
    assert (tmp_path / "r.html").stat().st_size > 1000
    assert "volume_total_m3" in stranger("indicators", "explain", ONE, "--subject", "t-m1", "--period", DAY)


def test_a_report_that_cannot_be_written_keeps_nothing(drava, tmp_path):
    before = drava("lake", "pins")
    with pytest.raises(DravaError, match="cannot be written"):
        drava("indicators", "report", "--period", "2026-03", "--out", str(tmp_path / "nowhere" / "r.html"))
    assert drava("lake", "pins") == before
    drava("indicators", "report", "--period", "2026-03", "--out", str(tmp_path / "kept.html"))
    assert "kept.html" in drava("lake", "pins")


@pytest.mark.parametrize("words", [["lake", "pins"], ["indicators", "run"]])
def test_who_may_only_read_is_told_whose_the_catalogue_is(stranger, words):
    with pytest.raises(DravaError, match="is for the user of the service alone"):
        stranger(*words)
