"""Write the task ``findings`` of the labs' references anew, and their reports.

    python bench/lab_references.py [LAB ...]      # build/labs/ID.html, solutions/ID/reference.py

Alternates that have measurements of their own (other kernels cost something else) get theirs too.

Run it after a change of a lab, of its experiments or of the engine's cache; the lab's test says
when what stands there is not what is measured. Prints what each lab took.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from autograder import catalog
from course.lab import report


def main(names: list[str]) -> None:
    course = catalog.find_course(Path(__file__).resolve().parent.parent)
    for id_ in [course.resolve(n) for n in names] or course.labs():
        lab = course.assignment(id_)
        page = report.make(lab.handout, {**lab.reference.sources, **lab.answers})
        out = course.root / "build" / "labs" / f"{id_}.html"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page.html, encoding="utf-8")
        keep(lab.folder / "reference.py", page)
        left = [*page.errors, *page.open, *page.blank]
        print(f"{id_}: {page.seconds:.1f} s, {out}", *left, sep="\n  ")
        for one in lab.solutions():
            if one.kind == "alternate" and "findings" in one.own:
                page = report.make(lab.handout, {**one.sources, **lab.answers})
                keep(lab.folder / "alternates" / f"{one.name}.py", page)
                print(f"{id_}, {one.name}: {page.seconds:.1f} s", *page.errors, sep="\n  ")


def keep(path: Path, page: report.Page) -> None:
    """Put what was measured into a solution's file."""
    if page.measured:
        text = re.sub(r"def findings\(.*", "", path.read_text(encoding="utf-8"), flags=re.S)
        path.write_text(text + page.measured, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
