"""Every pack explains itself in both languages, and every example in its header comes out as written."""

from datetime import date, datetime

import pytest

from indicators.detect import run_detectors
from indicators.header import packs, parse
from indicators.runner import run_indicators
from schemas.errors import DravaError
from schemas.settings import Settings
from tests.indicators.world import empty, put

EXAMPLES = [(pack, example) for pack in packs().values() for example in pack.example]


@pytest.fixture(scope="module")
def made():
    return empty()


@pytest.fixture
def world(made):
    """Without rows for each test: to make its views takes longer than an example."""
    made.execute("BEGIN")
    yield made
    made.execute("ROLLBACK")


@pytest.mark.parametrize("pack", packs().values(), ids=list(packs()))
def test_a_pack_has_an_example_and_texts_in_both_languages(pack):
    assert pack.example
    texts = [pack.title, pack.meaning, *((pack.says.what, pack.says.why) if pack.says else ())]
    assert all(text.en.strip() and text.sl.strip() and text.en != text.sl for text in texts)
    assert (pack.kind == "indicator") == bool(pack.unit)


@pytest.mark.parametrize(("pack", "example"), EXAMPLES, ids=[f"{p.id}: {e.title}" for p, e in EXAMPLES])
def test_an_example_comes_out_as_written(world, pack, example):
    for table, rows in example.given.items():
        put(world, table, rows)
    if pack.kind == "indicator":
        found = run_indicators(world, as_of=example.as_of, settings=Settings(), ids=[pack.id]).to_pylist()
    else:
        found = run_detectors(world, as_of=example.as_of, settings=Settings(), ids=[pack.id]).to_pylist()
    assert len(found) == len(example.expect), found
    for row, expected in zip(found, example.expect, strict=True):
        assert {name: plain(row[name]) for name in expected} == {k: close(v) for k, v in expected.items()}


def plain(value):
    return value.isoformat() if isinstance(value, date | datetime) else value


def close(value):
    if isinstance(value, date | datetime):
        return value.isoformat()
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_a_file_without_a_header_is_named():
    with pytest.raises(DravaError, match=r"leak\.sql does not begin"):
        parse("SELECT 1", "leak.sql")


def test_an_unknown_word_in_a_header_is_refused():
    with pytest.raises(DravaError, match="colour"):
        parse('/*\nid = "a.b"\ncolour = "red"\n*/\nSELECT 1', "leak.sql")


def test_a_header_that_is_not_toml_is_refused():
    with pytest.raises(DravaError, match="cannot be read"):
        parse("/*\nid = \n*/\nSELECT 1", "leak.sql")
