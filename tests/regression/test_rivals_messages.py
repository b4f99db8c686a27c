"""What others lost, bent or stumbled over on the way in is stored here, or held with its reason.

Each test is a row of docs/regressions.md; its docstring says what people suffered.
"""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from ingest.journal import Journal
from ingest.receive import FULL, Receiver
from ingest.replay import Wanted, replay
from ingest.session import Session
from schemas.quality import Test
from schemas.reasons import Reason
from schemas.settings import Broker
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z
from tests.ingest.mqttside import FILTERS, publish, session, until, within

WINDOW = 1000  # max_inflight_messages of mosquitto.conf


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"), ("m2", "water_meter"), ("t1", "traffic_counter"))
    return feed


def integers(feed, query):
    return [int(value) for (value,) in feed.sql(query)]


# --- what a message holds --------------------------------------------------------------------------------------------
def test_seconds_ms_us_ns_or_no_time_live_and_replayed(feed):
    """arc#590: the live path knew the unit of a time, the replay path did not, and replayed rows landed in 1970."""
    second = int((NOW - HOUR).timestamp())
    units = (1, 1_000, 1_000_000, 1_000_000_000)
    for device in ("m1", "late"):
        for number, unit in enumerate(units):
            body = {"time": (second + number) * unit, "seq": number, "volume_total_m3": number}
            feed.say(topic(device), body)
        feed.say(topic(device), {"seq": 9, "volume_total_m3": 9})
    feed.commit()
    feed.register(("late", "water_meter"))
    feed.now += HOUR
    replay(feed.writer, Wanted(reason=Reason.UNKNOWN_DEVICE))
    times = "SELECT seq, observed_at, time_source FROM water_meter WHERE device_id = '{}' ORDER BY seq"
    live = feed.sql(times.format("m1"))
    assert live[:4] == [(n, NOW - HOUR + timedelta(seconds=n), "device") for n in range(4)]
    assert live[4] == (9, NOW, "broker")
    assert feed.sql(times.format("late")) == live
    feed.check()


def test_1001_unparsable_messages_then_a_good_one(feed):
    """telegraf#13476, #14685: unreadable messages used up the window of unacknowledged ones, and the plug-in stood."""
    for number in range(1001):
        feed.say(topic("m1"), b"{bad %d" % number)
    feed.say(topic("m1"), {"time": z(NOW), "volume_total_m3": 1})
    done = feed.commit()
    assert (done["quarantined"], done["stored"]) == (1001, 1)
    feed.check()


def test_a_field_first_seen_after_the_first_flush(feed):
    """telegraf#19563: columns were those of the first flush; fields that came later were dropped without a word."""
    feed.say(topic("m1"), {"time": z(NOW - HOUR), "volume_total_m3": 1})
    feed.commit()
    feed.say(topic("m1"), {"time": z(NOW), "volume_total_m3": 2, "water_temp_cel": 9.5, "humidity": 40})
    feed.commit()
    columns = "water_temp_cel, extra"
    assert feed.sql(f"SELECT {columns} FROM water_meter ORDER BY observed_at") == [
        (None, None),
        (9.5, '{"humidity":40}'),
    ]


def test_an_integer_then_a_float_then_a_text(feed):
    """Influx: the first point fixed a field's type, and points of another type were refused one by one."""
    for number, value in enumerate((20, 20.5, "21")):
        feed.say(topic("m1"), {"time": z(NOW - number * HOUR), "volume_total_m3": value})
        feed.commit()
    found = feed.sql("SELECT volume_total_m3 FROM water_meter ORDER BY observed_at DESC")
    assert found == [(Decimal(20),), (Decimal("20.5"),)]
    assert feed.quarantined() == {"wrong_type": 1}
    feed.check()


def test_a_name_that_is_a_number_and_then_a_text(feed):
    """Telegraf PR#19554: a name first seen as a field and then as a tag crashed the writer of Parquet."""
    for number, value in enumerate((1, "v", None, {"k": 1})):
        feed.say(topic("m1"), {"time": z(NOW - number * HOUR), "volume_total_m3": 1, "k": value})
        feed.say(topic("t1", "traffic_counter"), {"time": z(NOW - number * HOUR), "count": 1, "lane": value})
        feed.commit()
    assert integers(feed, "SELECT count(*) FROM water_meter") == [4]
    assert feed.sql("SELECT lane FROM traffic_counter ORDER BY ALL") == [("",), ("1",), ("v",)]
    feed.check()


def test_a_register_of_zero_for_twelve_hours_and_back(feed):
    """home-assistant#182493: 413.50 kWh were booked for a day of 16.39, since the meter had said 0 for a while."""
    for hour in range(24):
        feed.say(topic("m1"), {"time": z(NOW - (24 - hour) * HOUR), "volume_total_m3": 0 if 6 <= hour < 18 else 413.5})
        if hour % 6 == 0:
            feed.commit()
    feed.commit()
    flagged = feed.sql("SELECT observed_at, quality_tests FROM water_meter WHERE quality_tests <> 0")
    assert flagged == [(NOW - 18 * HOUR, int(Test.MONOTONIC))]
    assert feed.sql("SELECT sum(volume_m3) FROM consumption_hourly") == [(Decimal(0),)]
    feed.check()


