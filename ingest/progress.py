"""What a run of ingestion has done so far and how it is, for people, logs and metrics."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Facts = Mapping[str, object]
NONE: Facts = {}


class Say(Protocol):
    """Tells people one line; logs for machines also get the event and its level (info, warning)."""

    def __call__(self, line: str, *, event: str = "ingest", level: str = "info", facts: Facts = NONE) -> None:
        """Say it; `facts` are for machines alone."""


def silent(line: str, *, event: str = "", level: str = "", facts: Facts = NONE) -> None:
    """Tell nobody."""


@dataclass
class Durations:
    """A histogram of durations in seconds."""

    bounds: tuple[float, ...] = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
    counts: list[int] = field(default_factory=list)  # one more than bounds: the last is of those beyond
    total: float = 0.0

    def __post_init__(self) -> None:
        """Begin with none."""
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        """Count one; a duration equal to a bound is within it."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


@dataclass
class Progress:
    """Counters of a run, from its start, and its state."""

    received: int = 0
    journalled: int = 0
    acknowledged: int = 0
    committed: int = 0
    counts: dict[str, int] = field(default_factory=dict)  # by column of the balance, and by reason of quarantine
    commits: Durations = field(default_factory=Durations)
    last_commit: datetime | None = None
    row: int | None = None  # the journal's last row in the lake; None: the writer has not said yet
    connects: int = 0
    gaps: int = 0  # times that messages may have been lost: the broker or the journal did not know us any more
    gap_seconds: float = 0.0  # how long these times were, as far as known
    connected: bool = False  # and subscribed
    writer_alive: bool = False
    ending: bool = False
    refusing: str = ""  # why nothing is journalled, where that is so
    trouble: str = ""  # why nothing is committed, where that is so

    @property
    def unready(self) -> str:
        """Why messages do not get into the lake now; empty where they do."""
        if self.ending:
            return "ending: what is journalled is being committed"
        if not self.connected:
            return "not connected and subscribed to the broker"
        if not self.writer_alive:
            return "the writer is not running"
        return self.refusing or self.trouble or ("the writer is starting" if self.row is None else "")
