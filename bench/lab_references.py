"""Write the task ``findings`` of the labs' references anew, and their reports.

    python bench/lab_references.py [LAB ...]      # build/labs/ID.html, solutions/ID/reference.py

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
        if page.measured:
            path = lab.folder / "reference.py"
            text = re.sub(r"def findings\(.*", "", path.read_text(encoding="utf-8"), flags=re.S)
            path.write_text(text + page.measured, encoding="utf-8")
        left = [*page.errors, *page.open, *page.blank]
        print(f"{id_}: {page.seconds:.1f} s, {out}", *left, sep="\n  ")


if __name__ == "__main__":
    main(sys.argv[1:])
