"""The registry in a real catalogue: all or nothing, the same file twice is nothing, readers see one state."""

import json
import threading
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import exc, select, text

from catalog import registry
from catalog.imports import check_registrations, import_assets, import_registrations
from catalog.registry import load, registry_version, small_tables
from catalog.store import Store, alarms, audit
from devices.assets import AssetRow
from devices.kinds import kinds
from devices.problems import Fault
from devices.registry import Registration

STEADY = settings(deadline=None, derandomize=True, max_examples=15)
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
DAY = 86_400_000_000
BEGIN = 1_740_783_600_000_000


def row(device="d", thing="t", begin=BEGIN, **more) -> Registration:
    return Registration(
        **{"family": "water_meter", "device_id": device, "thing_id": thing, "valid_from": begin, "line": 2, **more}
    )


ROWS = [
    row(
        "m1",
        "house-1",
        area="center",
        lat=46.42,
        lon=15.87,
        title="Žabja vas 3",
        attributes={"persons": 3, "kind": "šola"},
    ).model_copy(update={"valid_to": BEGIN + DAY, "end_register": Decimal("412.503")}),
    row(
        "m2",
        "house-1",
        BEGIN + DAY,
        model="EM300-DI",
        gateway="gw",
        factors={"m3_per_pulse": 0.01, "index_offset_m3": 0.25},
    ),
    row("m3", "house-2", start_register="999999999.999999"),
    row("c1", "island", family="waste_container", factors={"empty_distance_mm": 1350}),
]


@pytest.fixture
def store(tmp_path):
    opened = Store.at(tmp_path)
    yield opened
    opened.close()


def dump(store: Store) -> dict[str, list]:
    """Everything in the catalogue that an import may touch."""
    names = ("facts", "changes", "things", "devices", "assignments", "audit", "meta")
    with store.begin() as db:
        return {name: [tuple(r) for r in db.execute(text(f"SELECT * FROM {name} ORDER BY 1"))] for name in names}


def test_rows_come_back_as_they_were_imported(store):
    counts = import_registrations(store, ROWS, now=NOW, who="ana")
    assert counts.problems == ()
    assert counts.added == {"areas": 1, "things": 3, "devices": 4, "assignments": 4}
    tables = small_tables(store)
    house = tables["things"].to_pylist()[0]
    assert json.loads(house.pop("attributes")) == {"persons": 3, "kind": "šola"}
    assert house == {
        "thing_id": "house-1",
        "family": "water_meter",
        "area_id": "center",
        "lat": 46.42,
        "lon": 15.87,
        "title": "Žabja vas 3",
    }
    first, second, third = tables["assignments"].to_pylist()[1:]
    assert first["valid_from"] == datetime(2025, 2, 28, 23, tzinfo=UTC)
    assert first["valid_to"] == second["valid_from"] == datetime(2025, 3, 1, 23, tzinfo=UTC)
    assert first["end_register"] == Decimal("412.503")
    assert third["start_register"] == Decimal("999999999.999999")  # to the last litre's thousandth


def test_the_same_file_again_changes_nothing_not_even_the_version(store):
    import_registrations(store, ROWS, now=NOW)
    before = dump(store)
    counts = import_registrations(store, ROWS[::-1], now=datetime(2027, 1, 1, tzinfo=UTC))
    assert not counts.anything
    assert dump(store) == before
    assert registry_version(store) == 1


def test_a_correction_changes_the_version_and_is_audited(store):
    import_registrations(store, ROWS, now=NOW, who="ana")
    counts = import_registrations(
        store, [row("m3", "house-2", title="Nova", factors={"register_width": 5})], now=NOW, who="bor"
    )
    assert (counts.changed["things"], counts.changed["devices"], counts.changed["assignments"]) == (1, 1, 0)
    assert registry_version(store) == 2
    assert load(store).devices["m3"].factors == {"register_width": 5.0}
    with store.begin() as db:
        written = db.execute(select(audit.c.at, audit.c.who, audit.c.action, audit.c.detail).order_by(audit.c.id)).all()
    assert [(entry.who, entry.action, entry.detail["version"]) for entry in written] == [
        ("ana", "devices import", 1),
        ("bor", "devices import", 2),
    ]
    assert written[0].at == 1_772_344_800_000_000


def test_a_withdrawn_mistake_leaves_the_registry_and_stays_in_the_audit(store):
    import_registrations(store, ROWS, now=NOW)
    number = load(store).devices["m3"].num
    mistake = ROWS[2].model_copy(update={"withdrawn": True})
    counts = import_registrations(store, [mistake], now=NOW)
    assert (counts.removed["assignments"], counts.removed["things"], counts.removed["devices"]) == (1, 1, 0)
    assert "m3" not in load(store).devices
    assert not import_registrations(store, [mistake], now=NOW).anything
    import_registrations(store, [row("m3", "house-9")], now=NOW)
    assert load(store).devices["m3"].num == number  # what is stored of it stays its own
    with store.begin() as db:
        details = db.execute(select(audit.c.detail).order_by(audit.c.id)).scalars().all()
    assert [detail["removed"]["assignments"] for detail in details] == [0, 1, 0]


def test_one_wrong_row_and_nothing_is_imported(store):
    import_registrations(store, ROWS, now=NOW)
    before = dump(store)
    wrong = [
        row("new", "elsewhere", area="new-area", line=2),
        row("m9", "house-2", line=3),
        row("new2", "island", line=4),
    ]
    counts = import_registrations(store, wrong, now=NOW)
    assert [(p.line, p.fault) for p in counts.problems] == [
        (3, Fault.THING_OCCUPIED),
        (4, Fault.THING_FAMILY),
        (4, Fault.THING_OCCUPIED),
    ]
    assert not counts.anything
    assert dump(store) == before
    assert check_registrations(store, wrong) == counts.problems


