"""What a run of ingestion keeps an eye on: counters, disk, how it stands with the broker. Says what changes, once."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from ingest import space, standing
from ingest.progress import Progress, Say
from ingest.receive import FULL, Receiver
from ingest.session import Session
from ingest.standing import Gap, shown
from schemas import clock
from schemas.errors import DravaError
from schemas.settings import Home

SAVE_SECONDS = 10.0


class Watch:
    """Looks at one run again and again."""

    def __init__(self, home: Home, name: str, now: Callable[[], datetime], say: Say, progress: Progress) -> None:
        """Read how this receiver stood when it ended the last time."""
        self.home = home
        self.name = name
        self.now = now
        self.say = say
        self.progress = progress
        self.standing = standing.read(home, name)
        self._told: dict[str, str] = {}
        self._saved = 0.0
        self._hour = (0, 0)  # which, and what had been received when it began

    def session(self, receiver: Receiver, filters: list[str]) -> Session:
        """The session of this run, under the name that the broker knows."""
        broker = self.home.settings.broker
        journal = receiver.journal
        default = f"drava-{self.home.settings.municipality}-{journal.uuid[:12]}"
        known = not self.standing.departed and (self.standing.seen is not None or journal.messages > 0)
        self.standing.departed = False
        gaps = self.standing.introduce(broker.client_id, default, journal.uuid, clock.micros(self.now()))
        for gap in gaps:
            self._lost(gap)
        known = known and not any(gap.why == "client" for gap in gaps)
        session = Session(broker, self.standing.client_id, filters, receiver.take, self.home.path, known=known)
        session.note = partial(self.say, event="broker", level="warning")
        session.forgotten, session.arrived = self._forgotten, self._arrived
        self.save()
        return session

    def look(self, session: Session, receiver: Receiver, already: int, *, alive: bool) -> Progress:
        """Bring the progress up to this moment; `already` messages were in the journal before this run."""
        progress = self.progress
        # the later stage is read first, so that nobody sees more acknowledged than received
        progress.acknowledged = session.counters.acknowledged
        progress.journalled = receiver.journal.messages - already
        progress.received = session.counters.received
        progress.connects = session.counters.connects
        progress.connected = session.subscribed
        progress.writer_alive = alive
        progress.refusing = receiver.trouble or ("" if space.enough(self.home) else FULL)
        return progress

    def tick(self, receiver: Receiver) -> None:
        """After a `look`: say what has changed, and write down how we stand, now and then."""
        self._tell("journal", receiver.trouble, "the journal can be written again")
        self._tell("disk", self._scarcity(), "the disk has room again")
        self._stand(receiver.journal.last_row)
        changed = (self.standing.refusing, self.standing.trouble) != (self.progress.refusing, self.progress.trouble)
        self.standing.refusing, self.standing.trouble = self.progress.refusing, self.progress.trouble
        moment = asyncio.get_running_loop().time()
        if changed or moment - self._saved >= SAVE_SECONDS:
            self._saved = moment
            self.save(durable=changed)  # the loop must not wait for the disk to tell that all is as it was

    def troubled(self, trouble: str) -> None:
        """Tell of the writer's trouble when it begins, changes and ends."""
        if trouble != self.progress.trouble:
            self.progress.trouble = self.standing.trouble = trouble
            self.save()
        self._tell("lake", trouble, "the lake takes messages again")

    def end(self, last_row: int, error: DravaError | None, *, departed: bool) -> None:
        """Write down how we stand at the end, and what ended us. `departed`: the session at the broker is over."""
        self.standing.departed = departed
        self.standing.ended = error.what if error else ""
        self.standing.refusing, self.standing.trouble = self.progress.refusing, self.progress.trouble
        self.standing.whole = self.progress.row == last_row
        self.save()

    def save(self, *, durable: bool = True) -> None:
        """Write it down."""
        standing.write(self.home, self.name, self.standing, durable=durable)

    def _tell(self, event: str, trouble: str, over: str) -> None:
        if trouble != self._told.get(event, ""):
            self._told[event] = trouble
            self.say(trouble or over, event=event, level="warning" if trouble else "info")

    def _scarcity(self) -> str:
        if not space.little(self.home):
            return ""
        least = self.home.settings.ingest.min_free_mb
        return (
            f"less than {space.LITTLE * least:,} MB of the disk are free: files are compacted, old versions and "
            f"expired raw messages go; below {least:,} MB (ingest.min_free_mb) nothing more is acknowledged"
        )

    def _stand(self, last_row: int) -> None:
        progress, now = self.progress, clock.micros(self.now())
        if progress.connected and not progress.refusing:
            self.standing.seen = now
        if progress.row == last_row:
            self.standing.drained = now
        if now // standing.HOUR != self._hour[0]:
            self._hour = now // standing.HOUR, progress.received
        self.standing.per_hour = max(self.standing.per_hour, progress.received - self._hour[1])

    def _arrived(self) -> None:
        self.standing.seen = clock.micros(self.now())
        self.save()
        self.say(f"subscribed at the broker as {self.standing.client_id}", event="broker")

    def _forgotten(self) -> None:
        self._lost(self.standing.forgotten(clock.micros(self.now())))
        self.save()

    def _lost(self, gap: Gap) -> None:
        """Say it loudly: nobody else will ever notice."""
        seconds = (gap.until - gap.since) / 1e6 if gap.since is not None else 0.0
        self.progress.gaps += 1
        self.progress.gap_seconds += max(seconds, 0.0)
        since, until = shown(gap.since), shown(gap.until)
        line = f"{gap.text['en']}: what was published from {since} to {until} may be lost"
        self.say(line, event="gap", level="error", facts={"why": gap.why, "since": since, "until": until})
