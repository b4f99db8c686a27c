"""The demo judges itself honestly, sends in order, leaves nothing running, and as a whole ends with 0."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commands.demo import stage
from commands.demo.cities import Judged, rows, seeds_of
from commands.demo.feed import protocol_of
from commands.demo.show import Show
from commands.demo.texts import TEXTS
from commands.demo.truth import judge, unexplained
from devices.simulate import KINDS, Fault, city
from schemas.errors import DravaError

AT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEAK = Fault("household_leak", "connection-035", "wm-146836", "district-2", AT)
BURST = Fault("district_leak", "shaft-001", "dm-676482", "district-1", AT)
HYDRANT = Fault("hydrant_open", "hydrant-011", "hy-1", "district-2", AT, AT + HOUR)
FAULTS = [LEAK, BURST, HYDRANT]


def alarm(fault: Fault, **other: object) -> dict[str, object]:
    found = {
        "alarm_id": f"{fault.kind}-{fault.thing_id}",
        "kind": fault.kind,
        "thing_id": fault.thing_id,
        "device_id": fault.device_id,
        "area_id": fault.area_id,
        "since": fault.since + HOUR,
        "until": fault.until,
    }
    return found | other


def test_all_found_and_nothing_else_is_perfect() -> None:
    verdict = judge(FAULTS, [alarm(fault) for fault in FAULTS], KINDS)
    assert verdict.perfect
    assert verdict.found == FAULTS


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_a_fault_without_an_alarm_is_missed(fault: Fault) -> None:
    verdict = judge(FAULTS, [alarm(other) for other in FAULTS if other is not fault], KINDS)
    assert (verdict.missed, verdict.perfect) == ([fault], False)


@pytest.mark.parametrize(
    "change",
    [
        {"thing_id": "connection-036", "area_id": "district-3"},
        {"kind": "lamp_dark"},
        {"until": AT - 10 * HOUR, "since": AT - 30 * HOUR},
    ],
    ids=["elsewhere", "another kind", "over before it began"],
)
def test_an_alarm_that_no_fault_explains_is_not_forgiven(change: dict[str, object]) -> None:
    wrong = alarm(LEAK, alarm_id="wrong") | change
    verdict = judge(FAULTS, [*(alarm(fault) for fault in FAULTS), wrong], KINDS)
    assert ([found["alarm_id"] for found in verdict.other], verdict.missed) == (["wrong"], [])


def test_an_alarm_after_the_end_of_its_fault_is_another_one() -> None:
    verdict = judge([HYDRANT], [alarm(HYDRANT, since=AT + 5 * HOUR, until=None)], KINDS)
    assert (verdict.missed, len(verdict.other)) == ([HYDRANT], 1)


def test_alarms_of_other_kinds_do_not_count() -> None:
    silent = alarm(LEAK, kind="silent_device")
    assert judge([], [silent], KINDS).perfect


@pytest.mark.parametrize(("text", "seeds"), [("301..303", [301, 302, 303]), ("7", [7]), ("3, 1..2,3", [3, 1, 2])])
def test_seeds_are_written_as_a_range_or_a_list(text: str, seeds: list[int]) -> None:
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "5..1", "1...3", "-1", "1..99999", "1e3"])
def test_what_are_no_seeds_is_refused(text: str) -> None:
    with pytest.raises(DravaError, match="are no seeds"):
        seeds_of(text)


def test_several_cities_are_summed_by_kind_with_precision_and_recall() -> None:
    wrong = alarm(LEAK, thing_id="connection-099")
    one = Judged(
        1, judge(FAULTS, [alarm(LEAK), alarm(HYDRANT), wrong], KINDS), [alarm(LEAK, kind="bypass")], whole=True
    )
    two = Judged(2, judge([LEAK], [alarm(LEAK)], KINDS), [], whole=True)
    told = {row["kind"]: row for row in rows(Show("en"), [one, two])}
    assert [one.perfect, two.perfect] == [False, True]
    assert list(told["household_leak"].values())[1:] == [2, 2, 0, 1, "0.67", "1.00"]
    assert list(told["district_leak"].values())[1:] == [1, 0, 1, 0, "", "0.00"]
    assert list(told["all"].values())[1:] == [4, 3, 1, 2, "0.60", "0.75"]


def test_an_alarm_of_another_kind_is_explained_by_a_fault_of_its_thing_while_that_lasts() -> None:
    same = alarm(HYDRANT, kind="silent_device")
    later = alarm(HYDRANT, kind="silent_device", since=AT + 5 * HOUR, until=None)
    elsewhere = alarm(HYDRANT, kind="silent_device", thing_id="hydrant-012")
    assert unexplained(FAULTS, [same, later, elsewhere]) == [later, elsewhere]


def test_both_versions_of_mqtt_are_spoken_and_a_device_keeps_to_its_own() -> None:
    topics = {topic for topic, _ in city(5, "ptuj", AT, days=1, faults=[], scale=0.3).messages()}
    spoken = [protocol_of(topic) for topic in topics]
    assert spoken.count("5") / len(spoken) == pytest.approx(0.5, abs=0.15)
    assert spoken == [protocol_of(topic) for topic in topics]


def test_never_removes_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(DravaError, match="not a home of the demo"):
        stage.cleared(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
    own = tmp_path / "own"
    stage.cleared(own)
    (own / "old").write_text("of the last run")
    stage.cleared(own)
    assert sorted(path.name for path in own.iterdir()) == [stage.MARK]


def test_settings_of_another_home_do_not_reach_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAVA_BROKER__URL", "mqtts://broker.example:8883")
    monkeypatch.setenv("DRAVA_METRICS__LISTEN", "127.0.0.1:9464")
    stage.quiet_environment()
    assert {name: value for name, value in os.environ.items() if name.startswith("DRAVA_")} == {
        "DRAVA_METRICS__LISTEN": "127.0.0.1:0"  # any port that is free
    }


def test_every_sentence_is_there_in_both_languages_with_the_same_values() -> None:
    for slovenian, english in TEXTS.values():
        assert slovenian != english
        assert fields(slovenian) == fields(english)


def fields(text: str) -> set[str]:
    return {part.split("}")[0] for part in text.split("{")[1:]}


def children_of(home: Path) -> list[str]:
    """Command lines of processes that name this home."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(home) in line:
                found.append(line)
    return found


