"""The rules of judging, on cases small enough to be counted by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from indicators.evaluate.arithmetic import column
from indicators.evaluate.dataset import Steps, read
from indicators.evaluate.euros import Distances
from indicators.evaluate.labels import events
from indicators.evaluate.score import Span, Window, edges, intervals, match, null
from indicators.evaluate.seeds import seeded
from indicators.evaluate.series import series
from indicators.evaluate.steps import by_step
from schemas.errors import DravaError

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3600.0


def at(hours):
    return START + timedelta(hours=hours)


def found(*hours, asset="a"):
    return pl.DataFrame({"asset": [asset] * len(hours), "at": [at(hour) for hour in hours]})


def test_an_alarm_within_the_refractory_period_of_the_last_counted_one_is_not_counted():
    kept = edges(found(0, 10, 23.9, 24, 47, 49), 24)
    assert kept["at"].to_list() == [at(0), at(24), at(49)]
    both = pl.concat([found(0), found(1, asset="b")])
    assert edges(both, 24).height == 2


def windows(*bounds, asset="a"):
    return [Window(asset, "leak", start * HOUR, start * HOUR, close * HOUR) for start, close in bounds]


def test_alarms_and_events_are_matched_one_to_one_and_the_event_that_runs_out_first_comes_first():
    made = match(["a", "a", "a"], np.array([5, 6, 50]) * HOUR, windows((0, 100), (4, 10)))
    assert [(one.alarm, one.event, one.delay_h) for one in made] == [(0, 1, 1.0), (1, 0, 6.0)]


def test_a_hundred_random_cases_are_matched_as_the_rule_says_it_in_words():
    """Each alarm, in the order of time: of the open events of its asset not yet found, the one that runs out first."""
    chance = np.random.default_rng(1)
    for _ in range(100):
        starts = chance.integers(0, 60, 12)
        events = [
            Window("ab"[n % 2], "k", float(s), float(s - chance.integers(0, 3)), float(s + chance.integers(0, 20)))
            for n, s in enumerate(starts)
        ]
        times = np.sort(chance.integers(0, 80, 15)).astype(float)
        assets = ["ab"[one] for one in chance.integers(0, 2, 15)]
        left, wanted = set(range(12)), []
        for alarm, (asset, at) in enumerate(zip(assets, times, strict=True)):
            fits = [n for n in left if events[n].asset == asset and events[n].opens <= at <= events[n].closes]
            if fits:
                first = min(fits, key=lambda n: (events[n].closes, events[n].start, n))
                left.remove(first)
                wanted.append((alarm, first, max(0.0, at - events[first].start) / HOUR))
        assert [(one.alarm, one.event, one.delay_h) for one in match(assets, times, events)] == wanted


def test_an_alarm_at_another_asset_or_outside_the_window_finds_nothing():
    assert match(["b"], np.array([5.0]) * HOUR, windows((0, 10))) == []
    assert match(["a"], np.array([10.1]) * HOUR, windows((0, 10))) == []


def test_an_alarm_before_the_start_counts_where_the_tolerance_says_so_with_no_delay():
    early = [Window("a", "leak", 10 * HOUR, 8 * HOUR, 20 * HOUR)]
    assert [one.delay_h for one in match(["a"], np.array([9.0]) * HOUR, early)] == [0.0]


def test_random_alarms_find_as_much_as_their_share_of_the_time():
    """One alarm in 100 hours, an event open for 25 of them: a quarter; the bound is five standard errors."""
    share = null(1, [Span("a", 0, 100 * HOUR)], windows((50, 75)))
    assert share == pytest.approx(0.25, abs=5 * (0.25 * 0.75 / 500) ** 0.5)
    assert null(1, [Span("a", 0, 100 * HOUR)], windows((50, 75))) == share  # the same every time
    assert null(3, [Span("a", 0, 100 * HOUR), Span("b", 0, 100 * HOUR)], windows((0, 100), (0, 100))) == pytest.approx(
        1.375, abs=0.16
    )  # of three alarms those at a, two at most: 3/8 + 2 * (3/8 + 1/8)


def test_the_interval_over_events_holds_the_share_that_was_found():
    told = intervals(20, range(10), 0)
    low, high = told["recall"]
    assert 0.25 <= low < 0.5 < high <= 0.75
    assert told["precision"] == [1.0, 1.0]
    assert intervals(0, [], 3)["recall"] is None


LEAKS = """
title = "t"
licence = "l"
simulated = true
[source.s]
file = "flow.csv"
time = "t"
[[asset]]
id = "north"
columns = { net = "in_1 + 'in 2' - 2 * out / 4" }
[[labels]]
file = "leaks.csv"
asset = "=north"
kind = "type"
kinds = { burst = "abrupt" }
start = "from"
end = "to"
place = "pipe"
only_from = 2026-01-01T00:00:00
[tolerance.abrupt]
after_h = 24
"""


@pytest.fixture
def leaks(tmp_path):
    hours = [(START + timedelta(hours=h)).strftime("%Y-%m-%d %H:%M:%S") for h in range(100)]
    pl.DataFrame({"t": hours, "in_1": 1.5, "in 2": 2.0, "out": [float(h) for h in range(100)]}).write_csv(
        tmp_path / "flow.csv"
    )
    (tmp_path / "leaks.csv").write_text(
        "pipe,type,from,to\np0, burst,2025-12-30 00:00:00,2026-01-03 00:00:00\n"
        "p1, burst,2026-01-02 00:00:00,2026-01-03 00:00:00\n"
    )
    return tmp_path


def test_series_and_labels_come_from_files_as_the_dataset_says(leaks):
    dataset = read(LEAKS, "t", leaks)
    rows = series(dataset)
    assert rows["net"].to_list()[:3] == [3.5, 3.0, 2.5]
    assert rows["at"][0] == START
    assert events(dataset).rows() == [("north", "abrupt", at(24), at(48), "p1", None)]


def test_wall_clock_of_a_zone_becomes_utc_over_both_changes(tmp_path):
    local = ["2026-03-29 01:30", "2026-03-29 02:30", "2026-03-29 03:30", "2026-10-25 02:30"]
    pl.DataFrame({"t": local, "v": 1.0}).write_csv(tmp_path / "flow.csv")
    text = LEAKS.split("[[asset]]", maxsplit=1)[0].replace("simulated", 'zone = "Europe/Ljubljana"\nsimulated')
    dataset = read(text + '[[asset]]\nid = "a"\ncolumns = { v = "v" }', "t", tmp_path)
    assert [row.strftime("%d %H:%M") for row in series(dataset)["at"]] == ["29 00:30", "29 01:30", "25 00:30"]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.b",
        "a if a else a",
        "a ** 2",
        "[a][0]",
        "lambda: 1",
        "nope",
        "True",
        "diff()",
        "a +",
        "a" * 600,
    ],
)
def test_arithmetic_knows_nothing_but_columns_and_four_operations(text):
    with pytest.raises(DravaError, match="is not arithmetic"):
        column(text, ["a"])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x", "cannot be read"),
        ("title = 1", "cannot be read"),
        (LEAKS + "colour = 1", "cannot be read"),
        (LEAKS.replace("flow.csv", "none.csv"), "there is no file"),
        (LEAKS.replace("flow.csv", "leaks.csv"), "no column 't'"),
        (LEAKS.replace('"from"', '"since"'), "no column 'since'"),
    ],
)
def test_a_mistake_in_a_dataset_is_one_clear_line(leaks, text, match):
    def load():
        dataset = read(text, "t", leaks)
        return series(dataset), events(dataset)

    with pytest.raises(DravaError, match=match):
        load()


def test_a_state_column_becomes_events_and_rows_are_counted_by_step(tmp_path):
    """Ten rows; true in rows 3 to 6; alarm from row 5 to row 8."""
    state = [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    pl.DataFrame({"v": [1.0] * 10, "state": state}).write_csv(tmp_path / "f.csv")
    text = """
