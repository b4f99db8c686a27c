"""Tables in memory have everything that the views of a snapshot read; else no detector in SQL could be evaluated."""

from datetime import UTC, datetime

import pyarrow as pa

from lake.memory import in_memory, put


def test_all_views_can_be_made_and_what_is_put_in_is_read_through_them():
    memory = in_memory("Europe/Ljubljana", 46.05, 14.5)
    rows = {"device_id": ["m1"], "observed_at": [datetime(2026, 3, 1, tzinfo=UTC)], "volume_total_m3": [12.5]}
    put(memory, "water_meter", pa.table(rows))
    assert memory.execute("SELECT device_id, revision FROM water_meter_revisions").fetchall() == [("m1", 0)]
