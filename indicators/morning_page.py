"""The morning list as one HTML file that needs nothing else: no script, no font, no network."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from indicators.morning import GROUPS, Finding, Morning
from indicators.round import expected, heading

_STYLE = """
:root { color-scheme: light dark; --ink: #16202a; --dim: #5b6b7a; --line: #d9e0e6; --paper: #fff; --soft: #f4f7f9;
  --critical: #b3261e; --warning: #b26a00; --info: #1f6f9c; --good: #2e7d4f }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9aa9b6; --line: #2c3944; --paper: #10171d;
  --soft: #18222a; --critical: #ff8a80; --warning: #ffb74d; --info: #7cc4ee; --good: #7fd6a2 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1.5rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem }
ol { list-style: none; margin: 0; padding: 0 }
li { border: 1px solid var(--line); border-left: 4px solid var(--info); border-radius: 6px; margin: 0 0 .75rem;
  padding: .75rem 1rem; break-inside: avoid }
li.critical { border-left-color: var(--critical) } li.warning { border-left-color: var(--warning) }
li h3 { font-size: 1rem; margin: 0 } li p { margin: .25rem 0 0; color: var(--dim) } li p.loss { color: var(--ink);
  font-weight: 600 }
code { font-size: .85em; color: var(--dim) }
table { border-collapse: collapse; width: 100% } td { border-bottom: 1px solid var(--line); padding: .4rem .5rem;
  vertical-align: top } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.sheet { background: var(--soft); border-radius: 6px; padding: .6rem .9rem; margin: 0 0 .5rem;
  font-variant-numeric: tabular-nums } .ok { color: var(--good) } .bad { color: var(--critical) }
""".strip()


def page(morning: Morning) -> str:
    """Write the report as a standalone HTML document; every text from outside is escaped."""
    return "".join(_parts(morning))


def _parts(morning: Morning) -> Iterator[str]:
    title = escape(morning.title)
    yield f'<!doctype html>\n<html lang="{morning.lang}">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    for group in GROUPS:
        found = morning.of(group)
        if found or group == "new":
            yield f"<h2>{escape(morning.heading(group))}</h2>\n"
            yield f"<ol>\n{''.join(_item(morning, finding) for finding in found)}</ol>\n"
        if group == "new" and not found:
            yield f"<p>{escape(morning.label('no_news' if morning.findings else 'nothing'))}</p>\n"
    if morning.total:
        yield f"<p><strong>{escape(morning.label('total'))}: {escape(morning.total)}</strong></p>\n"
    yield f"<h2>{escape(morning.label('silent'))} ({sum(len(one.devices) for one in morning.silent)})</h2>\n"
    yield _table(((s.title, morning.names(s, 40), morning.count(len(s.devices))) for s in morning.silent), right=2)
    if morning.events:
        yield f"<h2>{escape(morning.label('events'))}</h2>\n"
        yield _table(((title, morning.count(times)) for title, times in morning.events), right=1)
    if morning.round.stops:
        yield f"<h2>{escape(heading(morning.round, morning.lang))}</h2>\n"
        yield _table(((stop.place, expected(stop, morning.lang)) for stop in morning.round.stops), right=1)
    if morning.coverage:
        yield f"<h2>{escape(morning.label('coverage'))}</h2>\n"
        yield _table(((f.where, f.period, morning.value(f)) for f in morning.coverage), right=2)
    yield f"<h2>{escape(morning.label('figures'))}</h2>\n"
    yield _table(_figures(morning), right=3)
    yield f"<h2>{escape(morning.label('kept'))}</h2>\n"
    yield _table(((name, morning.rows_of(rows)) for name, rows in morning.rows), right=1)
    yield f"<h2>{escape(morning.label('balance'))}</h2>\n{''.join(_sheets(morning))}"
    reasons = sorted(morning.balance.reasons.items(), key=lambda item: (-item[1], item[0]))
    yield _table(((morning.reason(reason), morning.count(count)) for reason, count in reasons), right=1)
    yield "</body>\n</html>\n"


def _figures(morning: Morning) -> Iterator[tuple[str, str, str, str]]:
    """A row for each value; a title stands once."""
    before = ""
    for figure in morning.figures:
        yield "" if figure.title == before else figure.title, figure.where, figure.period, morning.value(figure)
        before = figure.title


def _item(morning: Morning, finding: Finding) -> str:
    severity = finding.severity if finding.severity in {"critical", "warning"} else "info"
    loss = morning.loss(finding)
    rows = [
        f'<li class="{severity}" id="{escape(finding.alarm_id)}">',
        f"<h3>{escape(finding.title)}: {escape(finding.where)}</h3>",
        f"<p>{escape(morning.when(finding))} <code>{escape(finding.alarm_id)}</code></p>",
        f'<p class="loss">{escape(loss)}</p>' if loss else "",
        f"<p>{escape(morning.label('why'))}: {escape(finding.why)}</p>" if finding.why else "",
        *(f"<p>{escape(note)}</p>" for note in morning.notes(finding)),
        "</li>",
    ]
    return "\n".join(row for row in rows if row) + "\n"


def _sheets(morning: Morning) -> Iterator[str]:
    for name in ("messages", "readings"):
        equation, holds = morning.sheet(name)
        mark, word = ("ok", "adds_up") if holds else ("bad", "not")
        state = f'<strong class="{mark}">{escape(morning.label(word))}</strong>'
        yield f'<p class="sheet">{escape(equation)}: {state}</p>\n'


def _table(rows: Iterable[Sequence[str]], right: int) -> str:
    """Rows of text; the column `right` holds numbers."""
    return f"<table>\n{''.join(f'<tr>{_cells(row, right)}</tr>' for row in rows)}\n</table>\n"


def _cells(row: Sequence[str], right: int) -> str:
    opened = ('<td class="n">' if n == right else "<td>" for n in range(len(row)))
    return "".join(f"{start}{escape(cell)}</td>" for start, cell in zip(opened, row, strict=True))
