"""The pages "how to add ...": every row of CONTRIBUTING's table, with worked examples.

Owns: how that table becomes a page, which example belongs to which row. The examples are lessons of
their own (course/howto/*.md): what they show ran when the site was built.
Must not know: what is in them. Read before: CONTRIBUTING.md.
"""

from __future__ import annotations

import re

from course.site.symbols import ROOT

HEADING = "## One obvious place"
# what is added, as CONTRIBUTING says it -> its worked example in course/howto/
EXAMPLES = {
    "an assignment": "assignment",
    "a check": "assignment",
    "a hint": "assignment",
    "a wrong submission": "assignment",
    "a quiz question": "question",
    "a lesson": "lesson",
    "a sampler": "sampler",
}
INTRODUCTION = """\
# How to add ...

Each thing has one place, and what lists, checks or documents it takes it from there.
The table is CONTRIBUTING's own.
Some rows have a worked example, whose code ran when this page was built.
"""


def rows() -> list[tuple[str, str, str]]:
    """(what is added, what to write, why nothing else) of each row of the table."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(HEADING)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    cells = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines]
    return [(a.strip(), b.strip(), c.strip()) for a, b, c in cells]


def examples() -> dict[str, str]:
    """Name -> title of the worked examples, in the order of their rows."""
    found = {}
    for name in dict.fromkeys(EXAMPLES[what] for what, *_ in rows() if what in EXAMPLES):
        path = ROOT / "course" / "howto" / f"{name}.md"
        if path.is_file():
            found[name] = title(path.read_text(encoding="utf-8"))
    return found


def title(text: str) -> str:
    """The first heading of a page."""
    return next(line[2:].strip() for line in text.splitlines() if line.startswith("# "))


def page() -> str:
    """All rows, each with a link to its example."""
    there = examples()
    out = [INTRODUCTION]
    for what, write, why in rows():
        name = EXAMPLES.get(what, "")
        out += [f"## {what[0].upper()}{what[1:]}", "", f"**Write** {write}.", ""]
        out += [f"Nothing else: {why}.", ""]
        if name in there:
            out += [f"A worked example: [{there[name]}]({name}.md).", ""]
    links = "\n".join(there)
    out += [f"```{{toctree}}\n:hidden:\n\n{links}\n```"]
    return "\n".join(out)
