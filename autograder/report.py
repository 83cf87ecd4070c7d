"""The class report: one page that says how a class did, with charts drawn as SVG inside it.

One pass over the records, of which only numbers are kept, so thousands fit. The same records give
the same page, byte for byte. Owns: the report, every import of matplotlib. Must not know: nbgrader,
sandboxes, submissions. Read before: pages.py, score.py.
"""

from __future__ import annotations

import io
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from autograder import lateness, pages, score
from autograder.hints import SHARED, Hint
from autograder.results import Record
from autograder.score import Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from autograder.standings import Standing

MOST_TAGS = 15
INK, SOFT, BLUE, GREEN, RED = "#1d2129", "#5b6472", "#3b6fb6", "#2a9d4a", "#d9534a"
STYLE = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the page's own font
    "svg.hashsalt": "report",  # ids of clip paths that do not change from run to run
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": "#c5cad3",
    "xtick.color": SOFT,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass
class Class:
    """What the report needs of all records."""

    marks: list[Mark] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    holes: dict[str, float] = field(default_factory=dict)  # most points per hole
    by_hand: dict[str, float] = field(default_factory=dict)  # most points that a human gives
    titles: dict[str, str] = field(default_factory=dict)  # of the checks
    passing: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    sandboxes: Counter[str] = field(default_factory=Counter)
    unsandboxed: int = 0

    def add(self, record: Record) -> None:
        mark = score.mark(record)
        self.marks.append(mark)
        self.seconds.append(record["seconds"])
        for hole, (_, most) in mark.holes.items():
            self.holes[hole] = max(most, self.holes.get(hole, 0.0))
        self.by_hand |= record.get("by_hand", {})
        for row in record["results"]:
            self.titles[row["check"]] = f"{row['hole']}: {row['title']}"
            self.taken[row["check"]] += 1
            self.passing[row["check"]] += row["status"] == "passed"
        self.tags.update(mark.tags)
        self.sandboxes[record["sandbox"]] += 1
        self.unsandboxed += pages.unsandboxed(record)


def write(
    course_dir: Path | str,
    assignment: str,
    records: Iterable[Record],
    path: Path | str,
    *,
    hints: Mapping[str, Hint] | None = None,
    title: str = "",
    sections: Iterable[Any] = (),
    standings: Mapping[str, Standing] | None = None,
) -> Path:
    """Write the report of an assignment's records, of none too, to ``path``; returns it.

    ``hints`` gives the misconceptions their titles, ``standings`` what a human and lateness change.
    Students' names lead to their feedback pages in ``course_dir`` where these exist. ``sections``
    is markup that others made for this page.
    """
    everyone = Class()
    for record in records:
        everyone.add(record)
    links = _links(course_dir, path)
    how = {"title": title, "links": links, "sections": sections, "standings": standings}
    text = page(everyone, assignment, hints=hints, **how)
    return pages.write(Path(path), text)


def page(
    everyone: Class,
    assignment: str,
    *,
    hints: Mapping[str, Hint] | None = None,
    title: str = "",
    links: Any = None,
    sections: Iterable[Any] = (),
    standings: Mapping[str, Standing] | None = None,
) -> str:
    """The report as HTML; ``links(student, assignment)`` gives the address of a feedback page."""
    names = SHARED if hints is None else hints
    found = standings or {}
    counts = [found[m.student].score if m.student in found else m.points for m in everyone.marks]
    percents = [
        100 * got / m.max_points if m.max_points else 0.0
        for got, m in zip(counts, everyone.marks, strict=True)
    ]
    waiting = sum(
        found[m.student].waits if m.student in found else bool(everyone.by_hand)
        for m in everyone.marks
    )
    tags = [
        (tag, names[tag].title if tag in names else "", n)
        for tag, n in everyone.tags.most_common(MOST_TAGS)
    ]
    return pages.page(
        "report.html",
        "report.css",
        inline_style=True,
        title=title or assignment.replace("_", " "),
        assignment=assignment,
        everyone=everyone,
        mean=statistics.fmean(percents) if percents else None,
        median=statistics.median(percents) if percents else None,
        full=sum(p >= 100 for p in percents),
        waiting=waiting if everyone.by_hand else 0,
        by_hand=sum(everyone.by_hand.values()),
        total_s=sum(everyone.seconds),
        tags=tags,
        charts=charts(everyone, percents, tags) if percents else {},
        sections=list(sections),
        standings=bool(standings),
        rows=[
            _row(m, s, everyone, links) | _standing(m, found) | {"percent": p}
            for m, s, p in zip(everyone.marks, everyone.seconds, percents, strict=True)
        ],
    )


