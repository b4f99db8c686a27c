"""`drava alarms mute` and `drava notify`: windows are said, listed and ended; what cannot be sent is shown."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from catalog.mutes import windows
from catalog.store import Store
from cli import app
from schemas.errors import DravaError

NOW = datetime(2026, 3, 28, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("muting")
    CliRunner().invoke(app, ["init", str(folder / "home"), "--municipality", "ptuj"])
    with (folder / "home" / "drava.toml").open("a") as file:
        file.write('[mail]\nurl = "smtp://127.0.0.1:1"\nsender = "drava@ptuj.example"\n')
        file.write('[[recipient]]\nname = "water"\nmail = "water@ptuj.example"\n')
    (folder / "d.csv").write_text("thing_id,family,device_id,area,valid_from\nh1,hydrant,hy-1,east,2026-01-01\n")
    drava(folder / "home", "devices", "import", str(folder / "d.csv"))
    return folder / "home"


def drava(home, *words, code=0, at=NOW):
    done = CliRunner().invoke(app, ["--home", str(home), "--as-of", at.isoformat(), *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def mute(home, *words):
    return drava(home, "alarms", "mute", "--reason", "izpiranje", *words)


def test_a_window_is_said_in_local_time_listed_and_ended(home):
    mute(home, "--area", "east", "--from", "2026-03-28T08:00", "--until", "2026-03-29T08:00")
    mute(home, "--thing", "h1", "--until", "2026-03-28T12:00:00Z")
    store = Store.at(home / "catalog")
    first, second = windows(store)
    store.close()
    # 08:00 local is 07:00 UTC on Saturday and 06:00 UTC on Sunday, when summer time has begun
    assert (first.since.hour, first.until.hour, second.since) == (7, 6, NOW)
    shown = json.loads(drava(home, "alarms", "mutes", "--json"))
    assert [(row["area"], row["thing"], row["from"]) for row in shown] == [
        ("east", None, "2026-03-28 08:00"),
        (None, "h1", "2026-03-28 06:00"),
    ]
    drava(home, "alarms", "unmute", str(second.id), at=NOW + timedelta(hours=1))
    left = json.loads(drava(home, "alarms", "mutes", "--json", at=NOW + timedelta(hours=1)))
    assert [row["id"] for row in left] == [first.id]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--area", "esat", "--until", "2026-03-29"], "no area 'esat'"),
        (["--thing", "h2", "--until", "2026-03-29"], "no thing 'h2'"),
        (["--detector", "fire_of_rome", "--until", "2026-03-29"], "not a detector"),
        (["--detector", "watr.*", "--until", "2026-03-29"], "no detector is meant"),
        (["--until", "2026-03-29"], "needs a place or a detector"),
        (["--thing", "h1", "--until", "tomorrow"], "is not a time"),
        (["--thing", "h1", "--until", "2026-03-27"], "ends after it begins"),
        (["--thing", "h1", "--until", "2026-03-29", "--reason", " "], "needs a reason"),
    ],
)
def test_a_window_that_would_mute_nothing_is_refused(home, words, said):
    with pytest.raises(DravaError, match=said):
        mute(home, *words)


def test_a_test_message_that_cannot_leave_is_said_kept_and_listed(home):
    assert "ConnectionRefusedError" in drava(home, "notify", "test", code=1)
    (letter,) = json.loads(drava(home, "notify", "list", "--json"))
    assert (letter["recipient"], letter["state"], letter["attempts"]) == ("water", "waiting", 1)
    assert json.loads(drava(home, "notify", "list", "--state", "failed", "--json")) == []
    assert drava(home, "notify", "retry") == "0 messages wait again\n"
    drava(home, "notify", "send", code=1, at=NOW + timedelta(minutes=1))
    with pytest.raises(DravaError, match="no such recipient"):
        drava(home, "notify", "test", "nobody")
