"""The main job, end to end: ``make demo`` runs this.

Each step is a command that its user would type, with a headline, the time it took and where to
look. Everything is written below ``demo/``, which is made anew. Owns: the story and the class of
24; must not know: how anything is done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from autograder import catalog, handout, nbgrader_bridge, notebooks, score
from autograder.classroom import Classroom
from quizzes import paper, replies

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
CLASS = DEMO / "course"
ASSIGNMENT = "01_transformer_layer"
BIN = Path(sys.executable).parent
HOSTILE = (
    "endless_loop",
    "os_exit",
    "read_gradebook",
    "import_reference",
    "fill_memory",
)
N_STUDENTS = 24

console = Console(highlight=False)


def main() -> None:
    """Run the steps; the first that fails ends the demo with its exit status."""
    began = time.monotonic()
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    with step(1, "The engine writes, token by token", "minengine/models/CARD.md"):
        run("minengine", "generate", "ROMEO:\n", "--max-tokens", "120", "--seed", "7")
    with step(2, "A course folder is made and assignment 1 released", CLASS / "release"):
        run("autograder", "init", CLASS)
        run("autograder", "release", "1", "--dir", CLASS)
    with step(3, f"A class of {N_STUDENTS} is graded", CLASS / "submitted"):
        hand_in()
        run("autograder", "grade", "1", "--dir", CLASS)
    with step(4, "Gradebook, feedback and class report", CLASS / "reports"):
        run("autograder", "feedback", "1", "--dir", CLASS)
        run("autograder", "report", "1", "--dir", CLASS)
        compare_with_gradebook()
    with step(5, "A quiz is taken and marked", "quizzes/bank/2.1.yaml"):
        answer_a_paper(DEMO / "answers.yaml", "demo", n_wrong=2)
        run("quiz", "take", "2.1", "--answers", DEMO / "answers.yaml")
    console.print(f"\n[bold green]done[/] in {time.monotonic() - began:.0f} s; kept in demo/")


@contextmanager
def step(number: int, title: str, look: Path | str):
    """A headline; afterwards the seconds and where to look."""
    console.rule(f"[bold]{number}. {title}", align="left")
    began = time.monotonic()
    yield
    say(f"{time.monotonic() - began:.1f} s; look at {shown(look)}")


def hand_in() -> None:
    """Notebooks of a class: every right solution, the stub, hostile ones, the rest wrong ones."""
    assignment = catalog.find_course(ROOT).assignment(ASSIGNMENT)
    exploits = ROOT / "tests" / "autograder" / "exploits"
    holes = assignment.handout.holes
    found = assignment.solutions()
    handed = {s.name if s.kind == "reference" else f"{s.kind}-{s.name}": s.sources for s in found
              if s.kind != "wrong"}  # fmt: skip
    handed["stub"] = assignment.handout.stubs
    for name in HOSTILE:
        text = (exploits / f"{name}.py").read_text(encoding="utf-8")
        handed[f"hostile-{name}"] = catalog.split(exploits / f"{name}.py", text, holes)[2]
    wrong = [s for s in found if s.kind == "wrong"]
    room = N_STUDENTS - len(handed)
    for i in range(room):  # spread over the bank, so that every task has some
        s = wrong[i * len(wrong) // room]
        handed[f"wrong-{s.name}"] = s.sources
    for student, sources in handed.items():
        path = CLASS / "submitted" / student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        path.parent.mkdir(parents=True)
        notebooks.write(handout.fill(assignment.handout, sources), path)
    say(f"{len(handed)} notebooks handed in")


def compare_with_gradebook() -> None:
    """The scores nbgrader reads must be the marks of the table."""
    records = Classroom(CLASS).results(ASSIGNMENT)
    marks = {r["student"]: score.mark(r).points for r in records}
    scores = nbgrader_bridge.scores(CLASS, ASSIGNMENT)
    if scores != marks:
        console.print(f"[bold red]the gradebook differs from the table: {scores} and {marks}")
        raise SystemExit(1)
    say(f"{shown(CLASS / 'gradebook.db')}: {len(scores)} scores, each equal to the table's")


def answer_a_paper(path: Path, student: str, n_wrong: int) -> None:
    """A student's replies to quiz 2.1: right ones, and other choices for the first few."""
    asked = paper.draw("2.1", student, "1")
    text = replies.template(asked)
    for q in asked.questions:
        reply = "".join(q.answer) if q.options else str(q.answer)
        if q.kind == "number" and q.answer.denominator > 1:
            reply = f"{float(q.answer):.6g}"
        if q.kind == "choice" and n_wrong:
            reply = next(o.letter for o in q.options if o.letter not in q.answer)
            n_wrong -= 1
        text = text.replace(f'  {q.id}: ""', f"  {q.id}: {replies.quoted(reply)}")
    path.write_text(text, encoding="utf-8")
    say(f"replies of {student} in {shown(path)}")


def run(command: str, *args: object, ok: tuple[int, ...] = (0,)) -> None:
    """Print the command, run it on this terminal, stop the demo where it fails."""
    words = [shown(a) for a in args]  # run in the repository: what is printed can be typed
    console.print(f"[bold cyan]$ {command}[/]", *(repr(w) if "\n" in w else w for w in words))
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    status = subprocess.run(
        [BIN / command, *words], cwd=ROOT, env={**os.environ, "PATH": path}
    ).returncode
    if status not in ok:
        console.print(f"[bold red]{command} ended with {status}")
        raise SystemExit(status)


def shown(path: object) -> str:
    """A path as seen from the repository, anything else as it is."""
    return str(path).replace(f"{ROOT}{os.sep}", "")


def say(text: str) -> None:
    console.print(f"[dim]{text}[/]", soft_wrap=True)


if __name__ == "__main__":
    main()
