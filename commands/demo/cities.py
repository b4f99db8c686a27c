"""`drava demo --once --seeds 301..305`: several cities one after the other, and what was found in all of them."""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.context import DONE, PROBLEM, show_rows
from commands.demo import stage
from commands.demo.finale import Finale
from commands.demo.show import Show
from commands.demo.truth import Verdict, unexplained
from commands.morning import gathered
from devices.simulate import KINDS
from indicators.header import packs
from schemas.errors import DravaError

MOST = 1000


@dataclass(frozen=True)
class Judged:
    """What became of a city: its verdict, whether all arrived.

    `strange` are alarms of kinds that the simulator does not hide, at things that have no fault.
    """

    seed: int
    verdict: Verdict
    strange: Sequence[Mapping[str, Any]]
    whole: bool

    @property
    def perfect(self) -> bool:
        """Everything was found, nothing else, and no reading is lost or twice."""
        return self.verdict.perfect and not self.strange and self.whole


def seeds_of(text: str) -> list[int]:
    """`301..305` or `301,303`, or both. Raises DravaError for anything else."""
    found: list[int] = []
    for word in text.split(","):
        told = re.fullmatch(r"\s*(\d{1,9})(?:\.\.(\d{1,9}))?\s*", word)
        if told is None:
            raise DravaError(f"{text!r} are no seeds", "Write them like 301..305 or 301,303")
        first, last = int(told[1]), int(told[2] or told[1])
        if not 0 <= last - first < MOST:
            raise DravaError(f"{word.strip()!r} are no seeds", f"The smaller one first, at most {MOST}")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def judged(seed: int, finale: Finale) -> Judged:
    """Compute, and compare with what the simulator hid and sent."""
    play = finale.play
    finale.compute(play.as_of)
    morning = gathered(play.home, play.as_of, play.show.lang)
    stored = sum(count for _, count in morning.rows)
    events = {pack.name for pack in packs("detector").values() if pack.event}  # what happened is no fault
    beside = [one for one in finale.alarms() if one["kind"] not in {*KINDS, *events} and not one["cause"]]
    strange = unexplained(play.city.faults, beside)  # a counter's zeros are a stuck lane and a dropout
    return Judged(seed, finale.verdict(), strange, morning.balance.adds_up and stored == play.city.expected["stored"])


def told(show: Show, one: Judged, home: Path) -> None:
    """Say what became of a city; the home of one that is not perfect stays, to be looked into."""
    found, missed, other = one.verdict.found, one.verdict.missed, one.verdict.other
    style = "bold green" if one.perfect else "bold red"
    word = show.text("equal" if one.whole else "unequal")
    counts = {"found": len(found), "missed": len(missed), "other": len(other), "strange": len(one.strange)}
    show.say("seed", style, seed=one.seed, faults=len(found) + len(missed), word=word, **counts)
    for fault in missed:
        show.say("missed", kind=fault.kind, place=fault.thing_id, since=show.moment(fault.since))
    for name, alarms in (("other", other), ("strange", one.strange)):
        for alarm in alarms:
            place = alarm["thing_id"] or alarm["device_id"] or alarm["area_id"]
            show.say(name, kind=alarm["kind"], place=place, since=show.moment(alarm["since"]))
    if one.perfect:
        shutil.rmtree(home)
    else:
        show.say("kept", home=home)


def rows(show: Show, cities: Iterable[Judged]) -> Iterator[dict[str, object]]:
    """A line a kind and one of all: faults, found, missed, other alarms, precision, recall."""
    whole = list(cities)
    for kind in (*KINDS, ""):
        found, missed, other = (
            sum(not kind or _kind(one) == kind for city in whole for one in getattr(city.verdict, name))
            for name in ("found", "missed", "other")
        )
        other += 0 if kind else sum(len(city.strange) for city in whole)
        yield {
            show.text("column_kind"): kind or show.text("all_kinds"),
            show.text("column_faults"): found + missed,
            show.text("column_found"): found,
            show.text("column_missed"): missed,
            show.text("column_other"): other,
            show.text("column_precision"): _share(show, found, found + other),
            show.text("column_recall"): _share(show, found, found + missed),
        }


def _kind(one: Any) -> str:
    return str(one["kind"] if isinstance(one, Mapping) else one.kind)


def _share(show: Show, part: int, whole: int) -> str:
    return show.share(part / whole) if whole else ""


def summed(show: Show, cities: Sequence[Judged]) -> int:
    """Say what was found in all cities. Gives the exit code of the demo."""
    show.line()
    show_rows(rows(show, cities), as_json=False)
    return DONE if all(one.perfect for one in cities) else PROBLEM


def folder_of(home: Path, seed: int) -> Path:
    """The home of one city."""
    return stage.cleared(home / f"seed-{seed}")