def _row(mark: Mark, seconds: float, everyone: Class, links: Any) -> dict[str, Any]:
    """A line of the table; ``level`` 0 to 4 is the colour of a task's share of points."""
    cells = []
    for hole in everyone.holes:
        got, most = mark.holes.get(hole, (0.0, 0.0))
        share = got / most if most else 0.0
        cells.append({"points": got, "most": most, "level": 4 if share >= 1 else int(share * 4)})
    link = links(mark.student) if links else ""
    return {"mark": mark, "seconds": seconds, "cells": cells, "link": link}


def _standing(mark: Mark, standings: Mapping[str, Standing]) -> dict[str, Any]:
    """What counts in the end, and how late it came at which price."""
    found = standings.get(mark.student)
    late = lateness.lasted(found.late_s) if found and found.late_s else ""
    price = f" (−{found.penalty:.10g})" if late and found.penalty else ""
    return {"counts": found.score if found else mark.points, "late": late + price}


def _links(course_dir: Path | str, path: Path | str) -> Any:
    """student -> address of the feedback page, relative to the report, "" where there is none."""
    root, here = Path(course_dir).resolve(), Path(path).resolve()
    assignment = here.stem

    def link(student: str) -> str:
        target = root / "feedback" / student / assignment / f"{assignment}.html"
        if not target.is_file() or here.parent.parent != root:
            return ""
        return quote(f"../feedback/{student}/{assignment}/{assignment}.html")

    return link


def charts(
    everyone: Class, percents: list[float], tags: list[tuple[str, str, int]]
) -> dict[str, Any]:
    """Four charts as SVG, safe to put into the page."""
    n = len(everyone.marks)
    shares = [
        (everyone.titles[c], 100 * everyone.passing[c] / taken)
        for c, taken in everyone.taken.items()
    ]
    common = [(f"{tag}: {name}" if name else tag, count) for tag, name, count in tags]
    drawn = {
        "scores": _svg(lambda axes: _histogram(axes, percents), 6.2, 2.9),
        "seconds": _svg(lambda axes: _seconds(axes, everyone.seconds), 6.2, 2.9),
        "passing": _svg(lambda axes: _bars(axes, shares, 100, "% of students"), 11, _high(shares)),
    }
    if common:
        drawn["tags"] = _svg(
            lambda axes: _bars(axes, common, n, "students", RED), 11, _high(common)
        )
    return drawn


def _high(rows: list[Any]) -> float:
    """Inches for this many bars."""
    return 0.75 + 0.235 * len(rows)


def _histogram(axes: Axes, percents: list[float]) -> None:
    """Ten bins of a tenth of the points each; extra credit counts to the last."""
    counts = Counter(min(9, int(p / 10 + 1e-9)) for p in percents)
    heights = [counts[i] for i in range(10)]
    bars = axes.bar([10 * i + 5 for i in range(10)], heights, width=9.2, color=BLUE)
    axes.bar_label(bars, [str(h) if h else "" for h in heights], padding=2, color=INK)
    axes.set(xlabel="score in %", ylabel="students", xlim=(0, 100), xticks=range(0, 101, 10))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.margins(y=0.15)


def _bars(
    axes: Axes, rows: list[tuple[str, float]], most: float, unit: str, color: str = GREEN
) -> None:
    """Horizontal bars, the first on top, each with its number."""
    places = range(len(rows))
    bars = axes.barh(places, [v for _, v in rows], height=0.72, color=color)
    axes.barh(places, [most] * len(rows), height=0.72, color="#eceef1", zorder=0)
    axes.bar_label(bars, [f"{v:.0f}" for _, v in rows], padding=3, color=INK)
    axes.set_yticks(places, [_short(label) for label, _ in rows], parse_math=False)
    axes.set(xlim=(0, most * 1.06), xlabel=unit)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _seconds(axes: Axes, seconds: list[float]) -> None:
    axes.hist(seconds, bins=min(30, max(5, len(seconds) // 4)), color=BLUE, rwidth=0.93)
    axes.set(xlabel="seconds to grade a submission", ylabel="submissions")
    axes.set_xlim(left=0)
    axes.yaxis.get_major_locator().set_params(integer=True)


def _short(label: str, most: int = 62) -> str:
    label = pages.printable(label)
    return label if len(label) <= most else label[: most - 1] + "…"


def _svg(draw: Any, wide: float, high: float) -> Any:
    """What ``draw(axes)`` draws, as an SVG element without prolog, sized by the page."""
    from markupsafe import Markup
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure: Figure = Figure(figsize=(wide, high), layout="constrained")
        draw(figure.subplots())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    # matplotlib escapes what it draws, so the element is safe; ids must differ between charts
    mark = f"{wide:g}{high:g}{len(text)}".replace(".", "")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>c{mark}-", text)
    return Markup(text)
