"""docs/regressions.md is true: every test is a row, every row has its test or says what part it concerns."""

import re
from pathlib import Path

HERE = Path(__file__).parent
DOCUMENT = (HERE.parents[1] / "docs" / "regressions.md").read_text("utf-8")
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", DOCUMENT, re.MULTILINE)[1:]
SOURCES = {path.name: path.read_text("utf-8") for path in HERE.glob("test_rivals_*.py")}
TESTS = {name for text in SOURCES.values() for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
LIST = 20  # rows of the list that this one was taken from; some have more than one test


def test_every_row_has_its_test_and_every_test_its_row():
    shown = [cell.strip("`") for _, _, cell in ROWS]
    assert len(ROWS) >= LIST
    assert len(set(shown) & TESTS) == len(TESTS)
    assert {cell for cell in shown if not cell.startswith("later: ")} == TESTS


def test_a_test_names_the_reports_of_its_row():
    for _, where, cell in ROWS:
        if not cell.startswith("later: "):
            [text] = [t for t in SOURCES.values() if f"def {cell.strip('`')}(" in t]
            docstring = text.split(f"def {cell.strip('`')}(")[1].split('"""')[1]
            assert [report for report in where.split(", ") if report.split()[-1].split("#")[-1] not in docstring] == []
