"""Adding rows to the registry: history belongs to the thing, nothing is in two places, the order of rows is nothing."""

import random
from dataclasses import replace
from decimal import Decimal
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.facts import ALWAYS, IN_SERVICE
from devices.merge import EMPTY, Assignment, Book, merge
from devices.problems import Fault, Problem
from devices.registry import Registration

STEADY = settings(deadline=None, derandomize=True)
ROW = {"family": "water_meter", "line": 2}


def row(device: str, thing: str, begin: int, end: int | None = None, **more) -> Registration:
    return Registration(**{**ROW, "device_id": device, "thing_id": thing, "valid_from": begin, "valid_to": end, **more})


def book(*rows: Registration) -> Book:
    found, problems = merge(EMPTY, rows)
    assert problems == []
    return found


def faults(problems: list[Problem]) -> list[tuple[int, str, Fault]]:
    return [(problem.line, problem.column, problem.fault) for problem in problems]


def test_an_exchange_closes_the_old_assignment_and_opens_the_new_one_on_the_same_thing():
    before = book(row("old", "house", 100, title="Hiša 3", start_register="0"))
    closing = row("old", "house", 100, 200, end_register="412.503", line=2)
    opening = row("new", "house", 200, start_register="0.25", line=3)
    after, problems = merge(before, [opening, closing])
    assert problems == []
    assert list(after.assignments.values()) == [
        Assignment("old", "house", 100, 200, Decimal(0), Decimal("412.503")),
        Assignment("new", "house", 200, None, Decimal("0.25")),
    ]
    assert after.things["house"].title == "Hiša 3"


def test_an_assignment_is_never_closed_by_guessing():
    before = book(row("old", "house", 100))
    _, problems = merge(before, [row("new", "house", 200)])
    assert faults(problems) == [(2, "thing_id", Fault.THING_OCCUPIED)]
    assert "valid_from 1970-01-01T00:00:00.000100+00:00" in problems[0].mend("en")


def test_a_device_moves_when_its_stay_has_ended_and_not_before():
    stays = book(row("d", "first", 100, 200))
    moved, problems = merge(stays, [row("d", "second", 200)])
    assert problems == []
    assert len(moved.assignments) == 2
    _, problems = merge(stays, [row("d", "second", 199)])
    assert faults(problems) == [(2, "device_id", Fault.DEVICE_ELSEWHERE)]


def test_of_two_rows_that_collide_the_one_of_the_file_is_named():
    before = book(row("new", "house", 200))
    _, problems = merge(before, [row("old", "house", 100, line=7)])
    assert faults(problems) == [(7, "thing_id", Fault.THING_OCCUPIED)]


def test_every_row_inside_a_long_stay_is_named_not_only_the_first():
    before = book(row("long", "house", 100))
    rows = [row("b", "house", 200, 300, line=2), row("c", "house", 400, 500, line=3)]
    assert faults(merge(before, rows)[1]) == [
        (2, "thing_id", Fault.THING_OCCUPIED),
        (3, "thing_id", Fault.THING_OCCUPIED),
    ]


def test_a_family_is_kept_by_device_and_thing():
    before = book(row("d", "t", 100, 200))
    _, problems = merge(
        before, [row("d", "u", 300, family="hydrant", line=4), row("e", "t", 300, family="hydrant", line=5)]
    )
    assert faults(problems) == [(4, "family", Fault.DEVICE_FAMILY), (5, "family", Fault.THING_FAMILY)]


def test_what_a_row_does_not_say_stays_and_what_it_says_is_put_in_place():
    before = book(
        row(
            "d",
            "t",
            100,
            model="M",
            title="T",
            area="a",
            lat=46,
            lon=15,
            factors={"m3_per_pulse": 0.01},
            attributes={"persons": 3},
        )
    )
    after, problems = merge(
        before, [row("d", "t", 100, title="U", factors={"index_offset_m3": 5}, attributes={"persons": 4})]
    )
    assert problems == []
    assert after.things["t"] == replace(before.things["t"], title="U", attributes={"persons": 4})
    assert after.devices["d"] == replace(before.devices["d"], factors={"m3_per_pulse": 0.01, "index_offset_m3": 5})
    assert after.assignments == before.assignments
    assert after.facts["area", "a"] == {(IN_SERVICE, ALWAYS): True}


def test_of_rows_about_one_device_the_one_that_begins_last_speaks():
    rows = [
        row("d", "u", 200, factors={"empty_distance_mm": 900}),
        row("d", "t", 100, 200, factors={"empty_distance_mm": 1500}),
    ]
    for order in (rows, rows[::-1]):
        assert book(*order).devices["d"].factors == {"empty_distance_mm": 900}


