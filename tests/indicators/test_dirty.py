"""Which periods follow from which days, and in what stretches they are computed."""

from datetime import date
from itertools import pairwise

import pytest

from catalog.marks import ALL, ERASED, STILL, Mark, Position
from indicators.dirty import CHUNK, Dirt, Now, dirt_of, stretches, whole
from indicators.header import Pack

NOW = Now(date(2026, 3, 29), date(2026, 1, 1))
SEEN = Position(version=1, number=5, as_of=0)


def pack(**more):
    text = {"en": "a", "sl": "b"}
    base = {"id": "a.b", "kind": "indicator", "title": text, "meaning": text, "grain": "day", "cadence": "night"}
    return Pack.model_validate(base | {"reads": ["water_meter"], "sql": "SELECT 1"} | more)


def days(pack, *marks):
    """The stretches that follow from marks that were not seen, nothing else having happened since yesterday."""
    dirt = dirt_of(pack, {"water_meter", "things"}, [(mark, 6) for mark in marks], SEEN, date(2026, 3, 28), NOW)
    return [(str(s.first), str(s.last), s.subjects) for s in stretches(pack, dirt)]


def day(text, subject=ALL, dataset="water_meter"):
    return Mark(dataset, subject, text, text)


def test_time_that_passed_is_looked_at_and_what_others_see_is_not():
    assert days(pack()) == [("2026-03-27", "2026-03-30", None)]
    assert days(pack(), day("2026-02-01", dataset="hydrant")) == days(pack())


def test_a_mark_reaches_as_far_as_the_pack_sees():
    far = pack(reach={"before": 3, "after": 0})
    assert days(far, day("2026-02-10")) == [("2026-02-10", "2026-02-13", None), ("2026-03-28", "2026-04-01", None)]


def test_days_that_have_not_come_are_left_to_the_run_that_sees_them_come():
    dirt = Dirt(every=[(date(2026, 3, 20).toordinal(), date(2026, 5, 9).toordinal())])
    dirt.add("m1", (date(2026, 4, 1).toordinal(), date(2026, 4, 9).toordinal()))
    assert [(str(s.first), str(s.last), s.subjects) for s in stretches(pack(), dirt.until(NOW))] == [
        ("2026-03-20", "2026-03-30", None)
    ]


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [("week", "2026-02-09", "2026-02-15"), ("month", "2026-02-01", "2026-03-31"), ("year", "2026-01-01", "2026-12-31")],
)
def test_periods_are_whole(period, first, last):
    found = days(pack(period=period, reach={"before": 0, "after": 0}), day("2026-02-10"))
    assert found[0][:2] == (first, last)


def test_subjects_are_computed_alone_only_where_values_hang_on_nobody_else():
    mark = day("2026-02-10", "m1")
    assert days(pack(), mark)[0] == ("2026-02-09", "2026-02-11", None)
    assert days(pack(own=True), mark)[-1] == ("2026-02-09", "2026-02-11", frozenset({"m1"}))


def test_what_is_computed_of_all_is_not_computed_of_some_again():
    found = days(pack(own=True), day("2026-02-10", "m1"), day("2026-02-10"), day("2026-02-20", "m1"))
    assert [(first, who) for first, _, who in found if first < "2026-03"] == [
        ("2026-02-09", None),
        ("2026-02-19", frozenset({"m1"})),
    ]


def test_a_mark_without_an_end_ends_today_and_none_begins_before_all():
    found = days(pack(), Mark("things", "t1", "0001-01-01", STILL))
    assert (found[0][0], found[-1][1]) == ("2025-12-31", "2026-03-30")


def test_what_came_is_followed_by_the_macro_and_what_was_erased_by_reach():
    found = pack(own=True, changes="consumption_reach", reach={"before": 9, "after": 9})
    marks = [(day("2026-02-10"), 6), (day("2026-02-20", "m1", "water_meter" + ERASED), 6)]
    dirt = dirt_of(found, {"water_meter"}, marks, SEEN, date(2026, 3, 29), NOW)
    ordinals = [date(2026, 3, 29).toordinal(), date(2026, 2, 10).toordinal()]
    assert dirt.readings == [(one, one) for one in ordinals]
    assert [str(s.first) for s in stretches(found, dirt)] == ["2026-02-11"]


def test_long_stretches_are_cut_by_days_and_by_rows():
    dirt = whole(Now(date(2026, 12, 30), date(2026, 1, 1)))
    parts = list(stretches(pack(), dirt))
    assert max((s.last - s.first).days + 1 for s in parts) == CHUNK
    assert (parts[0].first, parts[-1].last) == (date(2026, 1, 1), date(2026, 12, 31))
    assert all((b.first - a.last).days == 1 for a, b in pairwise(parts))
    heavy = list(stretches(pack(), dirt, lambda first, last: (last - first + 1) * 1_000_000))
    assert {(s.last - s.first).days + 1 for s in heavy[:-1]} == {3}
    many = lambda first, last: (last - first + 1) * 10**6  # noqa: E731
    assert len(list(stretches(pack(period="month"), Dirt(every=dirt.every), many))) >= 12


def test_days_that_share_what_they_reach_are_not_cut_apart():
    today = date(2026, 7, 1).toordinal()
    known = lambda first, last: (min(last, today) - (first - 8) + 1) * 10**6  # noqa: E731 - none after today
    found = pack(reach={"before": 8, "after": 0})
    assert len(list(stretches(found, Dirt(every=[(today, today + 9)]), known))) == 1
    assert len(list(stretches(found, Dirt(every=[(today - 9, today)]), known))) == 2
