"""The morning list as plain text, for a terminal, a file and a mail."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from indicators import words
from indicators.morning import GROUPS, Finding, Morning
from indicators.round import expected, heading


def text(morning: Morning) -> str:
    """Write the report as plain text for a terminal or a mail."""
    return "\n".join(_lines(morning)) + "\n"


def _lines(morning: Morning) -> Iterator[str]:
    yield morning.title
    yield from _groups(morning)
    if morning.total:
        yield from ("", f"{morning.label('total')}: {morning.total}")
    yield from ("", f"{morning.label('silent')} ({sum(len(one.devices) for one in morning.silent)})")
    yield from _aligned([(s.title, f"{morning.count(len(s.devices))}: {morning.names(s)}") for s in morning.silent])
    if not morning.silent:
        yield f"  {morning.label('nobody')}"
    if morning.events:
        yield from ("", morning.label("events"))
        yield from _aligned([(title, morning.count(times)) for title, times in morning.events])
    if morning.round.stops:
        yield from ("", heading(morning.round, morning.lang))
        yield from _aligned([(stop.place, expected(stop, morning.lang)) for stop in morning.round.stops])
    if morning.coverage:
        yield from ("", morning.label("coverage"))
        yield from _aligned([(f.where, f"{morning.value(f)} ({f.period})") for f in morning.coverage])
    yield from ("", morning.label("figures"))
    yield from _aligned([(title, values) for title, values in _figures(morning)])
    yield from ("", morning.label("kept"))
    yield from _aligned([(title, f"{morning.rows_of(rows)}") for title, rows in morning.rows])
    yield from ("", morning.label("balance"))
    for name in ("messages", "readings"):
        equation, holds = morning.sheet(name)
        yield f"  {equation}: {morning.label('adds_up' if holds else 'not')}"
    for reason, count in sorted(morning.balance.reasons.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {morning.label('quarantine')} {morning.count(count)}: {morning.reason(reason)}"


def _groups(morning: Morning) -> Iterator[str]:
    n = 0
    for group in GROUPS:
        found = morning.of(group)
        if not found and group != "new":
            continue
        yield from ("", morning.heading(group))
        for finding in found:
            n += 1
            yield from _finding(morning, n, finding)
        if not found:
            yield f"  {morning.label('no_news' if morning.findings else 'nothing')}"


def _finding(morning: Morning, n: int, finding: Finding) -> Iterator[str]:
    yield f"{n:>3}. {finding.title}: {finding.where}  [{finding.alarm_id}]"
    yield f"     {morning.when(finding)}"
    if loss := morning.loss(finding):
        yield f"     {morning.label('loss' if finding.until is None else 'cost')}: {loss}"
    if finding.why:
        yield f"     {morning.label('why')}: {finding.why}"
    for note in morning.notes(finding):
        yield f"     {note}"


def _figures(morning: Morning) -> Iterator[tuple[str, str]]:
    """One line for each indicator and period: its title, and its values side by side."""
    for (title, unit, period), group in groupby(morning.figures, key=lambda f: (f.title, f.unit, f.period)):
        figures = list(group)
        values = " · ".join(f"{f.where} {morning.bare(f)}" for f in figures)
        known = [f.value for f in figures if f.value is not None]
        shown = words.unit(unit, morning.lang, known[-1]) if known else ""
        yield title, f"{values} {shown}".rstrip() + f" ({period})"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