def test_a_mistaken_assignment_is_withdrawn_and_put_right_in_one_file():
    before = book(row("d", "hause", 100, title="Hiša"), row("e", "house", 100, 200, title="Hiša 3"))
    after, problems = merge(before, [row("d", "hause", 100, withdrawn=True), row("d", "house", 200)])
    assert problems == []
    assert list(after.assignments) == [("e", "house", 100), ("d", "house", 200)]
    assert list(after.things) == ["house"]  # nothing ever hung at the misspelt one
    assert merge(after, [row("d", "hause", 100, withdrawn=True), row("d", "house", 200)]) == (after, [])


def test_withdrawing_keeps_what_is_known_of_the_thing_when_only_the_time_was_wrong():
    before = book(row("d", "t", 100, title="T", factors={"register_width": 5}))
    after, problems = merge(before, [row("d", "t", 100, withdrawn=True), row("d", "t", 90)])
    assert problems == []
    assert (after.things["t"].title, after.devices["d"].factors) == ("T", {"register_width": 5})


def test_a_wrong_family_can_be_put_right_only_where_nothing_else_of_it_is_left():
    wrong = book(row("d", "t", 100, family="hydrant"))
    right = [row("d", "t", 100, family="hydrant", withdrawn=True), row("d", "t", 90)]
    after, problems = merge(wrong, right)
    assert problems == []
    assert (after.devices["d"].family, after.things["t"].family) == ("water_meter", "water_meter")
    longer = book(row("d", "t", 50, 100, family="hydrant"), row("d", "t", 100, family="hydrant"))
    _, problems = merge(longer, right)
    assert {p.fault for p in problems} == {
        Fault.DEVICE_FAMILY,
        Fault.THING_FAMILY,
        Fault.DEVICE_ELSEWHERE,
        Fault.THING_OCCUPIED,
    }


def test_a_row_cannot_be_there_and_withdrawn():
    _, problems = merge(EMPTY, [row("d", "t", 100, line=2), row("d", "t", 100, line=3, withdrawn=True)])
    assert faults(problems) == [(3, "device_id", Fault.ROW_TWICE)]


def test_distances_that_do_not_fit_are_found_across_files():
    before = book(row("d", "t", 100, factors={"empty_distance_mm": 900}))
    _, problems = merge(before, [row("d", "t", 100, factors={"full_distance_mm": 900})])
    assert faults(problems) == [(2, "empty_distance_mm", Fault.FILL_DISTANCES)]


def test_the_same_row_twice_is_one_row_and_two_that_differ_are_a_problem():
    assert len(book(row("d", "t", 100, line=2), row("d", "t", 100, line=9)).assignments) == 1
    _, problems = merge(EMPTY, [row("d", "t", 100, line=9, title="B"), row("d", "t", 100, line=2, title="A")])
    assert faults(problems) == [(9, "device_id", Fault.ROW_TWICE)]


SOME_ROWS = st.lists(
    st.builds(
        lambda device, thing, begin, length, title, line, withdrawn: row(
            device,
            thing,
            begin,
            None if length is None else begin + length,
            title=title,
            line=line,
            withdrawn=withdrawn,
        ),
        st.sampled_from("abc"),
        st.sampled_from("xyz"),
        st.integers(0, 6),
        st.none() | st.integers(1, 4),
        st.none() | st.sampled_from(["T", "U"]),
        st.integers(2, 1000),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=6,
    unique_by=lambda r: r.line,
)


@STEADY
@given(SOME_ROWS, st.randoms(use_true_random=False))
def test_any_order_of_the_rows_gives_the_same_registry_or_the_same_lines(
    rows: list[Registration], shuffle: random.Random
):
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    first, problems = merge(EMPTY, rows)
    second, others = merge(EMPTY, shuffled)
    assert faults(problems) == faults(others)
    assert problems or first == second


@STEADY
@given(SOME_ROWS, SOME_ROWS)
def test_a_second_import_of_the_same_rows_changes_nothing(earlier, rows):
    before, problems = merge(EMPTY, earlier)
    before = EMPTY if problems else before
    once, problems = merge(before, rows)
    if not problems:
        assert merge(once, rows) == (once, [])


@STEADY
@given(SOME_ROWS)
def test_a_registry_without_problems_has_nothing_in_two_places(rows):
    found, problems = merge(EMPTY, rows)
    end = {a.key: a.valid_to if a.valid_to is not None else 10**9 for a in found.assignments.values()}
    collide = [
        (a, b)
        for a, b in combinations(found.assignments.values(), 2)
        if (a.device_id == b.device_id or a.thing_id == b.thing_id)
        and a.valid_from < end[b.key]
        and b.valid_from < end[a.key]
    ]
    overlapping = {Fault.DEVICE_ELSEWHERE, Fault.THING_OCCUPIED} & {problem.fault for problem in problems}
    assert bool(collide) == bool(overlapping)
