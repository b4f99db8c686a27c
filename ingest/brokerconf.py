"""What Mosquitto's configuration says about messages that wait for an absent client, and about who may read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import DravaError

HOURS = {"h": 1, "d": 24, "w": 168, "m": 720, "y": 8760}  # as Mosquitto counts
READ = ("read", "readwrite")


@dataclass(frozen=True)
class Queue:
    """How much a Mosquitto keeps for a client that is away. 0: no limit; expiry None: for ever."""

    messages: int
    bytes: int
    persistent: bool
    saved_every: int  # seconds, or changes; 0: at a clean stop alone
    counts_changes: bool
    expiry_h: float | None
    inflight: int
    acl: Path | None


def queue(conf: Path) -> Queue:
    """Read Mosquitto's configuration; what it does not say has Mosquitto's defaults. Raises DravaError."""
    try:
        said = dict(_lines(conf))
        expiry = said.get("persistent_client_expiration", "")
        return Queue(
            int(said.get("max_queued_messages", 1000)),
            int(said.get("max_queued_bytes", 0)),
            said.get("persistence") == "true",
            int(said.get("autosave_interval", 1800)),
            said.get("autosave_on_changes") == "true",
            int(expiry[:-1]) * HOURS[expiry[-1]] if expiry else None,
            int(said.get("max_inflight_messages", 20)),
            Path(said["acl_file"]) if "acl_file" in said else None,
        )
    except OSError as error:
        raise DravaError(
            f"{error.filename or conf} cannot be read: {error.strerror}", "Give Mosquitto's own configuration"
        ) from None
    except (ValueError, KeyError):
        raise DravaError(f"{conf} is no configuration of Mosquitto", "Give Mosquitto's own configuration") from None


def _lines(conf: Path) -> Iterator[tuple[str, str]]:
    """Words and values, also of the folders that it includes; a later one counts."""
    for line in conf.read_text("utf-8", "replace").splitlines():
        word, _, value = line.strip().partition(" ")
        if word == "include_dir":
            for file in sorted(Path(value.strip()).glob("*.conf")):
                yield from _lines(file)
        elif value and not word.startswith("#"):
            yield word, value.strip()


def unreadable(acl: Path, user: str, filters: Sequence[str]) -> list[str]:
    """Which of our topic filters an ACL file lets this user read nothing of. Raises OSError where it cannot be read."""
    allowed = [pattern.split("/") for pattern in _allowed(acl, user)]
    return [pattern for pattern in filters if not any(_covers(one, pattern.split("/")) for one in allowed)]


def _allowed(acl: Path, user: str) -> Iterator[str]:
    whose = ""  # lines before the first user are for those without a name
    for line in acl.read_text("utf-8", "replace").splitlines():
        word, _, rest = line.strip().partition(" ")
        right, _, topic = rest.strip().partition(" ")
        if right not in (*READ, "write", "deny"):
            right, topic = "readwrite", rest
        if word == "user":
            whose = rest.strip()
        elif right in READ and (word == "pattern" or (word == "topic" and whose == user)):
            yield topic.strip().replace("%u", user)


def _covers(allowed: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a topic filter lets through all that another one asks for."""
    for place, level in enumerate(allowed):
        if level == "#":
            return True
        if place >= len(wanted) or wanted[place] == "#" or level not in ("+", wanted[place]):
            return False
    return len(allowed) == len(wanted)
