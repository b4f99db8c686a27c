"""The end of the demo: indicators, detectors, the report, the comparison with the truth, and lines to paste."""

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from commands.context import DONE, PROBLEM
from commands.demo.stage import Play, drava
from commands.demo.truth import Verdict, judge
from commands.morning import alarms, gathered
from devices.simulate import KINDS, Fault
from indicators.morning import Morning
from indicators.morning_page import page
from indicators.morning_text import text
from lake.query import open_snapshot
from schemas.vocabulary import families

_PURPOSE = {"sl": "pregled alarma", "en": "looking into an alarm"}
SURE = timedelta(days=2)  # the live city goes on: what began later than this may still need its evidence


class Finale:
    """Computes, reports and judges one run."""

    def __init__(self, play: Play) -> None:
        """Nothing happens before `shown`."""
        self.play = play
        self.show = play.show

    def shown(self, pid: int | None = None) -> int:
        """Say everything; `pid` is the ingestion that may be killed. Gives the exit code of the demo."""
        self.show.say("computing")
        self.compute(self.play.as_of)
        morning = self._report()
        problem = not morning.balance.adds_up
        if problem:
            self.show.say("unbalanced", style="bold red")
        problem |= not self._verdict_said(self.verdict())
        if self.play.once:
            problem |= not self._complete(sum(count for _, count in morning.rows))
        self._paste(morning, pid)
        return PROBLEM if problem else DONE

    def compute(self, as_of: datetime) -> None:
        """Run indicators and detectors, as a scheduler does."""
        for topic in ("indicators", "detectors"):
            drava(self.play.path, topic, "run", as_of=as_of)

    def alarms(self) -> list[dict[str, Any]]:
        """All alarms of the newest snapshot."""
        with open_snapshot(self.play.path) as snapshot:
            return alarms(snapshot, self.play.city.start)

    def verdict(self) -> Verdict:
        """Compare the alarms with what the simulator hid until the report."""
        until = self.play.as_of - (timedelta() if self.play.once else SURE)
        begun = [fault for fault in self.play.city.faults if fault.since <= until]
        found = self.alarms()
        whole = judge(self.play.city.faults, found, KINDS)
        return Verdict(
            found=[fault for fault in begun if fault in whole.found],
            missed=[fault for fault in begun if fault in whole.missed],
            other=whole.other,
        )

    def _report(self) -> Morning:
        morning = gathered(self.play.home, self.play.as_of, self.show.lang)
        (self.play.path / "exports" / "morning.html").write_text(page(morning), "utf-8")
        self.show.line()
        for number, line in enumerate(text(morning).splitlines()):
            self.show.line(line, "bold" if number == 0 or (line and not line.startswith(" ")) else None)
        self.show.line()
        return morning

    def _verdict_said(self, verdict: Verdict) -> bool:
        found, missed, other = verdict.found, verdict.missed, verdict.other
        style = "bold green" if verdict.perfect else "bold red"
        faults = len(found) + len(missed)
        self.show.say("proof", style, faults=faults, found=len(found), missed=len(missed), other=len(other))
        for fault in missed:
            self.show.say("missed", **self._named(fault))
        for alarm in other:
            self.show.say("other", kind=alarm["kind"], place=_place(alarm), since=self.show.moment(alarm["since"]))
        return verdict.perfect

    def _named(self, fault: Fault) -> dict[str, str]:
        return {"kind": fault.kind, "place": fault.thing_id, "since": self.show.moment(fault.since)}

    def _complete(self, stored: int) -> bool:
        """Hold the number of stored readings against what the simulator has sent."""
        sent = self.play.city.expected["stored"]
        self.show.say(
            "complete",
            style="bold green" if sent == stored else "bold red",
            sent=self.show.count(sent),
            stored=self.show.count(stored),
            word=self.show.text("equal" if sent == stored else "unequal"),
        )
        return sent == stored

    def _paste(self, morning: Morning, pid: int | None) -> None:
        base = f"{command_name()} --home {shlex.quote(str(self.play.named))}"
        self.show.line()
        self.show.say("paste", style="bold")
        for line in pasted(base, self.play.named, morning, self.alarms()):
            self.show.line(f"  {line}", "cyan")
        if pid is not None:
            self.show.say("kill", pid=pid)
        self.show.say("files", home=self.play.named)
        self.show.say("remove", home=shlex.quote(str(self.play.named)))


def command_name() -> str:
    """How the user called us, so that pasted lines find the same program."""
    called = Path(sys.argv[0])
    if called.name != "drava":
        return f"{shlex.quote(sys.executable)} -m drava"
    return "drava" if shutil.which("drava") == str(called) else shlex.quote(str(called))


def pasted(base: str, home: Path, morning: Morning, found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Four lines with ids of this run: show an alarm, query it, export it to Excel, open the report."""
    worst = morning.ordered[0] if morning.findings else None
    alarm = next((alarm for alarm in found if worst and alarm["alarm_id"] == worst.alarm_id), None)
    family = (alarm and alarm["family"]) or "district_meter"
    if alarm is None:
        yield f'{base} sql "SELECT family, count(*) FROM observations GROUP BY ALL"'
    else:
        yield f"{base} alarms show {alarm['alarm_id']}"
        begin, end = (f"{alarm['since'] + span:%FT%H:%MZ}" for span in (timedelta(hours=-2), timedelta(hours=6)))
        column = "thing_id" if alarm["thing_id"] else "area_id"  # a leak in the network is an area's
        question = (
            "SELECT observed_at, thing_id, measure, value, unit FROM observations JOIN assignments USING (device_id) "
            f"JOIN things USING (thing_id) WHERE {column} = '{alarm[column]}' AND observations.family = '{family}' "
            f"AND observed_at BETWEEN '{begin}' AND '{end}' ORDER BY ALL"
        )
        yield f'{base} sql "{question}"'
    first = (alarm["since"] if alarm else morning.at).astimezone(morning.zone).date() - timedelta(days=1)
    purpose = f" --purpose {shlex.quote(_PURPOSE[morning.lang])}" if families()[family].personal else ""
    yield f"{base} export {family} --format xlsx --from {first}{purpose}"
    yield f"xdg-open {shlex.quote(str(home / 'exports' / 'morning.html'))}"


def _place(alarm: Mapping[str, Any]) -> str:
    return str(alarm["thing_id"] or alarm["device_id"] or alarm["area_id"])