def test_a_register_that_wraps_at_65535(feed):
    """home-assistant#28855: a counter of 16 bits began anew, and a whole register was added or taken away."""
    for number, value in enumerate((65_533, 65_535, 1, 3)):
        feed.say(topic("m1"), {"time": z(NOW - (4 - number) * HOUR), "volume_total_m3": value})
    feed.commit()
    assert integers(feed, "SELECT quality_tests FROM water_meter ORDER BY observed_at") == [
        0,
        0,
        int(Test.MONOTONIC),
        0,
    ]
    assert integers(feed, "SELECT volume_total_m3 FROM water_meter ORDER BY observed_at") == [65_533, 65_535, 1, 3]
    assert feed.sql("SELECT max(volume_m3) < 5, min(volume_m3) >= 0 FROM consumption_hourly") == [(True, True)]


def test_a_meter_is_exchanged(tmp_path):
    """home-assistant#28855: after an exchange the new meter's low register was a fall, or its readings a jump."""
    feed = Feed(tmp_path / "home")
    change = NOW - 2 * HOUR
    feed.register(("old", "water_meter"), valid_to=int(change.timestamp()) * 10**6, end_register=Decimal(901))
    feed.register(("new", "water_meter"), since=change, start_register=Decimal(0))
    for device, hours, value in (("old", 4, 899), ("old", 3, 900), ("new", 1, 1), ("new", 0, 2)):
        feed.say(topic(device), {"time": z(NOW - hours * HOUR), "volume_total_m3": value})
        feed.commit()
    assert integers(feed, "SELECT DISTINCT quality_tests FROM water_meter") == [0]
    feed.check()


def test_the_telegram_of_an_unknown_or_a_neighbours_meter(feed):
    """wmbusmeters#626: a neighbour's meter was heard as well, and its water was booked on this house."""
    feed.say(topic("next-door"), {"time": z(NOW), "volume_total_m3": 7})
    feed.say(topic("m1"), {"time": z(NOW), "device": "m2", "volume_total_m3": 7})
    feed.say(topic("m1", "traffic_counter"), {"time": z(NOW), "count": 7})
    feed.commit()
    assert feed.quarantined() == {"unknown_device": 1, "device_mismatch": 1, "wrong_family": 1}
    assert integers(feed, "SELECT count(*) FROM water_meter") == [0]
    feed.check()


# --- what the connection does ----------------------------------------------------------------------------------------
def test_a_retained_message_on_each_reconnect(feed, broker, tmp_path):
    """node-red#2119: with each reconnect the broker's retained messages came as if they had just been measured."""
    publish(broker.port, [(topic("m1"), {"time": z(NOW), "volume_total_m3": 5})], retain=True)

    async def story():
        for client in ("first", "second", "first"):
            async with session(broker.url, tmp_path, client) as connected:
                await asyncio.to_thread(publish, broker.port, [(topic("m2"), {"seq": 1, "volume_total_m3": 1})])
                await connected.heard.wait(1 if client == "first" and seen else 2)
                connected.heard.acknowledge()
                for where, payload, qos, retain, duplicate in connected.heard.messages:
                    feed.say(where, payload, qos=qos, retain=retain, duplicate=duplicate)
                seen.append(client)

    seen = []
    asyncio.run(story())
    feed.commit()
    assert integers(feed, "SELECT count(*) FROM water_meter WHERE device_id = 'm1'") == [1]
    feed.check()


def test_a_full_queue_is_seen_by_the_caller(broker, tmp_path):
    """arc#224: a full queue dropped what came, and told its caller that all was well."""
    home = Feed(tmp_path / "home")
    home.journal.close()

    async def story():
        space = asyncio.Event()
        journal = Journal(home.home.journal / "main")
        receiver = Receiver(journal, lambda: NOW, journalled=lambda: None, room=space.is_set)
        connected = Session(Broker(url=broker.url), "drava-full", FILTERS, receiver.take, tmp_path)
        running = asyncio.create_task(connected.run())
        await within(connected.ready.wait())
        sending = asyncio.to_thread(publish, broker.port, [(topic("m1"), {"seq": n}) for n in range(3 * WINDOW)])
        await within(sending)
        await until(lambda: connected.counters.received == WINDOW)  # the broker waits for us, and keeps the rest
        await until(lambda: receiver.trouble == FULL)
        assert connected.counters.acknowledged == 0
        space.set()
        await until(lambda: connected.counters.acknowledged == 3 * WINDOW)
        await asyncio.to_thread(receiver.close)
        connected.stop()
        await within(running)
        assert journal.messages == 3 * WINDOW
        journal.close()

    asyncio.run(story())


def test_a_reconnect_does_not_reset_what_was_buffered(broker, tmp_path):
    """thingsboard-gateway#2124: when the connection came back, what had gathered meanwhile was thrown away."""

    async def story():
        async with session(broker.url, tmp_path) as connected:
            await asyncio.to_thread(publish, broker.port, [(topic("m1"), {"seq": n}) for n in range(50)])
            await connected.heard.wait(50)
            kept = list(connected.heard.deliveries)
            connected._connection.abandon("cut by the test")  # nothing was acknowledged yet
            again = await connected.heard.wait(100)
            assert [payload for _, payload, *_ in again[50:]] == [payload for _, payload, *_ in again[:50]]
            for delivery in kept:
                delivery.journalled()  # of a connection that is gone: means nothing to the new one
            assert connected.counters.acknowledged == 0

    asyncio.run(story())
