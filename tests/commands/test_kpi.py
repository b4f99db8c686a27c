"""`drava indicators enter`, `kpis`, `report` on a real home: entered, corrected, taken back, and nothing is lost."""

import json
from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from commands import home, indicators
from commands.context import Context
from lake.query import open_snapshot
from schemas.errors import DravaError

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


class Town:
    """The commands on one home."""

    def __init__(self, path):  # noqa: D107 - a test's own
        self.path = path
        self.app = typer.Typer()
        for topic in (home, indicators):
            topic.add(self.app)

    def __call__(self, *words, lang="en"):
        context = Context(path=self.path, as_of=NOW)
        done = CliRunner(env={"COLUMNS": "220", "DRAVA_LANG": lang}).invoke(self.app, words, obj=context)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    def sheet(self, *words):
        return {row["kpi"]: row for row in json.loads(self("indicators", "kpis", "--json", *words))}


@pytest.fixture
def town(tmp_path):
    found = Town(tmp_path / "home")
    found("init", str(found.path), "--municipality", "ptuj")
    return found


def enter(town, kpi, value, day="2026-10-01", **more):
    texts = {"author": "Ana Novak", "source": "evidenca izobraževanj"} | more
    words = [word for name, text in texts.items() for word in (f"--{name}", text)]
    return town("indicators", "enter", kpi, "--value", value, "--date", day, *words)


def test_a_value_is_entered_corrected_and_taken_back_and_every_step_stays(town):
    assert enter(town, "P27", "12,5") == (
        "P27 on 2026-10-01 = 12.5: Share of staff who attended at least one training in cyber security\n"
    )
    assert "instead of 12.5" in enter(town, "P27", "15", note="five were forgotten")
    assert (town.sheet()["P27"]["value"], town.sheet()["P27"]["status"]) == (15, "behind")
    words = ["--withdraw", "--date", "2026-10-01", "--author", "Ana", "--source", "pomota"]
    assert "taken back, instead of 15" in town("indicators", "enter", "P27", *words)
    assert town.sheet()["P27"]["status"] == "not_entered"
    history = json.loads(town("indicators", "enter", "P27", "--json"))
    assert [(row["value"], row["author"], row["note"]) for row in history] == [
        (12.5, "Ana Novak", ""),
        (15.0, "Ana Novak", "five were forgotten"),
        (None, "Ana", ""),
    ]


def test_the_same_entry_again_adds_nothing(town):
    enter(town, "P27", "12.5")
    enter(town, "P27", "12,5")
    assert len(json.loads(town("indicators", "enter", "P27", "--json"))) == 1


def test_readers_see_what_was_entered_without_the_catalogue(town):
    enter(town, "P10", "2")
    (town.path / "catalog").rename(town.path.parent / "away")
    with open_snapshot(town.path, tables=["entered_values"]) as snapshot:
        rows = snapshot.execute("SELECT kpi, CAST(local_date AS VARCHAR), value, author FROM entered_values").fetchall()
    assert rows == [("P10", "2026-10-01", 2.0, "Ana Novak")]


def test_the_sheet_has_every_kpi_with_what_is_printed_and_noted(town):
    found = town.sheet()
    assert len(found) == 73
    assert found["P19"]["printed"] == {"2022": "?", "2027": "80 %"}
    assert found["P19"]["status"] == "no_denominator"
    assert "percentage" in found["P07"]["note"]
    assert set(town.sheet("--strategy", "maribor")) == {
        name for name in town.sheet("--strategy", "maribor") if name[0] == "M"
    }


def test_the_sheet_for_people_is_in_both_languages(town):
    enter(town, "P31", "0,12")
    assert "ni imenovalca v registru" in town("indicators", "kpis", lang="sl")
    assert "0,12" in town("indicators", "kpis", lang="sl")
    assert "not reached, baseline unknown" in town("indicators", "kpis")


@pytest.mark.parametrize(
    "words", [["P27", "--value", "5"], ["P27", "--value", "5", "--withdraw"], ["P99"], ["P27", "--withdraw"]]
)
def test_what_is_wrong_is_refused_and_changes_nothing(town, words):
    with pytest.raises(DravaError):
        town("indicators", "enter", *words)
    assert json.loads(town("indicators", "enter", "P27", "--json")) == []


@pytest.mark.parametrize(("form", "begins"), [("html", "<!doctype html>"), ("md", "# Report"), ("csv", "section,id")])
def test_a_report_is_written_to_a_file(town, form, begins):
    enter(town, "P27", "64", source="<b>evidenca</b>")
    file = town.path.parent / f"report.{form}"
    town("indicators", "report", "--period", "2026-10", "--format", form, "--out", str(file))
    text = file.read_text("utf-8")
    assert text.startswith(begins)
    assert "P27" in text
    assert form != "html" or "&lt;b&gt;evidenca" in text


def test_a_report_that_cannot_be_written_is_one_line(town):
    with pytest.raises(DravaError, match="cannot be written"):
        town("indicators", "report", "--period", "2026-10", "--out", str(town.path / "no" / "folder" / "r.html"))
