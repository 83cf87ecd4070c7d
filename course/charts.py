"""Charts of lessons, labs and benchmarks: one style, as SVG that reads on light and dark pages.

    figure, axes = chart(7, 3)
    axes.plot(lengths, seconds, color=BLUE, label="paged")
    drawing = finish(figure, alt="Seconds a token against context length: ...")
    drawing.save("decode.svg")          # or the last line of a notebook's cell shows it

Owns: every import of matplotlib outside the grader's report, the colours. Must not know: what is
drawn. Figures are made without pyplot, so nothing global is left behind, and the same data give
the same bytes.
"""

from __future__ import annotations

import html
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Middle tones: at least 3:1 against white and against a dark page.
INK, SOFT, FAINT = "#7a828e", "#8b93a0", "#8b93a040"
BLUE, GREEN, RED, AMBER, VIOLET, TEAL = (
    *("#4c82d1", "#2f9e5a", "#d8574e"),
    *("#c8841a", "#9468cf", "#2a9aa6"),
)
COLOURS = (BLUE, AMBER, GREEN, RED, VIOLET, TEAL)

# a legend takes its style when it is made, not when it is drawn: axes.legend(**LEGEND)
LEGEND: dict[str, Any] = {"frameon": False, "labelcolor": INK}

STYLE = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the page's own font
    "svg.hashsalt": "course",  # ids of clip paths that do not change from run to run
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": FAINT,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@dataclass(frozen=True)
class Drawing:
    """A finished drawing: SVG text, and a sentence for those who cannot see it."""

    svg: str
    alt: str

    def _repr_html_(self) -> str:
        """What a notebook or a page shows."""
        return (
            f'<div class="drawing" role="img" aria-label="{html.escape(self.alt)}">{self.svg}</div>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the SVG; the folder is made."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.svg, encoding="utf-8")
        return path


def chart(
    wide: float = 7.0, high: float = 3.2, *, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """A figure of `wide` x `high` inches and its axes (an array of them where there are several).

    `options` go to matplotlib's `Figure.subplots` (`sharex=True`, `width_ratios=...`).
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(wide, high), layout="constrained")
        ratios = {k: options.pop(k) for k in ("width_ratios", "height_ratios") if k in options}
        return figure, figure.subplots(rows, columns, gridspec_kw=ratios or None, **options)


def blank(wide: float = 7.0, high: float = 3.2) -> tuple[Figure, Any]:
    """A figure whose one pair of axes is hidden and has equal units: for boxes and arrows."""
    figure, axes = chart(wide, high)
    axes.set_axis_off()
    axes.set_aspect("equal")
    return figure, axes


def finish(figure: Figure, *, alt: str) -> Drawing:
    """The figure as SVG. `alt` says in words what is to be seen; it is not optional.

    Raises: ValueError where `alt` is empty.
    """
    from matplotlib import rc_context

    if not alt.strip():
        raise ValueError("a drawing needs a sentence for those who cannot see it: alt is empty")
    buffer = io.StringIO()
    # a legend takes its style when it is made, outside of `chart`
    for legend in filter(None, (*(a.get_legend() for a in figure.axes), *figure.legends)):
        legend.set_frame_on(False)
        for text in legend.get_texts():
            text.set_color(INK)
    with rc_context(STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.S)
    # ids must differ between the drawings of one page
    mark = f"d{len(text):x}{sum(map(ord, alt)):x}"
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{mark}-", text)
    return Drawing(text.strip(), " ".join(alt.split()))
