"""What is wrong with a TOML file, for the person who writes it: the line, what is the matter, what to do."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import ValidationError

_TABLE = re.compile(r"\s*(\[\[?)\s*([\w.\"' -]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*(\"[^\"]*\"|'[^']*'|[\w.-]+)\s*=")
_NAMED = re.compile(r"((?:fields|example|history|clock|recognise)\.\S+): ")  # a check of ours names its place itself
_WRONG_TYPE = re.compile(r"(string|bool|int|float|number|dict|list|model|literal)_type|literal_error")


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong, and the mend."""

    line: int
    what: str
    remedy: str


def mistakes_of(error: ValidationError, text: str, words: Sequence[str]) -> list[Mistake]:
    """All mistakes of a file that pydantic found, in the order of their lines; `words` are the keys it may have."""
    found = [one for item in error.errors(include_url=False) for one in _of(item, text, words)]
    return sorted(dict.fromkeys(found), key=lambda mistake: mistake.line)


def _of(item: object, text: str, words: Sequence[str]) -> Iterator[Mistake]:
    assert isinstance(item, dict)  # noqa: S101 - pydantic's error details
    place = tuple(str(part) for part in item["loc"])
    key = ".".join(place)
    said = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        near = get_close_matches(place[-1], words, 1)
        mend = f"Correct its spelling ({near[0]}?) or remove it" if near else "Correct its spelling or remove it"
        yield Mistake(line_of(text, place), f"key {key!r} is not known", mend)
    elif item["type"] == "missing":
        yield Mistake(line_of(text, place), f"key {key!r} is missing", "Add it")
    elif _WRONG_TYPE.fullmatch(item["type"]):
        kind = said.removeprefix("Input should be ")
        yield Mistake(line_of(text, place), f"key {key!r}: must be {kind}", "Write it as that")
    else:
        for part in said.split("\n"):
            named = _NAMED.match(part)
            where = (*place, *named[1].split(".")) if named else place
            what = part if named or not key else f"key {key!r}: {part}"
            yield Mistake(line_of(text, where), what, "Mend it in the profile")


def line_of(text: str, place: Sequence[str]) -> int:
    """The line where a key stands, or the nearest above it that does: its table, the file's first line."""
    best, best_depth = 1, 0
    for line, path in _paths(text):
        depth = 0
        while depth < min(len(path), len(place)) and path[depth] == place[depth]:
            depth += 1
        if depth > best_depth and depth == len(path):
            best, best_depth = line, depth
    return best


def _paths(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each line that names a table or a key, with the whole path; elements of arrays by their number."""
    table: tuple[str, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    for line, row in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(row):
            table = _numbered(_words(header[2]), counts, new=header[1] == "[[")
            yield line, table
        elif key := _KEY.match(row):
            path = (*table, *_words(key[1]))
            yield line, path
            # a table written in one line: what stands in its braces
            for inner in re.finditer(r"[{,]\s*([\w-]+)\s*=", row[key.end() :]):
                yield line, (*path, inner[1])


def _words(name: str) -> tuple[str, ...]:
    if name[0] in "\"'":
        return (name[1:-1],)
    return tuple(part.strip().strip("\"'") for part in name.split("."))


def _numbered(words: tuple[str, ...], counts: dict[tuple[str, ...], int], *, new: bool) -> tuple[str, ...]:
    path: tuple[str, ...] = ()
    for place, word in enumerate(words):
        path = (*path, word)
        last = place == len(words) - 1
        if last and new:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, str(counts[path]))
    return path
