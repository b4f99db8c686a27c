"""Constants of a method are moved one at a time, put back, and shown beside what the method reaches as it is."""

from indicators.evaluate.dataset import read
from indicators.evaluate.sensitivity import constants, moved, report, sensitivity
from indicators.methods import stopped_meter, under_registration

DATASET = """
title = "A house"
licence = "CC0"
simulated = true
[source.meter]
file = "meter.csv"
start = "2026-01-01T00:00:00Z"
step_s = 3600
[[asset]]
id = "house"
columns = { rise_m3 = "diff(litres) * 0.001", hours = "hours()" }
[[label]]
asset = "house"
kind = "stopped"
start = 2026-02-20T00:00:00Z
[[detector]]
name = "stopped_meter"
"""


def test_constants_are_the_numbers_of_the_methods_own_file():
    assert constants(stopped_meter)[:2] == ["STILL_H", "LONGER"]
    assert {"NOW_D", "BASE_D", "HOUR"} <= set(constants(under_registration))
    assert not {"COLUMNS", "DAY", "PARTS"} & set(constants(under_registration))


def test_a_whole_number_moves_by_one_at_least_and_numbers_of_a_name_together():
    assert (moved(2, -0.2), moved(1, -0.2), moved(2, 0.2), moved(28, 0.2)) == (1, 1, 3, 34)
    assert moved((3, (0.5, 1.0)), 0.2) == (4, (0.6, 1.2))


def test_each_constant_is_moved_both_ways_and_put_back(tmp_path):
    litres = [str(10 * min(number, 50 * 24)) for number in range(84 * 24)]
    (tmp_path / "meter.csv").write_text("\n".join(["litres", *litres]), "utf-8")
    before = [getattr(stopped_meter, name) for name in constants(stopped_meter)]
    results = list(sensitivity(read(DATASET, "house", tmp_path)))
    assert [getattr(stopped_meter, name) for name in constants(stopped_meter)] == before
    assert len(results) == 1 + 2 * len(before)
    assert results[0]["recall"] == 1
    late, early = (next(r for r in results if (r["constant"], r["by"]) == ("STILL_H", by)) for by in (0.2, -0.2))
    assert early["delay_median_h"] < results[0]["delay_median_h"] < late["delay_median_h"]
    assert "## stopped_meter on house" in report(results)
    assert f"| STILL_H | {stopped_meter.STILL_H * 1.2:.4g} |" in report(results)
    before = report([{**results[0], "detector": "burst", "recall": 0.25}])
    both = report(results, report([{**results[0], "recall": 0.5}], before))
    assert [line for line in both.split("\n") if "##" in line or "as it is" in line] == [
        "## burst on house",
        next(line for line in before.split("\n") if "as it is" in line),
        "## stopped_meter on house",
        next(line for line in report(results).split("\n") if "as it is" in line),
    ]
