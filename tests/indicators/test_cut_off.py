"""A run that is killed anywhere forgets nothing: the next one gives what it would have given."""

import os
import shutil
import subprocess
import sys

import pytest

from catalog import marks
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
def changed(tmp_path_factory):
    """A home that was computed once, and then a week-old upload came."""
    path = tmp_path_factory.mktemp("changed") / "home"
    home = Home(path)
    for device in ("m1", "m2"):
        home.register(device, "water_meter", area="east")
        for hour in [*range(20), *range(70, 100)]:  # and what lies between comes late
            home.say(device, hour, PLACES[device][2](hour) if hour < 70 else PLACES[device][2](2 * hour))
    home.feed.commit()
    home.run(ids=IDS)
    home.late("m1", 20, 30, 2)
    home.feed.store.close()
    return path


@pytest.mark.parametrize("step", STEPS[1:6])
def test_a_run_that_is_killed_is_made_up_for(changed, tmp_path, step):
    path = shutil.copytree(changed, tmp_path / "home")
    env = {**os.environ, "DRAVA_TEST_KILL_AT": step}
    done = subprocess.run([sys.executable, "-c", CHILD, str(path), *IDS], env=env, check=False)
    assert done.returncode == -9
    home = Home(path)
    published = step in ("plan_written", "delta_committed", "snapshot_made", "published")  # what was planned is done
    again = home.run(ids=IDS)
    assert (again.values.num_rows == 0) == published
    fresh = [row for row in differences(home.stored(), home.afresh()) if row["indicator"] in IDS]
    assert fresh == []
    assert not [mark for mark, _ in marks.take(home.feed.store).marks if mark.dataset == "water_meter"]
