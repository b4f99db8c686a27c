"""What is said of an object, dated: a fact holds from its moment until the next one of the same name. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Value = float | int | str | bool | None
Subject = tuple[str, str]  # kind (`thing`, `device`, or one of kinds.toml) and id
Facts = dict[tuple[str, int], Value]  # (name, since when: µs since 1970 UTC) -> value

ALWAYS = 0  # since when something holds that nobody has dated
IN_SERVICE = "in_service"  # true from when an object is there, false from when it is not


@dataclass(frozen=True)
class Version:
    """What held from `since` until before `until` (None: still)."""

    since: int
    until: int | None
    values: dict[str, Value]


def at(facts: Mapping[tuple[str, int], Value], moment: int) -> dict[str, Value]:
    """Give what holds at a moment, by name."""
    return _folded(item for item in facts.items() if item[0][1] <= moment)


def last(facts: Mapping[tuple[str, int], Value]) -> dict[str, Value]:
    """Give what was said of the latest time, by name."""
    return _folded(facts.items())


def _folded(items: Iterable[tuple[tuple[str, int], Value]]) -> dict[str, Value]:
    ordered = sorted(items, key=lambda item: (item[0][1], item[0][0]))
    return {name: value for (name, _), value in ordered if value is not None}


def versions(facts: Mapping[tuple[str, int], Value]) -> Iterator[Version]:
    """Give the stretches of time in which one thing held, in order; what is out of service has none.

    An object that nobody ever put into service is there from the first fact on.
    """
    moments = sorted({since for _, since in facts})
    lives = any(name == IN_SERVICE for name, _ in facts)
    known: dict[str, Value] = {}
    begun: Version | None = None
    for moment in moments:
        known |= {name: value for (name, since), value in facts.items() if since == moment}
        there = not lives or known.get(IN_SERVICE) is True
        held: dict[str, Value] | None = None
        if there:
            held = {name: v for name, v in sorted(known.items()) if v is not None and name != IN_SERVICE}
        if begun is not None and held == begun.values:
            continue
        if begun is not None:
            yield Version(begun.since, moment, begun.values)
        begun = None if held is None else Version(moment, None, held)
    if begun is not None:
        yield begun


def live(facts: Facts, since: int, until: int | None) -> None:
    """Say that an object is in service from `since` on, and where `until` is given until then and no longer."""
    if at(facts, since).get(IN_SERVICE) is not True:
        facts[IN_SERVICE, since] = True
    if until is None:
        return
    for key in [key for key in facts if key[0] == IN_SERVICE and since < key[1] < until]:
        del facts[key]  # it says that the object was there all the time between
    facts[IN_SERVICE, until] = False
