"""Each seeded fault is truly in the data of the simulated city, and nothing sound looks like one."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from astral import Observer
from astral.sun import sun

from devices.simulate import KINDS, City, city

START = datetime(2026, 10, 10, 22, tzinfo=UTC)  # local midnight; summer time ends in the third week
LOCAL = ZoneInfo("Europe/Ljubljana")


@pytest.fixture(scope="module")
def town() -> City:
    return city(7, "ptuj", START, scale=0.4)


def frame(town: City, family: str) -> pl.DataFrame:
    return pl.DataFrame(town.readings(family))


def only(town: City, kind: str):
    return next(fault for fault in town.faults if fault.kind == kind)


def hourly_litres(town: City, device_id: str | None = None) -> pl.DataFrame:
    data = frame(town, "water_meter").sort("device_id", "observed_at")
    data = data if device_id is None else data.filter(pl.col("device_id") == device_id)
    litres = (pl.col("volume_total_m3").diff().over("device_id") * 1000).cast(pl.Int64)
    return data.with_columns(litres=litres).drop_nulls("litres")


@pytest.mark.parametrize("seed", range(20, 26))
def test_every_kind_of_fault_is_seeded_after_ten_quiet_days(seed):
    town = city(seed, "ptuj", START + timedelta(days=29 * seed), scale=0.15)
    assert {fault.kind for fault in town.faults} == set(KINDS)
    for fault in town.faults:
        assert town.start + timedelta(days=10) <= fault.since < town.end
        assert fault.until is None or fault.since < fault.until <= town.end
        assert fault.area_id in {area["area_id"] for area in town.areas}


def test_without_faults_there_are_none_and_the_rest_of_the_town_is_the_same(town):
    quiet = city(7, "ptuj", START, faults=(), scale=0.4)
    assert quiet.faults == []
    broken = {fault.device_id for fault in town.faults}
    for family in ("water_meter", "waste_container", "streetlight", "traffic_counter"):
        sound = ~pl.col("device_id").is_in(broken)
        assert frame(town, family).filter(sound).equals(frame(quiet, family).filter(sound))


def test_the_leaking_house_never_rests_and_no_other_house_draws_so_much_for_two_days(town):
    fault = only(town, "household_leak")
    use = hourly_litres(town, fault.device_id).filter(pl.col("observed_at") > fault.since + timedelta(hours=1))
    assert use["litres"].min() >= fault.detail["litres_per_hour"] - 1
    assert 15 <= fault.detail["litres_per_hour"] <= 80
    for (device,), data in hourly_litres(town).group_by("device_id"):
        lowest = data["litres"].rolling_min(48).max()
        assert lowest < 15 or device == fault.device_id


def test_the_near_misses_are_there(town):
    use = hourly_litres(town).with_columns(
        hour=pl.col("observed_at").dt.convert_time_zone("Europe/Ljubljana").dt.hour()
    )
    kinds = {row["device_id"]: row["kind"] for row in town.registrations}
    bakery = use.filter(pl.col("device_id").replace_strict(kinds) == "bakery")
    night = bakery.filter(pl.col("hour").is_between(2, 4))["litres"].mean()
    assert night > 80
    leak = only(town, "household_leak").device_id
    runs = []
    for (device,), data in use.filter(pl.col("device_id") != leak).group_by("device_id", maintain_order=True):
        if kinds[device] == "household":
            runs += [len(list(group)) for large, group in groupby(data["litres"] > 50) if large]
    assert 5 <= max(runs) <= 24  # a toilet or a drip line that runs for hours, and ends
    empty = use.group_by("device_id").agg(pl.col("litres").sum()).filter(pl.col("litres") == 0)
    assert len(empty) >= 1


def test_a_district_draws_at_least_what_its_meters_count_and_the_leak_beside(town):
    areas = {row["device_id"]: row["area"] for row in town.registrations}
    use = hourly_litres(town).with_columns(area=pl.col("device_id").replace_strict(areas))
    metered = use.group_by("area", "observed_at").agg(pl.col("litres").sum() / 1000)
    inflow = (
        frame(town, "district_meter").sort("device_id", "observed_at").filter(pl.col("observed_at").dt.minute() == 0)
    )
    inflow = inflow.with_columns(
        area=pl.col("device_id").replace_strict(areas),
        m3=pl.col("volume_total_m3").diff().over("device_id").cast(float),
    )
    both = inflow.join(metered, on=["area", "observed_at"]).with_columns(lost=pl.col("m3") - pl.col("litres"))
    assert both["lost"].min() > 0.1
    fault = only(town, "district_leak")
    mine = both.filter(pl.col("area") == fault.area_id)
    before = mine.filter(pl.col("observed_at") < fault.since)["lost"].median()
    after = mine.filter(pl.col("observed_at") > fault.since + timedelta(days=2, hours=1))["lost"].median()
    assert after - before == pytest.approx(fault.detail["flow_m3h"], rel=0.1)


def test_pressure_falls_with_the_flow(town):
    for _, data in frame(town, "district_meter").group_by("device_id"):
        assert data.select(pl.corr("flow_m3h", "pressure_kpa")).item() < -0.4  # through the noise of the sensor


def test_the_opened_hydrant_shows_in_itself_and_in_its_district(town):
    fault = only(town, "hydrant_open")
    data = frame(town, "hydrant")
    opened = data.filter("open_state")
    assert set(opened["device_id"]) == {fault.device_id}
    assert opened["observed_at"].min() == fault.since
    assert timedelta(minutes=20) <= fault.until - fault.since <= timedelta(minutes=90)
    assert fault.since.astimezone(LOCAL).hour in (22, 23, 0, 1, 2, 3)
    usual = data.filter((pl.col("device_id") == fault.device_id) & ~pl.col("open_state"))["pressure_kpa"].median()
    assert opened["pressure_kpa"].max() < usual - 50
    meter = next(
        r["device_id"] for r in town.registrations if r["family"] == "district_meter" and r["area"] == fault.area_id
    )
    flow = frame(town, "district_meter").filter(pl.col("device_id") == meter)
    top = flow.filter(pl.col("observed_at").is_between(fault.since, fault.until + timedelta(minutes=15)))[
        "flow_m3h"
    ].max()
    assert top > fault.detail["flow_m3h"] * 0.9
    assert 15 <= fault.detail["flow_m3h"] <= 40


def test_one_container_overflows_for_long_and_no_other_is_ever_full(town):
    fault = only(town, "bin_overflow")
    full = frame(town, "waste_container").filter(pl.col("fill_pct") >= 95)
    assert set(full["device_id"]) == {fault.device_id}
    assert len(full) >= 15
    during = pl.col("observed_at").is_between(fault.since + timedelta(hours=1), fault.until or town.end)
    mine = frame(town, "waste_container").filter((pl.col("device_id") == fault.device_id) & during)
    assert mine["fill_pct"].slice(0, len(mine) - 1).min() >= 94


def test_lamps_follow_the_sun_but_for_the_broken_ones(town):
    broken = {fault.device_id for fault in town.faults if fault.kind.startswith("lamp")}
    suns = {}
    for day in {START.date() + timedelta(days=n) for n in range(23)}:
        suns[day] = sun(Observer(46.42, 15.87), day)
    data = frame(town, "streetlight").filter(~pl.col("device_id").is_in(broken))
    for time, lit in data.select("observed_at", "lamp_state").iter_rows():
        today = suns[time.date()]
        if today["sunrise"] < time < today["sunset"]:
            assert not lit
        if time < today["sunrise"] - timedelta(minutes=30) or time > today["sunset"] + timedelta(minutes=30):
            assert lit
    dimmed = data.filter(pl.col("dim_pct") < 100)["observed_at"].dt.convert_time_zone("Europe/Ljubljana").dt.hour()
    assert set(dimmed) - {4} == {23, 0, 1, 2, 3}  # some cabinets end in the first minute after four


def test_the_dark_lamp_takes_no_power_at_night_and_the_other_burns_by_day(town):
    nominal = {row["device_id"]: float(row["nominal_power_w"] or 0) for row in town.registrations}
    data = frame(town, "streetlight").with_columns(nominal=pl.col("device_id").replace_strict(nominal))
    for fault in (fault for fault in town.faults if fault.kind == "lamp_dark"):
        mine = data.filter(pl.col("device_id") == fault.device_id)
        assert mine.filter(pl.col("observed_at") >= fault.since)["power_w"].max() < 1
        assert mine.filter(pl.col("observed_at") < fault.since)["power_w"].max() > 0.9 * fault.detail["nominal_power_w"]
    day = only(town, "lamp_day")
    mine = data.filter((pl.col("device_id") == day.device_id) & (pl.col("observed_at") >= day.since))
    assert mine.select((pl.col("power_w") > 0.3 * pl.col("nominal")).all()).item()


def test_the_stuck_lane_repeats_itself_for_hours_and_no_other_does_by_day(town):
    fault = only(town, "counter_stuck")
    direction = "out" if fault.detail["direction_out"] else "in"
    longest: dict[tuple, int] = defaultdict(int)
    hours = pl.col("observed_at").dt.convert_time_zone("Europe/Ljubljana").dt.hour().is_between(6, 21)
    for key, data in (
        frame(town, "traffic_counter").sort("observed_at").filter(hours).group_by("device_id", "lane", "direction")
    ):
        longest[key] = max(len(list(group)) for _, group in groupby(data["count"]))
    stuck = longest.pop((fault.device_id, str(int(fault.detail["lane"])), direction))
    assert stuck > 8 * 4
    assert max(longest.values()) < 8 * 4


def test_quiet_nights_have_honest_zeros(town):
    data = frame(town, "traffic_counter").filter(pl.col("observed_at").dt.hour().is_between(0, 2))
    assert (data["count"] == 0).sum() > 300
    assert data.filter(pl.col("count") == 0)["speed_mean_kmh"].null_count() == (data["count"] == 0).sum()
