"""What a receiver leaves in writing: its name at the broker, when it was last there, what may be lost, what ails it.

One small file a receiver beside the catalogue, so that it outlives both the process and the journal's folder.
`drava doctor` reads it.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from schemas import clock
from schemas.settings import Home

KEPT = 20  # gaps
HOUR = 3_600_000_000  # in µs
FORM = "%Y-%m-%d %H:%M:%S UTC"

_WHY = {
    "session": {
        "en": "the broker has forgotten our session",
        "sl": "posrednik je pozabil našo sejo",
    },
    "journal": {
        "en": "the journal of this receiver is gone, and with it what was acknowledged and not in the lake yet",
        "sl": "dnevnika tega sprejemnika ni več, in z njim ne tistega, kar je bilo potrjeno in še ni bilo v jezeru",
    },
    "client": {
        "en": "broker.client_id was changed: what the broker still keeps under the old one comes only with that",
        "sl": "broker.client_id je drug: kar posrednik še hrani pod prejšnjim, pride le z njim",
    },
}


class Gap(msgspec.Struct, frozen=True):
    """A span of time (µs) whose messages may be lost. `since` None: nobody knows how long."""

    why: str  # session | journal | client
    since: int | None
    until: int

    @property
    def text(self) -> dict[str, str]:
        """What happened, in a line, by language."""
        return _WHY[self.why]


class Standing(msgspec.Struct):
    """How a receiver stands. Times in µs."""

    client_id: str = ""
    journal: str = ""  # its uuid
    seen: int | None = None  # with the broker, and acknowledging
    drained: int | None = None  # all that was journalled was in the lake
    whole: bool = True  # it ended so
    departed: bool = False  # its session was ended for ever
    per_hour: int = 0  # messages in the busiest hour
    refusing: str = ""  # why nothing is acknowledged
    trouble: str = ""  # why the lake takes nothing
    ended: str = ""  # why it ended, where it had to
    gaps: list[Gap] = []

    def introduce(self, client_id: str, default: str, journal: str, now: int) -> list[Gap]:
        """Choose the name at the broker; gives what may be lost because it, or the journal, is another than before.

        Without a `client_id` of the settings the name stays that of the last time, also where the journal is new: the
        broker's queue belongs to the name.
        """
        kept = self.client_id if self.client_id.startswith(default.rpartition("-")[0]) else ""
        name = client_id or kept or default
        found = []
        if self.client_id and name != self.client_id:
            found.append(Gap("client", self.seen, now))
        if self.journal and journal != self.journal and not self.whole:
            found.append(Gap("journal", self.drained, now))
        self.client_id, self.journal, self.whole, self.ended = name, journal, False, ""
        self.gaps = [*self.gaps, *found][-KEPT:]
        return found

    def forgotten(self, now: int) -> Gap:
        """The broker knows our session no more."""
        gap = Gap("session", self.seen, now)
        self.gaps = [*self.gaps, gap][-KEPT:]
        return gap


def read(home: Home, name: str) -> Standing:
    """How a receiver stood when it last wrote; a new one where there is nothing to be read."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(_path(home, name).read_bytes(), type=Standing)
    return Standing()


def write(home: Home, name: str, standing: Standing, *, durable: bool = True) -> None:
    """Replace what is written. Where the disk does not take it, what was there stays. `durable`: waits for the disk."""
    path = _path(home, name)
    fresh = path.with_suffix(".new")
    with suppress(OSError):
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, msgspec.json.encode(standing))
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        fresh.replace(path)


def every(home: Home) -> dict[str, Standing]:
    """All receivers of a home that have ever been with the broker."""
    names = sorted(path.stem.removeprefix("receiver-") for path in home.catalog.glob("receiver-*.json"))
    return {name: standing for name in names if (standing := read(home, name)).client_id}


def _path(home: Home, name: str) -> Path:
    folder: Path = home.catalog
    return folder / f"receiver-{name}.json"


def shown(moment: int | None) -> str:
    """A time in µs for people."""
    return clock.moment(moment).strftime(FORM) if moment is not None else "?"
