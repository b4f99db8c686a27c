"""The chain of a table's log: each entry carries the hash of the one before, the catalogue keeps each and the last.

Who alters a file must alter its entry, all later entries, the plans and the chain's end in the catalogue; and a backup
has them as they were.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog.plans import Applied
from lake import log
from schemas.vocabulary import Text

ALTERED = Text(en="is not what was written", sl="ni to, kar je bilo zapisano")
MISSING = Text(en="is missing", sl="manjka")
STRANGE = Text(en="was not written by Drava", sl="ni zapisala Drava")
UNLIKE_PLAN = Text(en="is not what the catalogue's plan says", sl="ni to, kar pravi načrt v katalogu")
UNLIKE_BEGIN = Text(en="is not the beginning that the catalogue knows", sl="ni začetek, ki ga pozna katalog")
UNLIKE_END = Text(en="is not the end that the catalogue knows", sl="ni konec, ki ga pozna katalog")


@dataclass
class Walked:
    """What was found on the way: entries that carry a hash, the first that is wrong, what files must hash to."""

    links: int = 0
    broken: tuple[int, Text] | None = None  # version, what is wrong with it
    sha256: dict[str, str] = field(default_factory=dict)  # by path, of the files that kept entries have added


@dataclass(frozen=True)
class _Entry:
    version: int
    link: str
    actions: list[dict[str, Any]] | None  # None: it cannot be read

    @property
    def info(self) -> Mapping[str, Any]:
        return next((action["commitInfo"] for action in self.actions or () if "commitInfo" in action), {})

    @property
    def changes_files(self) -> bool:
        return any("add" in action or "remove" in action for action in self.actions or ())


@dataclass(frozen=True)
class Known:
    """What the catalogue keeps of one table's chain. A beginning is known from the first sweep on."""

    plans: Mapping[int, str]  # hash of the entry, by plan
    begin: Applied | None
    end: Applied | None


def walk(table: Path, version: int, known: Callable[[], Known]) -> Walked:
    """Follow the log of a table from where its chain begins up to a version.

    Maintenance moves the beginning, first in the catalogue, then in the folder; so the folder is looked at first.
    """
    while True:
        kept = log.kept(table)
        now = known()
        first = now.begin.version if now.begin else 0
        part = [number for number in kept if first <= number <= version]
        found = Walked()
        try:
            found.broken = next(_faults(_entries(table, part, found), part, version, now), None)
        except FileNotFoundError:  # let go of meanwhile
            if kept == log.kept(table):
                raise
            continue
        return found


def _entries(table: Path, kept: Sequence[int], found: Walked) -> Iterator[_Entry]:
    for number in kept:
        body = log.path_of(table, number).read_bytes()
        entry = _Entry(number, log.link(body), _actions(body))
        for action in entry.actions or ():
            if tags := action.get("add", {}).get("tags"):
                found.sha256[action["add"]["path"]] = tags.get("sha256", "")
        found.links += "previous" in entry.info
        yield entry


def _actions(body: bytes) -> list[dict[str, Any]] | None:
    try:
        return [json.loads(line) for line in body.splitlines()]
    except ValueError:
        return None


def _faults(entries: Iterator[_Entry], kept: Sequence[int], version: int, known: Known) -> Iterator[tuple[int, Text]]:
    """What is wrong, from the oldest entry on."""
    before: _Entry | None = None
    linked = False  # entries of before this program carried hashes carry none
    first = known.begin.version if known.begin else kept[0] if kept else 0
    for expected, entry in enumerate(entries, first):
        if entry.version != expected:
            yield expected, MISSING
        if what := _wrong(entry, known, linked=linked):
            yield entry.version, what
        previous = entry.info.get("previous", "")
        if previous and before and previous != before.link:
            proven = before.info.get("plan") in known.plans  # then it is this one that was altered
            yield entry.version if proven else before.version, ALTERED
        before, linked = entry, linked or bool(previous)
    if not kept or kept[-1] != version:
        yield version, MISSING


def _wrong(entry: _Entry, known: Known, *, linked: bool) -> Text | None:
    if entry.actions is None:
        return ALTERED
    if linked and "previous" not in entry.info and entry.changes_files:  # deltalake adds columns for us, nothing else
        return STRANGE
    if known.plans.get(entry.info.get("plan", 0), entry.link) != entry.link:
        return UNLIKE_PLAN
    for place, what in ((known.begin, UNLIKE_BEGIN), (known.end, UNLIKE_END)):
        if place and place.version == entry.version and place.link != entry.link:
            return what
    return None
