"""Proves exactly-once for readings: any order, any repeats, any batches, any restarts give one and the same lake."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.feeding import HOUR, NOW, Feed, topic, view, z

START = NOW - timedelta(days=3)
FEW = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def feed(tmp_path):
    return made(tmp_path / "home")


def made(path):
    feed = Feed(path)
    feed.register(("m1", "water_meter"), ("m2", "water_meter"), ("t1", "traffic_counter"))
    return feed


# A reading's version n says n of every measure that it mentions: what differs in version differs in value.
MEASURES = ("volume_total_m3", "flow_m3h", "battery_pct")
Said = st.fixed_dictionaries(
    {
        "device": st.sampled_from(["m1", "m2"]),
        "hour": st.integers(0, 50),  # three UTC days
        "version": st.integers(0, 3),
        "measures": st.sets(st.sampled_from(MEASURES), min_size=1),
        "form": st.sampled_from(["typed", "general", "array"]),
    }
)
Junk = st.sampled_from([b"", b"{}", b"[1]", b'{"volume_total_m3": "1"}', b'{"volume_total_m3": NaN}'])


def message(said):
    """Topic and payload."""
    if isinstance(said, bytes):
        return topic("m1"), said
    body = {"time": z(START + said["hour"] * HOUR), "seq": said["version"]}
    body |= dict.fromkeys(sorted(said["measures"]), said["version"] + said["hour"])
    form = {"typed": body, "general": body | {"note": 1}, "array": [body, body]}
    return topic(said["device"]), form[said["form"]]


def play(messages, cuts, *, restart):
    """The lake that these messages make, committed after each number in `cuts`."""
    with tempfile.TemporaryDirectory() as folder:
        feed = made(Path(folder) / "home")
        for number, (at, said) in enumerate(messages):
            feed.say(*message(said), at=at)
            if number in cuts:
                feed.commit()
                if restart:
                    feed.restart()
        feed.commit()
        feed.check()
        return view(feed, "water_meter", ["device_id", "observed_at", "seq", *MEASURES])


def expected(messages):
    """By hand: of each measure the highest version said; the reading's seq is the highest of all."""
    found = {}
    for said in messages:
        if isinstance(said, bytes):
            continue
        place = found.setdefault((said["device"], START + said["hour"] * HOUR), {})
        place["seq"] = max(place.get("seq", 0), said["version"])
        for name in said["measures"]:
            place[name] = max(place.get(name, (0, 0)), (said["version"], said["version"] + said["hour"]))
    return sorted(
        (device, time, *(place[name][1] if name in place else None for name in MEASURES))
        for (device, time), place in found.items()
    )


@FEW
@given(
    data=st.lists(st.one_of(Said, Said, Said, Junk), min_size=1, max_size=25),
    order=st.randoms(use_true_random=False),
    cuts=st.sets(st.integers(0, 60), max_size=4),
    restart=st.booleans(),
)
def test_the_same_messages_in_any_order_with_any_repeats_in_any_batches_give_the_same_readings(
    data, order, cuts, restart
):
    """The two plays hear the same messages at the same times, in another order, other batches, some of them again."""
    heard = [(NOW + timedelta(seconds=n), said) for n, said in enumerate(data)]
    again = [(NOW + timedelta(minutes=10, seconds=n), said) for n, said in enumerate(data) if order.random() < 0.4]
    mixed = heard + again
    order.shuffle(mixed)
    found = play(mixed, cuts, restart=restart)
    straight = play(heard, (), restart=False)
    values = [(*row[:2], *(None if v is None else float(v) for v in row[3:])) for row in found]
    assert sorted(values, key=str) == sorted(
        ((*r[:2], *(None if v is None else float(v) for v in r[2:])) for r in expected(data)), key=str
    )
    assert [(*r[:2], *r[3:]) for r in found] == [(*r[:2], *r[3:]) for r in straight]


@FEW
@given(
    values=st.lists(st.one_of(st.none(), st.integers(0, 20)), min_size=2, max_size=20),
    cuts=st.sets(st.integers(0, 20), max_size=5),
    restart=st.booleans(),
)
def test_batches_and_restarts_do_not_change_any_column_of_a_stream(values, cuts, restart):
    """In order of time nothing at all depends on where the batches were cut, flags included."""

    def run(cuts, *, restart):
        with tempfile.TemporaryDirectory() as folder:
            feed = made(Path(folder) / "home")
            for number, value in enumerate(values):
                body = {"battery_pct": 50} if value is None else {"volume_total_m3": value}
                feed.say(topic("m1"), {"time": z(START + number * HOUR), "seq": number} | body)
                if number in cuts:
                    feed.commit()
                    if restart:
                        feed.restart()
            feed.commit()
            return view(feed, "water_meter")

    assert run(cuts, restart=restart) == run((), restart=False)


# --- single cases, each a sentence -----------------------------------------------------------------------------------
AT = {"time": z(START)}


def counts(feed, *bodies, device="m1", family="water_meter"):
    for body in bodies:
        feed.say(topic(device, family), AT | body)
    found = feed.commit()
    feed.check()
    return {name: found[name] for name in ("stored", "completed", "revised", "duplicate") if found[name]}


def test_a_row_that_adds_measures_completes_the_reading(feed):
    assert counts(feed, {"volume_total_m3": 5}) == {"stored": 1}
    assert counts(feed, {"flow_m3h": 1}) == {"completed": 1}
    assert counts(feed, {"volume_total_m3": 5, "flow_m3h": 1}) == {"duplicate": 1}
    assert view(feed, "water_meter", ["volume_total_m3", "flow_m3h"]) == [(5, 1)]