title = "t"
licence = "l"
simulated = true
[source.s]
file = "f.csv"
start = 2026-01-01T00:00:00
step_s = 3600
[[asset]]
id = "a"
columns = { v = "v" }
[[labels]]
source = "s"
state = "state"
kind = "=leak"
"""
    dataset = read(text, "t", tmp_path)
    true = events(dataset)
    assert true.select("asset", "kind", "start", "end").rows() == [("a", "leak", at(2), at(6))]
    alarm = pl.DataFrame({"asset": ["a"], "at": [at(5)], "until": [at(8)]})
    told = by_step(series(dataset), true, alarm, Steps(early_h=4, early_share=0.5))
    assert (told["step_recall"], told["step_precision"], told["step_specificity"]) == (0.5, 0.5, round(4 / 6, 4))
    assert told["early"] == pytest.approx(2 / (1 + np.exp(6 * 3 / 4)), abs=1e-4)


SEEDED = """
title = "t"
licence = "l"
simulated = false
seeds = [1, 2]
[source.s]
file = "f.csv"
start = 2026-01-01T00:00:00
step_s = 3600
asset = "meter"
[[asset]]
id = "*"
columns = { rise = "v", hours = "v / v" }
[[seed]]
kind = "leak"
recipe = "add"
column = "rise"
amount = [0.0005, 0.0005]
per = "hour"
duration_h = [10, 10]
after_h = 20
before_end_h = 20
quantum = 0.001
"""


def test_a_seeded_fault_is_where_its_label_says_and_keeps_the_digits_of_the_register(tmp_path):
    pl.DataFrame({"meter": [1] * 100 + [2] * 100, "v": [0.002] * 200}).write_csv(tmp_path / "f.csv")
    dataset = read(SEEDED, "t", tmp_path)
    rows, true = seeded(dataset, series(dataset))
    assert sorted(rows["asset"].unique()) == ["1#1", "1#2", "2#1", "2#2"]
    assert true.height == 4
    for event in true.iter_rows(named=True):
        mine = rows.filter(pl.col("asset") == event["asset"])
        inside = mine.filter((pl.col("at") > event["start"]) & (pl.col("at") <= event["end"]))
        assert inside["rise"].sum() == pytest.approx(10 * 0.002 + 5 * 0.001)
        assert set((inside["rise"] * 1000).round(6)) == {2.0, 3.0}
        assert mine["rise"].sum() - inside["rise"].sum() == pytest.approx(90 * 0.002)
    again, _ = seeded(dataset, series(dataset))
    assert again.equals(rows)


def test_a_dataset_that_changes_leaves_the_faults_of_other_meters_alone(tmp_path):
    pl.DataFrame({"meter": [1] * 100 + [2] * 100, "v": [0.002] * 200}).write_csv(tmp_path / "f.csv")
    _, both = seeded(dataset := read(SEEDED, "t", tmp_path), series(dataset))
    only = read(SEEDED.replace('id = "*"', 'id = "*"\nonly = ["2"]'), "t", tmp_path)
    _, one = seeded(only, series(only))
    assert one.rows() == both.filter(pl.col("asset").str.starts_with("2")).rows()


def test_the_distance_of_two_pipes_is_from_middle_to_middle(tmp_path):
    file = tmp_path / "n.inp"
    file.write_text("[PIPES]\n;id a b length\np1 n1 n2 100\np2 n2 n3 60\np3 n3 n4 40\n[VALVES]\nv1 n4 n5 12 PRV\n")
    away = Distances(file)
    assert away("p1", "p1") == 0
    assert away("p1", "p2") == 80
    assert away("p1", "p3") == pytest.approx(50 + 60 + 20)
    assert away("p1", "nope") == float("inf")
