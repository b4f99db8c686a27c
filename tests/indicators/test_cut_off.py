"""A run that is killed anywhere forgets nothing: the next one gives what it would have given."""

import os
import shutil
import subprocess
import sys

import pytest

from catalog import marks, store
from indicators import compute, dirty
from indicators.compute import STEPS
from tests.indicators.changing import PLACES, Home, differences

IDS = ["water.consumption_connection", "water.consumption_billed"]
CHILD = """
import sys
from pathlib import Path
from tests.indicators.changing import Home
Home(Path(sys.argv[1])).run(ids=sys.argv[2:])
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """A home of which nothing was ever computed."""
    path = tmp_path_factory.mktemp("said") / "home"
    home = Home(path)
    for device in ("m1", "m2"):
        home.register(device, "water_meter", area="east")
        for hour in [*range(20), *range(70, 100)]:  # and what lies between comes late
            home.say(device, hour, PLACES[device][2](hour) if hour < 70 else PLACES[device][2](2 * hour))
    home.feed.commit()
    home.feed.store.close()
    return path


@pytest.fixture(scope="module")
def changed(said, tmp_path_factory):
    """A home that was computed once, and then a week-old upload came."""
    path = shutil.copytree(said, tmp_path_factory.mktemp("changed") / "home")
    home = Home(path)
    home.run(ids=IDS)
    home.late("m1", 20, 30, 2)
    home.feed.store.close()
    return path


def wrong(home):
    """The values that differ from those computed afresh."""
    return differences(home.stored(), home.afresh(IDS))


@pytest.mark.parametrize("step", STEPS[1:6])
def test_a_run_that_is_killed_is_made_up_for(changed, tmp_path, step):
    path = shutil.copytree(changed, tmp_path / "home")
    env = {**os.environ, "DRAVA_TEST_KILL_AT": step}
    done = subprocess.run([sys.executable, "-c", CHILD, str(path), *IDS], env=env, check=False)
    assert done.returncode == -9
    home = Home(path)
    published = step in ("plan_written", "delta_committed", "snapshot_made", "published")  # what was planned is done
    again = home.run(ids=IDS)
    assert (again.new.total() == 0) == published
    assert wrong(home) == []
    assert not [mark for mark, _ in marks.take(home.feed.store).marks if mark.dataset == "water_meter"]


class CutOffError(Exception):
    """The run ends here."""


@pytest.fixture
def cut(monkeypatch):
    """Runs that publish every four days and end before the publication of this number."""
    monkeypatch.setattr(compute, "ROWS", 1)
    monkeypatch.setattr(dirty, "CHUNK", 4)

    def run(home, times):
        left = [times]

        def reached(step):
            left[0] -= step == "values_computed"
            if left[0] == 0:
                raise CutOffError

        monkeypatch.setattr(compute, "reached", reached)
        with pytest.raises(CutOffError):
            home.run(ids=IDS)
        monkeypatch.setattr(compute, "reached", lambda _: None)

    return run


def left(home):
    """What is noted as left to do: the first day of each indicator."""
    found = marks.take(home.feed.store).marks
    return {m.dataset.removesuffix(marks.LEFT): m.first for m, _ in found if m.dataset.endswith(marks.LEFT)}


def test_a_first_run_that_was_cut_off_goes_on_from_what_it_published(said, tmp_path, cut):
    whole = Home(shutil.copytree(said, tmp_path / "whole")).run(ids=IDS).computed
    home = Home(shutil.copytree(said, tmp_path / "home"))
    cut(home, 2)
    first, billed = IDS
    known = home.stored()["period_start"].to_pylist()
    assert known
    assert str(max(known)) < left(home)[first]
    assert str(min(known)) >= left(home)[billed]
    assert home.run(ids=IDS).new == {first: whole[first] - len(known), billed: whole[billed]}
    assert wrong(home) == []
    assert left(home) == {}
    assert home.run(ids=IDS).new == {}


def test_what_needs_published_values_knows_of_them_after_a_cut(changed, tmp_path, cut):
    """What follows from the late upload is published, the run is cut off before what is billed: it is not forgotten."""
    home = Home(shutil.copytree(changed, tmp_path / "home"))
    cut(home, 2)
    with home.feed.store.begin() as db:  # even where the marks of the readings were forgotten meanwhile
        db.execute(store.dirty.delete().where(store.dirty.c.dataset == "water_meter"))
    assert home.run(ids=IDS).new[IDS[1]] > 0
    assert wrong(home) == []