@pytest.mark.timeout(600)
def test_the_whole_demo_finds_every_fault_and_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-m", "drava", "demo", "--once", "--lang", "en", "--home", home, "--seed", "314"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 missed, 0 other alarms of those kinds" in done.stdout
    assert "nothing lost, nothing twice" in done.stdout
    assert done.stdout.count(": adds up") == 2
    assert (home / "exports" / "morning.html").read_text("utf-8").startswith("<!doctype html>")
    assert children_of(home) == []
    pasted = next(line.strip() for line in done.stdout.splitlines() if " sql " in line)
    asked = subprocess.run(pasted, shell=True, capture_output=True, text=True, check=True)
    assert "flow_m3h" in asked.stdout  # the worst is a leak of a district
    page = tmp_path / "morning.html"
    command = [sys.executable, "-m", "drava", "--home", home, "morning", "--lang", "sl", "--html", page]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout.count(": se izide") == 2
    assert "Puščanje" in again.stdout
    assert "Puščanje" in page.read_text("utf-8")


@pytest.mark.timeout(120)
def test_a_terminated_demo_stops_what_it_started(tmp_path: Path) -> None:
    """SIGTERM in the middle of publishing: broker and ingestion are gone with it."""
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-m", "drava", "demo", "--once", "--lang", "en", "--home", home],
        stdout=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    for line in process.stdout:
        if line.startswith("City:"):
            break
    assert children_of(home / "broker")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=90)
    assert process.returncode != 0
    assert children_of(home) == []
