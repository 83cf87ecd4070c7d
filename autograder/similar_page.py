"""The page of similar submissions, what it keeps for the class report, and the section there.

The page lists and shows; it says of nobody that they copied. Owns: ``reports/ASSIGNMENT.similar.
html`` and ``.autograder/similar/ASSIGNMENT.json``. Must not know: how texts are compared.
Read before: similarity.py, pages.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autograder import pages
from autograder.similarity import Pair, Similar, Text, marked

MOST_SHOWN = 30  # pairs of which the sources stand on the page, side by side
MOST_IN_REPORT = 10
MOST_SOURCE = 30_000  # characters of one source shown


def write(root: Path, found: Similar, texts: Iterable[Text], title: str, path: Path) -> Path:
    """Write the page to ``path`` and what the class report shows into the course folder."""
    kept = json.dumps(asdict(found), indent=1, ensure_ascii=False)
    pages.write(kept_at(root, found.assignment), kept, 0o600)
    return pages.write(path, page(found, texts, title))


def page(found: Similar, texts: Iterable[Text], title: str) -> str:
    """The page as HTML."""
    by_name = {t.name if t.is_student else f"{t.kind}: {t.name}": t for t in texts}
    # a group's first two stand for it
    firsts = [Pair(g[0], g[1], 0.0, 0.0, 0) for g in found.groups]
    third = MOST_SHOWN // 3
    shown = [*found.known[:third], *firsts[:third], *found.pairs][:MOST_SHOWN]
    return pages.page(
        "similar.html",
        "similar.css",
        title=title,
        found=found,
        excerpts=[_excerpt(p, by_name) for p in shown if p.a in by_name and p.b in by_name],
    )


def section(root: Path, assignment: str) -> Any:
    """The report's section of what was found last, as markup; nothing where nobody looked."""
    from markupsafe import Markup

    path = kept_at(root, assignment)
    if not path.exists():
        return Markup("")
    found = json.loads(path.read_text(encoding="utf-8"))
    linked = page_path(root, assignment).exists()
    text = pages.render("similar_section.html", found=found, most=MOST_IN_REPORT, linked=linked)
    return Markup(text)


def kept_at(root: Path, assignment: str) -> Path:
    return Path(root) / ".autograder" / "similar" / f"{pages.one_name(assignment)}.json"


def page_path(root: Path, assignment: str) -> Path:
    return Path(root) / "reports" / f"{pages.one_name(assignment)}.similar.html"


def _excerpt(pair: Pair, by_name: dict[str, Text]) -> dict[str, Any]:
    one, other = by_name[pair.a], by_name[pair.b]
    return {"pair": pair, "sides": [_side(pair.a, one, other), _side(pair.b, other, one)]}


def _side(name: str, one: Text, other: Text) -> dict[str, Any]:
    """The sources of one text, what both have marked; of a long one (the oracle) what is marked."""
    parts = []
    for part, pieces in marked(one, other).items():
        size = sum(len(text) for _, text in pieces)
        if not one.is_student and not any(common for common, _ in pieces):
            continue
        if size > MOST_SOURCE or one.kind == "oracle":
            pieces = [(common, text if common else _ends(text)) for common, text in pieces]
        parts.append({"name": part, "pieces": pieces})
    return {"name": name, "parts": parts}


def _ends(text: str, lines: int = 2) -> str:
    """A text between two marked ones, its middle left out."""
    rows = text.splitlines(keepends=True)
    if len(rows) <= 2 * lines + 1:
        return text
    return "".join([*rows[:lines], "    ...\n", *rows[-lines:]])
