"""docs/detection.md says what the detectors of today reach: its figures were made with their present text."""

from pathlib import Path

import pytest

from indicators.evaluate.dataset import chosen
from indicators.evaluate.table import digest, known, shown, stale, table
from tests.indicators.world import ROOT

FIGURES = ROOT / "docs" / "detection.json"


def test_the_table_was_written_from_its_figures():
    assert (ROOT / "docs" / "detection.md").read_text("utf-8") == table(FIGURES)


def test_the_figures_were_measured_with_the_detectors_and_datasets_of_today():
    """Where it fails: `drava detectors table --data ../shared/data` measures what has changed and writes it again."""
    old = [f"{dataset.name}/{name}" for dataset, names in stale(FIGURES, chosen(None, Path())) for name in names]
    assert old == []


def test_what_was_made_with_another_text_is_measured_again(tmp_path):
    figures = tmp_path / "figures.json"
    figures.write_text(FIGURES.read_text("utf-8").replace(digest("daiad_leak", "household_leak"), "0" * 16), "utf-8")
    names = {dataset.name for dataset, _ in stale(figures, chosen(["daiad_leak", "daiad_stopped"], Path()))}
    assert "daiad_leak" in names


@pytest.mark.parametrize("result", known(FIGURES).values(), ids=known(FIGURES))
def test_every_figure_stands_beside_its_null_and_its_interval(result):
    assert shown(result)["time"]
    if result.get("found") is not None and result["found"] + result["missed"]:
        assert result["null_found"] is not None
        assert result["interval"]["recall"] is not None
