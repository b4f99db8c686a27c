"""The chain of a table's log: each entry carries the hash of the one before, the catalogue keeps each and the last.

Who alters a file must alter its entry, all later entries, the plans and the chain's end in the catalogue; and a backup
has them as they were.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
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


def walk(table: Path, version: int, plans: Mapping[int, str], end: Applied | None) -> Walked:
    """Follow the log of a table up to a version; `plans` are the hashes that the catalogue keeps, by plan.

    Maintenance lets entries go from the beginning: the chain starts with the oldest one that is kept.
    """
    while True:
        kept = _kept(table, version)
        found = Walked()
        try:
            found.broken = next(_faults(_entries(table, kept, found), kept, version, plans, end), None)
        except FileNotFoundError:  # let go of meanwhile
            if kept == _kept(table, version):
                raise
            continue
        return found


def _kept(table: Path, version: int) -> list[int]:
    names = (path.stem for path in (table / log.FOLDER).glob("*.json"))
    return sorted(int(name) for name in names if name.isdecimal() and int(name) <= version)


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


def _faults(
    entries: Iterator[_Entry], kept: Sequence[int], version: int, plans: Mapping[int, str], end: Applied | None
) -> Iterator[tuple[int, Text]]:
    """What is wrong, from the oldest entry on."""
    before: _Entry | None = None
    linked = False  # entries of before this program carried hashes carry none
    for expected, entry in enumerate(entries, kept[0] if kept else 0):
        if entry.version != expected:
            yield expected, MISSING
        if what := _wrong(entry, plans, end, linked=linked):
            yield entry.version, what
        previous = entry.info.get("previous", "")
        if previous and before and previous != before.link:
            proven = before.info.get("plan") in plans  # then it is this one that was altered
            yield entry.version if proven else before.version, ALTERED
        before, linked = entry, linked or bool(previous)
    if not kept or kept[-1] != version:
        yield version, MISSING


def _wrong(entry: _Entry, plans: Mapping[int, str], end: Applied | None, *, linked: bool) -> Text | None:
    if entry.actions is None:
        return ALTERED
    if linked and "previous" not in entry.info and entry.changes_files:  # deltalake adds columns for us, nothing else
        return STRANGE
    if plans.get(entry.info.get("plan", 0), entry.link) != entry.link:
        return UNLIKE_PLAN
    if end and end.version == entry.version and end.link != entry.link:
        return UNLIKE_END
    return None
