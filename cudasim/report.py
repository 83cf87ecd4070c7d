"""What a watched launch is told about: findings with their lines, and what it costs.

Owns: Report, its plain and its rich text. The page is page.py's, the drawing drawing.py's; words
and figures come from findings.py and counters.py. rich is not imported: it renders what
``__rich__`` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cudasim.page as page
from cudasim.findings import Finding
from cudasim.observation import Observation, access_row, heading

CONTEXT = 2  # lines shown before and after the one that a finding is about


class Report(Observation):
    """An observation that shows itself: in a notebook, by ``print`` or rich, by ``save``."""

    def __repr__(self) -> str:
        return f"<{heading(self)}>"

    def __str__(self) -> str:
        return "\n".join(text for text, _ in lines(self))

    def __rich__(self) -> str:
        return "\n".join(
            f"[{style}]{escape(text)}[/]" if style else escape(text) for text, style in lines(self)
        )

    def _repr_html_(self) -> str:
        return page.fragment(self)

    def html(self) -> str:
        """The report as a page that needs nothing else."""
        return page.document(self)

    def save(self, path: str | Path) -> None:
        """Writes the page."""
        Path(path).write_text(self.html(), encoding="utf-8")


def escape(text: str) -> str:
    return text.replace("[", r"\[")


def lines(report: Report) -> Iterator[tuple[str, str]]:
    """The report as (text, style of rich) pairs."""
    yield heading(report), "bold green" if report.clean else "bold red"
    for finding in report.findings:
        times = f" ({finding.count} times)" if finding.count > 1 else ""
        yield "", ""
        yield f"{finding.kind}: {finding.message}{times}", "red"
        yield from excerpt(report.code, finding)
    if report.profiled:
        yield from figures(report)


def excerpt(code: str, finding: Finding) -> Iterator[tuple[str, str]]:
    """The lines of the source around those that a finding names."""
    source = code.splitlines()
    marked = {finding.line: ">", finding.other_line: "<"} if finding.other_line else {}
    marked[finding.line] = ">"
    wanted = sorted(
        {
            n
            for m in marked
            if m
            for n in range(m - CONTEXT, m + CONTEXT + 1)
            if 0 < n <= len(source)
        }
    )
    last = 0
    for n in wanted:
        if last and n > last + 1:
            yield "       ...", "dim"
        mark = marked.get(n, " ")
        yield f"  {mark} {n:4} {source[n - 1]}", "bold" if mark != " " else "dim"
        last = n


def figures(report: Report) -> Iterator[tuple[str, str]]:
    c = report.counters
    yield "", ""
    yield (
        f"global memory: {c.moved_bytes} bytes moved, {c.least_bytes} is the least "
        f"(factor {report.traffic_factor:.2f}); {c.coalescing:.0%} of it was asked for",
        "",
    )
    yield (
        f"shared memory: {c.bank_conflicts} wavefronts lost to bank conflicts; "
        f"barriers: {c.n_barriers}; warp operations: {c.n_warp_operations}; "
        f"lanes at work: {c.active:.0%}",
        "",
    )
    yield from table(
        ("line", "array", "access", "bytes", "requests", "sectors/request", "used", "bank ways"),
        [access_row(a) for a in c.accesses],
    )
    slow = [s for s in c.steps if s.active < 0.995]
    if slow:
        yield from table(
            ("line", "runs by a warp", "lanes at work"),
            [(str(s.line), str(s.n), f"{s.active:.0%}") for s in slow],
        )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Columns as wide as their widest cell, numbers to the right."""
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    yield "", ""
    for n, row in enumerate([head, *rows]):
        cells = [
            c.ljust(w) if i in (1, 2) and len(head) > 3 else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  " + "  ".join(cells).rstrip(), "bold" if n == 0 else ""
