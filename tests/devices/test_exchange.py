"""An exchange ends one device and begins another at the same thing; said again it corrects the first telling."""

from decimal import Decimal

import pytest

from devices.exchange import Exchange, exchanged
from devices.merge import EMPTY, Assignment, Book, merge
from devices.problems import Fault
from devices.registry import Registration


def registered(*stays) -> Book:
    rows = [
        Registration(device_id=d, family="water_meter", thing_id=t, valid_from=a, valid_to=b, line=n)
        for n, (d, t, a, b) in enumerate(stays)
    ]
    book, problems = merge(EMPTY, rows)
    assert problems == []
    return book


def hung(book: Book) -> list[tuple]:
    stays = book.assignments.values()
    return sorted((a.device_id, a.thing_id, a.valid_from, a.valid_to, a.start_register, a.end_register) for a in stays)


ONE = registered(("old", "house", 100, None))
DONE, _ = exchanged(ONE, Exchange("old", "new", 200, Decimal("412.5"), Decimal("0.25"), "EM300-DI", "gw"))


def test_the_thing_keeps_its_history_and_nothing_is_taken_over_from_the_old_device():
    assert hung(DONE) == [
        ("new", "house", 200, None, Decimal("0.25"), None),
        ("old", "house", 100, 200, None, Decimal("412.5")),
    ]
    assert (DONE.devices["new"].model, DONE.devices["old"].model) == ("EM300-DI", None)


@pytest.mark.parametrize("at", [150, 200, 250])
def test_a_late_correction_moves_the_exchange_and_keeps_what_it_does_not_say(at):
    book, problems = exchanged(DONE, Exchange("old", "new", at, Decimal(400)))
    assert problems == []
    assert hung(book) == [
        ("new", "house", at, None, Decimal("0.25"), None),
        ("old", "house", 100, at, None, Decimal(400)),
    ]
    assert exchanged(book, Exchange("old", "new", at)) == (book, [])


def test_a_correction_of_an_exchange_before_the_last_one_keeps_the_end_of_the_second_meter():
    again, problems = exchanged(DONE, Exchange("new", "third", 300, Decimal(9), Decimal(0)))
    assert problems == []
    book, problems = exchanged(again, Exchange("old", "new", 210))
    assert problems == []
    assert book.assignments["new", "house", 210] == Assignment("new", "house", 210, 300, Decimal("0.25"), Decimal(9))
    _, problems = exchanged(again, Exchange("old", "new", 99))
    assert problems


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        (Exchange("nobody", "new", 200), Fault.NOT_PLACED),
        (Exchange("old", "new", 100), Fault.NOT_PLACED),
        (Exchange("old", "busy", 200), Fault.DEVICE_ELSEWHERE),
        (Exchange("gone", "new", 500), Fault.NOT_PLACED),
    ],
)
def test_an_exchange_that_cannot_have_been_is_refused(what, fault):
    book = registered(("old", "house", 100, None), ("busy", "shop", 100, None), ("gone", "inn", 100, 300))
    _, problems = exchanged(book, what)
    assert fault in {problem.fault for problem in problems}
    assert all(problem.text("sl") and problem.text("en") for problem in problems)
