"""Two receivers on one broker and one home, through a shared subscription: every message once, by one of them."""

import asyncio
import threading

from tests.ingest.mqttside import publish, session
from tests.ingest.town import CLIENT, Town, readings, wait_for

MESSAGES = 6000
GROUP = 'shared_group = "ingest"\n'
NAMES = ("one", "two")


def test_two_receivers_under_load_one_of_them_killed_exactly_once(tmp_path, broker):
    """Each has its own journal and client id, one lake takes both; what the killed one had not acknowledged waits."""
    town = Town(tmp_path / "home", broker.url, more="[ingest]\nflush_seconds = 0.2\n", broker=GROUP)
    town.home.file.write_text(town.home.file.read_text().replace(f'client_id = "{CLIENT}"\n', ""))
    with town.serve(name="one") as one, town.serve(name="two") as two:
        for service in (one, two):  # both sessions stand at the broker before anything is published
            service.hear("subscribed at the broker")
        sender = threading.Thread(target=publish, args=(broker.port, readings(MESSAGES)))
        sender.start()
        wait_for(lambda: town.committed() > 0)
        two.process.kill()
        two.process.wait()
        sender.join()
        with town.serve(name="two") as again:
            again.hear("subscribed at the broker")
            wait_for(lambda: town.committed() == MESSAGES)
            assert again.end() == one.end() == 0
    assert town.sql("SELECT count(*), count(DISTINCT seq) FROM water_meter_revisions") == [(MESSAGES, MESSAGES)]
    assert len(town.sql("SELECT DISTINCT message_id >> 44 FROM raw_messages")) == 2
    town.check_balance(*NAMES)
    assert len({service.standing(town).client_id for service in (one, two)}) == 2


def test_a_receiver_that_departs_takes_its_queue_along_and_leaves_nothing(tmp_path, broker):
    """Unsubscribed first, so that the others get the rest; then drained; then its session ends for ever."""
    town = Town(tmp_path / "home", broker.url, more="[ingest]\nflush_seconds = 0.2\n")
    town.subscribe()
    publish(broker.port, readings(500))
    code, said = town.run(idle="0.3", depart=True)
    assert code == 0, said
    publish(broker.port, readings(100, first=500))  # to nobody
    town.check(500)

    async def present():
        async with session(broker.url, town.home.path, CLIENT) as found:
            return found.counters.received

    assert asyncio.run(present()) == 0
    code, said = town.run(idle="0.05")
    assert "may be lost" not in said, "it left on purpose"


def test_a_second_receiver_that_shares_nothing_is_told(tmp_path, broker):
    """It loses nothing and doubles nothing, but it takes everything again, and leaves a queue when it goes."""
    town = Town(tmp_path / "home", broker.url, more="[ingest]\nflush_seconds = 0.2\n")
    town.subscribe()
    code, said = town.run(idle="0.05")
    assert (code, "shared_group" in said) == (0, False)
    code, said = town.run(idle="0.05", name="second")
    assert code == 0
    assert "drava ingest --name second --depart" in said
