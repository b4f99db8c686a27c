"""What a run computes of what changed equals what a computation over all history gives, whatever happened."""

import shutil
import tempfile
from datetime import date
from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.indicators.changing import DAYS, METERS, PLACES, Home, differences

HOURS = st.integers(0, DAYS * 24 - 1)
DAY = st.integers(0, DAYS - 1)
DEVICE = st.sampled_from(sorted(PLACES))
METER = st.sampled_from(METERS)
REGISTER = st.one_of(st.none(), st.sampled_from(["0", "12.5", "11.9", "703.4", "5.2"]))
HAPPENS = st.one_of(
    st.tuples(st.just("late"), DEVICE, HOURS, st.integers(1, 60), st.integers(1, 7)),
    st.tuples(st.just("revise"), DEVICE, HOURS, st.sampled_from([0.0, 0.5, 1.01, 1.001, 40.0])),
    st.tuples(st.just("move"), DEVICE, st.sampled_from(["east", "west", "south"])),
    st.tuples(st.just("describe"), DEVICE, st.integers(1, 5), st.integers(20, 90)),
    st.tuples(st.just("hang"), DEVICE, DAY),
    st.tuples(st.just("exchange"), METER, DAY, REGISTER, REGISTER),
    st.tuples(st.just("survey"), st.sampled_from(["hydrant", "bin"]), st.sampled_from(["t-h1", "t-b1", "new"]), DAY),
    st.tuples(st.just("undo")),
    st.tuples(st.just("erase"), DEVICE, DAY, st.integers(1, 4)),
    st.tuples(st.just("late"), DEVICE, st.integers(-300, -1), st.integers(1, 60), st.integers(1, 7)),
    st.tuples(st.just("wait"), st.integers(1, 60)),
    st.tuples(st.just("run")),
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A home of nine days, computed once."""
    path = tmp_path_factory.mktemp("begun") / "home"
    home = Home(path)
    home.begin()
    home.run()
    home.feed.store.close()
    return path


def lived(begun, story):
    """Let a story happen to a copy of the home; gives where the values then differ from those computed afresh."""
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copytree(begun, Path(folder) / "home")
        home = Home(path)
        for what, *details in story:
            getattr(home, what)(*details)
        home.run()
        found = differences(home.stored(), home.afresh())
        home.feed.store.close()
    return found


def test_what_every_day_has_is_there_from_the_first_reading_on(tmp_path):
    """A reading from before all others: days on which nobody said anything have devices that hang, too."""
    home = Home(tmp_path / "home")
    home.register("a1", "air_quality")
    home.say("a1", 0, {"pm10_ugm3": 10.0})
    home.feed.commit()
    counts = ["kpi.installed_count", "kpi.reporting_count"]
    home.run(ids=counts)
    home.say("a1", -12 * 24, {"pm10_ugm3": 20.0}, now=True)
    home.feed.commit()
    for one in counts:  # the second is not in the run that sees how early it begins
        home.run(ids=[one])
        assert differences(home.stored().filter(pc.field("indicator") == one), home.afresh([one])) == []
    assert {value["period_start"] for value in home.afresh(counts).to_pylist()} >= {date(2026, 3, 16)}


@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(story=st.lists(HAPPENS, min_size=3, max_size=6))
def test_what_changed_is_enough(begun, story):
    assert lived(begun, story) == []


# What a story costs is its two computations at the end, not what happens in it: few and long ones. They are not made
# shorter where one fails: that would take hours.
@pytest.mark.soak
@pytest.mark.timeout(3000)
@settings(
    max_examples=12, phases=(Phase.explicit, Phase.generate), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(story=st.lists(HAPPENS, min_size=4, max_size=12))
def test_what_changed_is_enough_in_many_stories(begun, story):
    assert lived(begun, story) == []
