"""How questions, verdicts and marks look on a terminal, drawn with rich.

Owns: colours, signs, layout. Must not know: keys, files, what is right beyond a verdict. Read
before: ``markup.py``. Texts become ``rich.text.Text`` from (style, text) pairs and never pass
through rich's own markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from . import markup
from .marking import PASS, Mark, Verdict
from .paper import Asked
from .replies import how_to_reply

STYLES = {"": "", "code": "cyan", "strong": "bold"}
WIDTH = 92  # lines longer than this are hard to read


class Screen(Console):
    """A console that leaves it to the command line what happens when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Instead of rich's silent exit."""
        raise BrokenPipeError


def console() -> Console:
    """The console all quizzes print on: no markup, no emoji, no highlighting of our texts."""
    made = Screen(markup=False, emoji=False, highlight=False)
    if made.is_terminal and made.width > WIDTH:
        made.width = WIDTH
    return made


def signs(on: Console) -> tuple[str, str, str]:
    """Right, wrong, open: as the terminal's encoding allows."""
    return ("✓", "✗", "·") if on.encoding.lower().startswith("utf") else ("+", "x", ".")


def line(text: str, on: Console, style: str = "") -> Text:
    """One line of our markdown subset; without colours, code keeps its marks."""
    out = Text(style=style)
    for kind, part in markup.spans(markup.printable(text)):
        bare = kind == "code" and (on.no_color or on.color_system is None)
        out.append(f"`{part}`" if bare else part, STYLES[kind])
    return out


def rendered(text: str, on: Console, style: str = "") -> Group:
    """A text of our markdown subset, a blank line between its blocks."""
    parts: list[RenderableType] = []
    for block in markup.blocks(text):
        if parts and block.kind != "item":
            parts.append(Text())
        if block.kind == "code":
            parts.append(code(block.text, block.language or "text"))
        elif block.kind == "item":
            parts.append(Padding(line("- " + block.text, on, style), (0, 0, 0, 2)))
        else:
            parts.append(line(block.text, on, style))
    return Group(*parts)


def code(text: str, language: str = "python") -> Padding:
    """Code, coloured, on the terminal's own background."""
    body = markup.printable(text).strip("\n")
    syntax = Syntax(body, language, theme="ansi_dark", background_color="default", word_wrap=True)
    return Padding(syntax, (0, 0, 0, 4))


def head(q: Asked, number: int, done: str, total: int) -> Group:
    """Which question this is, its topic, and how the others went."""
    text = Text(f" {number} of {total} ", style="bold reverse")
    text.append(f" {q.topic} ", style="not bold not reverse")
    text.append(done, style="not bold not reverse dim")
    return Group(Text(), text, Text())


def question(q: Asked, on: Console) -> Group:
    """The question without its choices: text, code."""
    parts: list[RenderableType] = [rendered(q.text, on)]
    if q.code:
        parts += [Text(), code(q.code)]
    return Group(*parts, Text())


def choices(q: Asked, on: Console) -> Group:
    """The choices with their letters."""
    rows = (Text(f"{o.letter})  ") + line(o.text, on) for o in q.options)
    return Group(*(Padding(row, (0, 0, 0, 2)) for row in rows), *([Text()] if q.options else []))


def answer_line(q: Asked, on: Console) -> Text:
    """What is right, in one line."""
    out = Text("The answer: ")
    if q.kind == "choice":
        out.append(f"{q.answer[0]})  ", "bold").append_text(line(q.shown, on, "bold"))
    else:
        out.append_text(Text(markup.printable(q.shown), "bold"))
    return out


def verdict(v: Verdict, on: Console) -> Group:
    """Right or wrong, why a wrong reply is wrong, the answer and its explanation."""
    right, wrong, _ = signs(on)
    text = Text()
    text.append(f"{right} Right." if v.right else f"{wrong} Wrong.", "green" if v.right else "red")
    if v.reply not in ("", PASS):
        text.append(f"  You said: {markup.printable(v.reply)[:60]}", "dim")
    parts: list[RenderableType] = [text]
    if v.reason:
        parts += [Text(), rendered(v.reason, on)]
    if not v.right:
        parts += [Text(), answer_line(v.question, on)]
    parts += [Text(), rendered(v.question.why, on, "dim" if v.right else "")]
    return Group(*parts)


def score(mark: Mark, on: Console) -> Group:
    """The result of a paper: score, pass or not, what was missed."""
    right, wrong, _ = signs(on)
    paper = mark.paper
    passed = Text(" passed ", "bold black on green")
    failed = Text(" not passed ", "bold white on red")
    text = Text(f"Quiz {paper.plan.quiz}, {paper.plan.title}: ", "bold")
    text.append(f"{mark.n_right} of {len(paper.questions)} right ", "bold")
    text.append_text(passed if mark.passed else failed)
    text.append(f"  ({paper.n_needed} pass)", "dim")
    table = Table(box=None, pad_edge=False, show_header=False)
    for n, v in enumerate(mark.verdicts, 1):
        sign = Text(right, "green") if v.right else Text(wrong, "red")
        table.add_row(Text(f"{n:>2}"), sign, Text(v.question.topic), Text(v.question.id, "dim"))
    return Group(Rule(), text, Text(), table)


def how(q: Asked) -> Text:
    """How to reply to this question, one dim line."""
    return Text(f"({how_to_reply(q)})", "dim")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A plain table of texts; columns that begin with ">" are right-aligned."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left")
    for row in rows:
        made.add_row(*(Text(markup.printable(str(cell))) for cell in row))
    return made
