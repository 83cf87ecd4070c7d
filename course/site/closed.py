"""Which symbols the syllabus keeps from students, and until when.

An assignment's row in `course/syllabus.yaml` names them (`closed`); `published: true` in that row
opens them. A symbol that two assignments close is open when both are published.
Owns: this rule, and what readers are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def closed_by(syllabus: Mapping[str, Any], name: str) -> list[str]:
    """Titles of the unpublished assignments that keep this dotted name closed; none: it is open.

    A class that is closed closes its methods.
    """
    rows = (syllabus.get("assignments") or {}).values()
    return [
        row["title"]
        for row in rows
        if not row.get("published")
        and any(name == s or name.startswith(f"{s}.") for s in row.get("closed") or [])
    ]


def left_out(titles: Sequence[str]) -> str:
    """What stands behind the name of a closed symbol in the place of its text."""
    works = " and ".join(f"\u201c{title}\u201d" for title in titles)
    return (
        f" is what you write in {works}, so its code is left out here."
        " It appears when your instructor publishes the solution."
    )
