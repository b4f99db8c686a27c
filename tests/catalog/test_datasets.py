"""Proves that every dataset is described in both languages, and that nothing leaves without an access class."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from catalog.datasets import Dataset, column_title, column_unit, dataset, datasets, permit, record
from catalog.store import Store, audit
from lake.relations import SMALL
from lake.tables import tables
from schemas.errors import DravaError
from schemas.vocabulary import families


def test_every_table_is_a_described_dataset():
    assert set(tables()) | set(SMALL) <= set(datasets())


@pytest.mark.parametrize("name", datasets())
def test_the_seven_fields_are_there_in_both_languages(name):
    text = datasets()[name].catalogue
    for field in (text.title, text.meaning, text.owner):
        assert field.en
        assert field.sl
        assert field.to("sl") == field.sl
    assert text.users.en
    assert text.users.sl
    assert set(text.links) <= set(datasets())


def test_every_column_of_every_table_has_a_title_in_both_languages():
    for schema in tables().values():
        for name in schema.names:
            assert column_title(name, "sl"), name
            assert column_title(name, "en"), name
    for columns in SMALL.values():
        for name in columns:
            assert column_title(name, "sl"), name
    assert column_unit("volume_total_m3") == "m3"
    assert column_unit("device_id") == ""


def test_what_holds_personal_readings_is_personal_itself():
    assert any(family.personal for family in families().values())
    for name in ("observations", "raw_messages", "quarantine", "consumption_hourly", "consumption_daily", "things"):
        assert datasets()[name].personal, name


def test_a_dataset_without_an_access_class_is_given_to_nobody():
    described = dataset("hydrant").catalogue
    unsaid = Dataset(name="cameras", catalogue=described, personal=False)
    with pytest.raises(DravaError, match="no access class"):
        permit(unsaid, "a good purpose")
    assert Dataset(name="cameras", catalogue=described).personal  # nothing said: taken for personal
    with pytest.raises(ValidationError):
        Dataset(name="cameras", catalogue=described, access="everyone")


def test_personal_data_leave_for_a_purpose_only():
    with pytest.raises(DravaError, match="--purpose"):
        permit(dataset("water_meter"), "  ")
    permit(dataset("water_meter"), "complaint 17/2026")
    permit(dataset("traffic_counter"), "")


def test_an_unknown_dataset_is_named_with_those_that_are():
    with pytest.raises(DravaError, match="water_meter"):
        dataset("water_meters'; DROP TABLE")


def test_who_took_what_is_written_down(tmp_path):
    record(
        tmp_path, datetime(2026, 3, 1, tzinfo=UTC), "ana", "export", {"dataset": "water_meter", "purpose": "pritožba"}
    )
    store = Store.at(tmp_path)
    with store.begin() as db:
        (row,) = db.execute(select(audit)).mappings()
    assert (row["at"], row["who"], row["action"]) == (1_772_323_200_000_000, "ana", "export")
    assert json.loads(json.dumps(row["detail"])) == {"dataset": "water_meter", "purpose": "pritožba"}
    store.close()


def test_where_it_cannot_be_written_down_it_is_refused(tmp_path):
    with pytest.raises(DravaError, match="audit"):
        record(tmp_path / "missing", datetime(2026, 3, 1, tzinfo=UTC), "ana", "export", {})
