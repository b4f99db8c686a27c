"""Waste, lighting, rivers, sewers: the fault of a pack's example comes out of a lake's files, near misses do not."""

import pytest

from commands.looking import _read
from indicators.alarms import Look, settle
from indicators.detect import run_detectors
from indicators.header import packs
from indicators.places import Places
from lake.query import open_snapshot
from schemas.settings import Settings
from schemas.vocabulary import families
from tests.indicators.world import empty, put
from tests.lake.homes import TestHome

AREAS = ("waste.", "lighting.", "environment.")
PACKS = [
    pack for pack in packs("detector").values() if pack.id.startswith(AREAS) and "indicator_values" not in pack.reads
]


@pytest.fixture(scope="module")
def memory():
    return empty()


@pytest.mark.parametrize("pack", PACKS, ids=[pack.id for pack in PACKS])
def test_what_an_example_says_comes_out_of_the_files_of_a_lake(memory, tmp_path, pack):
    example = pack.example[0]
    home = TestHome(tmp_path / "home")
    memory.execute("BEGIN")
    for table, given in example.given.items():
        put(memory, table, given)
        rows = memory.sql(f"SELECT * FROM {table}").to_arrow_table().to_pylist()
        if table in families():
            home.add(table, rows)
        else:
            home.put(table, rows)
    memory.execute("ROLLBACK")
    home.publish(example.as_of.strftime("%Y-%m-%dT%H:%M:%S"))
    with open_snapshot(home.path, settings=Settings(), tables=_read([pack])) as lake:
        found = run_detectors(lake, as_of=example.as_of, settings=Settings(), ids=[pack.id]).to_pylist()
    assert [{name: row[name] for name in wanted} for row, wanted in zip(found, example.expect, strict=True)] == list(
        example.expect
    )


def test_a_dark_cabinet_is_one_alarm_and_its_lamps_stand_below_it(memory):
    known = packs("detector")
    cabinet = known["lighting.cabinet_dark"]
    ids = frozenset({cabinet.id, "lighting.lamp_dark"})
    memory.execute("BEGIN")
    for table, given in cabinet.example[0].given.items():
        put(memory, table, given)
    at = cabinet.example[0].as_of
    found = run_detectors(memory, as_of=at, settings=Settings(), ids=sorted(ids))
    alarms = settle([], found, Look(at, 1, ids, known, Places.read(memory)))
    memory.execute("ROLLBACK")
    assert {alarm.subject for alarm in alarms if alarm.cause} == {"l0", "l1", "l2", "l3"}
    assert {alarm.subject for alarm in alarms if not alarm.cause} == {"cabinet-0", "l6", "l7", "l8"}
