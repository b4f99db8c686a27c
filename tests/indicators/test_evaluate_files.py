"""Files as strangers have them give one series, whatever the form; what cannot be judged is said, never guessed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from indicators.evaluate.dataset import read
from indicators.evaluate.files import moments
from indicators.evaluate.inputs import NAMED, UNITS, columns_of, complete, kinds, method_of, named_of, placed
from indicators.evaluate.labels import events
from indicators.evaluate.made.containers_sim import make
from indicators.evaluate.run import evaluate
from indicators.evaluate.series import series
from indicators.header import packs
from indicators.method import method
from schemas.errors import DravaError
from tests.indicators.world import ROOT

ZONE = "Europe/Ljubljana"
UTC_TIMES = [datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(minutes=90 * n) for n in range(4)]
LOCAL = pl.Series("t", UTC_TIMES).dt.convert_time_zone(ZONE)
EPOCH = pl.Series("t", UTC_TIMES).dt.epoch("s")


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (pl.Series("t", UTC_TIMES), None),
        (LOCAL, None),
        (LOCAL.dt.replace_time_zone(None), None),
        (LOCAL.dt.strftime("%Y-%m-%d %H:%M"), None),
        (LOCAL.dt.strftime("%Y-%m-%dT%H:%M:%S"), None),
        (LOCAL.dt.strftime("%Y-%m-%dT%H:%M:%S%:z"), None),
        (LOCAL.dt.strftime("%Y-%m-%d %H:%M:%S%.3f%z"), None),
        (pl.Series("t", UTC_TIMES).dt.strftime("%Y-%m-%dT%H:%M:%SZ"), None),
        (LOCAL.dt.strftime("%d.%m.%Y %H:%M"), "%d.%m.%Y %H:%M"),
        (LOCAL.dt.strftime("%d.%m.%Y %H:%M %z"), "%d.%m.%Y %H:%M %z"),
        (LOCAL.dt.strftime("%Y%m%d%H%M").cast(pl.Int64), "%Y%m%d%H%M"),
        (EPOCH, None),
        (EPOCH.cast(pl.Float64), None),
        (EPOCH * 1_000, None),
        (EPOCH * 1_000_000, None),
        (EPOCH * 1_000_000_000, None),
    ],
)
def test_every_way_to_write_a_time_is_the_same_moment(values, form):
    assert moments(values, form, ZONE).to_list() == UTC_TIMES


def test_rows_with_and_without_a_zone_may_stand_in_one_column():
    told = moments(
        pl.Series("t", ["2026-07-01 12:00", "2026-07-01T12:00:00Z", "2026-07-01 12:00-01:30", None]), None, ZONE
    )
    assert [one and one.strftime("%H:%M") for one in told] == ["10:00", "12:00", "13:30", None]


@pytest.mark.parametrize("values", [["soon"], ["01.02.2026 10:00"], [17520], [float("inf")], ["2026-02-30"]])
def test_what_is_no_time_is_refused_by_name(values):
    with pytest.raises(DravaError, match=r"^t: "):
        moments(pl.Series("t", values), None, ZONE)


METERS = """
title = "t"
licence = "l"
simulated = true
[source.s]
file = "FILE"
time = "t"
asset = ASSET
[[asset]]
id = "*"
columns = { rise_m3 = "diff(m3)", hours = "hours()" }
[[label]]
asset = "a/1"
kind = "leak"
start = 2026-01-01T02:00:00Z
[[detector]]
name = "household_leak"
"""
ROWS = [("a", 1, 1.5), ("a", 1, 2.5), ("a", 2, 7.0), ("b", 1, 8.0), ("a", 1, 4.5), ("a", 2, 7.0)]
HOURS = [
    "2026-01-01 00:00",
    "2026-01-01 01:00",
    "2026-01-01 00:00",
    "2026-01-01 00:00",
    "2026-01-01 03:00",
    "2026-01-01 01:00",
]


def dataset_of(folder, file="f.csv", asset='["site", "no"]', change=("", "")):
    return read(METERS.replace("FILE", file).replace("ASSET", asset).replace(*change), "t", folder)


def written(mark, comma):
    rows = zip(HOURS, ROWS, strict=True)
    lines = [mark.join([t, site, str(no), str(m3).replace(".", comma)]) for t, (site, no, m3) in rows]
    return "\n".join([mark.join(["t", "site", "no", "m3"]), *lines])


@pytest.mark.parametrize(
    ("mark", "comma", "code"), [(",", ".", "utf-8"), (";", ",", "utf-8-sig"), ("\t", ",", "cp1250")]
)
def test_two_sites_in_an_unsorted_file_of_any_spreadsheet_are_assets_of_their_own(tmp_path, mark, comma, code):
    (tmp_path / "f.csv").write_text(written(mark, comma).replace("b", "č"), code)
    rows = series(dataset_of(tmp_path))
    assert sorted(rows["asset"].unique()) == ["a/1", "a/2", "č/1"]
    assert rows.filter(pl.col("asset") == "a/1").select("rise_m3", "hours").rows() == [(None, None), (1, 1), (2, 2)]


def test_a_file_an_asset_is_named_by_what_the_star_stands_for(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / f"meter_{name}.csv").write_text(
            "t,m3\n2026-01-01 00:00,n/a\n2026-01-01 01:00,2\n2026-01-01 02:00,5"
        )
    missing = ('time = "t"', 'time = "t"\nmissing = ["n/a"]')
    monkeypatch.chdir(tmp_path.parent)  # the folder may be a relative path
    rows = series(dataset_of(Path(tmp_path.name), "meter_*.csv", '"*"', missing))
    assert rows.select("asset", "rise_m3").rows() == [(one, rise) for one in "ab" for rise in (None, None, 3.0)]
    with pytest.raises(DravaError, match="no number is named in"):
        series(dataset_of(tmp_path, "meter_*.csv", '"*"'))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("columns = { rise", "meta = { network = 'no.inp' }\ncolumns = { rise"), "there is no file"),
        (("rise_m3 =", "volume ="), "no detector here takes the column 'volume'"),
        ((', hours = "hours()"', ""), "needs the column 'hours'"),
        (("household_leak", "bin_fire"), r"needs? \[family\]"),
        (("household_leak", "house_leek"), "there is no detector"),
        (('id = "*"', 'id = "c/1"'), "has no asset 'c/1'"),
        (('asset = "a/1"', 'asset = "c/1"'), "no label is of an asset"),
        (
            ("start = 2026-01-01T02:00:00Z", "start = 2016-01-01\nend = 2016-01-02"),
            r"labels lie from 2016-01-01 .* series from 2026-01-01",
        ),
        (
            ("[[detector]]", '[[asset]]\nid = "a/1"\ncolumns = {}\n[[asset]]\nid = "a/1"\ncolumns = {}\n[[detector]]'),
            "there twice",
        ),
        (("title", 'zone = "Ptuj"\ntitle'), "is no time zone"),
        (("title", "refractory_h = nan\ntitle"), "finite number"),
        (('time = "t"', 'time = "t"\nstep_s = 0'), "greater than 0"),
        (('time = "t"', 'time = "t"\nwhere = { site = "z" }'), "has no row whose site is 'z'"),
        (('name = "h', 'goal = ["recal >= 1"]\nname = "h'), "names no figure"),
        (("diff(m3)", "diff(site)"), "cannot be computed"),
        (("title", "eur = 1\ntitle"), "eur"),
    ],
)
def test_what_cannot_be_judged_is_one_line_that_says_what_to_do(tmp_path, change, match):
    (tmp_path / "f.csv").write_text(written(",", "."))
    with pytest.raises(DravaError, match=match) as error:
        evaluate(dataset_of(tmp_path, change=(change[0], change[1])))
    assert "\n" not in str(error.value)


def test_labels_that_cannot_be_found_are_left_out_and_said(tmp_path):
    (tmp_path / "f.csv").write_text(written(",", "."))
    label = '[[label]]\nkind = "leak"\nasset = '
    more = f'{label}"z/9"\nstart = 2026-01-01\n{label}"a/2"\nstart = 2027-01-01\n'
    dataset = dataset_of(tmp_path, change=("[[detector]]", f"{more}[tolerance.leek]\n[[detector]]"))
    kept, odd = placed(dataset, series(dataset), events(dataset))
    assert kept["asset"].to_list() == ["a/1"]
    assert [line.split(":")[0] for line in odd] == ["1 labels left out", "1 labels left out"]
    assert kinds(dataset, kept) == ["[tolerance.leek] is of no label: the labels have leak"]


def test_litres_taken_as_cubic_metres_are_told(tmp_path):
    (tmp_path / "f.csv").write_text(written(",", "."))
    dataset = dataset_of(tmp_path, change=("diff(m3)", "diff(m3) * 1000"))
    _, odd = complete(dataset, ["household_leak"], series(dataset))
    assert odd[:1] == ["rise_m3 is about 1500; it is taken as m³ since the reading before: look at the unit"]


def test_sensors_that_the_model_of_the_network_does_not_know_are_told(tmp_path):
    (tmp_path / "n.inp").write_text("[JUNCTIONS]\nn1 5\n[PIPES]\np1 n1 n2 100 ; main\n")
    (tmp_path / "f.csv").write_text("t,p\n2026-01-01,50\n2026-01-02,51\n")
    text = METERS.split("[[label]]", maxsplit=1)[0].replace("FILE", "f.csv").replace("asset = ASSET\n", "")
    columns = '{ flow_m3h = "p", flow_p1 = "p", flow_q = "p", pressure_n1 = "p", pressure_X = "p" }'
    text = text.replace('id = "*"', f"id = 'a'\nmeta = {{ network = 'n.inp' }}\ncolumns = {columns}")
    dataset = read(text.replace('columns = { rise_m3 = "diff(m3)", hours = "hours()" }', ""), "t", tmp_path)
    _, odd = complete(dataset, ["pressure_leak"], series(dataset))
    assert [line.split(":")[0] for line in odd] == ["n.inp does not know pressure_X", "n.inp does not know flow_q"]


FIRE = """
title = "t"
licence = "l"
simulated = true
[source.s]
file = "f.csv"
time = "t"
asset = "bin"
[[asset]]
id = "*"
columns = { temp_cel = "c", fire_alarm = "equals(says, 'FIRE')" }
[[label]]
asset = "b1"
kind = "fire"
start = 2026-01-02T00:10:00Z
[tolerance.fire]
after_h = 2
[family]
table = "waste_container"
[[detector]]
name = "waste.bin_fire"
"""


def test_a_detector_in_sql_alone_is_run_over_files_and_its_alarms_are_dated_to_the_quarter(tmp_path):
    """Ten-minute temperatures of two containers for two days; one burns from 00:10 on the second, seen at 00:15."""
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * n) for n in range(288)]
    burns = [one == "b1" and times[145] <= t < times[149] for one in ("b1", "b2") for t in times]
    whole = pl.DataFrame(
        {
            "t": [t.isoformat() for t in times] * 2,
            "bin": ["b1"] * 288 + ["b2"] * 288,
            "c": [80.0 if one else 9.0 for one in burns],
            "says": ["FIRE" if one else "-" for one in burns],
        }
    )
    heard: list[pl.DataFrame] = []
    whole.write_csv(tmp_path / "f.csv")
    told = evaluate(read(FIRE, "t", tmp_path), heard=heard)[0]
    assert (told["found"], told["missed"], told["false"], told["delay_median_h"]) == (1, 0, 0, 0.08)
    assert told["warnings"] == []
    assert heard[0].select("asset", "at", "event").rows() == [("b1", datetime(2026, 1, 2, 0, 15, tzinfo=UTC), "fire")]


def test_simulated_containers_burn_where_they_say_so_and_are_the_same_every_time():
    told = {"containers": 2, "first": "2026-06-01", "days": 20, "fires_a_container": 3, "step_min": 10}
    rows = make(seed=1, **told)
    assert rows.equals(make(seed=1, **told))
    assert not rows.equals(make(seed=2, **told))
    hottest = rows.group_by("container", burns=pl.col("fire") != "").agg(pl.col("temp_cel").max()).sort("burns")
    assert (hottest.filter("burns")["temp_cel"] > 60).all()
    assert rows["fill_pct"].is_between(0, 100).all()


@pytest.mark.parametrize("name", sorted({str(pack.method) for pack in packs("detector").values() if pack.method}))
@pytest.mark.parametrize(("rows", "value"), [(0, None), (1, 1.0), (480, None), (480, 0.0)])
def test_a_method_bears_series_without_rows_or_values_and_finds_nothing_in_them(name, rows, value):
    columns = [*columns_of(name), *(f"{one.begins}{number}" for one in named_of(name) for number in range(2))]
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(rows)]
    local = [time.replace(tzinfo=None) for time in times]
    schema = {"asset": pl.String, "at": pl.Datetime("us", "UTC"), "local": pl.Datetime("us")} | dict.fromkeys(
        columns, pl.Float64
    )
    told = {"asset": ["a"] * rows, "at": times, "local": local} | {column: [value] * rows for column in columns}
    with np.errstate(all="ignore"):
        assert method(name)(pl.DataFrame(told, schema), {"a": {}}).height == 0


def test_the_documentation_names_what_each_detector_takes():
    text = (ROOT / "docs" / "evaluate.md").read_text("utf-8").split("## What each detector takes")[1]
    for name in sorted({str(pack.method) for pack in packs("detector").values() if pack.method} | {"bin_fill"}):
        wanted = [*columns_of(name), *(f"{one.begins}NAME" for one in NAMED.get(name, ()))]
        row = next((line for line in text.splitlines() if line.startswith("|") and f"`{name}`" in line), "")
        assert [one for one in wanted if f"`{one}`" not in row] == [], name
    assert [unit.begins for unit in UNITS if f"`{unit.begins}" not in text] == []
    assert method_of("bin_fire") is None