def test_rows_equal_in_key_different_in_value_are_revisions_and_both_stay(feed):
    """arc#1232: compaction or ingestion never choose an arbitrary winner."""
    assert counts(feed, {"seq": 1, "volume_total_m3": 5}, {"seq": 2, "volume_total_m3": 6}) == {
        "stored": 1,
        "revised": 1,
    }
    assert counts(feed, {"seq": 1, "volume_total_m3": 5}) == {"duplicate": 1}
    assert view(feed, "water_meter", ["volume_total_m3"]) == [(6,)]
    assert [n for (n,) in feed.sql("SELECT revision FROM water_meter_revisions ORDER BY revision")] == [0, 1]


@pytest.mark.parametrize("cut", [False, True])
def test_the_order_of_revisions_is_seq_then_receipt_then_message(feed, cut):
    late, early = NOW + HOUR, NOW
    said = [
        ({"seq": 3, "volume_total_m3": 3}, early),  # the highest seq is the last word, whenever it came
        ({"volume_total_m3": 9}, late),  # without seq: before all that have one
        ({"seq": 2, "volume_total_m3": 2}, late),
    ]
    for body, at in said:
        feed.say(topic("m1"), AT | body, at=at)
        if cut:
            feed.commit()
    for value in (4, 5):  # same seq, same receipt: the later message
        feed.say(topic("m2"), AT | {"seq": 1, "volume_total_m3": value}, at=early)
    feed.commit()
    assert view(feed, "water_meter", ["device_id", "volume_total_m3"]) == [("m1", 3), ("m2", 5)]
    feed.check()


def test_lanes_are_readings_of_their_own(feed):
    lanes = [{"lane": str(n), "direction": d, "count": 1} for n in (1, 2) for d in ("in", "out", None)]
    assert counts(feed, *lanes, device="t1", family="traffic_counter") == {"stored": 6}
    assert counts(feed, *lanes, device="t1", family="traffic_counter") == {"duplicate": 6}


def test_keys_do_not_run_together(feed):
    lanes = [{"lane": "a", "direction": "bc", "count": 1}, {"lane": "ab", "direction": "c", "count": 1}]
    assert counts(feed, *lanes, device="t1", family="traffic_counter") == {"stored": 2}


def test_the_same_time_in_another_zone_is_the_same_reading(feed):
    feed.say(topic("m1"), {"time": "2026-03-01T01:30:00+01:00", "volume_total_m3": 1})
    feed.say(topic("m1"), {"time": "2026-03-01T00:30:00Z", "volume_total_m3": 1})
    assert feed.commit()["duplicate"] == 1


def test_readings_that_come_days_late_are_stored_once(feed):
    for hour in range(0, 72, 6):
        feed.say(topic("m1"), {"time": z(START + hour * HOUR), "volume_total_m3": hour})
    feed.commit()
    feed.restart()
    for _ in range(2):
        for hour in range(0, 72, 3):
            feed.say(topic("m1"), {"time": z(START + hour * HOUR), "volume_total_m3": hour})
        feed.commit()
    assert len(view(feed, "water_meter")) == 24
    feed.check()


def test_one_upload_of_48_hours_over_the_change_of_the_clock(feed):
    """arc#228, timescaledb#10296: the repeated hour is two hours, and an upload of two days is the normal case."""
    first = datetime(2025, 10, 25, tzinfo=UTC)  # the 26th has 25 hours in Ljubljana
    feed.now = first + timedelta(days=3)
    upload = [{"time": z(first + n * HOUR / 4), "seq": n, "volume_total_m3": n} for n in range(192)]
    for _ in range(2):
        feed.say(topic("m1"), upload)
        feed.commit()
    local = "CAST(timezone('Europe/Ljubljana', observed_at) AS DATE)"
    days = feed.sql(f"SELECT {local}, count(*) FROM water_meter GROUP BY 1 ORDER BY 1")
    assert [n for _, n in days] == [88, 100, 4]
    feed.check()


def test_a_device_that_sends_everything_twice(feed):
    for hour in range(24):
        for _ in range(2):
            feed.say(topic("m1"), {"time": z(START + hour * HOUR), "seq": hour, "volume_total_m3": hour})
    found = feed.commit()
    assert (found["stored"], found["duplicate"]) == (24, 24)


def test_two_gateways_that_hear_the_same_frame(tmp_path):
    feed = Feed(tmp_path / "home", more='[[route]]\nfilter = "application/+/device/+/event/+"\ncodec = "chirpstack"\n')
    feed.register(("24e124136b502217", "waste_container"), model="milesight_em310_udl")
    heard = {
        "deviceInfo": {"devEui": "24e124136b502217"},
        "fCnt": 5,
        "fPort": 85,
        "data": "AXVXA4I6AQQAAQ==",
        "rxInfo": [{"gatewayId": "a", "gwTime": "2026-03-02T05:00:00.1Z"}, {"gwTime": "2026-03-02T05:00:00.2Z"}],
    }
    where = "application/1/device/24e124136b502217/event/up"
    feed.say(where, heard)
    feed.say(where, heard | {"rxInfo": heard["rxInfo"][::-1]})
    found = feed.commit()
    assert (found["stored"], found["duplicate"]) == (1, 1), feed.quarantined()


def test_a_model_that_is_learnt_later_does_not_undo_what_is_known(feed):
    """A newer writer's marks may err high, never low: what is stored is found again whatever is remembered."""
    assert counts(feed, {"volume_total_m3": 5}) == {"stored": 1}
    state = feed.writer._states["water_meter"]
    state._mark = state._mark + 10**15
    assert counts(feed, {"volume_total_m3": 5}) == {"duplicate": 1}
    feed.say(topic("m1"), {"time": z(START + HOUR), "volume_total_m3": 6})
    assert feed.commit()["stored"] == 1
