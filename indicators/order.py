"""Indicators in the order in which they build on each other."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from indicators.header import Cadence, Pack, packs
from schemas.errors import DravaError

CADENCES: tuple[Cadence, ...] = ("commit", "hour", "night")  # what is due at one is due at the later ones too


def ordered(wanted: Iterable[Pack], known: Mapping[str, Pack] | None = None) -> list[Pack]:
    """These indicators and all that they need, each after those. Raises DravaError where that cannot be."""
    known = packs("indicator") if known is None else known
    graph: dict[str, tuple[str, ...]] = {}
    open_ = [pack.id for pack in wanted]
    while open_:
        name = open_.pop()
        if name not in known:
            raise DravaError(f"{name!r}, which an indicator needs, is not there", "Mend `needs` in the pack's header")
        if name not in graph:
            graph[name] = known[name].needs
            open_ += graph[name]
    sorter = TopologicalSorter({name: sorted(graph[name]) for name in sorted(graph)})
    try:
        return [known[name] for name in sorter.static_order()]
    except CycleError as error:
        raise DravaError(
            f"indicators need each other: {' > '.join(error.args[1])}", "Mend `needs` in a header"
        ) from None


def due(wanted: Iterable[Pack], cadence: Cadence | None) -> list[Pack]:
    """Those that are due at a cadence: what is to be known hourly is computed at night, too."""
    upto = CADENCES if cadence is None else CADENCES[: CADENCES.index(cadence) + 1]
    return [pack for pack in wanted if pack.cadence in upto]


def dependents(name: str) -> set[str]:
    """The indicators that need one, directly."""
    return {pack.id for pack in packs("indicator").values() if name in pack.needs}
