"""After the report the city goes on, time-lapsed until it has caught up with the present, then in real time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event

from rich.live import Live as Region
from rich.text import Text

from catalog.plans import messages_published
from commands.demo.feed import Feed, Message, Timed
from commands.demo.finale import Finale
from commands.demo.stage import Ingest, Play
from commands.morning import gathered

SPEED = 120  # simulated seconds a second, until the present is reached
TICK_SECONDS = 1.0
LOOK_SECONDS = 120.0  # between two runs of the detectors


class Live:
    """Publishes what is due, keeps ingestion alive, looks for new alarms, and shows where things stand."""

    def __init__(self, play: Play, feed: Feed, ingest: Ingest) -> None:
        """Nothing happens before `until_interrupted`."""
        self.play, self.feed, self.ingest, self.show = play, feed, ingest, play.show
        self.finale = Finale(play)
        self.known = {alarm["alarm_id"] for alarm in self.finale.alarms()}
        self.begun = self.looked = datetime.now(UTC)
        self.caught_up = False
        self.owed = 0  # messages that must be in the lake before ingestion has recovered; 0: nothing happened

    def until_interrupted(self, rest: Iterator[Timed]) -> None:
        """Go on until Ctrl-C or SIGTERM; the caller stops ingestion and the broker."""
        self.show.say("going_on", style="bold")
        due, pause = _Due(rest), Event()
        try:
            with Region(console=self.show.console, refresh_per_second=4, transient=True) as region:
                while True:
                    now = self._clock()
                    self.feed.send(due.until(now))
                    self._supervise()
                    self._look(now)
                    region.update(Text(self._status(now)))
                    pause.wait(TICK_SECONDS)
        except KeyboardInterrupt:
            self.show.say("ending")

    def _clock(self) -> datetime:
        """The simulated time: fast in the past, never ahead of the real one."""
        real = datetime.now(UTC)
        simulated = self.play.as_of + (real - self.begun) * SPEED
        if simulated >= real and not self.caught_up:
            self.caught_up = True
            self.show.say("caught_up")
        return min(simulated, real)

    def _supervise(self) -> None:
        """Start ingestion again where somebody killed it, and prove that nothing was lost."""
        if self.ingest.revive():
            self.show.say("killed", style="bold yellow", pid=self.ingest.pid)
            self.owed = self.feed.sent
        elif self.owed and messages_published(self.play.store) >= self.owed:
            balance = gathered(self.play.home, self._clock(), self.show.lang).balance
            self.show.say(
                "recovered",
                style="bold green" if balance.adds_up else "bold red",
                sent=self.show.count(self.owed),
                received=self.show.count(balance.received),
                word=self.show.text("yes" if balance.adds_up else "no"),
            )
            self.owed = 0

    def _look(self, now: datetime) -> None:
        """Run the detectors now and then, and say what is new."""
        if (datetime.now(UTC) - self.looked).total_seconds() < LOOK_SECONDS:
            return
        self.finale.compute(now)
        for finding in gathered(self.play.home, now, self.show.lang).ordered:
            if finding.alarm_id not in self.known:
                self.known.add(finding.alarm_id)
                since = self.show.moment(finding.since)
                self.show.say("new_alarm", "bold", title=finding.title, where=finding.where, since=since)
        self.looked = datetime.now(UTC)

    def _status(self, now: datetime) -> str:
        return self.show.text(
            "status",
            clock=self.show.moment(now),
            sent=self.show.count(self.feed.sent),
            committed=self.show.count(messages_published(self.play.store)),
            alarms=len(self.known),
        )


class _Due:
    """Messages whose time has come, taken from the front."""

    def __init__(self, rest: Iterator[Timed]) -> None:
        self.rest = rest
        self.next = next(rest, None)

    def until(self, now: datetime) -> list[Message]:
        found: list[Message] = []
        while self.next and self.next[0] <= now:
            found.append(self.next[1])
            self.next = next(self.rest, None)
        return found
