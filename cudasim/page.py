"""A report as HTML: findings in the source, figures at each line, tables, the drawing.

Owns: the page and the fragment that notebooks show. Everything that comes from a source or from
names in it is escaped; there is no script and nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape

import cudasim.drawing as drawing
from cudasim.observation import Observation, access_row, heading

STYLE = """
.cudasim{font:14px/1.45 system-ui,sans-serif;color:#1c2733;max-width:74em}
.cudasim h2{font-size:17px;margin:1.4em 0 .4em}
.cudasim .clean{color:#14693a}.cudasim .faulty{color:#a3161f}
.cudasim ol{padding-left:1.4em}.cudasim li{margin:.3em 0}
.cudasim .kind{font-weight:600;color:#a3161f}
.cudasim table{border-collapse:collapse;margin:.3em 0}
.cudasim th,.cudasim td{padding:.15em .7em;text-align:right;border-bottom:1px solid #dde3ea}
.cudasim td.t,.cudasim th.t{text-align:left}
.cudasim .source{border:1px solid #dde3ea;border-radius:4px;overflow-x:auto}
.cudasim .source div{white-space:pre;font:12.5px/1.5 ui-monospace,monospace;padding:0 .6em}
.cudasim .source .n{display:inline-block;width:3em;color:#8794a3}
.cudasim .source .hit{background:#fde3e3}.cudasim .source .also{background:#fdf3da}
.cudasim .badge{font:11px system-ui,sans-serif;border-radius:3px;padding:0 .4em;margin-left:.6em;
 background:#e4edf7;color:#23496f}
.cudasim .badge.bad{background:#f9d3d3;color:#8c1119}
.cudasim .said{color:#a3161f;padding-left:4.2em!important;white-space:normal!important}
.cudasim .bar{display:inline-block;height:.8em;background:#3b78b5;vertical-align:middle}
.cudasim .bar.least{background:#9ec3a8}
"""


def document(report: Observation) -> str:
    """A whole page."""
    title = escape(f"{report.name} in cudasim")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"</head><body>{fragment(report)}</body></html>\n"
    )


def fragment(report: Observation) -> str:
    """What a notebook shows below a cell."""
    parts = [f"<style>{STYLE}</style>", summary(report), found(report), listing(report)]
    if report.profiled:
        parts += [traffic(report), accesses(report), divergence(report)]
    parts.append(drawn(report))
    return f'<div class="cudasim">{"".join(parts)}</div>'


def summary(report: Observation) -> str:
    kind = "clean" if report.clean else "faulty"
    return f'<h2 class="{kind}">{escape(heading(report))}</h2>'


def found(report: Observation) -> str:
    if report.clean:
        return ""
    items = "".join(
        f'<li><span class="kind">{escape(f.kind)}</span> {escape(f.message)}'
        f"{f' ({f.count} times)' if f.count > 1 else ''}</li>"
        for f in report.findings
    )
    return f"<ol>{items}</ol>"


def listing(report: Observation) -> str:
    """The source with what was found and counted at each line."""
    said: dict[int, list[str]] = defaultdict(list)
    for i, f in enumerate(report.findings, 1):
        said[f.line].append(f"{i}. {f.kind}")
    also = {f.other_line for f in report.findings if f.other_line}
    notes = badges(report)
    rows = []
    for n, line in enumerate(report.code.splitlines(), 1):
        kind = "hit" if n in said else "also" if n in also else ""
        marks = "".join(
            f'<span class="badge{" bad" if bad else ""}">{escape(text)}</span>'
            for text, bad in notes.get(n, [])
        )
        rows.append(
            f'<div class="{kind}"><span class="n">{n}</span>{escape(line) or " "}{marks}</div>'
        )
        if n in said:
            rows.append(f'<div class="said">{escape("; ".join(said[n]))}</div>')
    return f'<h2>Source</h2><div class="source">{"".join(rows)}</div>'


def badges(report: Observation) -> dict[int, list[tuple[str, bool]]]:
    """Per line: short figures, and whether each is bad."""
    notes: dict[int, list[tuple[str, bool]]] = defaultdict(list)
    if not report.profiled:
        return notes
    for a in report.counters.accesses:
        if a.space == "global":
            text = f"{a.array} {a.access}: {a.efficiency:.0%} used"
            notes[a.line].append((text, a.efficiency < 0.5))
        elif a.conflict_ways > 1.05:
            notes[a.line].append((f"{a.array}: {a.conflict_ways:.1f}-way conflict", True))
    for s in report.counters.steps:
        if s.active < 0.995:
            notes[s.line].append((f"{s.active:.0%} of lanes", s.active < 0.5))
    return notes


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[int]) -> str:
    """An HTML table; cells are HTML already, columns in ``texts`` go to the left."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=t' if i in texts else ''}>{c}</{tag}>" for i, c in enumerate(row)
        )

    body = "".join(f"<tr>{cells(r, 'td')}</tr>" for r in rows)
    return f"<table><tr>{cells(head, 'th')}</tr>{body}</table>"


def traffic(report: Observation) -> str:
    """Bytes moved beside the least possible, array by array."""
    rows = report.counters.traffic
    if not rows:
        return ""
    top = max(t.read_bytes + t.written_bytes for t in rows) or 1
    body = []
    for t in rows:
        moved = t.read_bytes + t.written_bytes
        least = t.least_read_bytes + t.least_written_bytes
        bars = "<br>".join(
            f'<span class="bar {kind}" style="width:{max(1, 240 * n // top)}px"></span>'
            for n, kind in ((moved, ""), (least, "least"))
        )
        factor = f"{moved / least:.2f}" if least else ""
        body.append(
            (escape(t.array), str(t.read_bytes), str(t.written_bytes), str(least), factor, bars)
        )
    head = ("array", "bytes read", "bytes written", "least", "factor", "moved, least")
    c = report.counters
    return (
        "<h2>Bytes moved against the least possible</h2>"
        + grid(head, body, (0, 5))
        + f"<p>{c.moved_bytes} bytes in all, {c.least_bytes} at least: factor "
        f"{report.traffic_factor:.2f}. Caches are left out.</p>"
    )


def accesses(report: Observation) -> str:
    rows = [[escape(c) for c in access_row(a)] for a in report.counters.accesses]
    head = ("line", "array", "access", "bytes a lane", "requests", "sectors a request", "used",
            "bank ways")  # fmt: skip
    c = report.counters
    return (
        "<h2>Accesses, line by line</h2>"
        + grid(head, rows, (1, 2))
        + f"<p>{c.coalescing:.0%} of the bytes moved were asked for. Bank conflicts cost "
        f"{c.bank_conflicts} wavefronts. Barriers: {c.n_barriers}; warp operations: "
        f"{c.n_warp_operations}.</p>"
    )


def divergence(report: Observation) -> str:
    rows = [
        (str(s.line), str(s.n), f"{s.active:.0%}",
         f'<span class="bar" style="width:{max(1, round(120 * s.active))}px"></span>')
        for s in report.counters.steps
        if s.active < 0.995
    ]  # fmt: skip
    if not rows:
        return "<h2>Divergence</h2><p>All lanes of every warp were at work at every line.</p>"
    head = ("line", "runs by a warp", "lanes at work", "")
    return "<h2>Divergence</h2>" + grid(head, rows, (3,))


def drawn(report: Observation) -> str:
    svg = drawing.draw(report)
    return f"<h2>Who touches what, block (0,0,0)</h2>{svg}" if svg else ""
