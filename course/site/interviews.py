"""Pages of the interview bank: one for each category, answers on demand.

Questions, what is looked for, model answers, follow-ups and rubrics are for everybody, as `quiz
interview` shows them to everybody; the fixes of broken engines are on the instructors' site.
Owns: how a question looks. Must not know: what is computed in it.
Read before: quizzes/interview.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from course.site.assignments import fenced
from quizzes import interview

TITLES = {
    "concepts": ("Concepts", "What is what, and why."),
    "technique": ("Technique", "How it is done."),
    "design": ("System design", "What to build, and what it costs."),
    "debugging": (
        "Debugging",
        "An engine that is broken in one way: below each question, what it writes, and what a "
        "right one writes in its place.",
    ),
}
# What Markdown would read, but a question's small markup (quizzes/markup.py) does not.
SPECIAL = re.compile(r"([\\_\[\]<>$#{}|~]|(?<!\*)\*(?!\*))")


def pages(*, student: bool) -> Iterator[tuple[str, str]]:
    """(path in the site's source, text) of the overview and of each category."""
    questions = [interview.as_data(q) for q in interview.load().values()]
    yield "interview/index.md", overview(questions)
    for category, (title, opening) in TITLES.items():
        mine = [q for q in questions if q["category"] == category]
        text = "\n\n".join(one(q, student=student) for q in mine)
        yield f"interview/{category}.md", f"# {title}\n\n{opening}\n\n{text}\n"


def overview(questions: list[Mapping[str, Any]]) -> str:
    """The list of questions."""
    out = [
        "# Interview questions",
        "",
        "For a talk about this module: with a colleague, with whoever handed in an assignment, or "
        "in an interview for a job in the field.",
        "Answer aloud and against the clock, then unfold the answer; the numbers in it were "
        "computed by the engine.",
        "In a terminal, `quiz interview` deals one, times it, and asks for your own score.",
    ]
    for category, (title, _) in TITLES.items():
        out += ["", f"## {title}", ""]
        for q in questions:
            if q["category"] == category:
                link = f"[{escaped(q['title'])}]({category}.md#{q['id']})"
                out.append(f"- {link} [{q['level']}, {q['minutes']} min]{{.note}}")
    rows = "\n".join(f"{title} <{category}>" for category, (title, _) in TITLES.items())
    return "\n".join(out) + f"\n\n```{{toctree}}\n:hidden:\n\n{rows}\n```\n"


def one(q: Mapping[str, Any], *, student: bool) -> str:
    """One question, with what follows it folded."""
    out = [f"({q['id']})=", f"## {escaped(q['title'])}", ""]
    out += [f"[{q['level']} level, {q['minutes']} minutes]{{.note}}", "", escaped(q["question"])]
    if "engine" in q:
        out += ["", *shown(q)]
    out += ["", *folded("What is looked for", listed(q["looked_for"]))]
    out += ["", *folded("A model answer", escaped(q["answer"]))]
    follow = [f"**{escaped(f['question'])}** {escaped(f['answer'])}" for f in q["follow_ups"]]
    out += ["", *folded("Follow-ups", listed(follow, escape=False))]
    points = [f"{escaped(p['text'])} [{p['points']} points]{{.note}}" for p in q["rubric"]]
    out += ["", *folded("Rubric", listed(points, escape=False))]
    if "fix" in q and not student:
        wrong = [f"{escaped(w['why'])}\n\n{fenced(w['code'].strip())}" for w in q["wrong_fixes"]]
        text = f"{fenced(q['fix'].strip())}\n\nWhat people try first, and why it is no fix:\n\n"
        out += ["", *folded("The fix", text + "\n\n".join(wrong))]
    return "\n".join(out)


def shown(q: Mapping[str, Any]) -> list[str]:
    """Cells that run the broken engine and a right one."""
    code = (
        "from quizzes import interview\n\n"
        f'right, broken = interview.symptom(interview.load()["{q["id"]}"])\nprint(broken)'
    )
    return [
        "It writes:",
        "",
        f"```{{code-cell}} python\n:tags: [hide-input]\n\n{code}\n```",
        "",
        "A right engine:",
        "",
        "```{code-cell} python\n:tags: [remove-input]\n\nprint(right)\n```",
    ]


def folded(summary: str, text: str) -> list[str]:
    """Lines of a text that the reader unfolds."""
    return [f"::::{{on-demand}} {summary}", text, "::::"]


def listed(items: list[str], *, escape: bool = True) -> str:
    """Items as a list."""
    rows = [escaped(i) if escape else i for i in items]
    return "\n".join("- " + row.replace("\n", "\n  ") for row in rows)


def escaped(text: str) -> str:
    """A question's text as Markdown: its code and bold stay, nothing else has a meaning."""
    pieces = re.split(r"(```.*?```|`[^`]+`)", text.strip(), flags=re.S)
    return "".join(p if i % 2 else SPECIAL.sub(r"\\\1", p) for i, p in enumerate(pieces))