@pytest.mark.parametrize("table", ["things", "devices", "assignments", "facts", "changes", "audit"])
def test_a_database_that_fails_half_way_keeps_nothing(store, table):
    import_registrations(store, ROWS[:1], now=NOW)
    before = dump(store)
    with store.begin() as db:
        db.execute(text(f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk is full'); END"))
    with pytest.raises(exc.IntegrityError, match="disk is full"):
        import_registrations(store, ROWS, now=NOW)
    assert dump(store) == before


def test_two_imports_at_once_cannot_both_put_a_device_on_the_same_thing(tmp_path):
    for turn in range(5):
        folder = tmp_path / str(turn)
        folder.mkdir()
        Store.at(folder).close()
        start, results = threading.Barrier(2), []

        def work(device, folder=folder, start=start, results=results):
            own = Store.at(folder)
            start.wait()
            results.append(import_registrations(own, [row(device, "t"), row(f"{device}-2", f"{device}-t")], now=NOW))
            own.close()

        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(len(counts.problems) for counts in results) == [0, 1]
        assert len(load(Store.at(folder)).devices) == 2


def test_ingestion_reads_devices_with_the_time_since_when_they_exist(store):
    assert load(store) == registry.Registry(0, {})
    import_registrations(store, ROWS, now=NOW)
    import_registrations(store, [row("c1", "island-0", BEGIN - DAY, valid_to=BEGIN, family="waste_container")], now=NOW)
    found = load(store)
    assert found.version == registry_version(store) == 2
    assert found.devices["m2"] == registry.Device(
        num=found.devices["m2"].num,
        device_id="m2",
        family="water_meter",
        model="EM300-DI",
        gateway="gw",
        factors={"m3_per_pulse": 0.01, "index_offset_m3": 0.25},
        commissioned_at=BEGIN + DAY,
    )
    assert found.devices["c1"].commissioned_at == BEGIN - DAY
    assert len({device.num for device in found.devices.values()}) == 4


def test_small_tables_have_their_types_also_when_empty_and_one_order(store, tmp_path):
    empty = {name: table.schema for name, table in small_tables(store).items()}
    time = pa.timestamp("us", tz="UTC")
    assert empty["assignments"].field("valid_to").type == empty["alarms"].field("since").type == time
    assert empty["assignments"].field("start_register").type == pa.decimal128(18, 6)
    assert empty["areas"].field("population").type == pa.int64()
    import_registrations(store, ROWS, now=NOW)
    with store.begin() as db:
        alarm = {"alarm_id": "x", "detector": "d", "kind": "leak", "severity": "info", "state": "open", "since": BEGIN}
        db.execute(alarms.insert().values(**alarm, computed_at=BEGIN, evidence={"ž": [1]}))
    filled = small_tables(store)
    assert {name: table.schema for name, table in filled.items()} == empty
    assert filled["alarms"].to_pylist()[0]["evidence"] == '{"ž": [1]}'
    assert filled["alarms"].to_pylist()[0]["since"] == datetime(2025, 2, 28, 23, tzinfo=UTC)
    (tmp_path / "other").mkdir()
    other = Store.at(tmp_path / "other")
    for part in (ROWS[2:], ROWS[:2]):
        import_registrations(other, part, now=NOW)
    again = small_tables(other)
    assert all(again[name].equals(filled[name]) for name in ("things", "devices", "assignments", "areas"))


@STEADY
@given(st.permutations(ROWS), st.integers(0, len(ROWS)))
def test_any_order_in_any_two_files_gives_the_same_registry(tmp_path_factory, order, cut):
    one, two = (Store.at(tmp_path_factory.mktemp(name)) for name in ("one", "two"))
    import_registrations(one, ROWS, now=NOW)
    for part in (order[:cut], order[cut:]):
        assert import_registrations(two, part, now=NOW).problems == ()
    first, second = small_tables(one), small_tables(two)
    one.close()
    two.close()
    assert all(first[name].equals(second[name]) for name in first)


def test_questions_of_people_see_the_device_that_hangs_there_now(store):
    import_registrations(store, ROWS, now=NOW)
    found = registry.list_devices(store, now=NOW, family="water_meter")
    assert [(r["device_id"], r["thing_id"]) for r in found] == [("m1", None), ("m2", "house-1"), ("m3", "house-2")]
    then = registry.list_devices(store, now=datetime(2025, 3, 1, 12, tzinfo=UTC), area="center")
    assert [r["device_id"] for r in then] == ["m1"]
    shown = registry.show(store, "house-1")
    assert shown["device"] is None
    assert shown["thing"]["title"] == "Žabja vas 3"
    assert [a["device_id"] for a in shown["assignments"]] == ["m1", "m2"]
    assert registry.show(store, "'; DROP TABLE things; --") == {
        "device": None,
        "thing": None,
        "history": [],
        "assignments": [],
    }


def test_areas_come_with_the_things_in_them(store):
    import_registrations(store, ROWS, now=NOW)
    area = kinds()["area"]
    rows = [AssetRow(2, "center", values={"title": "Center", "parent_id": "town"})]
    rows.append(AssetRow(3, "town", values={"kind": "zone"}))
    counts = import_assets(store, area, rows, now=NOW)
    assert (counts.added["areas"], counts.changed["areas"], registry_version(store)) == (1, 1, 2)
    assert [(a["area_id"], a["kind"], a["things"]) for a in registry.list_areas(store)] == [
        ("center", "district", 1),
        ("town", "zone", 0),
    ]
    wrong = [AssetRow(2, "x"), AssetRow(3, "y", values={"parent_id": "z"})]
    assert import_assets(store, area, wrong, now=NOW).problems
    assert len(registry.list_areas(store)) == 2
